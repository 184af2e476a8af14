"""Step 4, model refinement: what limits the model, and what is done about it?"""

from ml_lifecycle.refinement.again import Reproducibility, reproducible
from ml_lifecycle.refinement.breakdown import ErrorBreakdown, error_breakdown
from ml_lifecycle.refinement.clusters import ErrorClusters, error_clusters
from ml_lifecycle.refinement.explore import ErrorReview
from ml_lifecycle.refinement.irreducible import IrreducibleError, irreducible_error
from ml_lifecycle.refinement.loader import LoaderProfile, profile_loader
from ml_lifecycle.refinement.losses import TopLosses, top_losses
from ml_lifecycle.refinement.plan import CollectionPlan, collection_plan
from ml_lifecycle.refinement.search import SearchReport, coarse_to_fine, default_space
from ml_lifecycle.refinement.slices import ErrorSlices, error_slices
from ml_lifecycle.refinement.training import TrainingDiagnosis, diagnose_training, watch_training

__all__ = [
    "CollectionPlan", "ErrorBreakdown", "ErrorClusters", "ErrorReview", "ErrorSlices", "IrreducibleError", "LoaderProfile",
    "Reproducibility", "SearchReport", "TopLosses", "TrainingDiagnosis", "coarse_to_fine", "collection_plan", "default_space",
    "diagnose_training", "error_breakdown", "error_clusters", "error_slices", "irreducible_error", "profile_loader",
    "reproducible", "top_losses", "watch_training",
]
