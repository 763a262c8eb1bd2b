"""Expressions taken apart, queries put together."""

import promql_parser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.collect.promql import (
    Matcher,
    Signal,
    build,
    pinned,
    selectors,
    signals,
    widest_range_seconds,
)

hostile = st.text(alphabet=st.sampled_from("\"\\{}()[]|.*+?^$,=~! \n\t`'#$Mab1-ü"), max_size=30)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a > 5", [Signal(query="a", op=">", threshold=5.0)]),
        ("0.5 < a", [Signal(query="a", op=">", threshold=0.5)]),
        ("a >= 5 * 60", [Signal(query="a", op=">=", threshold=300.0)]),
        ("a < -1", [Signal(query="a", op="<", threshold=-1.0)]),
        ("a == bool 1", [Signal(query="a", op="==", threshold=1.0)]),
        ("a > b", [Signal(query="a")]),
        ("absent(up)", [Signal(query="absent(up)")]),
        ("(a > bool 3) == 1", [Signal(query="a", op=">", threshold=3.0)]),
        ("a > 1 > 2", [Signal(query="a", op=">", threshold=1.0)]),
        ("a > 1 / 0", [Signal(query="a")]),
    ],
)
def test_signals_are_the_measured_side_and_its_threshold(expression, expected):
    """A comparison is turned so that the measured side is left."""
    assert list(signals(expression)) == expected


@pytest.mark.parametrize("word", ["and", "or", "unless"])
def test_signals_of_joined_comparisons_are_listed_each(word):
    """Every comparison of the expression is worth a look."""
    found = signals(f"(rate(a[5m]) > 1) {word} on (pod) (b < 2)")

    assert [(item.query, item.threshold) for item in found] == [("rate(a[5m])", 1.0), ("b", 2.0)]


def test_signals_are_written_on_one_line_with_strings_untouched():
    """The serialised query still parses to the same matchers."""
    long = " / ".join(['sum by (namespace, pod, container) (rate(a{x="1  2\\n"}[5m]))'] * 3)

    (signal,) = signals(f"{long} > 1")

    assert "\n" not in signal.query
    values = [s.matchers.matchers[0].value for s in selectors(promql_parser.parse(signal.query))]
    assert values == ["1  2\n"] * 3


def test_signals_of_nonsense_raise():
    """The caller writes it into the ledger."""
    with pytest.raises(ValueError, match="unclosed"):
        signals("sum(rate(x[5m])")


@pytest.mark.parametrize(
    "expression",
    ["-" * 201 + "up", "(" * 201 + "up" + ")" * 201, "+".join(["up"] * 202), '# "\r' + "-" * 201],
    ids=["signs", "brackets", "operators", "behind a comment"],
)
@pytest.mark.parametrize("read", [signals, pinned, widest_range_seconds])
def test_an_expression_too_deep_to_take_apart_raises(read, expression):
    """Some thousands deep it would end the process, and of some hundreds the stack is full."""
    with pytest.raises(ValueError, match="more than 200 brackets and operators"):
        read(expression)


@pytest.mark.parametrize("value", ["(" * 999, '\\"' + "-" * 999], ids=["plain", "escaped"])
def test_brackets_in_a_string_nest_nothing(value):
    """A value may be long."""
    assert pinned(f'up{{a="{value}"}} > 1')["a"] == value.replace('\\"', '"')


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [
        ("up == 0", 0),
        ("rate(a[5m]) / rate(b[1h]) > 1", 3600),
        ("a offset 1d > 1", 86400),
        ("max_over_time(rate(a[5m])[30m:1m]) > 1", 2100),
        ("predict_linear(node_filesystem_avail_bytes[6h], 4 * 3600) < 0", 21600),
    ],
)
def test_widest_range_adds_up_what_is_nested(expression, seconds):
    """A subquery over a rate looks back over both."""
    assert widest_range_seconds(expression) == seconds


def test_build_puts_matchers_into_every_selector():
    """One value is an equality, several are an escaped choice."""
    query = build('a{b="c",$M} / d{$M}', [Matcher(label="pod", values=("x.1", "y"))])

    assert query == r'a{b="c",pod=~"x\\.1|y"} / d{pod=~"x\\.1|y"}'


def test_build_without_matchers_leaves_a_valid_selector():
    """Clusterwide queries use the same templates."""
    assert build('a{b="c",$M} / d{$M}', []) == 'a{b="c"} / d{}'


@pytest.mark.parametrize("name", ["", "a-b", "a b", '__name__"', "ä", "a\n"])
def test_build_refuses_what_is_no_label_name(name):
    """Label names are never escaped, so they must be plain."""
    with pytest.raises(ValueError, match="not a label name"):
        build("a{$M}", [Matcher(label=name, values=("x",))])


@given(
    values=st.lists(hostile, min_size=1, max_size=3).map(tuple), suffix=st.sampled_from(["", "x"])
)
def test_build_never_changes_shape(values, suffix):
    """Quotes, braces, newlines and regex characters stay inside the one matcher they came in."""
    matcher = Matcher(label="pod", values=values, suffix=suffix)

    parsed = promql_parser.parse(build('sum(rate(a{b="c",$M}[5m]))', [matcher]))

    (selector,) = selectors(parsed)
    assert selector.name == "a"
    assert [item.name for item in selector.matchers.matchers] == ["b", "pod"]
    assert selector.matchers.matchers[1].value == matcher.condition[1]
    assert not selector.matchers.or_matchers


@given(value=hostile)
def test_matcher_of_several_values_matches_each_as_it_is(value):
    """Python's regex engine agrees with RE2 on escaped text."""
    import re

    _, pattern = Matcher(label="pod", values=(value, "other")).condition

    assert re.fullmatch(pattern, value)
