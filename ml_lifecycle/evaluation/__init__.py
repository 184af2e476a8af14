"""Step 5, testing and evaluation: is it ready for users?"""

from ml_lifecycle.evaluation.model_tests import ModelTests, TestReport
from ml_lifecycle.evaluation.score import TestScore, ml_test_score
from ml_lifecycle.evaluation.shift import ShiftReport, compare_distributions
from ml_lifecycle.evaluation.slices import SliceReport, evaluate_slices

__all__ = ["ModelTests", "ShiftReport", "SliceReport", "TestReport", "TestScore", "compare_distributions", "evaluate_slices",
           "ml_test_score"]
