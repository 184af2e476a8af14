"""How a training loop is watched, and the rules that name what is wrong with it."""
