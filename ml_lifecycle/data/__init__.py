"""Step 2, data collection and labelling: are the data fit for the purpose?"""

from .annotators import AgreementReport, agreement
from .labels import LabelIssues, confirmed_label_issues, label_issues, out_of_sample, rank_by_loss
from .quality import QualityReport, check_quality
from .schema import ColumnRule, Schema, SchemaReport, infer_schema
from .store import DatasetDiff, DatasetStore

__all__ = ["AgreementReport", "ColumnRule", "DatasetDiff", "DatasetStore", "LabelIssues", "QualityReport", "Schema",
           "SchemaReport", "agreement", "check_quality", "confirmed_label_issues", "infer_schema", "label_issues",
           "out_of_sample", "rank_by_loss"]
