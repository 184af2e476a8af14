"""Step 4, model refinement: what limits the model, and what is done about it?"""

from .breakdown import ErrorBreakdown, error_breakdown
from .clusters import ErrorClusters, error_clusters
from .losses import TopLosses, top_losses
from .search import SearchReport, coarse_to_fine, default_space

__all__ = [
    "ErrorBreakdown", "ErrorClusters", "SearchReport", "TopLosses", "coarse_to_fine", "default_space",
    "error_breakdown", "error_clusters", "top_losses",
]
