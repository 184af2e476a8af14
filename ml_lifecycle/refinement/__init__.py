"""Step 4, model refinement: what limits the model, and what is done about it?"""

__all__: list[str] = []
