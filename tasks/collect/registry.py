"""All sources there are, and how the configuration makes them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import httpx2
import structlog

from opssage.errors import SettingsError
from opssage.graph import ServiceGraph
from opssage.settings import Settings
from opssage.settings.topology import read_topology
from tasks.collect.alertmanager import AlertmanagerSource
from tasks.collect.alerts import AlertSource
from tasks.collect.changes import ChangesSource
from tasks.collect.clients import client
from tasks.collect.kubernetes import KubernetesSource, clean_objects, cluster
from tasks.collect.loki import LokiSource
from tasks.collect.outages import Guarded
from tasks.collect.prometheus import PrometheusSource
from tasks.collect.prometheus_api import clean_series
from tasks.collect.source import Source, Unconfigured
from tasks.collect.topology_file import TopologyFile
from tasks.collect.unusable import Unusable
from tasks.collect.upstream import Upstream

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Connection:
    """Where a source is, and what asks it."""

    url: str
    client: httpx2.Client


Connect = Callable[[str], Connection | None]
"""Returns the connection to a source by its name; None when it is not configured."""


def build_sources(settings: Settings, connect: Connect | None = None) -> tuple[Source, ...]:
    """Return every source, in the order their evidence is numbered.

    A source that is not configured, or whose settings cannot be used, is there too, and says so.
    Call it after fork: sources hold connections. `connect` stands in for the configured
    connections.
    """
    connected = connect or partial(connection, settings)
    return (
        AlertSource(),
        _topology_file(settings) if connect is None else TopologyFile(ServiceGraph()),
        *(_source(name, make, connected, settings) for name, make in _MAKERS.items()),
        ChangesSource(),
    )


def source_faults(settings: Settings) -> list[str]:
    """Return why sources that are configured cannot be asked: files that are missing or damaged."""
    return [fault for name in _MAKERS for fault in _faults(settings, name)]


def _faults(settings: Settings, name: str) -> list[str]:
    try:
        made = connection(settings, name)
    except SettingsError as error:
        return error.faults
    if made is not None:
        made.client.close()
    return []


def connection(settings: Settings, name: str) -> Connection | None:
    """Return the configured connection to a source. Raises SettingsError."""
    if name in _CONNECTIONS:
        return _CONNECTIONS[name](settings)
    section = getattr(settings.sources, name)
    if section.url is None:
        return None
    made = client(section, settings.folder, section=f"sources.{name}")
    return Connection(url=section.url, client=made)


def _cluster(settings: Settings) -> Connection | None:
    section = settings.sources.kubernetes
    if section.config is None:
        return None
    url, made = cluster(section, settings.folder)
    return Connection(url=url, client=made)


_CONNECTIONS: Mapping[str, Callable[[Settings], Connection | None]] = {"kubernetes": _cluster}
"""Sources whose connection is not made of a URL and its credentials."""


def _topology_file(settings: Settings) -> TopologyFile:
    """Return the calls in the topology file, if there is one."""
    file = settings.sources.topology_file
    if file is None:
        return TopologyFile(ServiceGraph())
    try:
        return TopologyFile(read_topology(settings.folder / file))
    except SettingsError as error:
        return TopologyFile(ServiceGraph(), fault=_logged(TopologyFile.name, error))


def _logged(source: str, error: SettingsError) -> str:
    """Say in the log that a source cannot be used, and return why."""
    fault = "; ".join(error.faults)
    log.error("collect.source_unusable", source=source, fault=fault)
    return fault


def _source(name: str, make: "Maker", connect: Connect, settings: Settings) -> Source:
    try:
        connected = connect(name)
    except SettingsError as error:
        return Unusable(name=name, fault=_logged(name, error))
    if connected is None:
        return Unconfigured(name=name, key="config" if name in _CONNECTIONS else "url")
    section = getattr(settings.sources, name)
    upstream = partial(
        Upstream,
        source=name,
        url=connected.url,
        client=connected.client,
        timeout_seconds=min(section.timeout_seconds, settings.collect.deadline_seconds),
        memory_seconds=settings.collect.memory_seconds,
    )
    return Guarded(make(upstream, settings), is_witness=name != AlertmanagerSource.name)


def _prometheus(upstream: Callable[..., Upstream], _: Settings) -> Source:
    return PrometheusSource(upstream(clean=clean_series))


def _loki(upstream: Callable[..., Upstream], settings: Settings) -> Source:
    return LokiSource(upstream(), max_lines=settings.sources.loki.max_lines)


def _kubernetes(upstream: Callable[..., Upstream], settings: Settings) -> Source:
    made = upstream(clean=clean_objects)
    return KubernetesSource(made, log_lines=settings.sources.kubernetes.log_lines)


def _alertmanager(upstream: Callable[..., Upstream], _: Settings) -> Source:
    return AlertmanagerSource(upstream())


Maker = Callable[[Callable[..., Upstream], Settings], Source]

_MAKERS: Mapping[str, Maker] = {
    "prometheus": _prometheus,
    "kubernetes": _kubernetes,
    "loki": _loki,
    "alertmanager": _alertmanager,
}
