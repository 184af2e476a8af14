"""Step 5, testing and evaluation: is it ready for users?"""

__all__: list[str] = []
