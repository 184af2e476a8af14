"""How a loader is timed part by part, and what more workers would buy."""
