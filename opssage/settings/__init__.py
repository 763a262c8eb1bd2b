"""The configuration: loaded once, frozen, typed. Nothing else reads the environment."""

from opssage.settings.loading import describe, load
from opssage.settings.sections import (
    AuthSettings,
    BrokerSettings,
    CollectSettings,
    DatabaseSettings,
    DiagnoseSettings,
    EnrichSettings,
    IngestSettings,
    LoggingSettings,
    LokiSettings,
    PrometheusSettings,
    Settings,
    SourcesSettings,
    WebSettings,
    WorkerSettings,
)

__all__ = [
    "AuthSettings",
    "BrokerSettings",
    "CollectSettings",
    "DatabaseSettings",
    "DiagnoseSettings",
    "EnrichSettings",
    "IngestSettings",
    "LoggingSettings",
    "LokiSettings",
    "PrometheusSettings",
    "Settings",
    "SourcesSettings",
    "WebSettings",
    "WorkerSettings",
    "describe",
    "load",
]
