"""The engine that watches training on one batch, and the rules that name what is wrong."""
