"""How a schema is inferred, read, written and held against rows."""
