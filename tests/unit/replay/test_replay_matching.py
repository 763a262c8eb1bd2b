"""How two vectors find each other in a binary operation."""

import pytest

from cli.replay.promql import EvaluationError


@pytest.fixture
def pods(series):
    """Usage of two pods, the limit of one of them, and their nodes."""
    return (
        series("usage", [3], pod="a", zone="x"),
        series("usage", [8], pod="b", zone="x"),
        series("limit", [4], pod="a", unit="core"),
        series("node", [1], pod="a", node="n1"),
        series("node", [1], pod="b", node="n2"),
    )


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("usage > 5", {"__name__=usage,pod=b,zone=x": [8.0]}),
        ("5 < usage", {"__name__=usage,pod=b,zone=x": [8.0]}),
        ("usage > bool 5", {"pod=a,zone=x": [0.0], "pod=b,zone=x": [1.0]}),
        ("usage * 2", {"pod=a,zone=x": [6.0], "pod=b,zone=x": [16.0]}),
        ("1 / (usage - 3)", {"pod=a,zone=x": [float("inf")], "pod=b,zone=x": [0.2]}),
        ("usage / limit", {}),
        ("nosuch / on () usage", {}),
        ("usage / on (pod) limit", {"pod=a": [0.75]}),
        ("usage / ignoring (zone, unit) limit", {"pod=a": [0.75]}),
        ("usage < on (pod) limit", {"pod=a": [3.0]}),
        ("usage < ignoring (zone, unit) limit", {"__name__=usage,pod=a": [3.0]}),
        ("usage / on (pod) group_left limit", {"pod=a,zone=x": [0.75]}),
        (
            "usage * on (pod) group_left (node) node",
            {"node=n1,pod=a,zone=x": [3.0], "node=n2,pod=b,zone=x": [8.0]},
        ),
        ("limit - on (pod) group_right (unit) usage", {"pod=a,unit=core,zone=x": [1.0]}),
        ("usage and on (pod) limit", {"__name__=usage,pod=a,zone=x": [3.0]}),
        ("usage unless on (pod) limit", {"__name__=usage,pod=b,zone=x": [8.0]}),
        (
            "limit or on (pod) usage",
            {"__name__=limit,pod=a,unit=core": [4.0], "__name__=usage,pod=b,zone=x": [8.0]},
        ),
        ("sum(nosuch) or vector(0)", {"": [0.0]}),
    ],
)
def test_operations_between_vectors(answer, pods, query, expected):
    """Labels and values of the result."""
    assert answer(query, *pods, at=[0]) == expected


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ("limit / on () usage", "many-to-many matching not allowed"),
        ("usage / on () limit", "many-to-one matching must be explicit"),
        ("usage * on (zone) group_right node", "many-to-many matching not allowed"),
        ("node * on () group_left (node) limit", "grouping labels must ensure unique matches"),
    ],
)
def test_ambiguous_matches_are_refused(answer, pods, series, query, complaint):
    """Each with Prometheus' reason."""
    pods = (*pods, series("node", [1], pod="b", node="n3"))

    with pytest.raises(EvaluationError, match=complaint):
        answer(query, *pods, at=[0])


def test_series_that_take_turns_match_one_after_the_other(series, answer):
    """A pod that moved has two series of one key, never at the same time."""
    first = series("info", [1], pod="a", node="n1")
    second = series("info", [1], pod="a", node="n2", start=600)
    usage = series("usage", [5] * 50, pod="a")

    found = answer("usage * on (pod) group_left (node) info", usage, first, second, at=[0, 600])

    assert found == {"node=n1,pod=a": [5.0], "node=n2,pod=a": [5.0]}
