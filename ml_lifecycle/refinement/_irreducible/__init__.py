"""Ways to bound the error that no model can avoid."""
