"""Step 3, model exploration: which model is worth refining?"""

from .baselines import BaselineReport, baselines
from .chosen import chosen_model
from .pipelines import DateParts, default_models, prepare

__all__ = ["BaselineReport", "DateParts", "baselines", "chosen_model", "default_models", "prepare"]
