"""How a training is run twice and what differed first is found."""
