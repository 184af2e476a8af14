"""The checks of lesson 4 accept right attempts and refuse wrong ones, on data that no lesson shows."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from ml_lifecycle.foundation import Predictions, check
from ml_lifecycle.foundation.exercises import find_exercise
from ml_lifecycle.refinement import ErrorReview, coarse_to_fine, error_breakdown, error_clusters, irreducible_error

@pytest.mark.parametrize("number", [f"4.{number}" for number in range(1, 8)])
def test_every_exercise_has_three_hints(number: str) -> None:
    assert len(find_exercise(number).hints) == 3
    assert check(number, ...).state == "not attempted"


def test_variance_by_hand() -> None:
    plain = error_breakdown(train=.02, val=.11, test=.2)
    assert check("4.1", .09, report=plain).done
    assert "wrong sign" in check("4.1", -.09, report=plain).found
    assert check("4.1", .11, report=plain).state == "not yet"
    assert check("4.1", "much", report=plain).state == "not yet"
    shifted = error_breakdown(train=.02, val_train=.05, val=.2)
    assert check("4.1", .03, report=shifted).done
    assert "holds the shift" in check("4.1", .18, report=shifted).found
    assert "does not lie" in check("4.1", .5, report=shifted).found
    split = error_breakdown(train=.02, val_train=.05, val_test=.2)
    assert check("4.1", .03, report=split).done


def test_failing_region() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=400), "kind": rng.choice(["x", "y", "z"], 400)})
    y = np.where(X["a"] > 0, "up", "down")
    said = np.where(X["kind"] == "x", np.where(y == "up", "down", "up"), y)
    context = {"X": X, "y": y, "answers": Predictions(labels=said)}
    assert check("4.2", lambda X: X["kind"] == "x", **context).done
    assert "luck is not ruled out" in check("4.2", lambda X: X["a"] > 0, **context).found
    assert "luck is not ruled out" in check("4.2", lambda X: X["kind"] == "y", **context).found
    assert "not all of them" in check("4.2", lambda X: X["a"] > 100, **context).found
    assert "not all of them" in check("4.2", lambda X: X["a"] < 100, **context).found
    assert "one for each row" in check("4.2", lambda X: X["kind"], **context).found
    assert check("4.2", 3, **context).state == "not yet"
    numbers = X["a"] + np.where(X["kind"] == "x", 9, .01 * rng.normal(size=400))
    assert check("4.2", lambda X: X["kind"] == "x", X=X, y=numbers, answers=Predictions(values=X["a"].to_numpy())).done


def test_inside_the_noise_of_the_search() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3))
    report = coarse_to_fine(Ridge(), {"alpha": (1e-3, 1e4, "log")}, X, X[:, 0] + rng.normal(size=80), budget=6, cv=3)
    inside = (report.frame["low"] <= report.best_score) & (report.best_score <= report.frame["high"])
    right = int(inside.sum())
    assert check("4.3", right, report=report).done
    assert "too many" in check("4.3", right + 1, report=report).found
    assert "too few" in check("4.3", right - 1, report=report).found
    assert check("4.3", None, report=report).state == "not yet"


def _points(seed):
    """A network with batch normalization for points in four corners, and what trains it."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(seed)
    x = torch.randn(400, 2)
    y = (x[:, 0] > 0).long() * 2 + (x[:, 1] > 0).long()
    pairs = torch.utils.data.TensorDataset(x, y)
    net = torch.nn.Sequential(torch.nn.Linear(2, 32), torch.nn.BatchNorm1d(32), torch.nn.ReLU(), torch.nn.Linear(32, 4))
    loader = torch.utils.data.DataLoader(torch.utils.data.Subset(pairs, range(300)), batch_size=30, shuffle=True)
    val = torch.utils.data.DataLoader(torch.utils.data.Subset(pairs, range(300, 400)), batch_size=50)
    return net, loader, torch.nn.CrossEntropyLoss(), torch.optim.Adam(net.parameters(), lr=.02), val


def _loop(*, validates_in="eval", learns=True):
    def loop(model, loader, loss_fn, optimizer, val_loader):
        import torch

        for _ in range(4):
            model.train()
            for x, y in loader:
                optimizer.zero_grad()
                loss_fn(model(x), y).backward()
                if learns:
                    optimizer.step()
            getattr(model, validates_in)()
            with torch.no_grad():
                for x, y in val_loader:
                    loss_fn(model(x), y)
    return loop


def test_sound_loop() -> None:
    assert check("4.4", _loop(), make=_points).done
    assert "still finds" in check("4.4", _loop(validates_in="train"), make=_points).found
    assert check("4.4", _loop(learns=False), make=_points).state == "not yet"
    assert "knows only" in check("4.4", lambda *given: None, make=_points).found
    assert check("4.4", lambda: None, make=_points).state == "not yet"
    assert "PyTorch is not installed" in check("4.4", _loop(), make=None).found


def test_same_draw() -> None:
    state = np.random.get_state()[1].copy()
    assert check("4.5", lambda: np.random.permutation(100)[:20]).done
    assert (np.random.get_state()[1] == state).all()
    assert "differ" in check("4.5", lambda: np.random.default_rng().permutation(100)[:20]).found
    assert "under every seed" in check("4.5", lambda: np.arange(20)).found
    assert "different positions" in check("4.5", lambda: np.random.randint(0, 100, 20)).found
    assert "different positions" in check("4.5", lambda: np.random.permutation(100)[:10]).found
    assert check("4.5", 5).state == "not yet"


def test_contradiction() -> None:
    rng = np.random.default_rng(4)
    chance = rng.beta(5, 1, 300)
    ratings = pd.DataFrame(np.where(rng.random((300, 3)) < chance[:, None], "a", "b"))
    naive = 1 - ratings.apply(lambda row: row.value_counts().iloc[0] / 3, axis=1).mean()
    assert check("4.6", irreducible_error(ratings).value, ratings=ratings).done
    assert "too low" in check("4.6", naive, ratings=ratings).found
    assert "too high" in check("4.6", .5, ratings=ratings).found
    assert check("4.6", "some", ratings=ratings).state == "not yet"


def test_named_clusters() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=600), "kind": rng.choice(["x", "y", "z", "w"], 600)})
    y = rng.integers(0, 2, 600)
    clusters = error_clusters(X, y, np.where(X["kind"] == "x", 1 - y, y))
    assert len(clusters.frame) > 0
    review = ErrorReview(clusters)
    assert "no category yet" in check("4.7", review, clusters=clusters).found
    for number in clusters.frame["cluster"]:
        review.assign(f"cluster {number}", cluster=int(number))
    assert "says nothing" in check("4.7", review, clusters=clusters).found
    for number in clusters.frame["cluster"]:
        review.assign("the kind that was turned round", cluster=int(number))
    assert check("4.7", review, clusters=clusters).done
    assert "a review is asked for" in check("4.7", "x", clusters=clusters).found
