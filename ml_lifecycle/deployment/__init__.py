"""Step 6, deployment: how does it reach users, and how is it taken back?"""

__all__: list[str] = []
