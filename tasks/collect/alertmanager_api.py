"""Alertmanager's answers, version 2 of its API, as our own words.

https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from opssage.errors import SourceError
from opssage.incident import Alert
from opssage.matching import has_labels
from opssage.wire import parse_time

T = TypeVar("T")

_TEXT_CHARS = 2000
_MOST_TEXTS = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class ActiveAlert:
    """An alert that has not ended, and what keeps it quiet."""

    alert: Alert
    silenced_by: tuple[str, ...]  #: ids of silences
    inhibited_by: tuple[str, ...]  #: fingerprints of alerts


@dataclass(frozen=True, kw_only=True, slots=True)
class Matcher:
    """One condition on a label."""

    name: str
    value: str
    is_regex: bool
    is_equal: bool

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether labels meet it. Raises ValueError for a pattern that is none."""
        text = labels.get(self.name, "")
        found = (
            has_labels([(self.name, self.value)], labels) if self.is_regex else text == self.value
        )
        return found is self.is_equal

    def __str__(self) -> str:
        return f'{self.name}{"=" if self.is_equal else "!"}{self._sign}"{self.value}"'

    @property
    def _sign(self) -> str:
        if self.is_regex:
            return "~"
        return "" if self.is_equal else "="


@dataclass(frozen=True, kw_only=True, slots=True)
class Silence:
    """Alerts of which nobody is told for a while."""

    silence_id: str
    matchers: tuple[Matcher, ...]
    starts_at: datetime
    ends_at: datetime
    created_by: str
    comment: str

    def covers(self, labels: Mapping[str, str]) -> bool:
        """Tell whether an alert with these labels is silenced by it."""
        return bool(self.matchers) and all(each.matches(labels) for each in self.matchers)


def list_in(body: object) -> Sequence[Any]:
    """Return the list that an answer is. Raises SourceError when it is none."""
    if not isinstance(body, list):
        raise SourceError("the answer is no list: is this an Alertmanager, 0.16 or newer?")
    return body


def read_all(items: Iterable[Any], read: Callable[[Any], T]) -> tuple[list[T], int]:
    """Return what can be read, and how many cannot."""
    found, unread = [], 0
    for item in items:
        try:
            found.append(read(item))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            unread += 1
    return found, unread


def read_alert(item: Mapping[str, Any]) -> ActiveAlert:
    """Return a `gettableAlert`."""
    status = item.get("status") or {}
    return ActiveAlert(
        alert=Alert(
            labels=_texts(item["labels"]),
            annotations=_texts(item.get("annotations") or {}),
            starts_at=parse_time(item["startsAt"]),
            fingerprint=str(item["fingerprint"]),
            generator_url=str(item.get("generatorURL") or ""),
        ),
        silenced_by=tuple(sorted(map(str, status.get("silencedBy") or ()))),
        inhibited_by=tuple(sorted(map(str, status.get("inhibitedBy") or ()))),
    )


def read_silence(item: Mapping[str, Any]) -> Silence:
    """Return a `gettableSilence`."""
    return Silence(
        silence_id=str(item["id"]),
        matchers=tuple(_matcher(each) for each in item["matchers"]),
        starts_at=parse_time(item["startsAt"]),
        ends_at=parse_time(item["endsAt"]),
        created_by=_cut(item.get("createdBy")),
        comment=_cut(item.get("comment")),
    )


def _matcher(item: Mapping[str, Any]) -> Matcher:
    value = str(item["value"])
    if len(value) > _TEXT_CHARS:
        raise ValueError("a part of a pattern matches something else")
    matcher = Matcher(
        name=str(item["name"]),
        value=value,
        is_regex=bool(item["isRegex"]),
        is_equal=bool(item.get("isEqual", True)),  # since 0.22
    )
    matcher.matches({})  # raises for a pattern that is none
    return matcher


def _texts(named: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): _cut(text) for name, text in sorted(named.items())[:_MOST_TEXTS]}


def _cut(text: object) -> str:
    return str(text or "")[:_TEXT_CHARS]
