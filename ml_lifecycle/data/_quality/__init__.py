"""How quality is checked: rows, columns alone, leaks of the target, findings."""
