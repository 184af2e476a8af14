"""The parts of an error, what is known of its floor, and the actions for each part."""
