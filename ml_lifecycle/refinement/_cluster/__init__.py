"""How errors are put in one space, grouped, judged and described."""
