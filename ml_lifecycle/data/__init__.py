"""Step 2, data collection and labelling: are the data fit for the purpose?"""

__all__: list[str] = []
