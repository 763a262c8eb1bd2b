"""What is wrong with an alerting rule of a file, said so that a person finds it."""

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

KEYS = (
    "alert",
    "name",
    "record",
    "expr",
    "for",
    "keep_firing_for",
    "labels",
    "annotations",
)
"""What a rule may have. `name` stands for `alert` in plain lists."""

_DURATION = re.compile(r"0|(?:\d+(?:\.\d+)?(?:ms|[ywdhms]))+")


def faults(rule: Mapping[Any, Any]) -> Iterator[str]:
    """Yield what keeps a rule from being one, each with its field."""
    if not _text(rule.get("alert") or rule.get("name")):
        yield _missing("alert", rule)
    expression = rule.get("expr")
    if expression is None:
        yield _missing("expr", rule)
    elif not _text(expression):
        yield "expr: is not an expression"
    for key in ("labels", "annotations"):
        yield from _of_texts(key, rule.get(key))
    for key in ("for", "keep_firing_for"):
        given = rule.get(key)
        if given is not None and not _DURATION.fullmatch(_text(given)):
            yield f"{key}: {_shown(given)} is not a duration; for example 5m"


def unknown(rule: Mapping[Any, Any]) -> list[str]:
    """Return the keys that no rule has."""
    return [str(key) for key in rule if key not in KEYS]


def _missing(key: str, rule: Mapping[Any, Any]) -> str:
    near = difflib.get_close_matches(key, unknown(rule), n=1)
    return f"{key}: missing" + (f"; is {near[0]} meant to be {key}?" if near else "")


def _of_texts(key: str, given: Any) -> Iterator[str]:
    if given is None:
        return
    if not isinstance(given, Mapping):
        yield f"{key}: {_shown(given)} is not a section; write names and texts indented below it"
        return
    for name, value in given.items():
        if isinstance(value, Mapping | list):
            yield f"{key}.{name}: is not a text"


def _text(value: Any) -> str:
    """Return a text or number as text, anything else as none."""
    is_one = isinstance(value, str | int | float) and not isinstance(value, bool)
    return str(value).strip() if is_one else ""


def _shown(value: Any) -> str:
    return repr(value)[:60]
