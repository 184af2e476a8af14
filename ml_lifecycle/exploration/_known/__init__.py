"""Published results: their data, models and figures, and how a rerun is judged."""
