"""A schema as one of pandera, for those who check with it elsewhere."""

from typing import Any

import numpy as np

from ml_lifecycle.data._schema.read import read_as
from ml_lifecycle.data._schema.rule import ColumnRule
from ml_lifecycle.foundation.errors import require

def as_pandera(rules: tuple[ColumnRule, ...]) -> Any:
    """A `pandera.pandas.DataFrameSchema` with the same limits; shares become "may be missing" or not."""
    require("pandera", "data", "Schema.to_pandera()")
    import pandera.pandas as pa

    return pa.DataFrameSchema({rule.name: _column(pa, rule) for rule in rules}, strict=False)


def _column(pa: Any, rule: ColumnRule) -> Any:
    def passes(test: Any) -> Any:
        """A check of values read as the rule reads them; missing ones are the matter of `nullable`."""
        return lambda series: test(read_as(series, rule)).set_axis(series.index)

    checks = []
    if rule.type not in ("text", "category") and not rule.unreadable:
        checks.append(pa.Check(passes(lambda read: ~_series(read.unreadable)), name=f"type {rule.type}", ignore_na=True))
    if rule.type in ("number", "integer"):
        checks += [pa.Check(passes(lambda read: ~(read.values < rule.min)), name=f"min {rule.min}")] * (rule.min is not None)
        checks += [pa.Check(passes(lambda read: ~(read.values > rule.max)), name=f"max {rule.max}")] * (rule.max is not None)
    if rule.type == "datetime":
        checks += [pa.Check(passes(lambda read: ~(read.values < rule.min)), name=f"min {rule.min}")] * (rule.min is not None)
        checks += [pa.Check(passes(lambda read: ~(read.values > rule.max)), name=f"max {rule.max}")] * (rule.max is not None)
    if rule.values is not None and not rule.other:
        checks.append(pa.Check(passes(lambda read: read.values.isin(rule.values or ()) | read.values.isna()), name="values"))
    return pa.Column(checks=checks, nullable=rule.missing > 0 or rule.unreadable > 0, unique=rule.unique, required=rule.required,
                     name=rule.name)


def _series(mask: np.ndarray) -> Any:
    import pandas as pd

    return pd.Series(mask)
