"""An incident diagnosed again from its bundle: the same questions, and the answers of then.

Nothing is connected. What enrich added is taken as it was: runbooks and past incidents are the
team's knowledge at the time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from cattrs import BaseValidationError

from opssage.evidence import PrimaryContext
from opssage.incident import Incident, Status
from opssage.knowledge import EnhancedContext
from opssage.wire import canonical, from_json, to_json
from tasks.bundle import Bundle, BundleError
from tasks.collect import build_sources, collect
from tasks.collect.playback import Playback, connect
from tasks.collect.recording import Recording
from tasks.collect.tape import replaying
from tasks.diagnose import diagnose

_LEFT_OUT = frozenset(
    {"incident_id", "previous_id", "created_at", "updated_at", "duration_seconds"}
)
"""Names and times of a run, which are not the same twice; docs/architecture.md lists them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Replayed:
    """The documents that came of it, as JSON."""

    primary_context: Mapping[str, Any]
    diagnostic_report: Mapping[str, Any]


def replay(bundle: Bundle) -> Replayed:
    """Collect and diagnose again. Raises BundleError when what enrich added cannot be read."""
    recording = bundle.recording
    try:
        enhanced = from_json(bundle.incident["enhanced_context"], EnhancedContext)
    except (BaseValidationError, TypeError, ValueError, OverflowError) as error:
        raise BundleError("a damaged bundle: incident.enhanced_context") from error
    primary = _through_json(_collected(recording))
    context = from_json(primary, PrimaryContext)
    report = diagnose(context, enhanced, recording.settings.diagnose)
    return Replayed(primary_context=primary, diagnostic_report=_through_json(report))


def _collected(recording: Recording) -> PrimaryContext:
    settings = recording.settings
    sources = build_sources(settings, connect(Playback(recording.exchanges), settings))
    incident = Incident(
        incident_id=UUID(int=0),
        status=Status.PENDING,
        created_at=recording.now,
        updated_at=recording.now,
        alert_name=recording.alert_name,
        severity="",
        alert_seq=recording.alert_seq,
    )
    with replaying(recording.matters):
        return collect(
            incident,
            recording.alerts,
            sources,
            settings.collect,
            recording.now,
            recording.changes,
        )


def _through_json(value: object) -> dict[str, Any]:
    """Return a document as the next stage reads it."""
    document: dict[str, Any] = orjson.loads(orjson.dumps(to_json(value)))
    return document


def differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the keys of two documents under which they are not byte for byte the same."""
    return tuple(
        key
        for key in sorted({*one, *other})
        if comparable(one.get(key)) != comparable(other.get(key))
    )


def comparable(document: object) -> bytes:
    """Return the one byte form of a document, without what is not the same twice."""
    return canonical(_without(document))


def _without(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without(item) for key, item in value.items() if key not in _LEFT_OUT}
    if isinstance(value, list | tuple):
        return [_without(item) for item in value]
    return value
