"""What is seen of an object: facts, problems, and the objects around it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from opssage.wire import format_time, parse_time
from tasks.collect.kubernetes.api import Document, Found

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


@dataclass(frozen=True, kw_only=True)
class Known:
    """Everything that was answered, for reading one object beside others."""

    found: tuple[Found, ...]
    since: datetime  #: what ended before is history
    now: datetime

    @cached_property
    def _by_kind(self) -> dict[str, dict[Key, Document]]:
        kinds: dict[str, dict[Key, Document]] = {}
        for answer in self.found:
            for item in answer.items:
                kinds.setdefault(answer.kind, {}).setdefault(key_of(item), item)
        return kinds

    @cached_property
    def _by_place(self) -> dict[tuple[str, str], tuple[Document, ...]]:
        places: dict[tuple[str, str], list[Document]] = {}
        for items in self._by_kind.values():
            for key, item in items.items():
                places.setdefault(key[:2], []).append(item)
        return {place: tuple(items) for place, items in places.items()}

    @cached_property
    def _lists(self) -> frozenset[tuple[str, str]]:
        """Kinds and namespaces of which everything is known; "" stands for all namespaces."""
        return frozenset(
            (answer.kind, answer.question.namespace)
            for answer in self.found
            if answer.is_complete and not answer.question.name and not answer.question.params
        )

    def all(self, kind: str, namespace: str | None = None) -> tuple[Document, ...]:
        """Return the objects of a kind, in one namespace or anywhere."""
        if namespace is None:
            return tuple(self._by_kind.get(kind, {}).values())
        return self._by_place.get((kind, namespace), ())

    def get(self, kind: str, namespace: str, name: str) -> Document | None:
        """Return an object, if it was seen."""
        return self._by_kind.get(kind, {}).get((kind, namespace, name))

    def lists_all(self, kind: str, namespace: str = "") -> bool:
        """Tell whether an object of this kind that was not seen is not there."""
        return bool({(kind, namespace), (kind, "")} & self._lists)

    def query(self, kind: str, namespace: str = "") -> str:
        """Return how all objects of a kind in a namespace were asked for."""
        return next(
            (
                answer.report.query
                for answer in self.found
                if answer.kind == kind and answer.question.namespace in {namespace, ""}
            ),
            "",
        )

    def chosen_pods(self, namespace: str, selector: Mapping[str, Any]) -> tuple[Document, ...]:
        """Return the pods of a namespace whose labels a Service's selector chooses."""
        fewest = min(
            (self._by_label.get((namespace, key, value), ()) for key, value in selector.items()),
            key=len,
            default=self.all("Pod", namespace),
        )
        return tuple(pod for pod in fewest if selects(selector, labels_of(pod)))

    @cached_property
    def _by_label(self) -> dict[tuple[str, str, Any], tuple[Document, ...]]:
        labelled: dict[tuple[str, str, Any], list[Document]] = {}
        for pod in self.all("Pod"):
            for key, value in labels_of(pod).items():
                labelled.setdefault((key_of(pod)[1], key, value), []).append(pod)
        return {label: tuple(pods) for label, pods in labelled.items()}

    def on_node(self, node: str) -> tuple[Document, ...] | None:
        """Return the pods of a node, of all namespaces; None when not all of them were seen."""
        selector = {"fieldSelector": f"spec.nodeName={node}"}
        is_known = self.lists_all("Pod") or any(
            answer.kind == "Pod" and answer.is_complete and answer.question.params == selector
            for answer in self.found
        )
        if not is_known:
            return None
        return tuple(pod for pod in self.all("Pod") if text(pod, "spec", "nodeName") == node)

    def owner(self, item: Document) -> Key:
        """Return what stands at the top of an object's chain of owners: itself without one.

        A pod's label tells of the Deployment where its ReplicaSet was not seen.
        """
        key = key_of(item)
        if key not in self._owners:
            self._owners[key] = self._top(key, item)
        return self._owners[key]

    @cached_property
    def _owners(self) -> dict[Key, Key]:
        return {}

    def pods_of(self, namespace: str, workload: str) -> tuple[Document, ...]:
        """Return the pods of a workload."""
        return self._by_owner.get((namespace, workload), ())

    @cached_property
    def _by_owner(self) -> dict[tuple[str, str], tuple[Document, ...]]:
        owned: dict[tuple[str, str], list[Document]] = {}
        for pod in self.all("Pod"):
            _, namespace, name = self.owner(pod)
            owned.setdefault((namespace, name), []).append(pod)
        return {owner: tuple(pods) for owner, pods in owned.items()}

    def _top(self, key: Key, item: Document) -> Key:
        seen = {key}
        suffix = f"-{labels_of(item).get('pod-template-hash')}"
        while (above := controller_of(item)) is not None and above not in seen:
            key = above
            seen.add(above)
            item = self.get(*above) or {}
        kind, namespace, name = key
        if kind == "ReplicaSet" and not item and name.endswith(suffix):
            return "Deployment", namespace, name.removesuffix(suffix)
        return key


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


def labels_of(item: Document) -> Mapping[str, Any]:
    """Return an object's labels."""
    return mapping(item, "metadata", "labels")


def names(items: Iterable[Any]) -> list[str]:
    """Return distinct texts in their order, without empty ones."""
    return list(dict.fromkeys(str(item) for item in items if item))


def first(items: Sequence[Any], most: int) -> list[Any]:
    """Return the first so many."""
    return list(items[:most])
