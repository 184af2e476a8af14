"""Two samples compared column by column: what moved is named, what did not is not."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from ml_lifecycle.evaluation import _shift_tests, compare_distributions
from ml_lifecycle.foundation import load_dataset
from ml_lifecycle.foundation.errors import BadInputError, UnknownNameError

def table(seed, n):
    rng = np.random.default_rng(seed)
    return pd.DataFrame({
        "size": rng.normal(size=n), "skewed": rng.lognormal(3, 1, n), "count": rng.poisson(2, n), "flag": rng.random(n) < 0.1,
        "colour": rng.choice(list("abcd"), n, p=[0.6, 0.3, 0.08, 0.02]), "many": rng.choice([f"k{i}" for i in range(60)], n),
        "gaps": np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n)),
        "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 10**5, n), unit="min")})


def row(report, name):
    return report.frame.set_index("feature").loc[name]


def codes(report):
    return {f.code: f for f in report.findings}


def test_random_halves_hardly_ever_differ():
    shifted = 0
    for seed in range(20):
        frame = table(seed, 400)
        shifted += compare_distributions(frame[:200], frame[200:]).shifted is True
    assert shifted <= 3


def test_large_random_halves_have_not_shifted():
    frame = table(0, 6000)
    report = compare_distributions(frame[:3000], frame[3000:])
    assert report.shifted is False
    assert report.passed is True
    assert "None of 8 columns" in report.answer


@pytest.mark.parametrize(("name", "change", "said"), [
    ("size", lambda v: v + 0.6, "median"), ("size", lambda v: 2 * v, "size"), ("skewed", lambda v: 2 * v, "median"),
    ("count", lambda v: v + 1, "median"), ("flag", lambda v: ~v, "mean"), ("colour", lambda v: v.replace("a", "b"), "'a'"),
    ("gaps", lambda v: v.where(v > -0.5), "missing in"), ("many", lambda v: v.where(v < "k3", "new"), "'new'"),
    ("when", lambda v: v + pd.Timedelta(days=30), "median 2024"),
])
def test_what_moved_is_named_alone(name, change, said):
    before, now = table(1, 1500), table(2, 1000)
    now[name] = change(now[name])
    report = compare_distributions(before, now)
    assert report.features == (name,)
    assert report.frame["feature"][0] == name
    assert said in report.findings[0].message
    assert report.findings[0].severity == "issue"
    assert report.passed is False


def test_a_trivial_difference_of_many_rows_is_none():
    rng = np.random.default_rng(0)
    report = compare_distributions(rng.normal(size=150_000), rng.normal(0.03, 1, 150_000))
    assert report.frame["p_corrected"][0] < 1e-6
    assert report.shifted is False
    assert "differ beyond chance" in codes(report)["SHI002"].message


def test_thirty_rows_cannot_tell():
    frame = table(0, 530)
    report = compare_distributions(frame[:500], frame[500:])
    assert report.shifted is None
    assert report.passed is None
    assert codes(report)["SHI002"].evidence["detectable"] > 0.2
    assert "Cannot tell yet" in report.answer
    assert compare_distributions(frame[:500], frame[500:510]).frame["p"].isna().all()


def test_new_categories_are_named():
    before, now = table(0, 500), table(1, 500)
    now.loc[:20, "colour"] = "purple"
    finding = codes(compare_distributions(before, now))["SHI004"]
    assert finding.evidence["categories"] == ["purple"]
    assert finding.evidence["rows"] == 21


def test_ids_times_and_empty_columns_do_not_apply():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"row": np.arange(400), "name": [f"u{i}" for i in range(400)], "none": np.nan,
                          "day": pd.date_range("2024", periods=400), "x": rng.normal(size=400)})
    report = compare_distributions(frame[:200], frame[200:])
    assert set(report.frame.loc[~report.frame["compared"], "feature"]) == {"row", "name", "none", "day"}
    assert report.shifted is not True
    assert "SHI006" in codes(report)
    assert compare_distributions(frame[["none"]][:200], frame[["none"]][200:]).passed is None


def test_texts_are_compared_by_words_and_length():
    rng = np.random.default_rng(0)
    words = np.array(["good", "slow", "phone", "blue", "table", "window", "river", "music"])
    text = pd.Series([" ".join(rng.choice(words, 8)) for _ in range(800)], name="note")
    assert compare_distributions(text[:400], text[400:]).shifted is not True
    other = text[400:].str.replace("blue", "refund")
    report = compare_distributions(text[:400], other)
    assert report.shifted is True
    assert "the word" in report.frame["note"][0]
    assert "letters a text" in compare_distributions(text[:400], text[400:] + " " + text[400:].to_numpy()).frame["note"][0]
    assert compare_distributions(pd.Series(["! ! ! ! ! ! " + "." * i for i in range(90)]),
                                 pd.Series(["! ! ! ! ! ! " + "." * i for i in range(90)])).shifted is not True


def test_blocks_of_time_do_not_take_a_slow_wave_for_a_shift():
    taken = named = 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        wave = np.zeros(365)
        for day in range(1, 365):
            wave[day] = 0.7 * wave[day - 1] + 0.7 * rng.normal()
        day = np.sort(rng.integers(0, 365, 3000))
        frame = pd.DataFrame({"when": pd.Timestamp("2023-01-01") + pd.to_timedelta(day, unit="D"), "y": rng.integers(0, 2, 3000),
                              "wave": wave[day] + rng.normal(size=3000), "drifts": rng.normal(size=3000) + 0.8 * (day >= 334)})
        data = load_dataset(frame, target="y", time="when")
        report = compare_distributions(data.take(day < 334), data.take(day >= 334))
        taken += "wave" in report.features
        named += "drifts" in report.features
        assert not row(report, "when")["compared"]
    assert taken <= 1
    assert named == 8


def test_rows_of_a_group_count_once():
    taken = 0
    for seed in range(15):
        rng = np.random.default_rng(seed)
        who = np.repeat(np.arange(60), 20)
        frame = pd.DataFrame({"who": who, "trait": rng.normal(size=60)[who] + 0.1 * rng.normal(size=1200)})
        first = np.isin(who, rng.permutation(60)[:30])
        taken += compare_distributions(frame[first], frame[~first], groups="who").shifted is True
    assert taken <= 2
    frame["who"] = np.arange(1200)
    assert compare_distributions(frame[first], frame[~first], groups="who").params["unit"] == "group"


@pytest.mark.parametrize("make", [
    lambda f: f, lambda f: f.to_numpy(), lambda f: f.to_numpy().tolist(), lambda f: sparse.csr_matrix(f.to_numpy()),
    lambda f: f["a"], lambda f: f["a"].rename(None), lambda f: list(f["a"]), lambda f: f.set_axis([0, 1], axis=1),
    lambda f: f.set_axis([f"i{i % 3}" for i in range(len(f))], axis=0), lambda f: f.astype("float32"),
])
def test_every_form_is_taken(make):
    rng = np.random.default_rng(0)
    before, now = (pd.DataFrame({"a": rng.normal(loc, 1, 600), "b": rng.normal(size=600)}) for loc in (0, 1))
    report = compare_distributions(make(before), make(now))
    assert len(report.features) == 1


def test_columns_can_be_chosen_and_others_are_told():
    before, now = table(0, 300).assign(old=1), table(1, 300).assign(new=1)
    report = compare_distributions(before, now)
    assert codes(report)["SHI005"].evidence == {"reference": ["old"], "current": ["new"]}
    assert list(compare_distributions(before, now, columns="size").frame["feature"]) == ["size"]
    assert list(compare_distributions(before["size"], now["size"].rename("other")).frame["feature"]) == ["size"]


def test_bad_arguments_are_refused():
    frame = table(0, 100)
    for options in ({"alpha": 0}, {"min_effect": 1}, {"min_n": 1}, {"min_n": True}, {"seed": -1}, {"columns": []}):
        with pytest.raises(BadInputError):
            compare_distributions(frame, frame, **options)
    for options in ({"columns": ["sise"]}, {"time": "gone"}, {"groups": "gone"}):
        with pytest.raises(UnknownNameError):
            compare_distributions(frame, frame, **options)
    for pair in ((frame, frame.add_prefix("x")), (frame, frame[:0]), (frame, 3), (frame, frame[["size", "size"]])):
        with pytest.raises(BadInputError):
            compare_distributions(*pair)


def test_nothing_is_changed():
    before, now = table(0, 200), table(1, 200)
    copies = before.copy(), now.copy()
    state = np.random.get_state()[1].copy()
    first = compare_distributions(before, now).to_json()
    assert first == compare_distributions(before, now).to_json()
    pd.testing.assert_frame_equal(before, copies[0])
    pd.testing.assert_frame_equal(now, copies[1])
    assert (np.random.get_state()[1] == state).all()


def test_many_columns_are_drawn_up_to_a_limit():
    rng = np.random.default_rng(0)
    axes = compare_distributions(rng.normal(size=(200, 40)), rng.normal(size=(200, 40))).plot()
    assert len(axes.get_yticks()) == 20
    assert "left out" in axes.get_title(loc="left")


counts = st.lists(st.integers(0, 300), min_size=2, max_size=8)


@settings(max_examples=40)
@given(counts, counts)
def test_total_variation_is_a_share_and_symmetric(a, b):
    size = min(len(a), len(b))
    x, y = np.array(a[:size], dtype=float), np.array(b[:size], dtype=float)
    found = _shift_tests.total_variation(x, y)
    if x.sum() and y.sum():
        assert 0 <= found <= 1
        assert found == pytest.approx(_shift_tests.total_variation(y, x))
        assert _shift_tests.total_variation(x, x) == 0
        assert 0 <= _shift_tests.chi_square(x, y)[1] <= 1
    else:
        assert np.isnan(found)
