"""From bytes to JSON: read the same as by any parser, within limits that are named."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapi.body import MAX_DEPTH, UnreadableError, parse

# full of what a scanner for brackets may trip over
awkward = st.text('[]{}:,"\\ \n\u00e9\u4e16nu0', max_size=12) | st.text(
    st.characters(codec="utf-8"), max_size=12
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | awkward
)
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(awkward, inner, max_size=4),
    max_leaves=40,
)


def depth(document: object) -> int:
    """Return how deep lists and objects are nested, counted by walking."""
    if isinstance(document, dict):
        return 1 + max(map(depth, document.values()), default=0)
    if isinstance(document, list):
        return 1 + max(map(depth, document), default=0)
    return 0


@given(documents, st.booleans())
def test_what_json_reads_is_read_the_same(document, ascii_only):
    """Whatever its strings hold, and however they are escaped."""
    raw = json.dumps(document, ensure_ascii=ascii_only).encode()

    assert parse(raw) == json.loads(raw) == document


@given(documents, st.text('"\\[{:\ud800\udc00', min_size=1))
def test_lone_surrogates_change_nothing_beside_them(document, odd):
    """They take another parser, which reads the rest alike."""
    raw = json.dumps([document, {odd: odd}]).encode()

    assert parse(raw) == json.loads(raw)


@given(documents, st.integers(0, MAX_DEPTH + 3), st.integers(0, MAX_DEPTH + 3))
def test_depth_is_what_a_walk_counts(document, lists, objects):
    """A document is refused for its depth exactly when walking it says so."""
    for _ in range(lists):
        document = [document, "]["]
    for _ in range(objects):
        document = {'"}{': document}
    refused = False
    try:
        parse(json.dumps(document).encode())
    except UnreadableError as error:
        refused = "nested deeper than 32" in str(error)

    assert refused == (depth(document) > MAX_DEPTH)


@pytest.mark.parametrize("raw", [b"[" * 5000, b'{"a":' * 5000, b'"\\ud800' + b"[" * 5000])
def test_what_never_closes_is_too_deep(raw):
    """A parser meets the depth before it knows that the end is missing."""
    with pytest.raises(UnreadableError):
        parse(raw)


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b'{"alerts": [], "alerts": [1]}', "'alerts'"),
        (b'[{"labels": {"a": "1", "b": "2", "a": "3"}}]', "'a'"),
        (b'[{"a": {"b": 1}}, {"a": {"\\u0062": 1, "b": 2}}]', "'b'"),
        (b'{"a": "\\ud800", "a": "x"}', "'a'"),
    ],
)
def test_a_key_that_comes_twice_is_named(raw, name):
    """Parsers differ in which of the two they take; nobody can mean both."""
    with pytest.raises(UnreadableError, match="comes twice in one object") as caught:
        parse(raw)

    assert name in str(caught.value)


def test_the_same_key_in_two_objects_is_no_repeat():
    """Colons and keys inside strings are not counted either."""
    document = [{"a": 1}, {"a": {"a": '"a": {', "b:": ":"}}]

    assert parse(json.dumps(document).encode()) == document


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"NaN",
        b"[Infinity]",
        b"[-Infinity]",
        b"1e999",
        b'["\\ud800", NaN]',
        b'["\\ud800", 1e999]',
        b'"\xff"',
        b'["\\ud800", "\xff"]',
        b"\xef\xbb\xbf{}",
    ],
)
def test_what_is_no_json_is_unreadable(raw):
    """Constants that only JavaScript knows, numbers without end, bytes that are no text."""
    with pytest.raises(UnreadableError, match="the body is not valid JSON"):
        parse(raw)


def test_a_lone_surrogate_is_read():
    """Only the alert that holds it is to be refused."""
    assert parse(b'{"a": "\\ud800", "b": 1}') == {"a": "\ud800", "b": 1}
