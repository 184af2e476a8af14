"""Step 2, data collection and labelling: are the data fit for the purpose?"""

from ml_lifecycle.data.annotators import AgreementReport, agreement
from ml_lifecycle.data.labels import LabelIssues, confirmed_label_issues, label_issues, out_of_sample, rank_by_loss
from ml_lifecycle.data.quality import QualityReport, check_quality
from ml_lifecycle.data.schema import ColumnRule, Schema, SchemaReport, infer_schema
from ml_lifecycle.data.store import DatasetDiff, DatasetStore

__all__ = ["AgreementReport", "ColumnRule", "DatasetDiff", "DatasetStore", "LabelIssues", "QualityReport", "Schema",
           "SchemaReport", "agreement", "check_quality", "confirmed_label_issues", "infer_schema", "label_issues",
           "out_of_sample", "rank_by_loss"]
