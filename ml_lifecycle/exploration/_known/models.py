"""The models of the published results as estimators that anyone can fit to other data."""

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import linprog
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.linear_model import LassoLars, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from ml_lifecycle.exploration._known.bins import DiscreteBayes, OneRule
from ml_lifecycle.exploration._known.nets import SignalNet
from ml_lifecycle.foundation.errors import BadInputError

class SeparatingPlane(ClassifierMixin, BaseEstimator):
    """One plane between two classes with the least mean violation of each (Bennett & Mangasarian 1992)."""

    def fit(self, X: Any, y: Any) -> Self:
        """Solve the linear program on standardized columns."""
        Z, y = np.asarray(X, dtype=float), np.asarray(y)
        self.classes_ = np.unique(y)
        if len(self.classes_) != 2:
            raise BadInputError(f"`y` must hold two classes for one separating plane. Got {len(self.classes_)}.")
        self.centre_, scale = Z.mean(axis=0), Z.std(axis=0)
        self.scale_ = np.where(scale > 0, scale, 1.0)
        Z = (Z - self.centre_) / self.scale_
        sign = np.where(y == self.classes_[1], 1.0, -1.0)
        share = np.where(sign > 0, 1 / (sign > 0).sum(), 1 / (sign < 0).sum())
        n, p = Z.shape  # sign (Zw - g) >= 1 - slack
        left = sparse.hstack([-sign[:, None] * Z, sign[:, None], -sparse.eye(n)]).tocsr()
        bounds = [(None, None)] * (p + 1) + [(0, None)] * n
        found = linprog(np.r_[np.zeros(p + 1), share], A_ub=left, b_ub=-np.ones(n), bounds=bounds, method="highs")
        self.coef_, self.offset_ = found.x[:p], found.x[p]
        return self

    def decision_function(self, X: Any) -> NDArray[Any]:
        """Signed distance in units of the margin, positive on the side of the second class."""
        return np.asarray((np.asarray(X, dtype=float) - self.centre_) / self.scale_ @ self.coef_ - self.offset_)

    def predict(self, X: Any) -> NDArray[Any]:
        """The class of each row."""
        return np.asarray(self.classes_[(self.decision_function(X) > 0).astype(int)])


class RegularizedDiscriminant(ClassifierMixin, BaseEstimator):
    """Discriminant analysis between linear, quadratic and nearest centre (Friedman 1989, JASA 84)."""

    def __init__(self, pooling: float = 0.1, shrinkage: float = 0.0) -> None:
        self.pooling = pooling  # 0: a covariance of each class; 1: one of all
        self.shrinkage = shrinkage  # 0: as estimated; 1: a multiple of the identity

    def fit(self, X: Any, y: Any) -> Self:
        """Estimate centres and covariances on standardized columns."""
        Z, y = np.asarray(X, dtype=float), np.asarray(y)
        self.centre_, scale = Z.mean(axis=0), Z.std(axis=0)
        self.scale_ = np.where(scale > 0, scale, 1.0)
        Z = (Z - self.centre_) / self.scale_
        self.classes_, which = np.unique(y, return_inverse=True)
        sizes = np.bincount(which)
        self.means_ = np.stack([Z[which == k].mean(axis=0) for k in range(len(sizes))])
        scatter = [(Z[which == k] - self.means_[k]).T @ (Z[which == k] - self.means_[k]) for k in range(len(sizes))]
        pooled, lam, gam = sum(scatter), self.pooling, self.shrinkage
        covariances = [((1 - lam) * s + lam * pooled) / ((1 - lam) * n + lam * len(y)) for s, n in zip(scatter, sizes)]
        eye, least = np.eye(Z.shape[1]), 1e-9  # the least keeps columns that are sums of others from ruling alone
        covariances = [(1 - gam) * c + (gam * np.trace(c) / len(c) + least) * eye for c in covariances]
        self.precisions_ = [np.linalg.pinv(c, hermitian=True) for c in covariances]
        self.offsets_ = [np.linalg.slogdet(c)[1] - 2 * np.log(n / len(y)) for c, n in zip(covariances, sizes)]
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """The class of each row."""
        Z = (np.asarray(X, dtype=float) - self.centre_) / self.scale_
        far = [np.einsum("ij,jk,ik->i", Z - m, P, Z - m) + o for m, P, o in zip(self.means_, self.precisions_, self.offsets_)]
        return np.asarray(self.classes_[np.argmin(far, axis=0)])


def pick(
    X: Any,
    columns: Sequence[str],
) -> Any:
    """These columns of a frame that has them; other data as they are."""
    held = isinstance(X, pd.DataFrame) and set(columns) <= set(X.columns)
    return X[list(columns)] if held else X


def _on(columns: Sequence[str], model: Any) -> Pipeline:
    return Pipeline([("columns", FunctionTransformer(pick, kw_args={"columns": tuple(columns)})), ("model", model)])


def _scaled(model: Any) -> Pipeline:
    return Pipeline([("columns", StandardScaler()), ("model", model)])


def _mixed(model: Any) -> Pipeline:
    numbers, others = make_column_selector(dtype_include="number"), make_column_selector(dtype_exclude="number")
    columns = make_column_transformer((StandardScaler(), numbers), (OneHotEncoder(handle_unknown="ignore"), others))
    return Pipeline([("columns", columns), ("model", model)])


LAGS, PLANE = ("Lag1", "Lag2"), ("worst area", "worst smoothness", "mean texture")
AMOUNTS = {"pooling": (0.0, 0.1, 0.5, 1.0), "shrinkage": (0.0, 0.1)}  # of regularized discriminant analysis
FEW_STEPS = {"mnist1d-cnn": 3000, "mnist1d-gru": 1000}  # of the quick budget; 6,000 are published
MODELS: dict[str, Callable[[int, int], Any]] = {  # name -> (seed, steps) -> unfitted
    "wine-lda": lambda seed, steps: LinearDiscriminantAnalysis(),
    "wine-qda": lambda seed, steps: QuadraticDiscriminantAnalysis(),
    "wine-rda": lambda seed, steps: RegularizedDiscriminant(),
    "wine-1nn": lambda seed, steps: _scaled(KNeighborsClassifier(1)),
    "iris-lda": lambda seed, steps: LinearDiscriminantAnalysis(),
    "iris-qda": lambda seed, steps: QuadraticDiscriminantAnalysis(),
    "iris-qda-loo": lambda seed, steps: QuadraticDiscriminantAnalysis(),
    "diabetes-lars": lambda seed, steps: _scaled(LassoLars(alpha=1.0)),
    "digits-svc": lambda seed, steps: SVC(gamma=0.001),
    "wdbc-plane": lambda seed, steps: _on(PLANE, SeparatingPlane()),
    "smarket-logistic": lambda seed, steps: LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000),
    "smarket-lda": lambda seed, steps: _on(LAGS, LinearDiscriminantAnalysis()),
    "smarket-qda": lambda seed, steps: _on(LAGS, QuadraticDiscriminantAnalysis()),
    "smarket-3nn": lambda seed, steps: _on(LAGS, KNeighborsClassifier(3)),
    "flights-logistic": lambda seed, steps: _mixed(LogisticRegression(C=np.inf, max_iter=300)),
    "adult-nb": lambda seed, steps: DiscreteBayes(),
    "adult-1r": lambda seed, steps: OneRule(),
    "mnist1d-logistic": lambda seed, steps: SignalNet("logistic", steps=steps, random_state=seed),
    "mnist1d-mlp": lambda seed, steps: SignalNet("mlp", steps=steps, random_state=seed),
    "mnist1d-cnn": lambda seed, steps: SignalNet("cnn", steps=steps, random_state=seed),
    "mnist1d-gru": lambda seed, steps: SignalNet("gru", steps=steps, random_state=seed),
}
