"""Learning curves measured elsewhere, at other sizes."""

import copy
import pickle
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_lifecycle.exploration import _curve_band
from ml_lifecycle.exploration._curve_band import band
from ml_lifecycle.exploration._curve_posterior import Mixture, expected, shapes
from ml_lifecycle.exploration._curve_shape import trouble
from ml_lifecycle.exploration.extrapolate import Extrapolation, extrapolate_curve
from ml_lifecycle.foundation.errors import BadInputError

SIZES = np.array([20.0, 40, 80, 160, 320, 640])
SCORES = 0.95 - 1.5 * SIZES**-0.5


def power_law(k, noise, seed, low=20, high=2000, linear=False):
    rng = np.random.default_rng(seed)
    at = np.linspace(low, high, k) if linear else np.geomspace(low, high, k)
    return at, 0.9 - 2 * at ** -rng.uniform(0.3, 1) + noise * rng.normal(size=k)


def test_three_floats_with_more_known_about_them():
    answer = extrapolate_curve(SIZES, SCORES, 2000)
    value, low, high = answer
    assert isinstance(answer, tuple)
    assert len(answer) == 3
    assert all(type(part) is float for part in answer)
    assert (answer.value, answer.low, answer.high) == (value, low, high)
    assert low < value < high
    assert (answer.n, answer.level, answer.behaviour) == (2000, 0.8, "well-behaved")
    assert answer.why.endswith(".")
    assert "2,000 rows" in repr(answer)
    assert "80%" in repr(answer)
    with pytest.raises(AttributeError):
        answer.behaviour = "ill-behaved"
    for other in (copy.deepcopy(answer), pickle.loads(pickle.dumps(answer))):
        assert other == answer
        assert other.why == answer.why
        assert other.n == answer.n


def test_several_sizes_give_several_answers():
    answers = extrapolate_curve(SIZES, SCORES, [640, 1000, 5000])
    assert isinstance(answers, tuple)
    assert [answer.n for answer in answers] == [640, 1000, 5000]
    assert answers[1] == pytest.approx(extrapolate_curve(SIZES, SCORES, 1000), abs=1e-9)
    assert [answer.value for answer in answers] == sorted(answer.value for answer in answers)
    assert answers[1].high - answers[1].low < answers[2].high - answers[2].low


@pytest.mark.parametrize("power", [0.3, 0.5, 1.0])
def test_a_clean_power_law_is_followed(power):
    truth = 0.95 - 1.5 * np.array([1280, 6400.0]) ** -power
    for at, answer in zip(truth, extrapolate_curve(SIZES, 0.95 - 1.5 * SIZES**-power, [1280, 6400]), strict=True):
        last = 0.95 - 1.5 * 640.0**-power
        assert answer.low <= at <= answer.high
        assert abs(answer.value - at) < 0.5 * abs(last - at)


def test_never_worse_than_the_last_score():
    for seed in range(30):
        at, scores = power_law(8, 0.05, seed)
        assert extrapolate_curve(at, scores, 4000).value >= scores[-1]
        assert extrapolate_curve(at, -scores, 4000, greater_is_better=False).value <= -scores[-1]


@settings(max_examples=25, deadline=None)
@given(st.integers(4, 15), st.integers(0, 1000), st.sampled_from([0.0, 0.01, 0.05]),
       st.floats(-1e3, 1e3), st.floats(1e-3, 1e3), st.floats(1e-3, 1e3), st.sampled_from([0.9, 1.0, 3.0, np.inf]))
def test_moves_with_the_scale_of_scores_and_not_with_the_unit_of_sizes(k, seed, noise, shift, stretch, unit, bound):
    at, scores = power_law(k, noise, seed)
    asked, bound = np.array([300.0, 3000.0, 20000.0]), max(bound, float(scores.max()))
    plain = extrapolate_curve(at, scores, asked, bound=bound)
    moved = extrapolate_curve(at * unit, shift + stretch * scores, asked * unit, bound=shift + stretch * bound)
    mirrored = extrapolate_curve(at, shift - stretch * scores, asked, greater_is_better=False, bound=shift - stretch * bound)
    for a, b, c in zip(plain, moved, mirrored, strict=True):
        close = {"abs": 1e-6 * stretch + 1e-9 * abs(shift), "rel": 1e-6}
        assert tuple(b) == pytest.approx([shift + stretch * part for part in a], **close)
        assert a.behaviour == b.behaviour
        assert tuple(c) == pytest.approx([shift - stretch * part for part in (a.value, a.high, a.low)], **close)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(1e-3, 1e9), st.floats(-1e6, 1e6)), min_size=1, max_size=40), st.floats(1e-3, 1e10),
       st.booleans(), st.floats(0.05, 0.99))
def test_any_curve_gives_an_ordered_answer(points, n, greater, level):
    sizes, scores = zip(*points, strict=True)
    answer = extrapolate_curve(sizes, scores, n, greater_is_better=greater, level=level)
    assert np.isfinite(answer.value)
    assert answer.low <= answer.value <= answer.high
    assert answer.behaviour in ("well-behaved", "ill-behaved")


@pytest.mark.parametrize("form", ["list", "tuple", "int", "order", "series", "twice", "folds", "object"])
def test_forms_of_input(form):
    pandas = pytest.importorskip("pandas")
    plain = extrapolate_curve(SIZES, SCORES, 2000)
    if form == "folds":
        answer = extrapolate_curve(SIZES.astype(int), SCORES[:, None] + np.array([-0.01, 0, 0.01]), 2000)
        plain = extrapolate_curve(SIZES, SCORES, 2000, spread=np.full(6, 0.01 / np.sqrt(3)))
    else:
        sizes, scores = {
            "list": (SIZES.tolist(), SCORES.tolist()), "tuple": (tuple(SIZES), tuple(SCORES)), "int": (SIZES.astype(int), SCORES),
            "order": (SIZES[::-1], SCORES[::-1]), "series": (pandas.Series(SIZES, index=list("fedcba")), pandas.Series(SCORES)),
            "twice": (np.r_[SIZES, SIZES[2]], np.r_[SCORES, SCORES[2]]), "object": (SIZES.astype(object), SCORES.astype(object)),
        }[form]
        answer = extrapolate_curve(sizes, scores, 2000)
    assert tuple(answer) == pytest.approx(plain, abs=1e-9)


def test_scores_that_were_not_measured_are_left_out():
    sizes, scores = np.r_[SIZES, 1000, 1100], np.r_[SCORES, np.nan, np.inf]
    assert extrapolate_curve(sizes, scores, 2000) == extrapolate_curve(SIZES, SCORES, 2000)
    folds = np.column_stack([SCORES, SCORES, SCORES])
    folds[1, 0] = np.nan
    assert extrapolate_curve(SIZES, folds, 2000) == pytest.approx(extrapolate_curve(SIZES, SCORES, 2000), abs=2e-3)


def test_sizes_that_hardly_differ_are_one_size():
    sizes, scores = np.r_[SIZES, 320.001], np.r_[SCORES, SCORES[4]]
    assert extrapolate_curve(sizes, scores, 2000) == pytest.approx(extrapolate_curve(SIZES, SCORES, 2000), abs=1e-4)
    assert extrapolate_curve([100.0, 100.01, 100.02, 100.03], [0.5, 0.6, 0.7, 0.8], 200).why.count("1 size measured") == 1


def test_inputs_stay_as_they_were():
    sizes, scores = SIZES[::-1].copy(), SCORES[::-1].copy()
    extrapolate_curve(sizes, scores, 2000, spread=np.full(6, 0.01))
    assert (sizes == SIZES[::-1]).all()
    assert (scores == SCORES[::-1]).all()


@pytest.mark.parametrize(("sizes", "scores", "said"), [
    ([100], [0.7], "1 size measured"),
    ([100, 200, 400], [0.7, 0.8, 0.85], "3 sizes measured"),
    ([1000, 1010, 1020, 1030, 1040], [0.7, 0.71, 0.72, 0.73, 0.74], "span less than"),
    ([10, 20, 40, 80], [0.5, 0.5, 0.5, 0.5], "all scores are the same"),
    ([10, 20, 40, 80, 160], [0.8, 0.75, 0.7, 0.66, 0.6], "worse with more rows"),
])
def test_what_no_form_is_forced_on(sizes, scores, said):
    answer = extrapolate_curve(sizes, scores, 1000 * 2)
    assert answer.behaviour == "ill-behaved"
    assert said in answer.why
    assert answer.value == pytest.approx(scores[-1], abs=1e-12)
    assert answer.low < answer.value < answer.high


def test_peaks_and_dips_are_ill_behaved():
    at = np.geomspace(20, 2000, 16)
    rising = 1 - (at / at[0]) ** -0.5
    dip = np.exp(-0.5 * ((np.log(at) - np.log(200)) / 0.6) ** 2)
    for scores in (rising - 0.6 * dip, rising - 0.6 * dip + 0.01 * np.random.default_rng(0).normal(size=16)):
        answer = extrapolate_curve(at, scores, 5000)
        assert answer.behaviour == "ill-behaved"
        assert "recovers" in answer.why
        assert answer.value == pytest.approx(scores[-1])
        plain = extrapolate_curve(at, rising, 5000)
        assert plain.behaviour == "well-behaved"
        assert answer.high - answer.low > 3 * (plain.high - plain.low)
    assert extrapolate_curve(at, 3 - rising + 0.6 * dip, 5000, greater_is_better=False).behaviour == "ill-behaved"


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("k", [5, 8, 20, 30])
def test_noise_is_seldom_called_ill_behaved(k, linear):
    rng = np.random.default_rng(k)
    flat = [trouble(power_law(k, 0, 0, linear=linear)[0], rng.normal(size=k), None) != "" for _ in range(100)]
    rising = [trouble(*power_law(k, 0.02, seed, linear=linear), None) != "" for seed in range(50)]
    assert np.mean(flat) < 0.12
    assert np.mean(rising) < 0.05


def test_errors_tell_a_dip_from_noise():
    scores = np.array([0.5, 0.7, 0.8, 0.7, 0.84, 0.86])
    assert extrapolate_curve(SIZES, scores, 2000, spread=np.full(6, 0.005)).behaviour == "ill-behaved"
    assert extrapolate_curve(SIZES, scores, 2000, spread=np.full(6, 0.1)).behaviour == "well-behaved"
    assert extrapolate_curve(SIZES, scores, 2000, spread=[0, np.nan, 0.1, 0.1, 0.1, 0.1]).behaviour == "well-behaved"
    assert extrapolate_curve(SIZES, scores, 2000, spread=np.zeros(6)) == extrapolate_curve(SIZES, scores, 2000)


def test_a_curve_that_does_not_move_is_bounded_by_its_errors_alone():
    answer = extrapolate_curve([10, 20, 40, 80], [0.5] * 4, 200, spread=[0.02] * 4)
    assert np.isfinite(answer).all()
    assert 0.02 < answer.high - answer.value < 0.1
    without = extrapolate_curve([10, 20, 40, 80], [0.5] * 4, 200)
    assert tuple(without) == (0.5, -np.inf, 1.0)
    assert tuple(extrapolate_curve([10, 20, 40, 80], [0.5] * 4, 200, bound=np.inf)) == (0.5, -np.inf, np.inf)


@pytest.mark.parametrize(("scores", "greater", "bound"), [
    (0.999 - 3 * SIZES**-0.7, True, 1.0), (np.linspace(0, 1, 6), True, 1.0), (2 * SIZES**-0.7, False, 0.0),
    (5 + 0 * SIZES + 1 / SIZES, False, 0.0), (np.array([0.9, 0.95, 0.99, 1, 1, 1]), True, 1.0)])
def test_the_bound_of_a_metric_is_told_from_its_scores_and_never_passed(scores, greater, bound):
    asked = [320, 1000, 10_000, 1e9]
    answers = extrapolate_curve(SIZES, scores, asked, greater_is_better=greater)
    assert answers == extrapolate_curve(SIZES, scores, asked, greater_is_better=greater, bound=bound)
    for answer in answers:
        assert answer.high <= bound if greater else answer.low >= bound


def test_scores_beyond_the_usual_ranges_have_no_bound():
    for scores, greater in ((SCORES - 0.9, True), (100 * SCORES, True), (0.3 - SCORES, False)):
        free = extrapolate_curve(SIZES, scores, 1e9, greater_is_better=greater, bound=np.inf)
        assert extrapolate_curve(SIZES, scores, 1e9, greater_is_better=greater) == free
    below = extrapolate_curve(SIZES, SCORES, 1e5, bound=0.92)
    assert below.value <= below.high <= 0.92 < extrapolate_curve(SIZES, SCORES, 1e5).value


def test_a_bound_makes_up_for_forms_that_run_beyond_it():
    off = {None: [], np.inf: []}
    for seed in range(40):
        at, scores = power_law(8, 0.02, seed)
        scores = np.minimum(scores + 0.1, 1.0)
        truth = 1 - 2 * 20_000 ** -np.random.default_rng(seed).uniform(0.3, 1)
        for bound, misses in off.items():
            misses.append(abs(extrapolate_curve(at, scores, 20_000, bound=bound).value - truth))
    assert np.mean(off[None]) < 0.95 * np.mean(off[np.inf])


def noisy(seed, size, runs=1):
    rng = np.random.default_rng(seed)
    power, at = rng.uniform(0.3, 1), np.geomspace(20, 2000, 14)
    scores = 0.9 - 2 * at**-power + 0.05 * rng.normal(size=(runs, 14)).mean(axis=0)
    return at, scores, 0.9 - 2 * size**-power + 0.05 * rng.normal() / np.sqrt(runs), 0.9 - 2 * size**-power


def test_noise_that_does_not_fall_is_averaged_over_and_held():
    cases = [noisy(seed, 4000) for seed in range(150)]
    answers = [extrapolate_curve(at, scores, 4000) for at, scores, _, _ in cases]
    off = np.mean([abs(answer.value - truth) for answer, (*_, truth) in zip(answers, cases, strict=True)])
    held = np.mean([answer.low <= measured <= answer.high for answer, (_, _, measured, _) in zip(answers, cases, strict=True)])
    assert off < 0.9 * np.mean([abs(scores[-1] - truth) for _, scores, _, truth in cases])
    assert 0.68 <= held <= 0.92


def test_jitter_that_errors_deny_is_a_bend_and_large_errors_alone_hardly_narrow():
    at, scores, *_ = noisy(3, 4000)
    plain, denied = (extrapolate_curve(at, scores, 8000, spread=spread) for spread in (np.full(14, 0.05), np.full(14, 0.01)))
    if denied.behaviour == "well-behaved":
        assert denied.high - denied.low > plain.high - plain.low
    smooth = [extrapolate_curve(SIZES, SCORES, 2000, spread=np.full(6, error)) for error in (0.001, 0.3)]
    assert smooth[1].high - smooth[1].low >= 0.8 * (smooth[0].high - smooth[0].low)


def test_levels_are_nested():
    at, scores = power_law(9, 0.01, 3)
    answers = [extrapolate_curve(at, scores, 4000, level=level) for level in (0.5, 0.8, 0.95)]
    assert answers[0].low > answers[1].low > answers[2].low
    assert answers[0].high < answers[1].high < answers[2].high


def test_far_away_is_said_to_be_a_guess():
    near, far = extrapolate_curve(SIZES, SCORES, [6400, 64000])
    assert "guess" not in near.why
    assert "guess" in far.why


def test_within_what_was_measured_it_interpolates():
    at, scores = power_law(10, 0.0, 1)
    answer = extrapolate_curve(np.delete(at, 5), np.delete(scores, 5), at[5])
    assert answer.value == pytest.approx(scores[5], abs=0.01)


def test_many_sizes_are_merged_and_quick():
    at, scores = power_law(2000, 0.02, 0, linear=True)
    start = time.process_time()  # of this process alone: others that are busy do not count
    answer = extrapolate_curve(at, scores, 4000)
    assert time.process_time() - start < 10
    assert answer.behaviour == "well-behaved"
    assert len(_curve_band._merged(at, scores, None)[0]) <= _curve_band.MOST


def test_a_band_over_many_targets():
    targets = np.geomspace(10, 10_000, 150)
    found = band(SIZES, SCORES, targets, errors=np.full(6, 0.01))
    assert found.value.shape == found.low.shape == found.high.shape == (150,)
    assert len(found.why) == 150
    beyond = targets > SIZES[-1]
    assert (np.diff(found.value[beyond]) >= -1e-9).all()
    assert (np.diff(found.high[beyond] - found.low[beyond]) > -1e-9).all()


def test_quantiles_of_a_mixture():
    rng = np.random.default_rng(0)
    mixture = Mixture(rng.normal(size=(3, 4)), rng.uniform(0.001, 2, size=(3, 4)), np.array([0.1, 0.2, 0.3, 0.4]))
    part = rng.choice(4, p=mixture.weight, size=200_000)
    drawn = mixture.mean[:, part] + mixture.sd[:, part] * rng.normal(size=len(part))
    for share in (0.1, 0.5, 0.9):
        assert (drawn < mixture.quantile(share)[:, None]).mean(axis=1) == pytest.approx([share] * 3, abs=0.005)


def test_shapes_fall_towards_nothing_left_to_gain():
    found = shapes(np.geomspace(0.01, 1e30, 50))
    assert (np.diff(found, axis=1) < 0).all()
    assert (found[:, -1] < 0.01).all()
    assert np.isfinite(expected(SIZES, SCORES, np.array([1e12])).mean).all()


@pytest.mark.parametrize(("change", "said"), [
    ({"sizes": [0, 1, 2, 3, 4, 5]}, "`sizes` must be finite and above 0. Got 0."),
    ({"sizes": [np.nan, 1, 2, 3, 4, 5]}, "`sizes` must be finite"),
    ({"sizes": "abc"}, "`sizes` must be one number a size. Got 'abc'."),
    ({"sizes": None}, "`sizes` must be one number a size. Got None."),
    ({"sizes": ["10", "20"]}, "`sizes` must be one number a size."),
    ({"sizes": [[1, 2], [3, 4]]}, "`sizes` must be one number a size."),
    ({"sizes": [10, 20]}, "`scores` must be as long as `sizes`. Got 6 for 2 sizes."),
    ({"scores": [np.nan] * 6}, "`scores` must hold a finite number."),
    ({"scores": [True, False] * 3}, "`scores` must be one number a size"),
    ({"sizes": [], "scores": []}, "`scores` must hold a finite number."),
    ({"n": 0}, "`n` must be finite and above 0. Got 0."),
    ({"n": -5}, "`n` must be finite and above 0. Got -5."),
    ({"n": np.inf}, "`n` must be finite"),
    ({"n": "many"}, "`n` must be a size or several. Got 'many'."),
    ({"n": None}, "`n` must be a size or several. Got None."),
    ({"level": 0}, "`level` must lie between 0 and 1. Got 0."),
    ({"level": 80}, "`level` must lie between 0 and 1. Got 80."),
    ({"level": "0.8"}, "`level` must lie between 0 and 1."),
    ({"level": None}, "`level` must lie between 0 and 1."),
    ({"spread": [0.1]}, "`spread` must be one number of at least 0 for each of the 6 sizes."),
    ({"spread": [-0.1] * 6}, "`spread` must be one number of at least 0"),
    ({"bound": "1"}, "`bound` must be a number, np.inf or None. Got '1'."),
    ({"bound": True}, "`bound` must be a number, np.inf or None. Got True."),
    ({"bound": np.nan}, "`bound` must be a number, np.inf or None. Got nan."),
    ({"bound": 0.8}, "`bound` must be no worse than any score. Got 0.8, and a score of 0.890"),
    ({"bound": 0.9, "greater_is_better": False}, "`bound` must be no worse than any score. Got 0.9, and a score of 0.614"),
    ({"greater_is_better": "no"}, "`greater_is_better` must be True or False. Got 'no'."),
])
def test_what_is_refused(change, said):
    asked = {"sizes": SIZES, "scores": SCORES, "n": 2000} | change
    with pytest.raises(BadInputError) as caught:
        extrapolate_curve(asked.pop("sizes"), asked.pop("scores"), asked.pop("n"), **asked)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_made_by_hand():
    assert Extrapolation(1.0, 0.0, 2.0).behaviour == "well-behaved"
