"""All sources there are, and how the configuration makes them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import httpx2

from opssage.settings import Settings
from tasks.collect.alerts import AlertSource
from tasks.collect.clients import client
from tasks.collect.loki import LokiSource
from tasks.collect.outages import Guarded
from tasks.collect.prometheus import PrometheusSource
from tasks.collect.prometheus_api import clean_series
from tasks.collect.source import Source, Unconfigured
from tasks.collect.upstream import Upstream


@dataclass(frozen=True, kw_only=True, slots=True)
class Connection:
    """Where a source is, and what asks it."""

    url: str
    client: httpx2.Client


Connect = Callable[[str], Connection | None]
"""Returns the connection to a source by its name; None when it is not configured."""


def build_sources(settings: Settings, connect: Connect | None = None) -> tuple[Source, ...]:
    """Return every source, in the order their evidence is numbered.

    A source that is not configured is there too, and says so. Call it after fork: sources hold
    connections. Raises SettingsError. `connect` stands in for the configured connections.
    """
    connected = connect or partial(connection, settings)
    return (
        AlertSource(),
        *(_source(name, make, connected(name), settings) for name, make in _MAKERS.items()),
    )


def connection(settings: Settings, name: str) -> Connection | None:
    """Return the configured connection to a source. Raises SettingsError."""
    section = getattr(settings.sources, name)
    if section.url is None:
        return None
    made = client(section, settings.folder, section=f"sources.{name}")
    return Connection(url=section.url, client=made)


def _source(name: str, make: "Maker", connected: Connection | None, settings: Settings) -> Source:
    if connected is None:
        return Unconfigured(name=name)
    section = getattr(settings.sources, name)
    upstream = partial(
        Upstream,
        source=name,
        url=connected.url,
        client=connected.client,
        timeout_seconds=min(section.timeout_seconds, settings.collect.deadline_seconds),
    )
    return Guarded(make(upstream, settings))


def _prometheus(upstream: Callable[..., Upstream], _: Settings) -> Source:
    return PrometheusSource(upstream(clean=clean_series))


def _loki(upstream: Callable[..., Upstream], settings: Settings) -> Source:
    return LokiSource(upstream(), max_lines=settings.sources.loki.max_lines)


Maker = Callable[[Callable[..., Upstream], Settings], Source]

_MAKERS: Mapping[str, Maker] = {
    "prometheus": _prometheus,
    "loki": _loki,
}
