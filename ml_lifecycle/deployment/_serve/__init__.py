"""The service: its contract, what it reads and answers, and what it counts."""
