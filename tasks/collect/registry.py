"""All sources there are, and how the configuration makes them."""

from opssage.settings import CollectSettings, LokiSettings, PrometheusSettings, SourcesSettings
from tasks.collect.alerts import AlertSource
from tasks.collect.loki import LokiSource
from tasks.collect.outages import Guarded
from tasks.collect.prometheus import PrometheusSource
from tasks.collect.source import Source, Unconfigured


def build_sources(settings: SourcesSettings, collect: CollectSettings) -> tuple[Source, ...]:
    """Return every source, in the order their evidence is numbered.

    A source without a URL is there too, and says that it is not configured. Call it after fork:
    sources hold connections.
    """
    longest = collect.deadline_seconds
    return (
        AlertSource(),
        _prometheus(settings.prometheus, longest),
        _loki(settings.loki, longest),
    )


def _prometheus(settings: PrometheusSettings, longest: float) -> Source:
    if settings.url is None:
        return Unconfigured(name=PrometheusSource.name)
    return Guarded(
        PrometheusSource(
            url=settings.url,
            timeout_seconds=min(settings.timeout_seconds, longest),
            bearer_token=settings.bearer_token,
            tenant=settings.tenant,
        )
    )


def _loki(settings: LokiSettings, longest: float) -> Source:
    if settings.url is None:
        return Unconfigured(name=LokiSource.name)
    return Guarded(
        LokiSource(
            url=settings.url,
            timeout_seconds=min(settings.timeout_seconds, longest),
            max_lines=settings.max_lines,
            bearer_token=settings.bearer_token,
            tenant=settings.tenant,
        )
    )
