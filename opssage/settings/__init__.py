"""The configuration: loaded once, frozen, typed.

No process takes a setting from anywhere else. `opssage up` looks at the environment too, but only
to hand it on, completed, to the processes it starts.
"""

from opssage.settings.faults import is_loopback
from opssage.settings.loading import describe, load
from opssage.settings.sections import (
    AlertmanagerSettings,
    AuthSettings,
    BrokerSettings,
    CollectSettings,
    DatabaseSettings,
    DiagnoseSettings,
    EnrichSettings,
    GrafanaSettings,
    HttpSource,
    IgnoredAlerts,
    IngestSettings,
    KubernetesSettings,
    LoggingSettings,
    LokiSettings,
    NotifySettings,
    NotifyTarget,
    PrometheusSettings,
    Settings,
    SourcesSettings,
    WebSettings,
    WorkerSettings,
)

__all__ = [
    "AlertmanagerSettings",
    "AuthSettings",
    "BrokerSettings",
    "CollectSettings",
    "DatabaseSettings",
    "DiagnoseSettings",
    "EnrichSettings",
    "GrafanaSettings",
    "HttpSource",
    "IgnoredAlerts",
    "IngestSettings",
    "KubernetesSettings",
    "LoggingSettings",
    "LokiSettings",
    "NotifySettings",
    "NotifyTarget",
    "PrometheusSettings",
    "Settings",
    "SourcesSettings",
    "WebSettings",
    "WorkerSettings",
    "describe",
    "is_loopback",
    "load",
]
