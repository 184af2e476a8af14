"""Labels: ranking by loss, the share of wrong labels and its interval, flags, folds, and input of every kind."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from ml_lifecycle.data._label import floor as _label_floor
from ml_lifecycle.data._label import folds as _label_folds
from ml_lifecycle.data.labels import LabelIssues, confirmed_label_issues, label_issues, out_of_sample, rank_by_loss
from ml_lifecycle.foundation.dataset import Dataset, load_dataset
from ml_lifecycle.foundation.errors import BadInputError

pytestmark = pytest.mark.filterwarnings("error")


def two_classes(n=1500, apart=2.56, flip=0.0, seed=0, spread=1.0):
    """(labels, probability of class 1, flipped): two normal classes; `spread` makes the model over- or underconfident."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    x = rng.normal(size=n) + apart * (y - 0.5)
    flipped = rng.random(n) < flip
    return np.where(flipped, 1 - y, y), expit(spread * apart * x), flipped


def many_classes(k, n=1500, flip=0.0, seed=0, sharp=3.0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    logits = rng.normal(size=(n, k)) * 1.5
    logits[np.arange(n), y] += sharp
    flipped = rng.random(n) < flip
    given = np.where(flipped, (y + rng.integers(1, k, n)) % k, y)
    proba = np.exp(logits * 2)
    return given, proba / proba.sum(1, keepdims=True), flipped


def found(report, code):
    return next((f for f in report.findings if f.code == code), None)


class TestRanking:
    def test_the_largest_loss_comes_first(self):
        frame = rank_by_loss(["a", "b", "a"], [[.9, .1], [.3, .7], [.2, .8]])
        assert list(frame.columns) == ["row", "given", "suggested", "loss", "p_given"]
        assert list(frame["row"]) == [2, 1, 0]
        assert list(frame["suggested"]) == ["b", "b", "a"]
        np.testing.assert_allclose(frame["loss"], -np.log([.2, .7, .9]))

    def test_a_probability_of_nothing_has_a_finite_loss(self):
        assert np.isfinite(rank_by_loss([0, 1], [[0., 1.], [0., 1.]])["loss"]).all()

    def test_rows_are_called_as_in_the_index(self):
        y = pd.Series(["a", "b", "a"], index=["x", "y", "z"])
        assert list(rank_by_loss(y, [.1, .7, .8])["row"]) == ["z", "y", "x"]
        twice = pd.Series(["a", "b", "a"], index=[7, 7, 8])
        assert list(rank_by_loss(twice, [.1, .7, .8])["row"]) == [2, 1, 0]

    def test_numbers_are_ranked_by_how_far_they_are_off(self):
        frame = rank_by_loss(pd.Series([1.0, 2.0, 3.5], index=[10, 11, 12]), [1.1, 0.0, np.nan])
        assert list(frame["row"]) == [11, 10]
        np.testing.assert_allclose(frame["loss"], [2.0, 0.1])
        assert frame["p_given"].isna().all()
        with pytest.raises(BadInputError, match="one prediction for each row"):
            rank_by_loss([1.0, 2.0, 3.5], [1.0, 2.0])
        assert list(rank_by_loss([1, 2, 3], [1, 2, 7])["row"]) == [2, 0, 1]

    @given(st.integers(0, 10_000))
    @settings(max_examples=20)
    def test_the_order_of_the_rows_does_not_matter(self, seed):
        y, p, _ = two_classes(60, seed=seed)
        order = np.random.default_rng(seed).permutation(60)
        one = rank_by_loss(pd.Series(y), p).set_index("row")["loss"]
        other = rank_by_loss(pd.Series(y[order], index=order), p[order]).set_index("row")["loss"]
        pd.testing.assert_series_equal(one.sort_index(), other.sort_index())


class TestWrongLabels:
    @pytest.mark.parametrize("spread", [0.3, 4.0])
    @pytest.mark.parametrize("apart", [2.56, 3.3, 6.0])
    def test_flips_are_seen_whatever_the_calibration(self, apart, spread):
        report = label_issues(*two_classes(apart=apart, flip=0.05, spread=spread)[:2])
        assert report.verdict == "issue"
        assert report.low <= 0.05 <= report.high

    @pytest.mark.parametrize("seed", range(3))
    @pytest.mark.parametrize("apart", [0.5, 1.68, 2.56, 6.0])
    def test_overlap_alone_is_no_issue(self, apart, seed):
        y, p, _ = two_classes(apart=apart, seed=seed)
        report = label_issues(y, p)
        assert report.passed is not False
        assert report.low < 0.03

    def test_a_clean_and_clear_table_passes(self):
        report = label_issues(*two_classes(apart=5.0)[:2])
        assert report.passed is True
        assert report.rows == ()
        assert report.high < 0.02

    @pytest.mark.parametrize("k", [3, 10, 30])
    def test_many_classes(self, k):
        y, p, _ = many_classes(k, sharp=6.0)
        assert label_issues(y, p).passed is not False
        y, p, flipped = many_classes(k, sharp=6.0, flip=0.05)
        report = label_issues(y, p)
        assert report.verdict == "issue"
        assert flipped[list(report.rows)].mean() > 0.6
        assert "LAB002" in {f.code for f in report.findings}

    def test_flags_are_mostly_right(self):
        y, p, flipped = two_classes(4000, apart=3.3, flip=0.05)
        report = label_issues(y, p)
        assert flipped[list(report.rows)].mean() > 0.75
        assert flipped[list(report.rows)].sum() > 0.6 * flipped.sum()
        assert report.frame["is_issue"].sum() == len(report.rows)
        assert report.frame["score"].is_monotonic_increasing

    def test_a_rare_class_that_nothing_tells_is_no_issue(self):
        rng = np.random.default_rng(0)
        hazard = expit(1.5 * rng.normal(size=5000) - 3)
        y = (rng.random(5000) < 0.06 + 0.9 * hazard).astype(int)
        report = label_issues(y, hazard)
        assert report.passed is None
        assert "no column tells" in report.answer
        assert report.rows == ()

    def test_a_floor_under_one_prediction_alone_is_no_issue(self):
        rng = np.random.default_rng(0)
        y, p, _ = two_classes(3000, apart=4.0)
        unexplained = (y == 0) & (rng.random(3000) < 0.1)
        report = label_issues(np.where(unexplained, 1, y), p)
        assert report.passed is None
        assert "under one prediction" in report.answer

    def test_rows_that_are_alike_cannot_tell(self):
        rng = np.random.default_rng(0)
        cell = rng.integers(0, 8, 2000)
        eta = np.array([.04, .05, .04, .06, .95, .94, .96, .95])[cell]
        fold = 0.01 * np.arange(5)[rng.integers(0, 5, 2000)] / np.pi  # each fold has a model of its own
        report = label_issues((rng.random(2000) < eta).astype(int), np.clip(eta + fold, 0, 1))
        assert report.passed is None
        assert "alike" in report.answer

    def test_votes_lie_on_a_grid_and_are_not_alike(self):
        votes = np.random.default_rng(0).integers(0, 21, 900) / 20
        assert not _label_floor.coarse(np.column_stack([votes, 1 - votes]))

    def test_few_rows_cannot_tell(self):
        report = label_issues(*two_classes(30)[:2])
        assert report.passed is None
        assert np.isnan(report.share)
        assert "too few" in report.answer
        assert report.plot() is not None

    def test_probabilities_of_rows_that_were_seen_are_told(self):
        y = np.random.default_rng(0).integers(0, 2, 300)
        report = label_issues(y, np.where(y == 1, .97, .03) + np.linspace(-.02, .02, 300))
        assert found(report, "LAB004").severity == "tip"

    def test_one_class_alone_does_not_break(self):
        report = label_issues(["a"] * 80, np.column_stack([np.full(80, .9), np.full(80, .1)]), classes=["a", "b"])
        assert isinstance(report, LabelIssues)
        assert report.rows == ()

    def test_many_rows_are_quick_and_the_share_is_near(self):
        y, p, _ = two_classes(30_000, apart=2.56, flip=0.05)
        report = label_issues(y, p)
        assert abs(report.share - 0.05) < 0.015
        assert report.low <= 0.05 <= report.high

    def test_the_plot_draws_ten_groups(self):
        report = label_issues(*two_classes(flip=0.05)[:2])
        assert len(report.curve) == 10
        assert report.plot().get_ylabel() == "labels that contradict it (%)"

    def test_ignoring_the_first_finding_leaves_an_answer(self):
        report = label_issues(*two_classes(flip=0.05)[:2])
        assert "1,500 rows judged" in report.ignore("LAB001").answer


class TestInput:
    def test_forms_of_the_same_input_give_the_same(self):
        y, p, _ = two_classes(400, flip=0.1)
        names = np.array(["no", "yes"])[y]
        table = np.column_stack([1 - p, p])
        forms = [(names, table), (pd.Series(names), p), (names.tolist(), table.tolist()),
                 (pd.Series(names, dtype="category"), table), (pd.Series(names, dtype=object), pd.DataFrame(table)),
                 (names, pd.DataFrame(table[:, ::-1], columns=["yes", "no"])),
                 (pd.Series(names).to_frame(), p[:, None]), (pd.Series(names, dtype="string"), table)]
        answers = {label_issues(*form).answer for form in forms}
        assert len(answers) == 1
        assert label_issues(y == 1, table).share == label_issues(y, table).share

    def test_unused_categories_are_no_classes(self):
        y = pd.Series(pd.Categorical(["a", "b"] * 40, categories=["a", "b", "c"]))
        assert label_issues(y, np.tile([[.8, .2], [.1, .9]], (40, 1))).n == 80

    def test_frames_are_brought_into_one_order(self):
        y, p, _ = two_classes(300, flip=0.1)
        labels, table = pd.Series(y, index=[f"r{i}" for i in range(300)]), pd.Series(p, index=[f"r{i}" for i in range(300)])
        shuffled = table.sample(frac=1, random_state=0)
        assert label_issues(labels, shuffled).share == label_issues(labels, table).share

    def test_rows_without_probabilities_are_left_out(self):
        y, p, _ = two_classes(300)
        table = np.column_stack([1 - p, p])
        table[:40] = np.nan
        report = label_issues(y, table)
        assert report.n == 260
        assert found(report, "LAB003").evidence["absent"] == 40
        assert set(report.frame["row"]) == set(range(40, 300))

    @pytest.mark.parametrize(("y", "proba", "classes", "said"), [
        ([1.5, 2.5, 3.5], [1.0, 2.0, 3.0], None, "rank_by_loss"),
        (["a", "b"], [[.5, .5]], None, "one row for each label"),
        (["a", "b"], [[.5, .6], [.5, .5]], None, "add up to 1"),
        (["a", "b"], [[-1, 2], [.5, .5]], None, "between 0 and 1"),
        (["a", "b"], [[np.nan, .5], [.5, .5]], None, "finite"),
        (["a", "b"], [[np.nan, np.nan], [np.nan, np.nan]], None, "missing values in every row"),
        (["a", "b"], [[.2, .3, .5], [.2, .3, .5]], None, "`classes` must be given"),
        (["a", "b"], [[.5, .5], [.5, .5]], ["a", "c"], "`classes` must name every label"),
        (["a", "b"], [[.5, .5], [.5, .5]], ["a", "b", "c"], "`classes` must name each column"),
        (["a", None], [[.5, .5], [.5, .5]], None, "no missing labels"),
        (["a", "b"], "what", None, "`proba` must hold probabilities"),
        (["a", "b"], np.zeros((2, 2, 2)), None, "shape"),
        ([], np.zeros((0, 2)), None, "must have rows"),
        ([["a", "b"], ["a", "b"]], [[.5, .5], [.5, .5]], None, "one column"),
        (np.linspace(0, 1, 60), np.full((60, 2), .5), None, "rank_by_loss"),
    ])
    def test_what_cannot_belong_together_is_said_in_one_line(self, y, proba, classes, said):
        with pytest.raises(BadInputError, match=said) as caught:
            label_issues(y, proba, classes=classes)
        assert "\n" not in str(caught.value)

    def test_inputs_are_left_as_they_are(self):
        y, p, _ = two_classes(200)
        table = pd.DataFrame(np.column_stack([1 - p, p]))
        before = table.copy()
        label_issues(pd.Series(y), table)
        pd.testing.assert_frame_equal(table, before)


class TestUnseen:
    @pytest.fixture
    def frame(self):
        rng = np.random.default_rng(0)
        x = rng.normal(size=(240, 2))
        return pd.DataFrame(x, columns=["a", "b"]).assign(
            day=pd.date_range("2024-01-01", periods=240), who=[f"p{i // 8}" for i in range(240)],
            y=np.where(x[:, 0] + rng.normal(size=240) > 0, "up", "down"))

    def seen(self, data: Dataset):
        """(training rows, predicted rows) of every fit."""
        return [(set(map(int, train)), set(map(int, test))) for train, test in _label_folds.make_pairs(data, 5, 0)]

    def test_every_row_is_predicted_once(self, frame):
        data = load_dataset(frame[["a", "b", "y"]], target="y")
        proba = out_of_sample(LogisticRegression(), data)
        assert proba.shape == (240, 2)
        np.testing.assert_allclose(proba.sum(1), 1)
        pairs = self.seen(data)
        assert sorted(i for _, test in pairs for i in test) == list(range(240))
        assert not any(train & test for train, test in pairs)

    def test_the_future_is_not_learned_from(self, frame):
        data = load_dataset(frame[["a", "day", "y"]], target="y", time="day")
        on_a = make_pipeline(FunctionTransformer(lambda X: X[["a"]]), KNeighborsClassifier(3))
        for train, test in self.seen(data):
            assert max(train) < min(test)
        proba = out_of_sample(on_a, data.take(data.frame.index[:60]))
        assert 0 < np.isnan(proba).all(1).sum() < 20

    def test_groups_stay_whole(self, frame):
        for task in ("y", "a"):
            data = load_dataset(frame[["a", "b", "who", "y"]], target=task, group="who")
            for train, test in self.seen(data):
                assert not {i // 8 for i in train} & {i // 8 for i in test}

    def test_time_and_groups(self, frame):
        data = load_dataset(frame, target="y", time="day", group="who")
        pairs = self.seen(data)
        assert pairs
        for train, test in pairs:
            assert max(train) < min(test)
            assert not {i // 8 for i in train} & {i // 8 for i in test}

    def test_one_group_or_one_time_is_as_none(self, frame):
        data = load_dataset(frame, target="y", group="who").take(frame.index[:8])
        assert len(self.seen(data)) == 5

    def test_a_rare_class_has_its_column(self, frame):
        rare = frame[["a", "b"]].assign(y=["rare"] * 2 + ["u", "d"] * 119)
        proba = out_of_sample(LogisticRegression(), load_dataset(rare, target="y", task="classification"))
        assert proba.shape == (240, 3)
        assert not np.isnan(proba).any()

    def test_numbers_are_predicted(self, frame):
        values = out_of_sample(Ridge(), load_dataset(frame[["a", "b"]].assign(y=frame["a"] * 3 + .1), target="y"))
        assert values.shape == (240,)

    def test_random_state_comes_back(self, frame):
        np.random.seed(3)
        expected = np.random.random()
        np.random.seed(3)
        out_of_sample(LogisticRegression(), load_dataset(frame[["a", "b", "y"]], target="y"))
        assert np.random.random() == expected

    def test_what_cannot_be_asked_is_said(self, frame):
        class Mute(ClassifierMixin, BaseEstimator):
            def fit(self, X, y):
                self.classes_ = np.unique(y)
                return self

            def predict(self, X):
                return np.full(len(X), self.classes_[0])

        data = load_dataset(frame[["a", "b", "y"]], target="y")
        with pytest.raises(BadInputError, match="predict_proba"):
            out_of_sample(Mute(), data)
        with pytest.raises(BadInputError, match="`data` must be a Dataset"):
            out_of_sample(LogisticRegression(), frame)
        with pytest.raises(BadInputError, match="`folds`"):
            out_of_sample(LogisticRegression(), data, folds=1)


class TestSecondOpinion:
    forest = RandomForestClassifier(40, min_samples_leaf=5, random_state=0)

    @staticmethod
    def table(y, X):
        return load_dataset(pd.DataFrame(X, columns=["a", "b"]).assign(y=np.where(y, "yes", "no")), target="y")

    @pytest.fixture(params=[0, 1])
    def rng(self, request):
        return np.random.default_rng(request.param)

    def test_a_model_of_the_wrong_shape_is_not_believed(self, rng):
        X = rng.normal(size=(1500, 2))
        data = self.table((X[:, 0] > 0) == (np.abs(X[:, 1]) < 1.8), X)
        unseen = out_of_sample(LogisticRegression(), data)
        assert label_issues(data.y, unseen, classes=data.classes).passed is False
        report = confirmed_label_issues(data, unseen, self.forest)
        assert report.passed is not False
        assert not len(report.rows)

    def test_flips_that_both_see_are_reported_by_the_first(self, rng):
        y = rng.random(1500) < .5
        X = rng.normal(size=(1500, 2)) + 4 * y[:, None]
        data = self.table(y ^ (rng.random(1500) < .08), X)
        unseen = out_of_sample(LogisticRegression(), data)
        report, first = confirmed_label_issues(data, unseen, self.forest), label_issues(data.y, unseen, classes=data.classes)
        assert report.passed is False
        assert (report.share, report.rows) == (first.share, first.rows)

    def test_nobody_is_asked_where_no_label_looks_wrong(self, rng):
        y = rng.random(600) < .5
        data = self.table(y, rng.normal(size=(600, 2)) + 3 * y[:, None])
        unseen = out_of_sample(LogisticRegression(), data)
        assert confirmed_label_issues(data, unseen, None).passed is not False

    def test_what_has_no_classes_is_refused(self, rng):
        numbers = load_dataset(pd.DataFrame({"a": rng.normal(size=80), "y": rng.normal(size=80)}), target="y")
        for data, said in ((numbers, "task 'regression'"), (numbers.frame, "Got DataFrame"),
                           (load_dataset(numbers.frame), "task None")):
            with pytest.raises(BadInputError, match=said) as error:
                confirmed_label_issues(data, np.full(80, .5), self.forest)
            assert "\n" not in str(error.value)
