"""Step 3, model exploration: which model is worth refining?"""

from .baselines import BaselineReport, baselines
from .pipelines import DateParts, default_models, prepare

__all__ = ["BaselineReport", "DateParts", "baselines", "default_models", "prepare"]
