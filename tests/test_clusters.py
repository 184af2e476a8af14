"""Clusters of errors: planted ones are found and described, noise gives none."""

import numpy as np
import pandas as pd
import pytest

from ml_lifecycle.foundation.errors import BadInputError, UnknownNameError
from ml_lifecycle.refinement import error_clusters
from ml_lifecycle.refinement._cluster import groups as _cluster_groups
from ml_lifecycle.refinement._cluster import rules as _cluster_rules
from ml_lifecycle.refinement._cluster import scan as _cluster_scan
from ml_lifecycle.refinement._cluster import space as _cluster_space

def flip(y, wrong):
    return np.where(wrong, 1 - y, y)


def blobs(seed, n=900, per=40):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 20))
    for i in range(3):
        X[i * per:(i + 1) * per] = rng.normal(0, 2, 20) + 0.3 * rng.normal(size=(per, 20))
    y = rng.integers(0, 2, n)
    return X, y, flip(y, (np.arange(n) < 3 * per) | (rng.random(n) < 0.04))


def flights(seed, n=2000, high=0.7, base=0.08):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(rng.normal(size=(n, 16)), columns=[f"x{i}" for i in range(16)])
    table["carrier"] = rng.choice(["AA", "EV", "UA", "DL"], n, p=[0.35, 0.15, 0.3, 0.2])
    table["hour"] = rng.uniform(0, 24, n)
    table["distance"] = np.where(rng.random(n) < 0.1, np.nan, rng.lognormal(6, 1, n))
    table["tail"] = rng.choice([f"N{i}" for i in range(200)], n)
    y = rng.integers(0, 2, n)
    return table, y, flip(y, rng.random(n) < np.where((table["carrier"] == "EV") & (table["hour"] > 18), high, base))


@pytest.mark.parametrize("seed", range(3))
def test_three_blobs_in_twenty_dimensions(seed):
    X, y, said = blobs(seed)
    report = error_clusters(X, y, said)
    assert len(report.frame) == 3
    labels = report.assignments.set_index("row")["cluster"]
    for i in range(3):
        own = labels[range(i * 40, (i + 1) * 40)]
        assert own.value_counts().iloc[0] >= 36
        assert own.value_counts().index[0] >= 0
    assert set(labels.index) == set(np.flatnonzero(y != said))
    assert (report.frame["low"] > report.frame["overall"]).all()


@pytest.mark.parametrize("seed", range(3))
def test_noise_has_no_cluster(seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, 500)
    report = error_clusters(rng.uniform(size=(500, 20)), y, flip(y, rng.random(500) < 0.15))
    assert report.frame.empty
    assert report.passed is True
    assert "spread like the data" in report.answer
    assert (report.assignments["cluster"] == -1).all()


@pytest.mark.parametrize("seed", range(2))
def test_a_category_in_an_interval_is_found_among_twenty_columns(seed):
    report = error_clusters(*flights(seed))
    assert len(report.frame) == 1
    description = report.frame["description"][0]
    assert "carrier = EV" in description
    assert "hour >= 1" in description
    assert report.passed is False  # most rows there are wrong


def test_two_places_of_one_table():
    table, y, _ = flights(0, n=3000)
    rng = np.random.default_rng(1)
    inside = (table["carrier"] == "EV") & (table["hour"] > 18) | (table["carrier"] == "UA") & (table["hour"] < 5)
    report = error_clusters(table, y, flip(y, rng.random(3000) < np.where(inside, 0.7, 0.06)))
    assert len(report.frame) == 2
    assert len(report.plot().texts) == 2


def test_large_errors_of_numbers():
    table, _, _ = flights(3)
    rng = np.random.default_rng(3)
    y = rng.normal(size=2000)
    noisy = (table["carrier"] == "EV") & (table["hour"] > 18)
    report = error_clusters(table, y, y + rng.normal(size=2000) * np.where(noisy, 6, 1))
    assert "carrier = EV" in report.frame["description"][0]
    assert report.threshold > 1
    assert error_clusters(table, y, y + rng.normal(size=2000), threshold=100.0).findings[0].severity == "not applicable"


def test_errors_where_a_value_is_missing_in_a_text_and_at_an_hour():
    rng = np.random.default_rng(0)
    n = 1200
    y = rng.integers(0, 2, n)
    gap = pd.DataFrame({"a": np.where(rng.random(n) < 0.15, np.nan, rng.normal(size=n)), "b": rng.normal(size=n)})
    report = error_clusters(gap, y, flip(y, rng.random(n) < np.where(gap["a"].isna(), 0.8, 0.05)))
    assert report.frame["description"][0] == "a is missing"
    words = np.array(["good", "slow", "phone", "blue", "table", "window", "river", "music"])
    notes = [" ".join([*rng.choice(words, 7), "refund" if refund else "thanks"]) for refund in rng.random(n) < 0.15]
    text = pd.DataFrame({"note": notes, "b": rng.normal(size=n)})
    asked = text["note"].str.contains("refund")
    report = error_clusters(text, y, flip(y, rng.random(n) < np.where(asked, 0.8, 0.05)))
    assert "mentions 'refund'" in report.frame["description"][0]
    dated = pd.DataFrame({"when": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.uniform(0, 90 * 24, n), unit="h")})
    late = dated["when"].dt.hour >= 20
    report = error_clusters(dated, y, flip(y, rng.random(n) < np.where(late, 0.8, 0.05)))
    assert "when: hour >= " in report.frame["description"][0]
    recent = dated["when"] > "2024-03-15"
    report = error_clusters(dated, y, flip(y, rng.random(n) < np.where(recent, 0.8, 0.05)))
    assert "when >= 2024-03-1" in report.frame["description"][0]


def test_a_category_without_a_value():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"c": rng.choice(["a", "b", None], 900), "d": rng.choice(list("xyzw"), 900)})
    y = rng.integers(0, 2, 900)
    report = error_clusters(table, y, flip(y, rng.random(900) < np.where(table["c"].isna(), 0.6, 0.05)))
    assert report.frame["description"][0] == "c is missing"


def test_many_rows_are_sampled_and_said_so():
    table, y, said = flights(0, n=12_000)
    report = error_clusters(table[["carrier", "hour", "x0"]], y, said)
    assert any(f.code == "CLU003" for f in report.findings)
    assert "carrier = EV" in report.frame["description"][0]
    assert len(report.assignments) == (y != said).sum()


@pytest.mark.parametrize("method", ["hdbscan", "kmeans"])
def test_other_ways_to_group(method):
    X, y, said = blobs(4)
    report = error_clusters(X, y, said, method=method)
    assert len(report.frame) == 3
    assert report.params["method"] == method
    rng = np.random.default_rng(0)
    assert error_clusters(rng.uniform(size=(500, 20)), y[:500], flip(y[:500], rng.random(500) < 0.15), method=method).frame.empty


def test_a_number_of_means():
    X, y, said = blobs(4)
    assert len(error_clusters(X, y, said, method="kmeans", n_clusters=2).frame) <= 2
    assert _cluster_groups.means_of(np.zeros((30, 2)), 0) == 1


def test_examples_are_errors_of_the_cluster():
    X, y, said = blobs(1)
    report = error_clusters(X, y, said)
    typical = report.prototypes.merge(report.assignments, on="row")
    assert (typical["cluster_x"] == typical["cluster_y"]).all()
    assert set(typical["cluster_x"]) == {0, 1, 2}
    assert error_clusters(X, y, y).prototypes.empty


def test_many_errors_among_few_correct_rows():
    rng = np.random.default_rng(0)
    X = rng.uniform(size=(700, 20))
    for i in range(3):
        X[i * 100:(i + 1) * 100] = rng.uniform(0.2, 0.8, 20) + 0.05 * rng.normal(size=(100, 20))
    y = rng.integers(0, 2, 700)
    assert len(error_clusters(X, y, flip(y, np.arange(700) < 500)).frame) == 3


def digits_with_bad_answers():
    from sklearn.datasets import load_digits

    data = load_digits()
    rng = np.random.default_rng(0)
    wrong = (rng.random(1797) < 0.02) | (data.target == 8) & (rng.random(1797) < 0.8)
    return data, np.where(wrong, (data.target + 1) % 10, data.target)


def test_images():
    data, said = digits_with_bad_answers()
    report = error_clusters(data.images, data.target, said)
    assert len(report.frame) == 1
    assert "truth = 8" in report.frame["description"][0]
    stacked = np.repeat(data.images[:, None], 3, axis=1)
    stacked[data.target == 3] *= np.array([1.8, 0.6, 0.6])[:, None, None]
    red = np.where((data.target == 3) & (np.arange(1797) % 4 > 0), 0, data.target)
    for images in (stacked, np.moveaxis(stacked, 1, -1)):
        report = error_clusters(images, data.target > 4, red > 4)
        assert report.frame.empty
        report = error_clusters(images, data.target % 2, np.where(data.target == red, data.target % 2, 1 - data.target % 2))
        assert "share of red" in report.frame["description"][0]


def test_what_comes_into_the_last_layer():
    torch = pytest.importorskip("torch")
    data, said = digits_with_bad_answers()
    torch.manual_seed(0)
    layers = torch.nn
    model = layers.Sequential(layers.Flatten(), layers.Linear(64, 24), layers.ReLU(), layers.Dropout(), layers.Linear(24, 10))
    model[3].eval()
    before = torch.random.get_rng_state()
    report = error_clusters(data.images, data.target, said, model=model)
    assert "truth = 8" in report.frame["description"][0]
    assert len(report.params["columns"]) == 24
    assert (torch.random.get_rng_state() == before).all()
    assert model.training
    assert not model[3].training
    assert not any(part._forward_pre_hooks for part in model.modules())
    for X, wrong in ((data.images[:, :4], "must take the rows"), (np.array([["a"]] * 1797), "must be numbers")):
        with pytest.raises(BadInputError, match=wrong):
            error_clusters(X, data.target, said, model=model)
    with pytest.raises(BadInputError, match="Leave one of them out"):
        error_clusters(data.images, data.target, said, model=model, features=data.data)
    with pytest.raises(BadInputError, match="layer with weights"):
        error_clusters(data.images, data.target, said, model=torch.nn.Flatten())


def test_embeddings_are_told_in_the_words_of_the_texts():
    rng = np.random.default_rng(0)
    bad = rng.random(1200) < 0.1
    words = np.array(["phone", "table", "river", "music", "window", "blue", "slow", "garden"])
    texts = [" ".join([*rng.choice(words, 6), "refund" if one else "thanks"]) for one in bad]
    vectors = rng.normal(size=(1200, 64)) + 3 * bad[:, None] * rng.normal(size=64)
    y = rng.integers(0, 2, 1200)
    report = error_clusters(texts, y, flip(y, bad | (rng.random(1200) < 0.04)), features=vectors)
    assert len(report.frame) == 1
    assert "mentions 'refund'" in report.frame["description"][0]
    blind = error_clusters(rng.normal(size=(1200, 2)), y, flip(y, bad | (rng.random(1200) < 0.04)), features=vectors)
    assert blind.frame["description"][0].startswith("rows are like ")
    assert blind.frame["rate"][0] > 0.9


def test_columns_that_hold_nothing_or_everything():
    rng = np.random.default_rng(0)
    table, y, said = flights(2)
    table["empty"], table["infinite"] = np.nan, np.inf
    table["note"] = [f"id {i} {rng.integers(10**9)}" for i in range(2000)]
    table["1"], table[1] = rng.normal(size=2000), rng.normal(size=2000)
    report = error_clusters(table, y, said)
    assert "carrier = EV" in report.frame["description"][0]


def test_nothing_to_look_for():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 2)), rng.integers(0, 2, 60)
    for said, word in ((y, "no errors"), (1 - y, "All 60 rows are errors")):
        report = error_clusters(X, y, said)
        assert report.findings[0].severity == "not applicable"
        assert word in report.answer
        assert report.passed is None
        report.plot()
    assert "No column varies" in error_clusters(np.ones((60, 2)), y, flip(y, np.arange(60) < 9)).answer
    few = error_clusters(X, y, flip(y, np.arange(60) < 3))
    assert few.passed is None
    assert "only 3 errors" in few.answer


def test_features_may_be_names_or_embeddings():
    table, y, said = flights(1)
    report = error_clusters(table, y, said, features=["carrier", "hour"])
    assert report.params["columns"] == ["carrier", "hour"]
    assert error_clusters(table, y, said, features="hour").params["columns"] == ["hour"]
    X, y, said = blobs(0)
    assert len(error_clusters(np.zeros((900, 1)), y, said, features=X).frame) == 3
    with pytest.raises(UnknownNameError, match="Did you mean 'carrier'"):
        error_clusters(table, np.zeros(2000), np.zeros(2000), features=["carier"])
    with pytest.raises(BadInputError, match="one row for each"):
        error_clusters(X, y, said, features=X[:10])


def test_bad_arguments_are_refused():
    X, y, said = blobs(0)
    with pytest.raises(UnknownNameError):
        error_clusters(X, y, said, method="spectral")
    for options in ({"threshold": 0}, {"threshold": True}, {"seed": "x"}, {"n_clusters": 2}, {"method": "kmeans", "n_clusters": 0},
                    {"features": X[:, 0]}, {"model": "x"}):
        with pytest.raises(BadInputError):
            error_clusters(X, y, said, **options)


def test_the_same_seed_gives_the_same_and_row_names_do_not_matter():
    X, y, said = blobs(2, n=300, per=20)
    state = np.random.get_state()[1].copy()
    first = error_clusters(X, y, said)
    named = error_clusters(pd.DataFrame(X, index=[f"r{i % 9}" for i in range(300)]), pd.Series(y, index=range(5, 305)), said)
    assert first.cluster_of == named.cluster_of
    assert first.to_json() == error_clusters(X, y, said).to_json()
    assert (np.random.get_state()[1] == state).all()


@pytest.mark.parametrize("seed", range(2))
def test_three_groups_that_differ_in_one_column_of_twenty(seed):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(2000, 20)), rng.integers(0, 2, 2000)
    for i in range(3):
        X[i * 80:(i + 1) * 80] = 0.3 * rng.normal(size=(80, 20))
        X[i * 80:(i + 1) * 80, 0] += (-4, 0, 4)[i]
    assert len(error_clusters(X, y, flip(y, np.arange(2000) < 320)).frame) == 3


@pytest.mark.parametrize("kind", ["whole hours", "an even square", "a cross"])
def test_one_place_is_one_cluster(kind):
    rng = np.random.default_rng(5)
    X, y = pd.DataFrame(rng.uniform(-1, 1, (3000, 2)), columns=["a", "b"]), rng.integers(0, 2, 3000)
    X["hour"] = rng.integers(0, 24, 3000)
    a, b = X["a"], X["b"]
    where = {"whole hours": X["hour"] >= 19, "an even square": (a > 0.3) & (b > 0.3),
             "a cross": (abs(a) < 0.1) | (abs(b) < 0.1)}[kind]
    report = error_clusters(X, y, flip(y, rng.random(3000) < np.where(where, 0.85, 0.05)))
    assert len(report.frame) == 1


def test_parts():
    assert _cluster_groups.knee(np.array([1.0, 1.0])) == 1.0
    bend = np.array([1.0] * 75 + [5.0] * 25)
    assert _cluster_groups.knee(bend) == 5.0
    assert _cluster_groups.knee(bend, 2.0) == 1.0
    assert _cluster_scan.surprise(0, 10, 0.1) == 1.0
    feature = _cluster_space.Feature("a", "number", np.array([0.0, 1, 2, 3, np.nan]))
    member = np.array([True, True, False, False, False])
    rules, clear = _cluster_rules.describe([feature], member, ~member)
    assert [rule.text for rule in rules] == ["a <= 1"]
    assert clear == 1.0
    assert list(_cluster_rules.met(rules, [feature])) == [True, True, False, False, False]
    holes = _cluster_space.Feature("a", "number", np.where(np.arange(60) < 30, np.nan, 1.0))
    assert _cluster_space.separation(holes, np.arange(60) < 30, np.arange(60))[1] == 1.0
