"""What is seen of an object: facts, problems, and the objects around it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from opssage.wire import format_time, parse_time
from tasks.collect.kubernetes.api import Document

MAX_MESSAGE = 500

Key = tuple[str, str, str]
"""Kind, namespace and name of an object."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """Something wrong with an object, in Kubernetes' own words."""

    reason: str
    message: str = ""
    container: str = ""
    at: datetime | None = None

    def to_json(self) -> dict[str, str]:
        """Return what is known of it."""
        found = {
            "reason": self.reason,
            "message": " ".join(self.message.split())[:MAX_MESSAGE],
            "container": self.container,
            "at": "" if self.at is None else format_time(self.at),
        }
        return {key: text for key, text in found.items() if text or key == "message"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Sight:
    """An object as it was seen."""

    facts: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


def key_of(item: Document) -> Key:
    """Return kind, namespace ("" for objects of the cluster) and name."""
    metadata = mapping(item, "metadata")
    return (
        str(item.get("kind", "")),
        str(metadata.get("namespace") or ""),
        str(metadata.get("name") or ""),
    )


def controller_of(item: Document) -> Key | None:
    """Return the object that made this one; None for one that stands by itself."""
    metadata = mapping(item, "metadata")
    for owner in mappings(metadata, "ownerReferences"):
        if owner.get("controller"):
            namespace = str(metadata.get("namespace") or "")
            return str(owner.get("kind", "")), namespace, str(owner.get("name", ""))
    return None


def mapping(item: Any, *path: str) -> Mapping[str, Any]:
    """Return the mapping at a path; empty where there is none."""
    for key in path:
        item = item.get(key) if isinstance(item, Mapping) else None
    return item if isinstance(item, Mapping) else {}


def mappings(item: Any, *path: str) -> list[Mapping[str, Any]]:
    """Return the list of mappings at a path; empty where there is none."""
    found = mapping(item, *path[:-1]).get(path[-1])
    if not isinstance(found, list):
        return []
    return [each for each in found if isinstance(each, Mapping)]


def text(item: Any, *path: str) -> str:
    """Return the text or number at a path; empty where there is none."""
    found = mapping(item, *path[:-1]).get(path[-1])
    return "" if found is None or isinstance(found, dict | list) else str(found)


def whole(item: Any, *path: str) -> int:
    """Return the whole number at a path; 0 where there is none."""
    found = mapping(item, *path[:-1]).get(path[-1])
    return found if isinstance(found, int) else 0


def moment(item: Any, *path: str) -> datetime | None:
    """Return the time at a path; None where there is none."""
    try:
        return parse_time(text(item, *path))
    except ValueError:
        return None


def told(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what says something: no empty texts, lists and mappings, no None."""
    return {key: value for key, value in values.items() if value not in ("", None, [], {}, ())}


def time_text(at: datetime | None) -> str:
    """Return a time as evidence holds it; "" for none."""
    return "" if at is None else format_time(at)


def conditions(item: Document) -> dict[str, Mapping[str, Any]]:
    """Return an object's conditions by type."""
    return {text(each, "type"): each for each in mappings(item, "status", "conditions")}


def from_conditions(
    item: Document, bad: Mapping[str, tuple[str, str]], *, otherwise: str = ""
) -> Iterator[Problem]:
    """Yield the conditions that are as they should not be.

    `bad` holds by type the statuses that are wrong, and the reason to give; where that is empty
    the condition's own reason is it. With `otherwise`, a condition of a type that is not in `bad`
    is wrong with that status.
    """
    for kind, each in conditions(item).items():
        statuses, reason = bad.get(kind, (otherwise, kind))
        if text(each, "status") in statuses.split():
            yield Problem(
                reason=reason or text(each, "reason") or kind,
                message=_words(each, with_reason=bool(reason)),
                at=moment(each, "lastTransitionTime"),
            )


def _words(condition: Mapping[str, Any], *, with_reason: bool) -> str:
    parts = (text(condition, "reason") if with_reason else "", text(condition, "message"))
    return ": ".join(part for part in parts if part)


def selects(selector: Mapping[str, Any], labels: Mapping[str, Any]) -> bool:
    """Tell whether a map of labels, as Services have it, chooses something with these labels."""
    return all(labels.get(key) == value for key, value in selector.items())


def selects_by(selector: Mapping[str, Any], labels: Mapping[str, Any]) -> bool:
    """Tell whether a label selector chooses something with these labels; an empty one does."""
    return selects(mapping(selector, "matchLabels"), labels) and all(
        _meets(requirement, labels) for requirement in mappings(selector, "matchExpressions")
    )


def _meets(requirement: Mapping[str, Any], labels: Mapping[str, Any]) -> bool:
    key, operator = text(requirement, "key"), text(requirement, "operator")
    if operator in {"Exists", "DoesNotExist"}:
        return (key in labels) == (operator == "Exists")
    values = requirement.get("values") or []
    return (labels.get(key) in values) == (operator == "In")


def selector_text(selector: Mapping[str, Any]) -> str:
    """Return a label selector as the API takes it: `app=web,tier in (a,b)`."""
    labels = mapping(selector, "matchLabels")
    terms = [f"{key}={value}" for key, value in sorted(labels.items())]
    for each in mappings(selector, "matchExpressions"):
        key, operator = text(each, "key"), text(each, "operator")
        values = ",".join(map(str, each.get("values") or ()))
        terms.append(_TERMS.get(operator, "{key}").format(key=key, values=values))
    return ",".join(terms)


_TERMS = {"In": "{key} in ({values})", "NotIn": "{key} notin ({values})", "DoesNotExist": "!{key}"}


def labels_of(item: Document) -> Mapping[str, Any]:
    """Return an object's labels."""
    return mapping(item, "metadata", "labels")


def names(items: Iterable[Any]) -> list[str]:
    """Return distinct texts in their order, without empty ones."""
    return list(dict.fromkeys(str(item) for item in items if item))


def first(items: Sequence[Any], most: int) -> list[Any]:
    """Return the first so many."""
    return list(items[:most])
