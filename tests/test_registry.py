"""The registry: what goes in comes out, bit for bit; what was changed is refused; nothing is lost."""

import datetime
import io
import json
import os
import pickle
import random
import sqlite3
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import registry_kill
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from samples import EVIL
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, VotingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, SplineTransformer, StandardScaler
from sklearn.svm import SVC

from ml_lifecycle.deployment import ModelVersion, Registry, _freeze
from ml_lifecycle.deployment._registry.same import difference
from ml_lifecycle.deployment._registry.standins import STAND_INS
from ml_lifecycle.exploration.baselines import baselines
from ml_lifecycle.exploration.pipelines import default_models
from ml_lifecycle.foundation.dataset import load_dataset
from ml_lifecycle.foundation.errors import BadInputError, MissingPackageError, ProjectError, UnknownNameError
from ml_lifecycle.foundation.metrics import predict_with

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 3))
Y = (X[:, 0] + RNG.normal(size=120) > 0).astype(int)
FRAME = pd.DataFrame({
    "size": np.where(RNG.random(120) < 0.1, np.nan, X[:, 0]), "colour": RNG.choice(["red", "green", EVIL], 120),
    "day": pd.date_range("2024-01-01", periods=120, freq="7h"), "zone": pd.date_range("2024-01-01", periods=120, tz="Europe/Rome"),
    "flag": pd.Categorical(RNG.choice([True, False], 120)), "band": pd.cut(X[:, 1], 4),
    "mixed": pd.Series(RNG.choice(4, 120)).map({0: True, 1: "a", 2: 3.5, 3: None}).astype(object),
    "words": [f"the {a} parcel came {b} times and was never number {i}" for i, (a, b) in enumerate(zip(Y, X[:, 2].round(1)))]})
LOOP: dict = {}
LOOP["self"] = LOOP
VERSIONS = {"train_version": "train", "validation_version": "validation"}


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path / "registry")


def fitted(seed=0):
    draw = np.random.default_rng(seed)
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(draw.normal(size=(60, 3)), np.arange(60) % 2)


def put(registry, model=None, **changed):
    return registry.register(model if model is not None else fitted(), **{"config": {}, **VERSIONS, **changed})


def one_line(error):
    text = str(error.value)
    assert "\n" not in text
    assert text.startswith("`")
    return text


def same_answers(model, version, rows):
    assert np.array_equal(version.predict(rows), model.predict(rows))
    assert hasattr(version, "predict_proba") == hasattr(model, "predict_proba")
    if hasattr(model, "predict_proba"):
        assert version.predict_proba(rows).tobytes() == model.predict_proba(rows).tobytes()
        assert list(version.classes_) == list(model.classes_)


# round trips

@pytest.mark.parametrize("task", ["classification", "regression"])
def test_default_models_come_back_the_same(registry, task):
    target = RNG.choice(["no", "yes", EVIL], 120) if task == "classification" else X[:, 1]
    for model in default_models(task, FRAME).values():
        version = registry.get(put(registry, model.fit(FRAME, target)))
        same_answers(model, version, FRAME.sample(40, random_state=1))
        assert version.kind == "pipeline"


def table():
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    return ColumnTransformer([("n", numbers, ["size"]), ("c", OneHotEncoder(handle_unknown="ignore"), ["colour"]),
                              ("t", TfidfVectorizer(), "words")])


@pytest.mark.parametrize("model", [
    SVC(), KNeighborsClassifier(), KNeighborsClassifier(algorithm="ball_tree"), DummyClassifier(), GaussianNB(),
    MLPClassifier((4,), max_iter=300, tol=1), CalibratedClassifierCV(GaussianNB(), method="isotonic"), RandomForestClassifier(5),
    VotingClassifier([("a", GaussianNB()), ("b", LogisticRegression())]), GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}),
    make_pipeline(FunctionTransformer(np.tanh), GaussianNB()), make_pipeline(SplineTransformer(), LogisticRegression()),
    make_pipeline("passthrough", GaussianNB()), Pipeline([("only", GaussianNB())]),
    LogisticRegression(class_weight={0: 1.0, 1: 2.0}),
    GaussianProcessRegressor(RBF() + WhiteKernel()), make_pipeline(OrdinalEncoder(), HistGradientBoostingClassifier(max_iter=3)),
], ids=lambda model: "-".join(type(step).__name__ for _, step in getattr(model, "steps", [(0, model)])))
def test_models_of_scikit_learn_come_back_the_same(registry, model):
    rows = X.round(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(rows, Y)
    same_answers(model, registry.get(put(registry, model)), rows)


@pytest.mark.parametrize("labels", [
    Y, Y.astype(bool), Y.astype(float), np.where(Y, "yes", "no"), np.where(Y, "yes", "no").astype(object)])
def test_labels_keep_their_type(registry, labels):
    model = make_pipeline(table(), LogisticRegression()).fit(FRAME, labels)
    version = registry.get(put(registry, model))
    same_answers(model, version, FRAME)
    assert version.classes_.dtype == model.classes_.dtype
    assert version.predict(FRAME).dtype == model.predict(FRAME).dtype


def test_columns_that_are_selected_by_kind(registry):
    picked = ColumnTransformer([("n", SimpleImputer(), make_column_selector(dtype_include=float))])
    model = make_pipeline(picked, GaussianNB()).fit(FRAME, Y)
    same_answers(model, registry.get(put(registry, model)), FRAME)
    boosting = HistGradientBoostingClassifier(max_iter=3, categorical_features="from_dtype")
    rows = FRAME[["size"]].assign(colour=FRAME["colour"].astype("category"))
    same_answers(boosting.fit(rows, Y), registry.get(put(registry, boosting)), rows)


def test_features_that_stand_apart(registry):
    scaler = StandardScaler().fit(X)
    model = LogisticRegression().fit(scaler.transform(X), Y)
    version = registry.get(put(registry, model, features=scaler))
    assert np.array_equal(version.predict(X), model.predict(scaler.transform(X)))
    assert np.array_equal(version.predict_proba(X), model.predict_proba(scaler.transform(X)))
    assert isinstance(version.features, StandardScaler)
    assert registry.get(put(registry)).features is None


def test_a_version_can_be_asked_like_a_model(registry):
    model = make_pipeline(table(), LogisticRegression()).fit(FRAME, np.where(Y, "yes", "no"))
    version = registry.get(put(registry, model))
    said = predict_with(version, FRAME, task="classification", classes=("yes", "no"))
    assert np.array_equal(said.proba, predict_with(model, FRAME, task="classification", classes=("yes", "no")).proba)
    regression = registry.get(put(registry, Ridge().fit(X, X[:, 0])))
    assert len(predict_with(regression, X, task="regression").values) == 120
    assert not hasattr(regression, "classes_")


def test_registering_changes_nothing(registry):
    model = make_pipeline(table(), LogisticRegression()).fit(FRAME, Y)
    before, state = pickle.dumps(model), np.random.get_state()[1].copy()
    put(registry, model)
    assert pickle.dumps(model) == before
    assert (np.random.get_state()[1] == state).all()


# the five parts

def test_a_bundle_has_five_parts(registry):
    number = put(registry, config={"rate": np.float64(0.1), "sizes": (1, 2), "deep": {"on": True, "none": None}}, note="first")
    version = registry.get(number)
    assert list(version.parts) == ["parameters", "configuration", "features", "train_version", "validation_version"]
    assert all(len(sha) == 64 for sha in version.parts.values())
    assert version.config == {"rate": 0.1, "sizes": [1, 2], "deep": {"on": True, "none": None}}
    assert (version.train_version, version.validation_version) == ("train", "validation")
    assert (version.note, version.schema) == ("first", None)
    assert version.made_with["scikit-learn"]


def test_what_is_equal_is_shared(registry):
    model = fitted()
    first, second = put(registry, model), put(registry, model)
    third = put(registry, Pipeline([("scale", model[0]), ("other", fitted(1)[1])]), train_version="later")
    one, two, three = (registry.get(n).parts for n in (first, second, third))
    assert (first, second, third) == (1, 2, 3)
    assert one == two
    assert one["parameters"] != three["parameters"]
    assert one["train_version"] != three["train_version"] != three["validation_version"]
    assert one["validation_version"] == three["validation_version"]
    files = [p.name for p in (registry.path / "blobs").rglob("*") if p.is_file()]
    assert len(files) == len(set(files)) == 10


def test_equal_models_give_equal_bytes():
    model = make_pipeline(table(), LogisticRegression()).fit(FRAME, Y)
    content = _freeze.freeze(model)
    assert _freeze.freeze(model) == content
    assert _freeze.freeze(_freeze.thaw(content, "parameters")) == content


def test_data_sets_and_reports_are_taken(registry, tmp_path):
    data = load_dataset(FRAME[["size", "colour"]].assign(y=Y), target="y")
    report = baselines(data, models=(), cv=3)
    file = tmp_path / "baselines.json"
    file.write_text(report.to_json(), encoding="utf-8")
    number = put(registry, train_version=data, validation_version=data.version, evidence=[report, file, str(file), "a talk"])
    version = registry.get(number)
    assert version.train_version == data.version
    assert [entry["name"] for entry in version.evidence] == ["baselines", "baselines", "baselines", "a talk"]
    assert version.evidence[0]["answer"] == report.answer
    assert version.evidence[1]["verdict"] == report.verdict
    assert version.evidence[3]["verdict"] is None
    assert registry.get(put(registry, evidence=report)).evidence[0]["step"] == "exploration"
    assert registry.versions()["evidence"].iloc[0] == "baselines, baselines, baselines, a talk"


def test_a_schema_comes_back(registry):
    schemas = pytest.importorskip("ml_lifecycle.data.schema")
    schema = schemas.infer_schema(FRAME[["size", "colour"]])
    assert registry.get(put(registry, schema=schema)).schema.to_dict() == schema.to_dict()


def test_a_schema_that_cannot_be_read_is_said(registry, monkeypatch):
    class Odd:
        def to_dict(self):
            return {"columns": 7}

    number = put(registry, schema=Odd())
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "ml_lifecycle.data.schema", None)
        with pytest.raises(ProjectError, match="schema") as error:
            registry.get(number).schema  # noqa: B018
    one_line(error)


# bad input

@pytest.mark.parametrize(("changed", "said"), [
    ({"model": None}, "`model` must have `predict`"), ({"model": LogisticRegression}, "`model` must have `predict`"),
    ({"model": LogisticRegression()}, "must be fitted"), ({"model": StandardScaler().fit(X)}, "`model` must have `predict`"),
    ({"config": None}, "`config` must be a dict"), ({"config": {1: 2}}, "texts as names"),
    ({"config": {"a": {"b": [1, X]}}}, "'a.b[1]'"),
    ({"config": {"a": "\ud800"}}, "UTF-8"), ({"config": {"\ud800": 1}}, "UTF-8"), ({"config": LOOP}, "nested at most"),
    ({"config": {"a": {2: 1}}}, "in a"), ({"config": {"model": fitted()}}, "a Pipeline at 'model'"),
    ({"config": {"at": np.datetime64("2024")}}, "datetime64"), ({"train_version": ""}, "`train_version`"),
    ({"validation_version": 3}, "`validation_version`"), ({"features": 3}, "`features` must have `transform`"),
    ({"evidence": [3]}, "`evidence`"), ({"evidence": 3}, "`evidence`"), ({"evidence": [Path("gone.json")]}, "gone.json"),
    ({"schema": {"a": 1}}, "`schema`"), ({"note": 3}, "`note`"), ({"trust": "a.B"}, "`trust` must be a tuple"),
    *(({"trust": (name,)}, "`trust` must name classes") for name in (
        "os.system", "builtins.eval", 3, "__main__.Thing", "operator.attrgetter", "json.dumps", "gone.Thing")),
])
def test_bad_input_is_refused_in_one_line(registry, changed, said):
    model = changed.pop("model", fitted()) if "model" in changed else fitted()
    with pytest.raises(BadInputError) as error:
        registry.register(model, **{"config": {}, **VERSIONS, **changed})
    assert said in one_line(error)
    assert len(registry) == 0
    assert not (registry.path / "blobs").exists()


def test_names_that_nobody_has(registry):
    for which in ("champion", "canary", 1):
        with pytest.raises(UnknownNameError) as error:
            registry.get(which)
        one_line(error)
    put(registry)
    with pytest.raises(UnknownNameError, match=r'promote\(1, "champion"\)'):
        registry.get("champion")
    with pytest.raises(UnknownNameError, match="Did you mean 'champion'"):
        registry.get("champoin")
    with pytest.raises(UnknownNameError, match="Versions: 1"):
        registry.promote(2, "champion")
    with pytest.raises(UnknownNameError, match="Aliases"):
        registry.promote(1, "best")
    for number in (True, None, 1.0, "champion"):
        with pytest.raises(BadInputError, match="number of a version"):
            registry.promote(number, "champion")
    with pytest.raises(BadInputError, match="`by`"):
        registry.promote(1, "champion", by=3)
    assert registry.get(np.int64(1)).number == 1
    with pytest.raises(UnknownNameError):
        registry.get(10**30)


@pytest.mark.parametrize("uri", ["", None, 3, "postgresql://x", "sqlite://x", "sqlite:///", "mlruns://x"])
def test_places_that_are_none(uri):
    with pytest.raises(BadInputError) as error:
        Registry(uri)
    one_line(error)


def test_places(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    put(Registry(f"sqlite:///{tmp_path}/a"))
    assert len(Registry(tmp_path / "a", create=False)) == len(Registry("sqlite:///a")) == len(Registry("a")) == 1
    put(Registry("b/models.db"))
    assert Path("b/models.db").is_file()
    assert Path("b/blobs").is_dir()
    with pytest.raises(ProjectError, match="must be there"):
        Registry("gone", create=False)
    assert not Path("gone").exists()
    Path("file").write_text("x")
    Path("text.db").write_text("no database, but a text that is long enough to be taken for one" * 50)
    with sqlite3.connect("other.db") as other:
        other.execute("CREATE TABLE mine (x)")
    for place, said in (("file", "Got the file"), ("file/deep", "directory"), ("text.db", "database"),
                        ("other.db", "another database")):
        with pytest.raises(ProjectError, match=said) as error:
            Registry(place)
        one_line(error)


def test_a_newer_registry_is_not_touched(registry):
    with sqlite3.connect(registry.path / "registry.sqlite") as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(ProjectError, match="newer ml_lifecycle"):
        Registry(registry.path)


@pytest.mark.skipif(os.name == "nt" or os.getuid() == 0, reason="everything can be written")
def test_a_directory_that_cannot_be_written(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ProjectError, match="written"):
        Registry(tmp_path / "registry")


def test_a_place_that_cannot_be_made(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(ProjectError, match="Permission denied") as error:
        Registry(tmp_path / "deep" / "registry")
    one_line(error)


def test_who_is_at_work_may_be_unknown(registry, monkeypatch):
    def refuse():
        raise KeyError("uid not found")

    monkeypatch.setattr("getpass.getuser", refuse)
    registry.promote(put(registry), "champion")
    assert list(registry.history()["by"]) == ["", ""]


def test_a_missing_package_is_named(registry, monkeypatch):
    number = put(registry)
    monkeypatch.setitem(sys.modules, "skops", None)
    monkeypatch.setitem(sys.modules, "skops.io", None)
    for call in (lambda: put(registry), lambda: registry.get(number).predict(X)):
        with pytest.raises(MissingPackageError, match=r'pip install "ml-lifecycle\[deploy\]"'):
            call()


# types that are not allowed

class Mine(StandardScaler):
    """An estimator that is not of scikit-learn or of ours."""


def a_function(values):
    return values


NAME = f"{Mine.__module__}.Mine"


def test_other_types_need_a_person_at_both_ends(registry):
    model = make_pipeline(Mine(), LogisticRegression()).fit(X, Y)
    with pytest.raises(BadInputError) as error:
        put(registry, model)
    assert f"trust=('{NAME}',)" in one_line(error)
    number = put(registry, model, trust=(NAME,))
    with pytest.raises(ProjectError) as error:
        registry.get(number).predict(X)
    assert NAME in one_line(error)
    same_answers(model, registry.get(number, trust=(NAME,)), X)
    same_answers(model, Registry(registry.path, trust=(NAME,)).get(number), X)


@pytest.mark.parametrize("step", [
    FunctionTransformer(a_function), FunctionTransformer(lambda v: v), FunctionTransformer(os.fspath)])
def test_functions_are_refused(registry, step):
    with pytest.raises(BadInputError) as error:
        put(registry, make_pipeline(step, LogisticRegression()).fit(X, Y) if step.func is not os.fspath else _with(step))
    assert "module" in one_line(error)


def _with(step):
    model = fitted()
    model.steps[0] = ("step", step)
    return model


def test_what_lives_in_a_notebook_is_refused(registry, monkeypatch):
    monkeypatch.setattr(Mine, "__module__", "__main__")
    monkeypatch.setattr(sys.modules["__main__"], "Mine", Mine, raising=False)
    with pytest.raises(BadInputError, match="notebook or a script"):
        put(registry, make_pipeline(Mine(), LogisticRegression()).fit(X, Y))


class Forgetful(StandardScaler):
    """Comes back with less than it went with."""

    def __getstate__(self):
        return {**super().__getstate__(), "scale_": None}


class Stubborn(StandardScaler):
    """Does not come back at all."""

    def __setstate__(self, state):
        raise RuntimeError("not again")


@pytest.mark.parametrize(("kind", "said"), [(Forgetful, "scale_"), (Stubborn, "not again")])
def test_what_does_not_come_back_is_refused(registry, kind, said):
    model = make_pipeline(kind(), LogisticRegression()).fit(X, Y)
    with pytest.raises(BadInputError, match="must come back as it was") as error:
        put(registry, model, trust=(f"{kind.__module__}.{kind.__name__}",))
    assert said in one_line(error)


def test_what_cannot_be_stored_is_said_in_one_line(registry):
    model = fitted()
    model.steps[1][1].itself = model
    model.steps[1][1].more = [model.steps[1][1]]
    with pytest.raises(BadInputError) as error:
        put(registry, model)
    one_line(error)
    stream = fitted()
    stream.steps[1][1].file = open(os.devnull)  # noqa: SIM115
    with pytest.raises(BadInputError) as error:
        put(registry, stream)
    one_line(error)
    stream.steps[1][1].file.close()


def test_what_hides_in_an_attribute_is_refused(registry):
    model = fitted()
    model.steps[1][1].order = os.environ.__class__  # a class is refused, a value that turns into another one too
    with pytest.raises(BadInputError):
        put(registry, model)
    del model.steps[1][1].order
    model.steps[1][1].level = registry_kill.PROCESSES  # an object of another package
    with pytest.raises(BadInputError):
        put(registry, model)


def crafted(kind, node):
    """A dump whose root is replaced by a node of somebody else's making."""
    given = zipfile.ZipFile(io.BytesIO(_freeze.freeze(fitted())))
    schema = {**json.loads(given.read("schema.json")), **node}
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as out:
        out.writestr("schema.json", json.dumps(schema))
    return made.getvalue()


TUPLE = {"__class__": "tuple", "__module__": "builtins", "__loader__": "TupleNode", "content": [
    {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": '"touch gone"', "is_json": True}]}


@pytest.mark.parametrize("node", [
    {"__class__": "system", "__module__": "os", "__loader__": "FunctionNode"},
    {"__class__": "system", "__module__": "os", "__loader__": "ConstructorFromReduceNode", "content": TUPLE},
    {"__class__": "eval", "__module__": "builtins", "__loader__": "TypeNode"},
    {"__class__": "methodcaller", "__module__": "operator", "__loader__": "OperatorFuncNode", "attrs": TUPLE},
    {"__class__": "load", "__module__": "numpy", "__loader__": "ConstructorFromReduceNode", "content": TUPLE},
    {"__class__": "Popen", "__module__": "sklearn.utils._testing", "__loader__": "ConstructorFromReduceNode", "content": TUPLE},
    {"__class__": "os", "__module__": "sklearn.datasets._base", "__loader__": "FunctionNode"},
    {"__class__": "load_files", "__module__": "sklearn.datasets._base", "__loader__": "ConstructorFromReduceNode",
     "content": TUPLE},
    {"__class__": "Mine", "__module__": "__main__", "__loader__": "ObjectNode", "content": None},
    {"__class__": "Project", "__module__": "ml_lifecycle.foundation.project", "__loader__": "ConstructorFromReduceNode",
     "content": TUPLE},
])
def test_crafted_files_make_nothing(tmp_path, monkeypatch, node):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ProjectError) as error:
        _freeze.thaw(crafted("root", node), "parameters")
    one_line(error)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"no model", pickle.dumps(fitted()), b"PK\x03\x04"])
def test_other_bytes_are_no_model(content):
    with pytest.raises(ProjectError, match="skops wrote") as error:
        _freeze.thaw(content, "parameters")
    one_line(error)


# changed files and rows

def blob(registry, part="parameters", number=1):
    name = registry.get(number).parts[part]
    path = registry.path / "blobs" / name[:2] / name
    path.chmod(0o644)
    return path


@pytest.mark.parametrize("part", ["parameters", "configuration", "features", "train_version", "validation_version"])
@pytest.mark.parametrize("damage", [
    lambda b: b[:-1] + bytes([b[-1] ^ 1]), lambda b: bytes([b[0] ^ 128]) + b[1:], lambda b: b[:-1], lambda b: b + b" ",
    lambda b: b"", lambda b: pickle.dumps({"a": 1}),
], ids=["last byte", "first byte", "cut", "longer", "empty", "pickle"])
def test_a_changed_file_is_refused(registry, part, damage):
    put(registry)
    registry.promote(1, "champion")
    path = blob(registry, part)
    path.write_bytes(damage(path.read_bytes()))
    for which in (1, "champion"):
        with pytest.raises(ProjectError, match="was changed") as error:
            registry.get(which)
        assert part.replace("_", " ") in one_line(error)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_any_changed_byte_is_refused(tmp_path_factory, place, flip):
    registry = Registry(tmp_path_factory.getbasetemp() / "bytes")
    if not len(registry):
        put(registry)
    path = blob(registry)
    whole = path.read_bytes()
    at = int(place * len(whole))
    path.write_bytes(whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1:])
    try:
        with pytest.raises(ProjectError, match="was changed"):
            registry.get(1)
    finally:
        path.write_bytes(whole)
    assert registry.get(1).number == 1


def test_swapped_and_missing_files_are_refused(registry):
    put(registry)
    put(registry, fitted(1))
    one, two = blob(registry, number=1), blob(registry, number=2)
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)
    for number in (1, 2):
        with pytest.raises(ProjectError, match="was changed"):
            registry.get(number)
    one.unlink()
    with pytest.raises(ProjectError, match="must hold the parameters of version 1"):
        registry.get(1)
    put(registry)  # the same content again heals what was lost
    assert registry.get(1).number == 1


@pytest.mark.parametrize("change", [
    "UPDATE versions SET body = replace(body, 'first', 'other') WHERE number = 1",
    "UPDATE versions SET body = (SELECT body FROM versions WHERE number = 2) WHERE number = 1",
    "UPDATE versions SET (registered, body, bundle) = (SELECT registered, body, bundle FROM versions WHERE number = 2) "
    "WHERE number = 1",
    "UPDATE versions SET registered = '2001-01-01' WHERE number = 1", "UPDATE versions SET bundle = 'x' WHERE number = 1",
])
def test_a_changed_row_is_refused(registry, change):
    put(registry, note="first")
    put(registry, fitted(1), note="second")
    with sqlite3.connect(registry.path / "registry.sqlite") as db:
        db.execute(change)
    for call in (lambda: registry.get(1), registry.versions, registry.clean, lambda: registry.promote(1, "champion")):
        with pytest.raises(ProjectError, match="row that was changed") as error:
            call()
        one_line(error)
    assert registry.get(2).note == "second"


# promotion

def test_rollback_walks_back_through_the_champions(registry):
    for seed in range(3):
        put(registry, fitted(seed))
    with pytest.raises(ProjectError, match="champion before this one"):
        registry.rollback()
    for number in (1, 2, 2, 3):
        assert registry.promote(number, "champion") == number
    assert registry.rollback() == 2
    assert registry.get().number == registry.get("champion").number == 2
    assert registry.promote(3) == 3
    assert [registry.rollback(), registry.rollback()] == [2, 1]
    with pytest.raises(ProjectError, match="champion before this one"):
        registry.rollback()
    assert registry.get("champion").number == 1
    history = registry.history()
    assert list(history.columns) == ["at", "event", "number", "alias", "by"]
    assert list(history["event"]) == ["register"] * 3 + ["promote"] * 3 + ["rollback", "promote"] + ["rollback"] * 2
    assert history["at"].is_monotonic_increasing


def test_aliases_do_not_disturb_each_other(registry):
    for seed in range(2):
        put(registry, fitted(seed))
    registry.promote(1, "champion", by="ada")
    registry.promote(2, "canary")
    registry.promote(2, "shadow")
    assert registry.aliases == {"champion": 1, "canary": 2, "shadow": 2}
    assert list(registry.versions()["aliases"]) == ["champion", "canary, shadow"]
    assert registry.retire("canary") == 2
    with pytest.raises(UnknownNameError):
        registry.get("canary")
    with pytest.raises(UnknownNameError, match="none has"):
        registry.retire("canary")
    with pytest.raises(UnknownNameError, match="Aliases"):
        registry.retire("best")
    assert registry.retire("champion") == 1
    with pytest.raises(UnknownNameError):
        registry.get("champion")
    assert registry.rollback() == 1
    registry.promote(2, "champion")
    registry.retire("champion")
    assert registry.rollback() == 2
    assert registry.rollback() == 1
    assert registry.history()["by"].iloc[2] == "ada"


def test_what_is_shown_escapes_what_it_shows(registry):
    assert registry.versions().empty
    assert registry.history().empty
    assert bool(registry)
    assert "0 versions" in repr(registry)
    assert "no rows" in registry._repr_html_()
    number = put(registry, config={EVIL: EVIL}, note=EVIL, train_version=EVIL, evidence=[EVIL])
    registry.promote(number, "champion", by=EVIL)
    version = registry.get(number)
    assert isinstance(version, ModelVersion)
    for html in (registry._repr_html_(), version._repr_html_()):
        assert EVIL not in html
        assert "&lt;script&gt;" in html
    assert "1 version, champion: 1" in repr(registry)
    assert "ModelVersion(1" in repr(version)
    assert EVIL in version.train_version


def test_a_broken_registry_still_shows_itself(registry):
    put(registry)
    with sqlite3.connect(registry.path / "registry.sqlite") as db:
        db.execute("UPDATE versions SET body = '{}'")
    assert "row that was changed" in registry._repr_html_()
    (registry.path / "registry.sqlite").write_text("no database any more" * 100)
    assert "cannot be read" in repr(registry)
    assert "must be a database" in registry._repr_html_()


def test_a_file_that_is_gone_hides_no_other_version(registry):
    put(registry, train_version="one")
    put(registry, fitted(1), train_version="two")
    blob(registry, "train_version", 1).unlink()
    assert list(registry.versions()["train_version"]) == ["one", "two"]
    assert registry.get(2).train_version == "two"


def test_opening_to_read_writes_nothing(registry, monkeypatch):
    put(registry)
    monkeypatch.setattr(type(registry._db), "change", None)
    again = Registry(registry.path, create=False)
    assert again.get(1).predict(X).shape == (120,)
    assert len(again.versions()) == len(again.history()) == 1


# nothing is lost

def test_clean_deletes_only_what_nothing_names(registry):
    put(registry)
    folder = registry.path / "blobs" / "ab"
    folder.mkdir(exist_ok=True)
    (folder / ("ab" + "0" * 62)).write_bytes(b"left behind")
    (folder / ".half.part").write_bytes(b"half")
    assert registry.clean() == (2, 15)
    assert registry.clean() == (0, 0)
    assert np.array_equal(registry.get(1).predict(X), fitted().predict(X))


def test_a_failure_in_the_middle_leaves_nothing(registry, monkeypatch):
    put(registry)
    whole = registry._blobs.put
    for fail_at in range(8):
        left = iter(range(fail_at))

        def put_some(content, left=left):
            if next(left, None) is None:
                raise KeyboardInterrupt
            return whole(content)

        monkeypatch.setattr(registry._blobs, "put", put_some)
        with pytest.raises(KeyboardInterrupt):
            put(registry, fitted(9), note=str(fail_at))
    monkeypatch.undo()
    assert len(registry) == len(registry.history()) == 1
    assert put(registry) == 2


def test_a_full_disk_is_said(registry, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(ProjectError, match="No space left") as error:
        put(registry)
    one_line(error)
    monkeypatch.undo()
    assert not [p for p in (registry.path / "blobs").rglob("*") if p.is_file()]
    assert put(registry) == 1


@pytest.mark.skipif(os.name == "nt", reason="directories cannot be opened there")
def test_a_folder_that_cannot_be_synced_is_said(registry, monkeypatch):
    whole = os.fsync

    def broken(handle):
        if os.path.isdir(handle):
            raise OSError(5, "Input/output error")
        whole(handle)

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(ProjectError, match="Input/output error") as error:
        put(registry)
    one_line(error)
    monkeypatch.undo()
    assert put(registry) == 1


def register_many(folder, times):
    registry = Registry(folder)
    for _ in range(times):
        registry.promote(put(registry, registry_kill.a_model()), "champion")


@pytest.mark.slow
def test_several_processes_lose_nothing(tmp_path):
    workers = [registry_kill.PROCESSES.Process(target=register_many, args=(str(tmp_path), 10)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    registry = Registry(tmp_path)
    assert list(registry.versions()["number"]) == list(range(1, 41))
    assert registry.history()["event"].value_counts().to_dict() == {"register": 40, "promote": 40}
    back = [registry.rollback() for _ in range(39)]
    assert sorted([*back, registry.history()["number"].iloc[79]])[0] >= 1
    for number in (1, 20, 40):
        assert registry.get(number).predict(X).shape == (120,)


@pytest.mark.slow
def test_kills_lose_nothing(tmp_path):
    draw, promoted, versions = random.Random(0), False, 0
    for _ in range(12):
        promoted, versions = registry_kill.kill_once(tmp_path / "registry", draw, promoted, newest=20)
    assert promoted
    assert versions >= 12


@pytest.mark.slow
def test_a_kill_at_any_step_loses_nothing(tmp_path):
    registry = Registry(tmp_path / "registry")
    for _ in range(2):
        registry.promote(put(registry), "champion")
    codes = []
    for last in (*range(1, 12), *range(12, 100, 8)):
        _, versions, code = registry_kill.kill_at(tmp_path / "registry", last, promoted=True)
        codes.append(code)
    assert set(codes) == {-9, 0}
    assert codes[0] == -9
    assert codes[-1] == 0
    assert versions >= len(codes) + 2


# what the storage is made of

def test_stand_ins_give_the_values_back():
    import zoneinfo

    stamps = [pd.Timestamp("2024-01-01 00:00:00.123456789"), pd.Timestamp("2024-01-01").as_unit("s"),
              pd.Timestamp("2024-01-01", tz="UTC"), pd.Timestamp("2024-07-01 12:00", tz=zoneinfo.ZoneInfo("Asia/Tokyo"))]
    values = [*stamps, pd.Timedelta("3h"), pd.NaT, pd.NA, pd.Interval(0, 1), pd.Interval(stamps[0], stamps[0], closed="both"),
              {True: 1, False: 2}, {None: 1, 1.5: 2, (1, 2): {3.5: stamps[0]}}, {"a": {stamps[0]: {b"x": 1}}}, {1: 1, "1": 2}]
    again = _freeze.thaw(_freeze.freeze({"values": values}), "values")["values"]
    assert difference(values, again) is None or all(str(a) == str(b) and type(a) is type(b) for a, b in zip(values, again))
    assert [v.unit for v in again[:4]] == [v.unit for v in stamps]
    assert [v.value for v in again[:4]] == [v.value for v in stamps]
    assert again[9] == values[9]
    assert again[10] == values[10]
    assert list(again[12]) == [1, "1"]
    assert len(STAND_INS) == 6


def test_named_zones_of_an_older_pandas():
    zone = type("Zone", (datetime.tzinfo,), {"__module__": "pytz.tzfile", "__str__": lambda self: "Europe/Rome"})()
    again = _freeze.thaw(_freeze.freeze({"zone": [zone]}), "zone")["zone"]
    assert str(again[0]) == "Europe/Rome"
    assert pd.Timestamp(0, tz=again[0]).utcoffset() == pd.Timestamp(0, tz="Europe/Rome").utcoffset()


def test_large_dicts_and_memory_maps(tmp_path):
    words = {f"word {i}": np.int64(i) for i in range(60)}
    again = _freeze.thaw(_freeze.freeze({"words": words}), "words")["words"]
    assert again == words
    assert type(again["word 1"]) is np.int64
    np.save(tmp_path / "a.npy", X)
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    assert np.array_equal(_freeze.thaw(_freeze.freeze([mapped]), "array")[0], X)


class Plain:
    def __init__(self, value):
        self.value = value


@pytest.mark.parametrize(("a", "b", "place"), [
    (1, 1, None), (1, True, "model"), (1.0, np.float64(1), "model"), (0.0, -0.0, "model"), (float("nan"), float("nan"), None),
    ([1, [2, 3]], [1, [2, 4]], "model[1][1]"), ({"a": 1}, {"a": 2}, "model['a']"), ({"a": 1}, {"b": 1}, "the keys of model[0]"),
    ([1], [1, 2], "model"), (X, X.copy(), None), (X, X + 1e-12, "model"), (X, X.astype("float32"), "model"),
    (np.array([1, "a"], dtype=object), np.array([1, "b"], dtype=object), "model[1]"), ({1, 2}, {1, 3}, "model"),
    (np.float64(1), np.float64(2), "model"), (Plain(1), Plain(1), None), (Plain(1), Plain(2), "model.value"), (b"a", b"a", None),
    (np.random.RandomState(1), np.random.RandomState(1), None), (np.random.default_rng(1), np.random.default_rng(2), "model"),
    (np.ma.masked_array([1, 2], [0, 1]), np.ma.masked_array([1, 2], [0, 0]), "model"),
    (np.zeros(2, [("a", int)]), np.ones(2, [("a", int)]), "model"),
])
def test_differences_are_found(a, b, place):
    found = difference(a, b)
    assert found == place or (place == "model" and found and found.startswith("model"))


def test_sparse_matrices_are_compared():
    from scipy import sparse

    assert difference(sparse.csr_matrix(X), sparse.csr_matrix(X)) is None
    assert difference(sparse.csr_matrix(X), sparse.csr_matrix(X + 1)) is not None
    other, missing = Plain(1), Plain(1)
    other.more = 1
    assert difference(other, missing) == "model.more"


# PyTorch

def torch_net(**changed):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    config = {"architecture": "registry_net:Net", "kwargs": {"inputs": 3, "outputs": 2}, **changed}
    import registry_net

    return registry_net.Net(3, 2), config


def test_a_module_comes_back_the_same(registry):
    net, config = torch_net(classes=["no", "yes"])
    import torch

    before = torch.get_rng_state()
    version = registry.get(put(registry, net, config=config))
    assert version.kind == "torch"
    assert set(version.predict(X)) <= {"no", "yes"}
    assert version.predict_proba(X).shape == (120, 2)
    assert list(version.classes_) == ["no", "yes"]
    with torch.no_grad():
        rows = torch.tensor(X, dtype=torch.float32)
        assert torch.equal(net.eval()(rows), version.model(rows))
    assert torch.equal(before, torch.get_rng_state())
    assert not version.model.training
    values = registry.get(put(registry, net, config=torch_net(task="regression")[1]))
    assert values.predict(X).dtype == float
    assert not hasattr(values, "predict_proba")


@pytest.mark.parametrize(("changed", "said"), [
    ({"architecture": None}, "must name what makes"), ({"architecture": "no colon"}, "must name what makes"),
    ({"architecture": "__main__:Net"}, "notebook or a script"), ({"architecture": "gone:Net"}, "can be imported"),
    ({"architecture": "os:system"}, "torch.nn.Module"), ({"architecture": "torch.nn:Linear"}, "class of the model"),
    ({"kwargs": {"inputs": 3}}, "arguments"), ({"kwargs": {"inputs": 4, "outputs": 2}}, "arguments"),
    ({"kwargs": 3}, "must name what"),
])
def test_a_module_that_cannot_be_made_again_is_refused(registry, changed, said):
    net, config = torch_net(**changed)
    with pytest.raises(BadInputError) as error:
        put(registry, net, config=config)
    assert said in one_line(error)
    assert len(registry) == 0
