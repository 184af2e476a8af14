"""Agreement: published values, peers, intervals, who is out of line, which class is confused, and input of every kind."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from ml_lifecycle.data.annotators import agreement
from ml_lifecycle.foundation.errors import BadInputError, UnknownNameError

pytestmark = pytest.mark.filterwarnings("error")

KRIPPENDORFF = pd.DataFrame({  # Krippendorff 2011, Computing Krippendorff's alpha-reliability, example C
    "A": [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None], "B": [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    "C": [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None], "D": [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None]})
FLEISS = [  # ten subjects, fourteen raters, five categories; kappa 0.210
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7]]


def crowd(n=200, wrong=(0.05, 0.05, 0.05), classes=("a", "b", "c"), seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.choice(classes, n)
    return pd.DataFrame({f"p{i}": np.where(rng.random(n) < share, rng.choice(classes, n), truth) for i, share in enumerate(wrong)})


def measured(report, measure):
    return report.frame.loc[report.frame["measure"] == measure]


def codes(report, severity):
    return [f.code for f in report.findings if f.severity == severity]


class TestPublishedValues:
    @pytest.mark.parametrize(("level", "alpha"), [("nominal", .743), ("ordinal", .815), ("interval", .849)])
    def test_krippendorff(self, level, alpha):
        report = agreement(KRIPPENDORFF, level=level, n_boot=50)
        assert abs(report.alpha - alpha) < .0006
        assert report.items == 11

    def test_krippendorff_with_two_observers(self):  # the same paper, example A
        a = {"one": [0, 1, 0, 0, 0, 0, 0, 0, 1, 0], "two": [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]}
        assert abs(agreement(a, n_boot=50).alpha - .095) < .0006

    def test_fleiss(self):
        wide = pd.DataFrame([[label for label, count in enumerate(row) for _ in range(count)] for row in FLEISS])
        report = agreement(wide, n_boot=50)
        assert abs(measured(report, "Fleiss' kappa")["value"].iloc[0] - .210) < .0006

    def test_cohen(self):  # Cohen's kappa of a table that textbooks show: 20, 5, 10, 15
        one = ["yes"] * 25 + ["no"] * 25
        two = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
        assert abs(measured(agreement({"A": one, "B": two}, n_boot=50), "Cohen's kappa")["value"].iloc[0] - .4) < 1e-12

    @given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=4, max_size=60))
    @settings(max_examples=40)
    def test_cohen_as_scikit_learn_has_it(self, pairs):
        one, two = zip(*pairs)
        ours = float(measured(agreement({"A": one, "B": two}, n_boot=5), "Cohen's kappa")["value"].iloc[0])
        if len(set(one) | set(two)) > 1:
            np.testing.assert_allclose(ours, cohen_kappa_score(one, two), atol=1e-12)
        else:
            assert np.isnan(ours)


class TestVerdicts:
    def test_people_agree(self):
        report = agreement(crowd(300), n_boot=200)
        assert report.passed is True
        assert report.low < report.alpha < report.high
        assert report.human > 0.85

    def test_people_do_not(self):
        report = agreement(crowd(300, (.6, .6, .6)), n_boot=200)
        assert report.passed is False
        assert "AGR001" in codes(report, "issue")

    def test_few_items_cannot_tell(self):
        assert agreement(crowd(12, (.2, .2, .2)), n_boot=200).passed is None

    def test_a_rare_label_that_a_resample_may_lack_cannot_tell(self):
        report = agreement({"A": ["ok"] * 59 + ["bad"], "B": ["ok"] * 59 + ["bad"], "C": ["ok"] * 60}, n_boot=200)
        assert report.passed is None
        assert (report.low, report.high) == (-1, 1)

    def test_perfect_agreement_has_an_interval_too(self):
        report = agreement({"A": ["x", "y"] * 8, "B": ["x", "y"] * 8}, n_boot=50)
        assert report.alpha == 1
        assert 0 < report.low < 0.8
        assert agreement({"A": ["x", "y"] * 200, "B": ["x", "y"] * 200}, n_boot=50).passed is True

    def test_one_label_in_all_cannot_tell(self):
        report = agreement({"A": ["x"] * 30, "B": ["x"] * 30}, n_boot=50)
        assert np.isnan(report.alpha)
        assert report.passed is None

    def test_no_item_with_two_labels(self):
        report = agreement({"A": ["x", None], "B": [None, "y"]}, n_boot=50)
        assert report.items == 0
        assert report.passed is None
        assert report.plot() is not None

    def test_who_is_out_of_line(self):
        report = agreement(crowd(200, (.05, .05, .05, .6)), n_boot=100)
        assert [f.evidence["annotator"] for f in report.findings if f.code == "AGR002"] == ["p3"]
        shares = report.frame[report.frame["kind"] == "annotator"].set_index("name")["value"]
        assert shares.idxmin() == "p3"

    @pytest.mark.parametrize("seed", range(6))
    def test_nobody_is_accused_for_chance(self, seed):
        report = agreement(crowd(80, (.2,) * 6, seed=seed), n_boot=20)
        assert "AGR002" in codes(report, "passed")

    def test_out_of_line_on_a_scale(self):
        rng = np.random.default_rng(0)
        truth = rng.normal(size=100)
        people = {f"p{i}": truth + .2 * rng.normal(size=100) for i in range(3)} | {"far": truth + 2 * rng.normal(size=100)}
        report = agreement(people, level="interval", n_boot=50)
        assert [f.evidence["annotator"] for f in report.findings if f.code == "AGR002"] == ["far"]

    def test_somebody_always_wrong(self):
        base = ["x", "y"] * 20
        report = agreement({"A": base, "B": base, "C": ["y", "x"] * 20}, n_boot=50)
        assert [f.evidence["annotator"] for f in report.findings if f.code == "AGR002"] == ["C"]

    def test_a_class_that_is_confused(self):
        rng = np.random.default_rng(0)
        truth = rng.choice(list("abcd"), 400)
        blurred = [np.where(np.isin(truth, ["c", "d"]), rng.choice(["c", "d"], 400), truth) for _ in range(3)]
        report = agreement(dict(zip("xyz", blurred)), n_boot=100)
        named = {f.evidence["class"] for f in report.findings if f.code == "AGR003"}
        assert named == {"c", "d"}
        assert "most often with" in next(f.message for f in report.findings if f.code == "AGR003")

    def test_many_findings_of_one_kind_are_cut(self):
        rng = np.random.default_rng(0)
        labels = [f"k{i}" for i in range(12)]
        report = agreement({p: rng.choice(labels, 400) for p in "abc"}, n_boot=50)
        found = [f for f in report.findings if f.code == "AGR003"]
        assert len(found) == 5
        assert "7 more" in found[-1].message

    def test_the_interval_holds_the_truth_about_as_often_as_it_says(self):
        reports = [agreement(crowd(100, (.3, .3), ("a", "b"), seed=s), n_boot=100) for s in range(40)]
        truth = 0.7 ** 2  # kappa of two people who guess with probability 0.3
        assert sum(r.low <= truth <= r.high for r in reports) >= 34

    def test_human_level(self):
        assert np.isnan(agreement(crowd(50, (.1, .1)), n_boot=20).human)
        report = agreement({"A": list("xxyy"), "B": list("xxyy"), "C": list("xyyx")}, n_boot=20)
        assert report.human == pytest.approx((1 + 1 / 3 + 1 + 1 / 3) / 4)  # two against one: two ties, and one that is wrong


class TestInput:
    def test_wide_long_array_and_dict_are_the_same(self):
        wide = crowd(60)
        long = wide.rename_axis("item").reset_index().melt("item", var_name="annotator", value_name="label")
        other = long.rename(columns={"item": "doc", "annotator": "who", "label": "said"})
        alphas = {round(report.alpha, 12) for report in (
            agreement(wide, n_boot=20), agreement(long, n_boot=20), agreement(wide.to_numpy(), n_boot=20),
            agreement(wide.to_dict("list"), n_boot=20), agreement(wide.to_numpy().tolist(), n_boot=20),
            agreement(wide.astype("category"), n_boot=20), agreement(long.sample(frac=1, random_state=0), n_boot=20),
            agreement(other, item="doc", annotator="who", label="said", n_boot=20))}
        assert len(alphas) == 1

    def test_whole_numbers_are_shown_without_a_point(self):
        report = agreement({"A": [1, 2, None, 1], "B": [1, 2, 1, 2]}, n_boot=20)
        assert list(report.frame.loc[report.frame["kind"] == "class", "name"]) == ["1", "2"]

    def test_order_of_words(self):
        words = {"A": ["low", "mid", "high", "low"] * 5, "B": ["mid", "mid", "high", "low"] * 5}
        numbers = {name: [("low", "mid", "high").index(w) for w in column] for name, column in words.items()}
        ordered = agreement(words, level="ordinal", order=["low", "mid", "high"], n_boot=20)
        assert ordered.alpha == pytest.approx(agreement(numbers, level="ordinal", n_boot=20).alpha)
        kind = pd.CategoricalDtype(["low", "mid", "high"], ordered=True)
        assert agreement(pd.DataFrame(words).astype(kind), level="ordinal", n_boot=20).alpha == pytest.approx(ordered.alpha)
        assert any(report_row == "alpha of the pair, ordinal" for report_row in ordered.frame["measure"])

    def test_the_last_label_of_a_person_counts(self):
        long = pd.DataFrame({"item": [1, 1, 1, 2, 2], "annotator": list("aabab"), "label": list("xyyxx")})
        report = agreement(long, n_boot=20)
        assert report.alpha == 1
        assert "AGR004" in codes(report, "tip")

    def test_many_annotators_show_the_busiest_pairs(self):
        report = agreement(crowd(30, (.2,) * 12), n_boot=20)
        assert (report.frame["kind"] == "pair").sum() == 28
        assert (report.frame["kind"] == "annotator").sum() == 12
        assert "12" not in report.plot().get_title()

    @given(st.integers(0, 1000))
    @settings(max_examples=15)
    def test_names_of_labels_and_order_of_items_do_not_matter(self, seed):
        wide = crowd(40, (.3, .3, .3), seed=seed)
        other = wide.replace({"a": "z", "b": "y"}).sample(frac=1, random_state=seed)
        assert agreement(wide, n_boot=2).alpha == pytest.approx(agreement(other, n_boot=2).alpha)

    def test_seed(self):
        one, two = agreement(crowd(40), n_boot=30, seed=1), agreement(crowd(40), n_boot=30, seed=1)
        assert one.to_json() == two.to_json()

    @pytest.mark.parametrize(("labels", "more", "error", "said"), [
        ([1, 2, 3], {}, BadInputError, "table of items and annotators"),
        ([[1], [2]], {}, BadInputError, "two annotators or more"),
        ({"A": [1, 2], "B": [1]}, {}, BadInputError, "one label of each annotator"),
        ({"A": [None], "B": [None]}, {}, BadInputError, "must hold labels"),
        ({"A": [[1]], "B": [[2]]}, {}, BadInputError, "one label of an annotator"),
        ([[1, 2], [3]], {}, BadInputError, "table of items"),
        ({"A": list("ab"), "B": list("ab")}, {"level": "ordinal"}, BadInputError, "`order` must say"),
        ({"A": list("ab"), "B": list("ab")}, {"level": "interval", "order": ["a", "b"]}, BadInputError, "must be numbers"),
        ({"A": list("ab"), "B": list("ab")}, {"order": ["a"]}, BadInputError, "`order` must name every label"),
        ({"A": list("ab"), "B": list("ab")}, {"level": "nominla"}, UnknownNameError, "nominal"),
        ({"A": list("ab"), "B": list("ab")}, {"item": "doc"}, UnknownNameError, "`item` must be a column"),
        ({"A": list("ab"), "B": list("ab")}, {"n_boot": 1}, BadInputError, "`n_boot`"),
        (pd.DataFrame([[1, 2]], columns=["A", "A"]), {}, BadInputError, "distinct column names"),
    ])
    def test_what_is_no_table_of_labels_is_said_in_one_line(self, labels, more, error, said):
        with pytest.raises(error, match=said) as caught:
            agreement(labels, **more)
        assert "\n" not in str(caught.value)

    def test_ignoring_the_first_finding_leaves_an_answer(self):
        assert "with two labels" in agreement(crowd(40), n_boot=20).ignore("AGR001").answer
