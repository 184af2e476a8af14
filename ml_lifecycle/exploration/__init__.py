"""Step 3, model exploration: which model is worth refining?"""

from ml_lifecycle.exploration.baselines import BaselineReport, baselines
from ml_lifecycle.exploration.chosen import Choice, chosen_model, usable_choice
from ml_lifecycle.exploration.extrapolate import Extrapolation, extrapolate_curve
from ml_lifecycle.exploration.ideas import IdeaReport, compare_ideas
from ml_lifecycle.exploration.learning import LearningCurve, learning_curve
from ml_lifecycle.exploration.overfit import OverfitReport, overfit_batch
from ml_lifecycle.exploration.pipelines import DateParts, default_models, prepare
from ml_lifecycle.exploration.published import (
    ReproductionReport,
    known_results,
    published_model,
    published_rows,
    reproduce,
)

__all__ = [
    "BaselineReport", "Choice", "DateParts", "Extrapolation", "IdeaReport", "LearningCurve", "OverfitReport",
    "ReproductionReport", "baselines", "chosen_model", "compare_ideas", "default_models", "extrapolate_curve", "known_results",
    "learning_curve", "overfit_batch", "prepare", "published_model", "published_rows", "reproduce", "usable_choice",
]
