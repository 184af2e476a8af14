"""Step 7, maintenance: what keeps it true?"""

__all__: list[str] = []
