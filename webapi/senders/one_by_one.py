"""Reading a list of alerts so that a bad one costs only itself."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import marshmallow as ma

from opssage.incident import Alert, Reject
from webapi.fields import clean

MAX_REJECTS = 100
"""Rejects of one request that are named and kept; a small body may hold many thousands."""
MAX_REASON_CHARS = 1000
_MAX_FAULTS = 8
_NAME_CHARS = 64
NO_LIMIT = sys.maxsize


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What a list of alerts was read as."""

    alerts: tuple[Alert, ...]
    rejects: tuple[Reject, ...]
    more_rejects: int  #: further ones, which are counted only


def one_by_one(
    listed: Sequence[Any], read: Callable[[Any], Alert], max_alerts: int, place: str = "alerts"
) -> Reading:
    """Read each item of a request's list; `place` is what reasons call the list.

    What `read` raises a ValidationError for becomes a reject, and so does an alert with the
    fingerprint of another one, and what is beyond `max_alerts`; those beyond `MAX_REJECTS` are
    counted.
    """
    alerts: list[Alert] = []
    known: dict[str, Mapping[str, str]] = {}
    rejects: list[Reject] = []
    bad = 0
    for index, item in enumerate(listed[:max_alerts]):
        try:
            alert = read(item)
            _check_fingerprint(alert, known)
            alerts.append(alert)
        except ma.ValidationError as error:
            bad += 1
            if bad <= MAX_REJECTS:
                reason = _reason(error.messages_dict, f"{place}[{index}]")
                rejects.append(_reject(index, reason, item))
    rejects.extend(
        _reject(index, _beyond(f"{place}[{index}]", max_alerts), listed[index])
        for index in range(max_alerts, len(listed))[: MAX_REJECTS - len(rejects)]
    )
    return Reading(
        alerts=tuple(alerts),
        rejects=tuple(rejects),
        more_rejects=len(listed) - len(alerts) - len(rejects),
    )


def _check_fingerprint(alert: Alert, known: dict[str, Mapping[str, str]]) -> None:
    """Refuse an alert that would be taken for another one, and `known` tells which there are."""
    if known.setdefault(alert.fingerprint, alert.labels) != alert.labels:
        told = "That of another alert in this request, which has other labels; leave it out."
        raise ma.ValidationError({"fingerprint": [told]})


def _beyond(path: str, max_alerts: int) -> str:
    return (
        f"{path}: beyond the {max_alerts} alerts of one request that ingest.max_alerts allows; "
        "raise it, or let the sender send fewer at a time: max_alerts of Alertmanager's "
        "webhook_configs, or a finer group_by"
    )


def _reject(index: int, reason: str, item: Any) -> Reject:
    return Reject(index=index, reason=reason, raw=clean(json.dumps(item, default=str)))


def _reason(faults: Any, path: str) -> str:
    """Return the first faults as one text: an alert may have hundreds, with names of any length."""
    told = list(_told(faults, path))
    more = len(told) - _MAX_FAULTS
    reason = "; ".join(told[:_MAX_FAULTS])
    return (f"{reason}; and {more} more" if more > 0 else reason)[:MAX_REASON_CHARS]


def _told(faults: Any, path: str) -> Iterator[str]:
    """Yield `path: fault` for every leaf of marshmallow's messages."""
    if isinstance(faults, dict):
        for name, inner in faults.items():
            yield from _told(inner, path if name == "_schema" else f"{path}.{name:.{_NAME_CHARS}}")
    else:
        yield f"{path}: {' '.join(str(fault) for fault in faults)}"
