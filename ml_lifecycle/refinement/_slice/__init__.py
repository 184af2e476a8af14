"""How slices of many errors are found on one half of the rows and judged on the other."""
