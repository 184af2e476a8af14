"""Step 1, planning and setup: what is good enough to ship, measured and judged."""

from ml_lifecycle.planning.measure import measure_model
from ml_lifecycle.planning.requirements import Requirements, RequirementsReport

__all__ = ["Requirements", "RequirementsReport", "measure_model"]
