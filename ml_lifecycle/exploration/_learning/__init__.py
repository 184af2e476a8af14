"""How a learning curve is ordered, fitted, scored and looked ahead of."""
