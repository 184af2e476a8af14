"""Text and wide sparse matrices as features: words weighted by how telling they are, or a few dense columns of them."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from ml_lifecycle.exploration import _columns

class Dense(TransformerMixin, BaseEstimator):
    """Turn a matrix, sparse or not, into a dense one of at most `width` columns, by a truncated SVD where it is wider."""

    def __init__(
        self,
        width: int = 32,  # columns at most
        seed: int = 0,  # of the SVD
    ) -> None:
        self.width = width
        self.seed = seed

    def fit(
        self,
        X: Any,  # matrix, shape (n, columns)
        y: Any = None,  # not used
    ) -> Self:
        """Learn the directions when they are needed; columns without any value are left out otherwise."""
        X = _matrix(X)
        used = np.unique(X.indices) if sparse.issparse(X) else np.arange(X.shape[1])
        self.used_ = used if len(used) else np.arange(1)
        self.svd_ = TruncatedSVD(self.width, n_iter=3, random_state=self.seed).fit(X) if len(used) > self.width else None
        return self

    def transform(
        self,
        X: Any,  # matrix with the same columns
    ) -> np.ndarray:  # shape (n, at most width)
        """The rows as dense numbers."""
        X = _matrix(X)
        if self.svd_ is not None:
            return np.asarray(self.svd_.transform(X))
        return np.asarray(X[:, self.used_].toarray() if sparse.issparse(X) else X[:, self.used_])

    def get_feature_names_out(
        self,
        input_features: Any = None,  # names of the columns
    ) -> np.ndarray:
        """Names such as `direction 1`."""
        width = len(self.used_) if self.svd_ is None else len(self.svd_.components_)
        return np.array([f"direction {i + 1}" for i in range(width)], dtype=object)


def _matrix(X: Any) -> Any:
    return X if isinstance(X, np.ndarray) else sparse.csr_matrix(X)


class Words(TransformerMixin, BaseEstimator):
    """Turn one column of text into TF-IDF weights of its words, or into a few dense columns of them."""

    def __init__(
        self,
        column: Any,  # the column's name
        width: int | None = None,  # dense columns; None: one sparse column for each word
        most: int = 10_000,  # words at most, the most frequent ones
        seed: int = 0,  # of the SVD
        more: Sequence[Any] = (),  # further columns, whose texts are put behind
    ) -> None:
        self.column = column
        self.more = more
        self.width = width
        self.most = most
        self.seed = seed

    def fit(
        self,
        X: Any,  # frame with the column
        y: Any = None,  # not used
    ) -> Self:
        """Learn the words; texts without any give one column of zeros."""
        texts = self._texts(X)
        self.words_ = TfidfVectorizer(sublinear_tf=True, max_features=self.most, min_df=2 if len(texts) >= 200 else 1)
        try:
            weights = self.words_.fit_transform(texts)
        except ValueError:  # no word at all, or none that comes twice
            self.words_ = None
            return self
        self.dense_ = Dense(self.width, self.seed).fit(weights) if self.width else None
        return self

    def transform(
        self,
        X: Any,  # frame with the column
    ) -> Any:  # shape (n, words) and sparse, or (n, at most width)
        """The texts as numbers."""
        texts = self._texts(X)
        if self.words_ is None:
            return np.zeros((len(texts), 1))
        weights = self.words_.transform(texts)
        return weights if self.dense_ is None else self.dense_.transform(weights)

    def _texts(self, X: Any) -> list[str]:
        frame = _columns.pick(X, [self.column, *self.more])
        parts = [_columns.texts(frame[name]) for name in (self.column, *self.more)]
        return parts[0] if len(parts) == 1 else [" ".join(texts) for texts in zip(*parts)]

    def get_feature_names_out(
        self,
        input_features: Any = None,  # not used: the names come from the words
    ) -> np.ndarray:
        """Names such as `note: price`, or `note: direction 1`."""
        if self.words_ is None:
            names = ["no words"]
        elif self.dense_ is None:
            names = list(self.words_.get_feature_names_out())
        elif self.dense_.svd_ is None:
            names = list(self.words_.get_feature_names_out()[self.dense_.used_])
        else:
            names = [f"direction {i + 1}" for i in range(len(self.dense_.svd_.components_))]
        where = f"{self.column} and {len(self.more)} more" if self.more else str(self.column)
        return np.array([f"{where}: {name}" for name in names], dtype=object)
