"""Step 5, testing and evaluation: is it ready for users?"""

from .model_tests import ModelTests, TestReport
from .score import TestScore, ml_test_score
from .shift import ShiftReport, compare_distributions
from .slices import SliceReport, evaluate_slices

__all__ = ["ModelTests", "ShiftReport", "SliceReport", "TestReport", "TestScore", "compare_distributions", "evaluate_slices",
           "ml_test_score"]
