"""Step 1, planning and setup: what is good enough to ship, measured and judged."""

from .measure import measure_model
from .requirements import Requirements, RequirementsReport

__all__ = ["Requirements", "RequirementsReport", "measure_model"]
