"""How ideas are run on the same folds and judged for having tried many."""
