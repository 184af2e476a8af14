"""Step 3, model exploration: which model is worth refining?"""

from .baselines import BaselineReport, baselines
from .chosen import Choice, chosen_model, usable_choice
from .extrapolate import Extrapolation, extrapolate_curve
from .ideas import IdeaReport, compare_ideas
from .learning import LearningCurve, learning_curve
from .overfit import OverfitReport, overfit_batch
from .pipelines import DateParts, default_models, prepare
from .published import ReproductionReport, known_results, published_model, published_rows, reproduce

__all__ = [
    "BaselineReport", "Choice", "DateParts", "Extrapolation", "IdeaReport", "LearningCurve", "OverfitReport",
    "ReproductionReport", "baselines", "chosen_model", "compare_ideas", "default_models", "extrapolate_curve", "known_results",
    "learning_curve", "overfit_batch", "prepare", "published_model", "published_rows", "reproduce", "usable_choice",
]
