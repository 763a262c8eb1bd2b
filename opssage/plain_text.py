"""Text from outside without what would steer a terminal or turn the direction of writing."""

import re
from collections.abc import Mapping
from typing import Any

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])")
_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def plain_text(text: str) -> str:
    """Return `text` without ANSI sequences and control characters; tabs and line ends stay."""
    return _CONTROL.sub("", _ANSI.sub("", text))


def plain(value: Any) -> Any:
    """Return a copy of a JSON tree with every text in it plain, keys included."""
    if isinstance(value, str):
        return plain_text(value)
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value
