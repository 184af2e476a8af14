"""The rounds of a search: its space, its log, its model of the scores, what matters."""
