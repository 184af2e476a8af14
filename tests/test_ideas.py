"""compare_ideas: every form of idea, honest verdicts when many are tried, and limits that hold."""

import contextlib
import functools
import io
import os
import pickle
import random
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joblib import parallel_config
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold, StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier

from ml_lifecycle.exploration import _killable
from ml_lifecycle.exploration._folds import make_folds
from ml_lifecycle.exploration._ideas import findings as _ideas_findings
from ml_lifecycle.exploration._ideas import judge as _ideas_judge
from ml_lifecycle.exploration._ideas.seed import mixed_seeds
from ml_lifecycle.exploration._judge import Row, table_of
from ml_lifecycle.exploration._measure import pickler
from ml_lifecycle.exploration.ideas import IdeaReport, compare_ideas
from ml_lifecycle.foundation.errors import BadInputError, UnknownNameError
from ml_lifecycle.foundation.metrics import METRICS
from ml_lifecycle.foundation.report import Report

pytestmark = pytest.mark.filterwarnings("error")
LINEAR = make_pipeline(StandardScaler(), LogisticRegression())


@pytest.fixture(scope="module")
def cancer():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    return X[["mean radius", "mean texture", "mean smoothness", "worst area"]], y


def fitted(X, y):
    return GaussianNB().fit(X, y)


def labels(X_train, y_train, X_test):
    return GaussianNB().fit(X_train, y_train).predict(X_test)


def found(report, code):
    return next((f for f in report.findings if f.code == code), None)


def row(report, name):
    return report.frame.set_index("name").loc[name]


# ---- forms of ideas

def test_a_leaderboard_has_what_is_promised(cancer):
    report = compare_ideas({"bayes": GaussianNB(), "fitted": fitted, "labels": labels, "tree": "small tree",
                            "strict": {"C": 1e-6}, "noise": lambda X, y, Z: np.random.default_rng(0).random(len(Z))}, *cancer)
    assert isinstance(report, IdeaReport)
    assert list(report.frame.columns[:12]) == ["name", "score", "low", "high", "difference", "difference_low", "difference_high",
                                               "p", "p_corrected", "fit_seconds", "kind", "verdict"]
    kinds = report.frame.set_index("name")["kind"].to_dict()
    assert kinds == {"logistic regression": "baseline", "bayes": "model", "fitted": "function", "labels": "function",
                     "tree": "model", "strict": "parameters", "noise": "function"}
    assert report.fold_scores["bayes"] == report.fold_scores["fitted"]
    assert report.fold_scores["bayes"] != report.fold_scores["labels"]
    assert (report.tried, report.metric, report.n, report.baseline) == (6, "roc_auc", 569, "logistic regression")
    assert row(report, "noise")["verdict"] == "worse"
    assert not row(report, "noise")["tied"]
    assert "noise" not in report.ties
    assert found(report, "IDE001").evidence["worse"] == ["noise"]
    frame = report.frame
    assert (frame["p_corrected"].dropna() >= frame["p"].dropna()).all()
    assert frame["score"].is_monotonic_decreasing
    assert report.best == frame["name"].iloc[0]
    assert report.best in report.ties
    assert (frame["fit_seconds"] > 0).all()


def test_an_idea_that_is_better_is_found_and_recommended(cancer):
    X, y = cancer
    weak = make_pipeline(StandardScaler(), LogisticRegression(C=1e-5))
    report = compare_ideas({"linear": LINEAR, "same": weak, "C": {"C": 1.0}}, X, y, baseline=weak, metric="log_loss")
    assert set(report.better) == {"linear", "C"}
    assert report.recommended in report.better
    assert report.passed is True
    assert "2 of 3 ideas are better than the baseline LogisticRegression" in report.answer
    assert row(report, "linear")["difference"] > 0
    assert row(report, "linear")["score"] < row(report, "LogisticRegression")["score"]
    assert found(report, "IDE009").evidence["names"] == ["same"]
    one = compare_ideas(LINEAR, X, y, baseline=weak, metric="log_loss")
    assert one.answer.startswith("LogisticRegression 2 is better than the baseline LogisticRegression")


def test_scores_are_those_of_scikit_learn_on_the_same_folds(cancer):
    X, y = cancer
    report = compare_ideas([GaussianNB()], X, y, baseline=DummyClassifier(), metric="accuracy", seed=3)
    folds = StratifiedKFold(5, shuffle=True, random_state=3).split(X, y)
    expected = [(GaussianNB().fit(X.iloc[a], y.iloc[a]).predict(X.iloc[b]) == y.iloc[b]).mean() for a, b in folds]
    assert report.fold_scores["GaussianNB"] == pytest.approx(expected)
    assert row(report, "GaussianNB")["difference"] == pytest.approx(
        np.mean(expected) - np.mean(report.fold_scores["DummyClassifier"]))


@pytest.mark.parametrize(("ideas", "names"), [
    (GaussianNB(), ["GaussianNB"]), ("small tree", ["small tree"]), (fitted, ["fitted"]), ([("mine", GaussianNB())], ["mine"]),
    ([GaussianNB(), GaussianNB()], ["GaussianNB", "GaussianNB 2"]), ([{"C": 0.1}], ["C = 0.1"]),
    ([{}], ["no change"]), ([{"model__C": 0.1, "model__tol": 0.01}], ["C = 0.1, tol = 0.01"]),
    ([lambda X, y: GaussianNB().fit(X, y)], ["idea 1"]), ([functools.partial(labels)], ["partial"]),
    ([{"style": "tree"}], ["style = 'tree'"]),
    ([{"model": GaussianNB()}], ["model = GaussianNB()"]), ({"logistic regression": GaussianNB()}, ["logistic regression 2"]),
])
def test_ideas_come_in_many_forms(ideas, names, cancer):
    report = compare_ideas(ideas, *cancer, cv=3)
    assert set(report.frame["name"]) == {"logistic regression", *names}
    assert report.frame["score"].notna().all()


@pytest.mark.parametrize(("arguments", "says"), [
    ({"ideas": []}, "at least one idea. Got none"), ({"ideas": {}}, "Got none"), ({"ideas": 3}, "`ideas` must be a list"),
    ({"ideas": None}, "Got none"), ({"ideas": [3]}, "an estimator, the name of a default model.* Got 3"),
    ({"ideas": [GaussianNB]}, r"Got the class GaussianNB; write GaussianNB\(\)"),
    ({"ideas": {"C": 10}}, r"One set of parameters stands in a list: \[{'C': 10}\]"),
    ({"ideas": [{"c": 10}]}, r"name parameters of 'logistic regression'. Got 'c'. Did you mean 'C'"),
    ({"ideas": ["random tree"]}, "Did you mean 'random forest'"), ({"ideas": [lambda X: X]}, "of two or three arguments"),
    ({"ideas": [lambda *rows: 0]}, "of two or three arguments"), ({"ideas": [lambda X, y, *, k: 0]}, "two or three"),
    ({"base": 3}, "`base` must be an estimator"), ({"base": "forest"}, "Did you mean 'random forest'"),
    ({"base": GaussianNB}, r"write GaussianNB\(\)"),
    ({"baseline": "labels"}, "Default models"), ({"baseline": 3}, "`baseline` must"),
    ({"ideas": {"a": fitted}, "baseline": "a"}, "besides the baseline. Got 'a' alone"),
    ({"base": make_pipeline(StandardScaler(), StandardScaler(), DecisionTreeClassifier()), "ideas": [{"copy": True}]},
     "which several steps have. Write one of standardscaler-1__copy"),
    *(({"seconds": s}, "`seconds` must be a positive number") for s in (0, -1, "a", True, float("nan"))),
    ({"seed": -1}, "`seed` must"), ({"n_jobs": 0}, "`n_jobs` must"), ({"metric": "auc"}, "`metric` must"),
    ({"y": [1] * 569}, "two different values"), ({"y": [None, 1, 0] + [1] * 566}, "no missing values"), ({"cv": 1}, "2 folds"),
])
def test_bad_arguments_are_refused_in_one_line_before_any_work(arguments, says, cancer, monkeypatch):
    def work(*_, **__):
        raise AssertionError("it began to work")

    X, y = cancer
    arguments = dict(arguments)
    ideas = arguments.pop("ideas", [fitted])
    monkeypatch.setattr(sys.modules[IdeaReport.__module__], "measure_all", work)
    with pytest.raises((BadInputError, UnknownNameError), match=says) as caught:
        compare_ideas(ideas, X, arguments.pop("y", y), **arguments)
    assert "\n" not in str(caught.value)


def test_parameters_need_a_base_that_has_some(cancer):
    class Bare:
        def fit(self, X, y):
            return self

        def predict(self, X):
            return np.zeros(len(X))

    with pytest.raises(BadInputError, match="`base` must have `set_params`"):
        compare_ideas([{"C": 1}], *cancer, base=Bare())


def test_the_baseline_may_be_anything_that_an_idea_may_be(cancer):
    ideas = {"bayes": GaussianNB(), "tree": DecisionTreeClassifier(max_depth=2)}
    for baseline, name in (("bayes", "bayes"), (labels, "labels"), (("mine", LINEAR), "mine"), ({"C": 0.1}, "C = 0.1"),
                           ("small tree", "small tree")):
        report = compare_ideas(ideas, *cancer, baseline=baseline, cv=3)
        assert report.baseline == name
        assert row(report, name)["kind"] == "baseline"
        assert report.tried == 2 - (name == "bayes")
    on_it = compare_ideas([{"max_depth": 1}], *cancer, baseline=ideas["tree"], cv=3)
    assert set(on_it.frame["name"]) == {"DecisionTreeClassifier", "max_depth = 1"}
    both = compare_ideas([{"max_depth": 1}], *cancer, baseline=GaussianNB(), base=ideas["tree"], cv=3)
    assert found(both, "IDE004") is None


@pytest.mark.parametrize("make", [
    lambda X: X.to_numpy(), lambda X: sparse.csr_matrix(X.to_numpy()), lambda X: X.to_numpy().tolist(),
    lambda X: X.set_index(pd.Index(list("abc") * 189 + ["a", "b"])), lambda X: X.to_numpy().reshape(-1, 2, 2)])
def test_features_come_in_many_forms(make, cancer):
    X, y = cancer
    report = compare_ideas([{"C": 0.1}, DecisionTreeClassifier(max_depth=2)], make(X), list(y), cv=3)
    assert report.frame["score"].min() > 0.8


def test_a_table_classes_of_text_and_numbers(cancer):
    X, y = cancer
    table = X.assign(diagnosis=np.where(y == 1, "benign", "malignant"))
    report = compare_ideas([labels, fitted], table, "diagnosis", metric="f1", cv=3)
    assert report.params["positive"] == "malignant"
    assert report.frame["score"].min() > 0.8
    D, progress = load_diabetes(return_X_y=True)
    report = compare_ideas([{"alpha": 1e5}, lambda A, b, C: np.full(len(C), b.mean())], D, progress)
    assert (report.metric, report.best) == ("rmse", "ridge regression")
    assert (report.frame["verdict"] == "worse").sum() == 2


def test_functions_see_images_and_estimators_columns():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 80)
    images = rng.normal(size=(80, 4, 4)) + y[:, None, None]

    def mean(X_train, y_train, X_test):
        assert X_train.shape[1:] == X_test.shape[1:] == (4, 4)
        return X_test.mean(axis=(1, 2))

    report = compare_ideas([mean, GaussianNB()], images, y, cv=3)
    assert report.frame["score"].min() > 0.9


# ---- isolation

def test_nothing_that_was_handed_in_changes(cancer):
    X, y = cancer
    before = X.copy(deep=True)

    def careless(X, y):
        X.iloc[:, 0] = 0
        y[:] = 1
        return DummyClassifier().fit(X, y)

    model = DecisionTreeClassifier(max_features=1)
    base = make_pipeline(StandardScaler(), LogisticRegression())
    random.seed(7)
    np.random.seed(7)
    report = compare_ideas([careless, model, {"C": 5}], X, y, base=base)
    assert (random.random(), np.random.random()) == (random.Random(7).random(), np.random.RandomState(7).random())
    pd.testing.assert_frame_equal(X, before)
    assert y.nunique() == 2
    assert model.random_state is None
    assert base[-1].C == 1.0
    assert row(report, "DecisionTreeClassifier")["score"] > 0.8


def test_every_idea_starts_from_the_same_random_state(cancer):
    def drawn(X, y, Z):
        return np.random.random(len(Z)) + random.random()

    def told(X, y, Z, seed=None):
        return np.random.default_rng(seed).random(len(Z))

    first, again, other = (compare_ideas({"a": drawn, "b": drawn, "t": told}, *cancer, baseline=GaussianNB(), seed=s)
                           for s in (1, 1, 2))
    assert first.fold_scores == again.fold_scores
    assert first.fold_scores["a"] == first.fold_scores["b"]
    assert first.fold_scores["t"] != other.fold_scores["t"]


def test_an_idea_is_judged_and_not_one_draw_of_it(cancer):
    seen = []

    class Drawn(GaussianNB):
        def __init__(self, random_state=None):
            super().__init__()
            self.random_state = random_state

        def fit(self, X, y):
            seen.append(self.random_state)
            return super().fit(X, y)

    compare_ideas({"open": Drawn(), "same": Drawn(), "fixed": make_pipeline(Drawn(7))}, *cancer, baseline=LINEAR)
    assert len(set(seen)) == 10
    assert seen[:5] == seen[5:10]
    assert not {7, *seen[:5]} & set(seen[10:])


def test_torch_starts_from_the_same_state_and_gets_it_back(cancer):
    torch = pytest.importorskip("torch")

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(4, 2)

        def forward(self, x):
            return self.layer(x)

    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    X, y = cancer[0].to_numpy(dtype="float32"), cancer[1]
    report = compare_ideas({"a": lambda X, y: Net(), "b": lambda X, y: Net()}, X, y, baseline=GaussianNB())
    assert torch.equal(torch.rand(3), expected)
    assert report.fold_scores["a"] == report.fold_scores["b"]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # Python 3.12 warns of it where threads run
def test_processes_and_threads_give_the_same_numbers(cancer):
    ideas = {"tree": DecisionTreeClassifier(max_features=1), "strict": {"C": 0.01}, "labels": labels}
    one = compare_ideas(ideas, *cancer, cv=3, n_jobs=1)
    with parallel_config(backend="multiprocessing"):
        assert compare_ideas(ideas, *cancer, cv=3, n_jobs=2).fold_scores == one.fold_scores
    with parallel_config(backend="threading", n_jobs=2):
        assert compare_ideas(ideas, *cancer, cv=3).fold_scores["strict"] == one.fold_scores["strict"]


# ---- what goes wrong

def test_an_idea_that_fails_is_a_row_with_its_error(cancer):
    def broken(X, y):
        raise RuntimeError("no such\ncolumn")

    def late(X, y, Z, seen=[]):  # noqa: B006 - fails in the third fold
        seen.append(1)
        return np.ones(len(Z)) if len(seen) < 3 else [1]

    report = compare_ideas({"broken": broken, "again": broken, "late": late, "none": lambda X, y: None, "bayes": GaussianNB(),
                            "bad": {"C": -1}, "text": lambda X, y, Z: ["x"] * len(Z)}, *cancer)
    notes = report.frame.set_index("name")["note"]
    assert notes["broken"] == "failed in 5 of 5 folds: RuntimeError: no such column"
    assert notes["late"].startswith("failed in 3 of 5 folds: ValueError: gave 1 values for 114 rows")
    assert "not a fitted model with `predict`" in notes["none"]
    assert "'C'" in notes["bad"]
    assert "none of the classes" in notes["text"]
    assert set(report.frame.loc[report.frame["verdict"] == "no score", "name"]) == set(notes[notes != ""].index)
    assert np.isfinite(row(report, "bayes")["difference"])
    grouped = next(f for f in report.findings if f.code == "IDE004" and len(f.evidence["names"]) == 2)
    assert grouped.message.startswith("2 ideas have no score: broken, again")
    assert report.passed is False
    assert report.tried == 7


def test_a_baseline_that_fails_leaves_the_scores(cancer):
    def broken(X, y):
        raise RuntimeError("gone")

    report = compare_ideas([GaussianNB(), fitted], *cancer, baseline=broken)
    assert found(report, "IDE001").severity == "not applicable"
    assert "The baseline broken has no score" in found(report, "IDE004").message
    assert set(report.frame["verdict"]) == {"baseline", "cannot tell"}
    assert report.recommended == "broken"
    report.plot()
    nothing = compare_ideas([broken], *cancer, baseline=broken)
    assert (nothing.best, nothing.recommended, nothing.answer) == (None, None, "Nothing could be scored.")
    assert nothing.ties == ()
    nothing.plot()


def test_a_probability_metric_says_in_one_line_what_the_estimator_lacks(cancer):
    report = compare_ideas([LinearSVC(), LINEAR], *cancer, metric="log_loss", baseline=LINEAR)
    said = found(report, "IDE004").message
    assert "\n" not in said
    assert "needs probabilities" in said


def test_warnings_are_said_once_and_do_not_leak(cancer):
    hasty = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1))
    report = compare_ideas({"a": hasty, "b": hasty}, *cancer)
    assert found(report, "IDE008").message.startswith("a, b warned: ConvergenceWarning")


class Unpicklable(ClassifierMixin, BaseEstimator):
    def __getstate__(self):
        raise TypeError("cannot pickle a live connection")

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


@pytest.mark.slow
def test_one_that_overruns_or_dies_is_reported_and_not_waited_for(cancer, tmp_path):
    place = str(tmp_path / "process")

    def endless(X, y):
        import os
        import time

        with open(place, "w") as file:
            file.write(str(os.getpid()))
        time.sleep(3600)

    def dies(X, y, Z):
        import os

        if 568 not in X.index:  # in the last fold
            os._exit(3)
        return np.zeros(len(Z), dtype=int)

    ideas = {"endless": endless, "bayes": GaussianNB(), "tree": DecisionTreeClassifier(max_features=1), "strict": {"C": 0.01},
             "live": Unpicklable(), "dies": dies}
    settings = {"metric": "accuracy", "baseline": "bayes", "base": LINEAR, "cv": StratifiedKFold(5)}
    report = compare_ideas(ideas, *cancer, seconds=4, n_jobs=2, **settings)
    assert gone(int((tmp_path / "process").read_text()))
    notes = report.frame.set_index("name")["note"]
    assert notes["endless"] == "stopped after 4 s: 0 of 5 folds done"
    assert "exit code 3" in notes["dies"]
    assert "1 of 5 folds" in notes["dies"]
    assert np.isnan(row(report, "dies")["score"])
    free = compare_ideas({name: ideas[name] for name in ("bayes", "tree", "strict")}, *cancer, **settings)
    for name in ("bayes", "tree", "strict"):
        assert report.fold_scores[name] == free.fold_scores[name]
    assert {name for f in report.findings if f.code == "IDE005" for name in f.evidence["names"]} == {"endless"}
    assert found(report, "IDE010").evidence["names"] == ["live"]
    assert row(report, "live")["score"] > 0.3


# ---- processes that can be stopped

def gone(pid):
    """Whether no process has this number, or a dead one that nobody has asked for, soon."""
    for _ in range(600):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        time.sleep(0.1)
    return False


@pytest.fixture
def light(monkeypatch):
    """Processes that load nothing but what they need to take a task."""
    start = ("import sys, importlib.util as u; s = u.spec_from_file_location('k', " + repr(_killable.__file__)
             + "); m = u.module_from_spec(s); sys.path[:] = {path!r}; s.loader.exec_module(m); m.main()")
    monkeypatch.setattr(_killable, "_START", start)


def sent(function, *tasks):
    dumps = pickler().dumps
    return dumps((function, 10)), [dumps(task) for task in tasks]



def squares(shared, task):
    for number in range(task):
        yield shared * number**2


def fails(shared, task):
    yield 1
    raise RuntimeError("in the middle")


def talk(function, *tasks):
    inbox = io.BytesIO(pickle.dumps((function, 10)) + b"".join(map(pickle.dumps, tasks)))
    outbox = io.BytesIO()
    _killable.serve(inbox, outbox)
    outbox.seek(0)
    said = []
    while outbox.tell() < len(outbox.getvalue()):
        said.append(pickle.load(outbox))
    return said


def test_a_process_answers_task_after_task():
    assert talk(squares, 2, 1) == ["", ("found", 0), ("found", 10), ("end", ""), ("found", 0), ("end", "")]
    assert talk(fails, 0)[-1] == ("end", "cannot be run in a process of its own: RuntimeError: in the middle")
    outbox = io.BytesIO()
    _killable.serve(io.BytesIO(b"\x80\x04cno.such.module\nname\n."), outbox)
    assert "ModuleNotFoundError" in pickle.loads(outbox.getvalue())


@pytest.mark.usefixtures("light")
def test_processes_are_ended_with_all_they_have_started(tmp_path):
    def work(shared, task):
        import os
        import subprocess
        import sys
        import time

        yield shared * 2
        if task == "dies":
            os._exit(3)
        if task:
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
            with open(task, "w") as file:
                file.write(f"{os.getpid()} {child.pid}")
            time.sleep(3600)
        yield "done"

    shared, tasks = sent(work, "", "dies", "", str(tmp_path / "late"), "")
    for workers in (1, 2):
        done = {place: (given, why) for place, given, why in _killable.run(shared, tasks, seconds=3, workers=workers)}
        assert all(done[place] == ([20, "done"], "") for place in (0, 2, 4))
        assert done[1] == ([20], "its process ended (exit code 3)")
        assert done[3] == ([20], _killable.LATE)
        assert all(gone(int(pid)) for pid in (tmp_path / "late").read_text().split())


@pytest.mark.usefixtures("light")
def test_who_stops_listening_ends_the_processes(tmp_path):
    def work(shared, task):
        import os
        import time

        yield os.getpid()
        time.sleep(task)

    shared, tasks = sent(work, 0, 3600)
    first = _killable.run(shared, tasks, seconds=3600)
    pid = next(first)[1][0]
    first.close()
    assert gone(pid)


@pytest.mark.usefixtures("light")
def test_what_cannot_be_read_in_the_process_is_said():
    broken = list(_killable.run(b"\x80\x04cno.such.module\nname\n.", [pickle.dumps(0)], seconds=20))
    assert "ModuleNotFoundError" in broken[0][2]
    assert list(_killable.run(b"", [], seconds=1)) == []


# ---- statistics

@pytest.mark.slow
def test_copies_of_one_idea_are_not_better():
    rng, told = np.random.default_rng(0), 0
    for run in range(4):
        X = rng.normal(size=(200, 4))
        y = X[:, 0] + rng.normal(size=200) > 0
        copies = {f"seed {i}": ExtraTreeClassifier(max_depth=3, random_state=100 * run + i) for i in range(20)}
        report = compare_ideas(copies, X, y, baseline="seed 0", seed=run)
        told += bool(report.better)
        assert report.optimism >= 0
        assert report.passed is not True or report.better
    assert told <= 1


@functools.cache
def halves(cv, n=200):
    return make_folds(np.zeros((n, 1)), np.tile([0, 1], n // 2), task="classification", cv=cv)


def board(scores, metric="accuracy", n=200, cv=None):
    scores = np.atleast_2d(scores)
    folds = halves(cv or scores.shape[1])
    rows = [Row(f"r{i}", "baseline" if i == 0 else "model", tuple(s), float(np.mean(s)), fit_seconds=1.0, n=n)
            for i, s in enumerate(scores)]
    return _ideas_judge.leaderboard(table_of(rows, folds, METRICS[metric]), rows[0])


def hasty(start):
    def idea(X, y):
        return ExtraTreeClassifier(max_depth=1, random_state=start).fit(X[:60], y[:60])

    return idea


def test_a_seed_that_is_written_into_a_function_is_not_an_idea():
    rng, said = np.random.default_rng(0), 0
    for seed in range(6):
        X = rng.normal(size=(160, 2))
        y = (X[:, 0] + rng.normal(size=160) > 0).astype(int)
        starts = rng.integers(1, 2**31, 21).tolist()
        report = compare_ideas([(str(s), hasty(s)) for s in starts[1:]], X, y, baseline=("base", hasty(starts[0])), seed=seed)
        assert len(set(report.fold_scores.values())) > 10
        said += bool(report.better)
    assert said <= 1


def test_seeds_of_every_house_are_mixed_with_the_fold_and_stay_what_they_are_outside():
    torch = pytest.importorskip("torch")

    def draws():
        torch.manual_seed(3)
        random.seed(3)
        np.random.seed(3)
        return (np.random.default_rng(3).random(), np.random.default_rng(seed=3).random(), np.random.RandomState(3).rand(),
                np.random.RandomState(seed=3).rand(), torch.rand(1).item(), random.random(), np.random.rand(),
                ExtraTreeClassifier(random_state=3).fit(*np.arange(80).reshape(2, 40, 1) % 7 > 3).tree_.node_count)

    outside, real = draws(), np.random.RandomState
    with mixed_seeds(5):
        first, again = draws(), draws()
        assert isinstance(real(1), np.random.RandomState)
        assert isinstance(np.random.RandomState(1), real)
        assert pickle.loads(pickle.dumps(np.random.RandomState(1))).rand() == np.random.RandomState(1).rand()
        assert np.random.default_rng([1, 2]).random() == np.random.default_rng([1, 2]).random()
        with mixed_seeds(6):
            other = draws()
        assert draws() == first
    assert first == again
    assert all(a != b != c != a for a, b, c in zip(outside[:-1], first[:-1], other[:-1]))
    assert draws() == outside
    assert np.random.RandomState is real


def test_the_same_seed_is_the_same_draw_for_a_function_and_its_twin(cancer):
    report = compare_ideas({"a": hasty(1), "b": hasty(1), "c": hasty(2)}, cancer[0].to_numpy(), cancer[1].to_numpy())
    assert report.fold_scores["a"] == report.fold_scores["b"] != report.fold_scores["c"]


@pytest.mark.parametrize("cv", [2, 3])
def test_shares_that_are_equal_in_few_folds_by_chance_prove_nothing(cv):
    folds = make_folds(np.zeros((100, 1)), np.arange(100) % 2, task="classification", cv=cv, groups=None, times=None, seed=0)
    rows = [Row("a", "model", scores=(.9,) * cv, score=.9), Row("b", "baseline", scores=(.7,) * cv, score=.7)]
    found = table_of(rows, folds, METRICS["accuracy"]).better(*rows)
    assert .001 < found.p < .1
    assert found.low < found.value < found.high
    exact = table_of(rows, folds, METRICS["brier"]).better(*rows)
    assert exact.p == 0


def test_the_honest_score_of_equal_ideas_is_not_flattered():
    rng = np.random.default_rng(0)
    best, honest = [], []
    for _ in range(80):
        found = board(0.8 + 0.01 * rng.normal(size=(20, 5)) + 0.02 * rng.normal(size=5))
        best.append(found.best.score - 0.8)
        honest.append(found.honest.score - 0.8)
    assert np.mean(best) > 0.005
    assert abs(np.mean(honest)) < 0.004


def test_one_that_wins_every_fold_is_not_flattered():
    found = board([[0.7, 0.72, 0.71, 0.69], [0.9, 0.91, 0.92, 0.9]])
    assert found.honest.optimism == 0
    assert found.honest.score == pytest.approx(0.9075)
    assert [row.name for row in found.ties] == ["r1"]
    assert found.verdict(found.best) == "better"
    lower = board([[0.7, 0.72, 0.71, 0.69], [0.9, 0.91, 0.92, 0.9]], metric="log_loss")
    assert lower.best.name == "r0"


def test_folds_that_share_rows_have_no_say_in_the_choice():
    rng = np.random.default_rng(1)
    cv = RepeatedStratifiedKFold(n_splits=5, n_repeats=2, random_state=0)
    found = board(0.8 + 0.01 * rng.normal(size=(8, 10)), cv=cv)
    assert found.honest.known
    same = tuple([(range(100), range(100, 200))] * 4)
    assert not board(0.8 + 0.01 * rng.normal(size=(8, 4)), cv=same).honest.known


def test_the_truly_best_is_among_those_that_tie():
    rng, lost = np.random.default_rng(2), 0
    for _ in range(100):
        found = board(0.8 + 0.01 * rng.normal(size=(10, 5)))
        lost += "r1" not in {row.name for row in found.ties}
    assert lost <= 10


@given(st.integers(2, 8), st.integers(2, 6), st.integers(0, 10**6), st.sampled_from(["accuracy", "log_loss"]))
@settings(max_examples=40, deadline=None)
def test_a_leaderboard_keeps_its_promises(ideas, folds, seed, metric):
    scores = np.round(np.random.default_rng(seed).random((ideas, folds)), 2)
    found = board(scores, metric)
    frame = _ideas_judge.frame_of(found)
    sign = METRICS[metric].sign
    assert (np.diff(sign * frame["score"]) <= 1e-12).all()
    assert frame["tied"].iloc[0]
    others = frame[frame["verdict"] != "baseline"]
    assert len(others) == ideas - 1
    assert (others["p_corrected"] >= others["p"]).all()
    assert (others["difference_low"] <= others["difference"]).all()
    if folds >= 3:
        assert found.honest.optimism >= 0
        assert sign * found.honest.score <= sign * found.best.score + 1e-12


def test_when_the_best_idea_is_worse_no_idea_is_said_to_be_better(cancer):
    bad, noise = DecisionTreeClassifier(max_depth=1), lambda X, y, Z: np.random.default_rng(0).random(len(Z))
    one = compare_ideas({"noise": noise}, *cancer)
    assert one.answer.startswith("Keep the baseline: no idea is better than logistic regression (0.9")
    assert "noise is worse by 0." in one.answer
    two = compare_ideas({"stump": bad, "noise": noise}, *cancer)
    assert "Both are worse. The nearest of 2 ideas, stump, is worse by 0." in found(two, "IDE001").message
    three = compare_ideas({"stump": bad, "noise": noise, "void": DummyClassifier()}, *cancer)
    assert "All 3 are worse." in found(three, "IDE001").message
    assert not found(three, "IDE001").undecided
    assert three.recommended == three.best == "logistic regression"


def test_when_the_nearest_idea_is_worse_and_others_are_uncertain_both_are_said():
    folds = make_folds(np.zeros((200, 1)), np.arange(200) % 2, task="classification", cv=5, groups=None, times=None, seed=0)
    scores = {"base": (.9, .91, .9, .92, .9), "near": (.85, .86, .85, .87, .8501), "wild": (.99, .5, .99, .6, .99)}
    rows = [Row(name, "model", scores=each, score=float(np.mean(each))) for name, each in scores.items()]
    table = table_of(rows, folds, METRICS["roc_auc"])
    said = _ideas_findings.better_than_the_baseline(_ideas_judge.leaderboard(table, rows[0]))
    assert said.undecided
    assert "The nearest of 2 ideas, near, is worse by 0.05" in said.message
    assert "Of 1 other it cannot be told: wild." in said.message


def test_one_fold_can_tell_nothing(cancer):
    report = compare_ideas([GaussianNB()], *cancer, cv=[(np.arange(300), np.arange(300, 569))])
    assert found(report, "IDE001").undecided
    assert found(report, "IDE002").severity == "not applicable"
    assert report.passed is None
    report.plot()


def test_few_rows_dates_and_folds_are_spoken_of():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=60), "day": pd.date_range("2020-01-01", periods=60)})
    y = np.array([1] * 4 + [0] * 56)
    report = compare_ideas([{"C": 0.1}], X, y)
    assert {"IDE006", "IDE007"} <= {f.code for f in report.findings}
    assert len([f for f in report.findings if f.code == "IDE006"]) == 2
    timed = compare_ideas([{"C": 0.1}], X.assign(b=X["a"]), rng.integers(0, 2, 60), time="day", cv=3)
    assert timed.how.startswith("3 folds forward in time")
    assert found(timed, "IDE006") is None


# ---- what is shown

def test_the_report_reads_back_draws_and_shows_itself(cancer):
    X, y = cancer
    ideas = {f"an idea with quite a long name, number {i}": DecisionTreeClassifier(max_depth=1 + i % 3, min_samples_leaf=1 + i)
             for i in range(30)}
    report = compare_ideas({**ideas, "<b>": DummyClassifier()}, X, y, metric="log_loss", cv=3)
    again = Report.from_json(report.to_json())
    assert isinstance(again, IdeaReport)
    assert again.to_json() == report.to_json()
    assert (again.answer, again.recommended, again.svg()) == (report.answer, report.recommended, report.svg())
    axes = report.plot()
    assert len(axes.get_yticks()) == 20
    assert "11 more in the table" in axes.get_title(loc="left")
    assert "Log loss" in axes.get_xlabel()
    assert "<b><" not in report._repr_html_()
    assert "Ideas: " in repr(report)
