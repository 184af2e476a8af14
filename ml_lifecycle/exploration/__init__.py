"""Step 3, model exploration: which model is worth refining?"""

from .baselines import BaselineReport, baselines
from .chosen import Choice, chosen_model, usable_choice
from .pipelines import DateParts, default_models, prepare

__all__ = ["BaselineReport", "Choice", "DateParts", "baselines", "chosen_model", "default_models", "prepare", "usable_choice"]
