"""`${VAR}` and `${VAR:-default}` in the values of a configuration document.

Values are expanded one by one after parsing, so that nothing in a variable is ever read as YAML.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

_REFERENCE = re.compile(r"\$\{(?P<name>[A-Za-z_]\w*)(?::-(?P<default>[^{}]*))?\}", re.ASCII)
_OPENING = re.compile(r"\$\{")

Path = tuple[str, ...]
"""Where a value stands in a document: its keys from the top, `[2]` for the third of a list."""


class UnexpandedError(ValueError):
    """A value cannot be expanded; the message says why and what to write."""


def references(value: object) -> tuple[str, ...]:
    """Return the names of the variables that `value` mentions, in order."""
    return tuple(found["name"] for found in _REFERENCE.finditer(str(value)))


def expand(text: str, environ: Mapping[str, str]) -> str | None:
    """Return `text` with its references replaced.

    An empty variable counts as unset, as a shell has it for `:-`. None when `text` is one
    reference and nothing comes of it. What a variable holds is not expanded again. Raises
    UnexpandedError for a malformed reference, and for an unset one inside other text.
    """
    if len(_OPENING.findall(text)) != len(_REFERENCE.findall(text)):
        raise UnexpandedError(
            "a ${ that is neither ${VAR} nor ${VAR:-default}; correct it, "
            "or put the value into a variable of its own"
        )
    if whole := _REFERENCE.fullmatch(text):
        return environ.get(whole["name"]) or whole["default"] or None
    return _REFERENCE.sub(lambda reference: _replacement(reference, environ), text)


def _replacement(reference: re.Match[str], environ: Mapping[str, str]) -> str:
    name, default = reference["name"], reference["default"]
    value = environ.get(name) or default
    if value is None:
        raise UnexpandedError(f"{name} is not set; set it or write ${{{name}:-default}}")
    return value


def expand_tree(
    node: Any, environ: Mapping[str, str], report: Callable[[Path, str], None], at: Path = ()
) -> Any:
    """Return a copy of a document with every text expanded; keys stay as they are.

    A key whose value cannot be expanded is left out and told to `report`.
    """
    if isinstance(node, str):
        return expand(node, environ)
    if isinstance(node, list):
        return [
            expand_tree(item, environ, report, (*at, f"[{position}]"))
            for position, item in enumerate(node)
        ]
    if not isinstance(node, Mapping):
        return node
    kept = {}
    for key, child in node.items():
        try:
            kept[key] = expand_tree(child, environ, report, (*at, key))
        except UnexpandedError as fault:
            report((*at, key), str(fault))
    return kept
