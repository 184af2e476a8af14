"""How versions of data are encoded, compared and put on disk."""
