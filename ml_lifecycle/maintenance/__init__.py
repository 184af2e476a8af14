"""Step 7, maintenance: what keeps it true?"""

from ml_lifecycle.maintenance.decay import Staleness, staleness
from ml_lifecycle.maintenance.deprecated import DeprecatedFeatureError, DeprecatedFeatures
from ml_lifecycle.maintenance.document import Handoff, handoff
from ml_lifecycle.maintenance.features import FeatureValue, feature_value

__all__ = [
    "DeprecatedFeatureError", "DeprecatedFeatures", "FeatureValue", "Handoff", "Staleness", "feature_value", "handoff",
    "staleness",
]
