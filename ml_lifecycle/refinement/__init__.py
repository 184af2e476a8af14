"""Step 4, model refinement: what limits the model, and what is done about it?"""

from .again import Reproducibility, reproducible
from .breakdown import ErrorBreakdown, error_breakdown
from .clusters import ErrorClusters, error_clusters
from .explore import ErrorReview
from .irreducible import IrreducibleError, irreducible_error
from .loader import LoaderProfile, profile_loader
from .losses import TopLosses, top_losses
from .plan import CollectionPlan, collection_plan
from .search import SearchReport, coarse_to_fine, default_space
from .slices import ErrorSlices, error_slices
from .training import TrainingDiagnosis, diagnose_training, watch_training

__all__ = [
    "CollectionPlan", "ErrorBreakdown", "ErrorClusters", "ErrorReview", "ErrorSlices", "IrreducibleError", "LoaderProfile",
    "Reproducibility", "SearchReport", "TopLosses", "TrainingDiagnosis", "coarse_to_fine", "collection_plan", "default_space",
    "diagnose_training", "error_breakdown", "error_clusters", "error_slices", "irreducible_error", "profile_loader",
    "reproducible", "top_losses", "watch_training",
]
