"""A fitted scikit-learn model as bytes that hold no code: skops, a list of types of our own, and a proof that nothing was lost."""

import importlib
import io
import json
import zipfile
from collections.abc import Iterable, Sequence
from typing import Any

from ml_lifecycle.deployment._registry.same import difference
from ml_lifecycle.deployment._registry.standins import STAND_INS, storable
from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.errors import BadInputError, MissingPackageError, ProjectError, require

_OWN = ("ml_lifecycle.exploration._columns.Codes", *(f"{kind.__module__}.{kind.__name__}" for kind in STAND_INS))
_PARTS_OF_ESTIMATORS = frozenset({  # fitted estimators of scikit-learn are made of these, beside what skops itself knows
    *_OWN,
    "datetime.date", "datetime.datetime", "datetime.timedelta", "datetime.timezone", "decimal.Decimal", "zoneinfo.ZoneInfo",
    "scipy.interpolate._interpolate.interp1d", "scipy.interpolate._bsplines.BSpline",
    "scipy._lib.array_api_compat.numpy._aliases.asarray",  # an attribute of BSpline
    "sklearn._loss.loss.HalfTweedieLoss", "sklearn._loss.loss.HalfTweedieLossIdentity",
    "sklearn._loss.loss.HalfMultinomialLoss", "sklearn._loss.link.HalfLogitLink",
    "sklearn.calibration._CalibratedClassifier", "sklearn.calibration._SigmoidCalibration",
    "sklearn.calibration._TemperatureScaling",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.metrics._dist_metrics.EuclideanDistance", "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.metrics._scorer._PassthroughScorer", "sklearn.metrics._scorer._Scorer",
    "sklearn.metrics._scorer._MultimetricScorer", "sklearn.metrics._scorer._CurveScorer",
    "sklearn.impute._iterative._ImputerTriplet", "numpy.dtype", "numpy.mean", "numpy.median", "numpy.max", "numpy.min",
    "scipy.sparse._csr.csr_matrix", "scipy.sparse._csr.csr_array", "sklearn.compose._column_transformer.make_column_selector",
    "functools.partial", "sklearn.utils.validation.check_array",  # gradient boosting with categories; what is inside is checked
    "sklearn.neighbors._ball_tree.BallTree", "sklearn.neighbors._ball_tree.BallTree64",
    "sklearn.neighbors._ball_tree.newObj", "sklearn.neighbors._kd_tree.KDTree", "sklearn.neighbors._kd_tree.KDTree64",
    "sklearn.neighbors._kd_tree.newObj", "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer", "sklearn.preprocessing._label.LabelBinarizer",
    "sklearn.tree._tree.Tree", "sklearn.utils._bunch.Bunch", "sklearn.utils._metadata_requests.MetadataRequest",
    "sklearn.utils._metadata_requests.MethodMetadataRequest",
})
_CLASSES_OF = ("sklearn.model_selection._split.", "sklearn.gaussian_process.kernels.")
_FUNCTIONS_OF = ("sklearn.metrics.", "sklearn.feature_selection.")  # pure ones; every other function is refused
_CODE = ("__main__", "__mp_main__", "builtins", "operator", "os", "posix", "nt", "sys", "subprocess", "shutil", "importlib",
         "functools", "types", "pickle", "ctypes", "socket", "runpy", "code")


def _skops() -> Any:
    return require("skops.io", "deploy", "Storing and loading a model")


def freeze(model: Any, trust: Iterable[str] = ()) -> bytes:
    """The model as bytes; raises BadInputError for a type that is not allowed, and when it would not come back the same."""
    trusted = checked_trust(trust)
    try:
        content = _canonical(_skops().dumps(storable(model)))
    except MissingPackageError:
        raise
    except RecursionError:
        raise BadInputError("`model` must not hold itself. Got a model that refers to itself. Take the reference out.") from None
    except Exception as error:
        raise BadInputError(f"`model` must be made of parts that can be stored without code. Got {_line(error)}. Use parts of "
                            "scikit-learn, or a PyTorch module with config={'architecture': 'module:Class'}.") from error
    names = _skops().get_untrusted_types(data=content)
    refused = [name for name in names if not (name in trusted or allowed(name))]
    if refused:
        raise BadInputError(f"`model` must be made of types that are known to be safe. Got {_listed(refused)}. {_remedy(refused)}")
    try:
        place = difference(model, _skops().loads(content, trusted=names))
        odd = place and f"another value at {place}"
    except Exception as error:
        odd = f"an error on the way back: {_line(error)}"
    if odd:
        raise BadInputError(f"`model` must come back as it was. Got {odd}. Fit it with plain values: numbers, text, arrays.")
    return content


def thaw(content: bytes, what: str, trust: Iterable[str] = ()) -> Any:
    """The model of such bytes; raises ProjectError, before anything is made, for a type that is not allowed."""
    trusted = checked_trust(trust)
    try:
        names = _skops().get_untrusted_types(data=content)
    except MissingPackageError:
        raise
    except Exception as error:
        raise ProjectError(f"`registry` must hold the {what} as skops wrote them. Got {_line(error)}. Register the model again."
                           ) from error
    refused = [name for name in names if not (name in trusted or allowed(name))]
    if refused:
        raise ProjectError(f"`registry` must hold types that are known to be safe. Got {_listed(refused)} in the {what}. "
                           f"{_remedy(refused)}")
    try:
        return _skops().loads(content, trusted=names)
    except Exception as error:
        raise ProjectError(f"`registry` must hold {what} that the installed packages can read. Got {_line(error)}. Install the "
                           "versions it was registered with (.made_with), or register the model again.") from error


def allowed(name: str) -> bool:
    """Whether a type is one of ours, or an estimator, a part of one or a pure function of scikit-learn."""
    if name in _PARTS_OF_ESTIMATORS:
        return True
    if not name.startswith(("sklearn.", "ml_lifecycle.")) or {"tests", "conftest"} & set(name.split(".")):
        return False
    from sklearn.base import BaseEstimator

    found = _named(name)
    if isinstance(found, type):
        return issubclass(found, BaseEstimator) or name.startswith(_CLASSES_OF)
    return callable(found) and name.startswith(_FUNCTIONS_OF) and not hasattr(found, "__self__")


def _named(name: str) -> Any:
    """The object of that name, when it is defined there and not just imported there."""
    module, _, last = name.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), last)
    except (ImportError, AttributeError, ValueError):
        return None
    return found if (getattr(found, "__module__", None), getattr(found, "__qualname__", None)) == (module, last) else None


def checked_trust(trust: Iterable[str]) -> tuple[str, ...]:
    """The names of classes that a person vouches for; functions, and whatever lives in no module, are refused."""
    if isinstance(trust, str) or not isinstance(trust, Iterable):
        raise BadInputError(f"`trust` must be a tuple of names of classes. Got {shown(trust)}. Try "
                            f'trust=("package.module.Class",).')
    names = tuple(trust)
    for name in names:
        if not isinstance(name, str) or "." not in name or name.split(".")[0] in _CODE:
            raise BadInputError(f"`trust` must name classes of modules that can be imported. Got {shown(name)}. Put the class "
                                'into a module of its own, and name it: trust=("package.module.Class",).')
        if not isinstance(_named(name), type):
            raise BadInputError(f"`trust` must name classes where they are defined. Got {shown(name)}, which is none. "
                                'Write "package.module.Class".')
    return names


def _canonical(content: bytes) -> bytes:
    """The same dump with ids and file names by order instead of memory address and chance: equal models give equal bytes."""
    with zipfile.ZipFile(io.BytesIO(content)) as given:
        schema = json.loads(given.read("schema.json"))
        ids: dict[Any, int] = {}
        files: dict[str, str] = {}
        _renumber(schema, ids, files)
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as out:
            _add(out, "schema.json", json.dumps(schema, separators=(",", ":")).encode())
            for before, after in files.items():
                _add(out, after, given.read(before))
    return made.getvalue()


def _renumber(node: Any, ids: dict[Any, int], files: dict[str, str]) -> None:
    todo = [node]
    while todo:
        item = todo.pop()
        if isinstance(item, list):
            todo += reversed(item)
        elif isinstance(item, dict):
            if isinstance(item.get("__loader__"), str):
                if item["__loader__"] == "SetNode":  # a set has no order of its own
                    item["content"].sort(key=lambda entry: json.dumps({**entry, "__id__": 0}))
                if item["__loader__"] == "JsonNode":  # nothing that could be shared
                    item.pop("__id__", None)
                elif "__id__" in item:
                    item["__id__"] = ids.setdefault(item["__id__"], len(ids) + 1)
                if isinstance(item.get("file"), str):
                    ending = item["file"].rpartition(".")[2]
                    item["file"] = files.setdefault(item["file"], f"{len(files)}.{ending}")
            todo += reversed(list(item.values()))


def _add(out: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    out.writestr(entry, content, compresslevel=1)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(map(shown, names[:3])) + more


def _remedy(names: Sequence[str]) -> str:
    if any(name.split(".")[0] in ("__main__", "__mp_main__") for name in names):
        return "It lives in a notebook or a script: move it to a module that can be imported."
    if any(not isinstance(_safely_named(name), type) for name in names):
        return "A function or a method is no part of a stored model: write the step as a transformer class in a module."
    return f"If you trust that code, say so at register and at get: trust=({', '.join(map(repr, names))},)."


def _safely_named(name: str) -> Any:
    """The object of that name if its module is loaded already; nothing is imported for a message."""
    import sys

    module, _, last = name.rpartition(".")
    if module not in sys.modules:
        return type  # cannot be told: the message for classes
    return getattr(sys.modules[module], last, None)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:160].rstrip(".") or type(error).__name__
