"""Where the parts of a version lie, and how they are put there whole."""
