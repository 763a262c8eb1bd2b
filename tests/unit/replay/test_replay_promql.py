"""The evaluator's semantics, by examples small enough to work out by hand."""

import math

import pytest

from cli.replay.promql import EvaluationError, evaluate
from cli.replay.series import SeriesSet
from opssage.errors import UnsupportedQueryError


def test_a_selector_takes_the_latest_sample(series, answer):
    """Between two scrapes the earlier one counts."""
    load = series("load", [1, 2, 3])

    assert answer("load", load, at=[14, 29]) == {"__name__=load": [1.0, 2.0]}


def test_a_sample_counts_for_five_minutes(series, answer):
    """After the look-back of 300 s, its last second included, a series is absent."""
    load = series("load", [7])

    assert answer("load", load, at=[300, 301]) == {"__name__=load": [7.0]}
    assert answer("load", load, at=[301]) == {}


@pytest.mark.parametrize(
    ("matcher", "selected"),
    [
        ('pod="a-1"', ["a-1"]),
        ('pod!="a-1"', ["a-2", "b-1", ""]),
        ('pod=~"a-."', ["a-1", "a-2"]),
        ('pod=~"a"', []),
        ('pod!~"a.*"', ["b-1", ""]),
        ('pod=""', [""]),
        ('pod=~"|b-1"', ["b-1", ""]),
        ('pod=~"a.*",pod!="a-2"', ["a-1"]),
    ],
)
def test_matchers_select_label_sets(series, answer, matcher, selected):
    """Regular expressions match whole values; an absent label is the empty value."""
    pods = [series("up", [1], pod=pod) for pod in ("a-1", "a-2", "b-1")]

    found = answer(f"sum by (pod) (up{{{matcher}}})", *pods, series("up", [1]), at=[0])

    assert sorted(found) == sorted(f"pod={pod}" if pod else "" for pod in selected)


def test_offset_looks_back(series, answer):
    """The value of a minute ago."""
    load = series("load", range(10))

    assert answer("load offset 1m", load, at=[120]) == {"__name__=load": [4.0]}


def test_rate_extrapolates_to_the_edges_of_its_range(series, answer):
    """Samples at 60 … 105 in the range 55 … 115: 45 s of rise stretched by 5 s and 10 s."""
    total = series("total", [100 + 2 * i for i in range(8)])

    assert answer("rate(total[1m])", total, at=[115]) == {"": [pytest.approx(6 / 45 * 60 / 60)]}
    assert answer("increase(total[1m])", total, at=[115]) == {"": [pytest.approx(6 / 45 * 60)]}


def test_rate_does_not_extrapolate_far_beyond_its_samples(series, answer):
    """With 30 s to the range's start only half a scrape interval is added there."""
    total = series("total", [100, 103, 106, 109, 112], start=60)

    assert answer("increase(total[90s])", total, at=[120]) == {"": [pytest.approx(12 * 67.5 / 60)]}


def test_a_new_counter_is_not_extrapolated_below_zero(series, answer):
    """A counter born at 0 has risen by what it shows."""
    restarts = series("restarts", [0, 1, 2, 3, 4], start=60)

    assert answer("increase(restarts[10m])", restarts, at=[120]) == {"": [4.0]}


def test_rate_survives_a_counter_reset(series, answer):
    """What a counter had reached before it fell to 1 still counts: 10 → 14, then 0 → 3."""
    total = series("total", [10, 12, 14, 1, 3])

    assert answer("increase(total[1m])", total, at=[60]) == {"": [pytest.approx(4 + 3)]}


def test_rate_needs_two_samples(series, answer):
    """One sample in the range is no rate."""
    assert answer("rate(total[14s])", series("total", [1, 2, 3]), at=[29]) == {}


@pytest.mark.parametrize(
    ("function", "value"),
    [
        ("delta", 2.0),
        ("irate", 4 / 15),
        ("idelta", -5.0),
        ("changes", 4.0),
        ("resets", 1.0),
        ("avg_over_time", 4.6),
        ("max_over_time", 9.0),
        ("min_over_time", 2.0),
        ("sum_over_time", 23.0),
        ("count_over_time", 5.0),
    ],
)
def test_functions_of_a_range(series, answer, function, value):
    """Each over the samples 2, 3, 5, 9 and 4 of one minute, both edges included."""
    found = answer(f"{function}(x[1m])", series("x", [2, 3, 5, 9, 4]), at=[60])

    assert found == {"": [pytest.approx(value)]}


def test_last_over_time_keeps_the_metrics_name(series, answer):
    """It answers a sample of the metric, not something computed."""
    assert answer("last_over_time(x[1m])", series("x", [1, 2]), at=[60]) == {"__name__=x": [2.0]}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("sum(x)", {"": [6.0]}),
        ("sum by (a) (x)", {"a=1": [3.0], "a=2": [3.0]}),
        ("max without (b) (x)", {"a=1": [2.0], "a=2": [3.0]}),
        ("min by (nosuch) (x)", {"": [1.0]}),
        ("avg by (a) (x)", {"a=1": [1.5], "a=2": [3.0]}),
        ("count by (a) (x)", {"a=1": [2.0], "a=2": [1.0]}),
        ("group by (a) (x)", {"a=1": [1.0], "a=2": [1.0]}),
        ("topk(1, x)", {"__name__=x,a=2,b=v": [3.0]}),
        ("bottomk by (a) (1, x)", {"__name__=x,a=1,b=u": [1.0], "__name__=x,a=2,b=v": [3.0]}),
    ],
)
def test_aggregations(series, answer, query, expected):
    """Each over 1 and 2 with a=1, and 3 with a=2."""
    found = [
        series("x", [1], a="1", b="u"),
        series("x", [2], a="1", b="v"),
        series("x", [3], a="2", b="v"),
    ]

    assert answer(query, *found, at=[0]) == expected


def test_max_prefers_numbers_to_nan(series, answer):
    """NaN is answered only when there is nothing else."""
    one, nan = series("x", [1], a="1"), series("x", [math.nan], a="2")

    assert answer("max(x)", one, nan, at=[0]) == {"": [1.0]}
    assert answer("max(x)", nan, at=[0]) == {"": [pytest.approx(math.nan, nan_ok=True)]}


def test_unary_minus_drops_the_name(series, answer):
    """A negated metric is another thing."""
    assert answer("-x", series("x", [2], a="1"), at=[0]) == {"a=1": [-2.0]}


def test_scalars_are_computed_like_floats():
    """Precedence, remainder, and a power that binds to the right."""
    value = evaluate(
        "1 + 2 * 3 - 7 % 4 + 2 ^ 3 ^ 0", SeriesSet(()), start_ms=0, end_ms=0, step_ms=1
    )

    assert list(value) == [6.0]


@pytest.mark.parametrize(
    ("query", "construct"),
    [
        ("max_over_time(x[5m:1m])", "subquery"),
        ("x @ 5", "@ modifier"),
        ("rate(x[5m] @ end())", "@ modifier"),
        ("x[5m]", "range vector selector"),
        ("predict_linear(x[1h], 60)", "function predict_linear()"),
        ('label_replace(x, "a", "$1", "b", "(.*)")', "function label_replace()"),
        ("absent(x)", "function absent()"),
        ("quantile(0.9, x)", "aggregation quantile"),
        ("x atan2 x", "operator atan2"),
        ('x{a="1" or b="2"}', "`or` between label matchers"),
        (r'x{a=~"\\pL+"}', "regular expression"),
    ],
)
def test_what_is_not_supported_is_named(query, construct):
    """A construct outside the family is refused by its name."""
    with pytest.raises(UnsupportedQueryError) as refused:
        evaluate(query, SeriesSet(()), start_ms=0, end_ms=0, step_ms=1)

    assert construct in str(refused.value)


def test_one_label_set_cannot_have_two_values(series, answer):
    """Two metrics that lose their names fall together."""
    two = series("one_total", [1, 2]), series("two_total", [1, 2])

    with pytest.raises(EvaluationError, match="same labelset"):
        answer('rate({__name__=~".*_total"}[1m])', *two, at=[15])
