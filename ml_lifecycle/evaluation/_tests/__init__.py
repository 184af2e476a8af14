"""How tests of a model are run, compared and written as pytest."""
