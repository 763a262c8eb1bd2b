"""Bundles of investigations that have just been made."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx2
import orjson

from opssage.evidence import PrimaryContext
from opssage.incident import Alert, Incident, Status
from opssage.knowledge import EnhancedContext
from opssage.settings import Settings
from opssage.wire import format_time, from_json, to_json
from tasks import bundle
from tasks.collect import build_sources, collect
from tasks.collect.recording import Recording, pack
from tasks.collect.registry import Connection
from tasks.collect.tape import recording
from tasks.diagnose import diagnose

INCIDENT_ID = "019a0000-0000-7000-8000-000000000001"


def investigated(
    alerts: Sequence[Alert],
    now: datetime,
    settings: Settings,
    transport: httpx2.BaseTransport | None = None,
    **changes: Any,
) -> bytes:
    """Collect by that network, or without any source, and diagnose; returns the bundle.

    Changes are of the diagnosis that is stored.
    """
    incident = Incident(
        incident_id=UUID(INCIDENT_ID),
        status=Status.COMPLETED,
        created_at=now,
        updated_at=now,
        alert_name=alerts[0].name,
        severity=alerts[0].severity,
    )
    client = httpx2.Client(transport=transport)
    there = Connection(url="http://there", client=client) if transport else None
    sources = build_sources(settings, lambda _: there)
    with recording() as tape:
        context = collect(incident, alerts, sources, settings.collect, now)
    heard = Recording(
        alert_name=incident.alert_name,
        alert_seq=incident.alert_seq,
        now=now,
        alerts=tuple(alerts),
        settings=settings,
        exchanges=tape.exchanges,
        matters=tape.matters,
    )
    primary = orjson.loads(orjson.dumps(to_json(context)))
    report = diagnose(from_json(primary, PrimaryContext), EnhancedContext(), settings.diagnose)
    shown = ("incident_id", "status", "revision", "alert_name", "severity")
    told = {
        **{name: getattr(incident, name) for name in (*shown, "namespace", "service")},
        "resolved_at": None,
        "created_at": format_time(now),
        "primary_context": primary,
        "enhanced_context": to_json(EnhancedContext()),
        "diagnostic_report": {**to_json(report), **changes},
    }
    return bundle.write(orjson.dumps(told), pack(heard) or b"")
