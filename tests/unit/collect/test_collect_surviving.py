"""Which labels an expression leaves on its alerts."""

import pytest

from tasks.collect.surviving import surviving

CARRIED = ("a", "b", "le")


@pytest.mark.parametrize(
    ("expression", "left"),
    [
        ("m > 1", {"a", "b", "le"}),
        ("sum(m) > 1", set()),
        ("sum by (a) (rate(m[5m])) > 1", {"a"}),
        ("sum without (a) (m) > 1", {"b", "le"}),
        ("max by (a, b) (sum by (a) (m))", {"a"}),
        ("topk(3, m)", {"a", "b", "le"}),
        ("histogram_quantile(0.9, m) > 1", {"a", "b"}),
        ("max_over_time((sum by (a) (m))[5m:1m]) > 1", {"a"}),
        ("-m < 1", {"a", "b", "le"}),
        ("1 < m", {"a", "b", "le"}),
        ("vector(1)", set()),
        ("time() - m > 5", {"a", "b", "le"}),
        ("m and n > 1", {"a", "b", "le"}),
        ("m unless on (a) n", {"a", "b", "le"}),
        ("sum by (a) (m) or sum by (b) (n)", {"a", "b"}),
        ("m or sum by (a) (n)", {"a", "b", "le"}),
        ("m or n", {"a", "b", "le"}),
        ("m / on (a) n", {"a"}),
        ("m / ignoring (a) n", {"b", "le"}),
        ("sum by (a) (m) / n", {"a"}),
        ("m * on (a) group_left (z) n", {"a", "b", "le", "z"}),
        ("sum by (a) (m) * on (a) group_right () n", {"a", "b", "le"}),
        ('label_replace(sum(m), "z", "$1", "a", "(.*)")', {"z"}),
        ('absent(m{a="1",b=~"2"})', {"a"}),
        ('absent_over_time(m{a="1"}[5m])', {"a"}),
    ],
)
def test_labels_survive_as_prometheus_has_them(expression, left):
    """By its rules for aggregation, functions and vector matching."""
    assert surviving(expression).of(CARRIED) == left


def test_labels_of_nonsense_raise():
    """The caller writes it into the ledger."""
    with pytest.raises(ValueError, match="unclosed"):
        surviving("sum(m")
