"""Everything that was answered: what is there, what is not, and what is not known to be."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from tasks.collect.kubernetes.api import Document, Found
from tasks.collect.kubernetes.sight import Key, controller_of, key_of, labels_of, selects, text


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

    def lists_chosen(self, kind: str, namespace: str, selector: str) -> bool:
        """Tell whether all objects are known that a selector, as `selector_text`, chooses."""
        return self.lists_all(kind, namespace) or any(
            answer.is_complete
            and (answer.kind, answer.question.namespace) == (kind, namespace)
            and answer.question.params == {"labelSelector": selector}
            for answer in self.found
        )

    def is_cut(self, kind: str, namespace: str = "") -> bool:
        """Tell whether there may be more objects of this kind, there or (with "") anywhere."""
        places = self._cut.get(kind, set())
        return bool({namespace, ""} & places if namespace else places)

    @cached_property
    def _cut(self) -> dict[str, set[str]]:
        """Where lists were cut, by kind."""
        cut: dict[str, set[str]] = {}
        for answer in self.found:
            if answer.is_cut and answer.question.is_of_place:
                cut.setdefault(answer.kind, set()).add(answer.question.namespace)
        return cut

    def absence(self, kind: str, namespace: str, name: str) -> str:
        """Return the question whose answer shows that an object is not there; "" for none."""
        one = {"fieldSelector": f"metadata.name={name}"}
        if self.get(kind, namespace, name) is not None:
            return ""
        return next(
            (
                answer.report.query
                for answer in self.found
                if answer.kind == kind
                and answer.is_complete
                and not answer.question.name
                and answer.question.namespace in {namespace, ""}
                and answer.question.params in ({}, one)
            ),
            "",
        )

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
