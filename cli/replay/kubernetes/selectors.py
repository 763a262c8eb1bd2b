"""Label and field selectors as the API server reads them."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from opssage.errors import OpsSageError

Fits = Callable[[Mapping[str, Any]], bool]


class SelectorError(OpsSageError):
    """A selector cannot be read, or asks for a field that cannot be selected by."""


_NAME = r"[A-Za-z0-9](?:[\w./-]*[A-Za-z0-9])?"
_SET = re.compile(rf"(?P<key>{_NAME})\s+(?P<operator>in|notin)\s+\((?P<values>[^()]*)\)")
_EQUAL = re.compile(rf"(?P<key>{_NAME})\s*(?P<operator>==|!=|=)\s*(?P<value>[\w.-]*)")
_EXISTS = re.compile(rf"(?P<not>!?)\s*(?P<key>{_NAME})")
_COMMA = re.compile(r"\s*,\s*")

_FIELDS: Mapping[str, frozenset[str]] = {
    "Pod": frozenset({"spec.nodeName", "spec.restartPolicy", "status.phase", "status.podIP"}),
    "Event": frozenset(
        {
            "involvedObject.kind",
            "involvedObject.name",
            "involvedObject.namespace",
            "involvedObject.uid",
            "reason",
            "type",
            "reportingComponent",
            "source",
        }
    ),
    "Node": frozenset({"spec.unschedulable"}),
    "Job": frozenset({"status.successful"}),
}
_GROUPED_EVENTS = frozenset(
    {
        "regarding.kind",
        "regarding.name",
        "regarding.namespace",
        "regarding.uid",
        "reason",
        "type",
        "reportingController",
    }
)
"""Of events of the group `events.k8s.io`, which have other names for the same."""
_ALWAYS = frozenset({"metadata.name", "metadata.namespace"})


def by_labels(selector: str) -> Fits:
    """Return what tells whether an object's labels fit. Raises SelectorError."""
    text, requirements = selector.strip(), []
    while text:
        requirement, text = _requirement(text)
        requirements.append(requirement)
        if text:
            comma = _COMMA.match(text)
            if comma is None:
                raise SelectorError(
                    f"unable to parse requirement: found '{text}', expected: ',' or 'end of string'"
                )
            text = text[comma.end() :]

    def fits(item: Mapping[str, Any]) -> bool:
        labels = item["metadata"].get("labels", {})
        return all(holds(labels) for holds in requirements)

    return fits


def _requirement(text: str) -> tuple[Fits, str]:
    if found := _SET.match(text):
        values = {value.strip() for value in found["values"].split(",")}
        wanted = found["operator"] == "in"
        return _is_among(found["key"], values, wanted=wanted), text[found.end() :]
    if found := _EQUAL.match(text):
        wanted = found["operator"] != "!="
        return _is_among(found["key"], {found["value"]}, wanted=wanted), text[found.end() :]
    found = _EXISTS.match(text)
    if found is None or re.match(r"\s*(?:in|notin)\s*\(", text[found.end() :]):
        raise SelectorError("unable to parse requirement: found '', expected: identifier")
    key, wanted = found["key"], not found["not"]
    return (lambda labels: (key in labels) is wanted), text[found.end() :]


def _is_among(key: str, values: set[str], *, wanted: bool) -> Fits:
    return lambda labels: (labels.get(key) in values) is wanted


def by_fields(selector: str, kind: str, group: str = "") -> Fits:
    """Return what tells whether an object's fields fit. Raises SelectorError."""
    own = _GROUPED_EVENTS if kind == "Event" and group else _FIELDS.get(kind, frozenset())
    requirements = []
    for part in filter(None, selector.split(",")):
        found = re.fullmatch(r"(?P<path>[^=!]+)(?P<operator>==|!=|=)(?P<value>.*)", part)
        if found is None:
            raise SelectorError(f"invalid selector: '{part}'; can't understand '{part}'")
        if found["path"] not in _ALWAYS | own:
            raise SelectorError(f"field label not supported: {found['path']}")
        requirements.append((found["path"].split("."), found["operator"] != "!=", found["value"]))

    def fits(item: Mapping[str, Any]) -> bool:
        return all((_at(item, path) == value) is wanted for path, wanted, value in requirements)

    return fits


def _at(item: Mapping[str, Any], path: list[str]) -> str:
    found: Any = item
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return "" if found is None or isinstance(found, Mapping) else str(found)
