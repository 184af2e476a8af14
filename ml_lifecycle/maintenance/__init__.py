"""Step 7, maintenance: what keeps it true?"""

from .decay import Staleness, staleness
from .deprecated import DeprecatedFeatureError, DeprecatedFeatures
from .document import Handoff, handoff
from .features import FeatureValue, feature_value

__all__ = [
    "DeprecatedFeatureError", "DeprecatedFeatures", "FeatureValue", "Handoff", "Staleness", "feature_value", "handoff",
    "staleness",
]
