"""Every setting: its name, default, kind, and the environment variable that may give it.

A setting is one line here and one in config.yaml.
"""

from dataclasses import dataclass
from pathlib import Path

from opssage.notification import Event
from opssage.settings.kinds import (
    broker_url,
    choice,
    credential,
    database_url,
    flag,
    header_name,
    host_names,
    label_names,
    label_patterns,
    seconds,
    severities,
    share,
    target_name,
    target_url,
    text,
    web_url,
    whole,
    words,
)
from opssage.settings.schema import many


@dataclass(frozen=True, kw_only=True, slots=True)
class DatabaseSettings:
    """Where incidents are kept."""

    url: str | None = database_url(None, env="DATABASE_URL")  #: None: SQLite under `folder`
    echo: bool = flag(default=False)
    pool_size: int = whole(10)
    max_overflow: int = whole(20, least=0)

    @property
    def has_default_password(self) -> bool:
        """True while the database has the password that docker-compose.yml falls back to."""
        return ":opssage_dev@" in (self.url or "")


@dataclass(frozen=True, kw_only=True, slots=True)
class BrokerSettings:
    """The buffer of work that is ready."""

    url: str = broker_url("redis://127.0.0.1:6379/0", env="OPSSAGE_BROKER_URL")


@dataclass(frozen=True, kw_only=True, slots=True)
class WebSettings:
    """The HTTP door."""

    host: str = text("127.0.0.1", env="OPSSAGE_HOST")
    port: int = whole(8000, most=65535, env="OPSSAGE_PORT")
    public_url: str | None = web_url(
        None, example="https://opssage.example.com", env="OPSSAGE_PUBLIC_URL"
    )  #: None: `base_url` falls back to localhost
    max_body_bytes: int = whole(10485760)
    threads: int = whole(8)
    processes: int = whole(2)
    reads_per_minute: int = whole(1200, least=0)  #: of one caller and process; 0: no limit

    @property
    def base_url(self) -> str:
        """The address that links start with, without a slash at its end."""
        return (self.public_url or f"http://localhost:{self.port}").rstrip("/")


@dataclass(frozen=True, kw_only=True, slots=True)
class AuthSettings:
    """Who may call the API."""

    mode: str = choice("open", "token", env="OPSSAGE_AUTH_MODE", may_be_null=True)
    token: str | None = text(
        None,
        example="the output of: openssl rand -hex 32",
        env="OPSSAGE_TOKEN",
        secret=True,
        least=16,
    )  #: one that may do everything, beside those that are stored
    session_seconds: float = seconds(43_200)


@dataclass(frozen=True, kw_only=True, slots=True)
class LoggingSettings:
    """What is logged, and how it looks."""

    level: str = choice("info", "debug", "warning", "error", "critical", env="OPSSAGE_LOG_LEVEL")
    format: str = choice("auto", "json", "console", env="OPSSAGE_LOG_FORMAT")


@dataclass(frozen=True, kw_only=True, slots=True)
class GrafanaSettings:
    """How a webhook of Grafana is checked when it signs what it sends."""

    secret: str | None = text(
        None,
        example="the output of: openssl rand -hex 32",
        env="OPSSAGE_GRAFANA_SECRET",
        secret=True,
        least=16,
    )
    timestamp_header: str | None = header_name(example="X-Grafana-Alerting-Timestamp")
    skew_seconds: float = seconds(300)


@dataclass(frozen=True, kw_only=True, slots=True)
class IgnoredAlerts:
    """Alerts that open no incident."""

    labels: tuple[tuple[str, str], ...] = label_patterns(required=True)  #: it has to match them all


@dataclass(frozen=True, kw_only=True, slots=True)
class IngestSettings:
    """How alerts become incidents."""

    group_by: tuple[str, ...] = label_names()  #: empty: all labels
    ignore: tuple[IgnoredAlerts, ...] = many(
        IgnoredAlerts,
        expects="a list of labels to match",
        example="[{labels: {severity: info}}]",
    )
    max_alerts: int = whole(5000)
    backlog_max: int = whole(10_000)
    drift_seconds: int = whole(300, least=0)
    late_seconds: int = whole(20, least=0)
    reopen_seconds: int = whole(900, least=0)
    stale_seconds: float = seconds(86_400)
    resolve_seconds: float = seconds(300)
    episode_max_seconds: float = seconds(86_400)
    flap_max: int = whole(5)
    watchdog_seconds: float | None = seconds(None)
    grafana: GrafanaSettings = GrafanaSettings()


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerSettings:
    """How stages are handed out and taken back."""

    concurrency: int = whole(2)
    lease_seconds: float = seconds(20)
    heartbeat_seconds: float = seconds(5)
    dispatch_seconds: float = seconds(2)
    resend_seconds: float = seconds(20)
    max_attempts: int = whole(5)
    high_water: int = whole(64)
    stage_seconds: int = whole(120, least=5, most=600)
    canary_seconds: float = seconds(30)
    silence_seconds: float = seconds(180)


@dataclass(frozen=True, kw_only=True, slots=True)
class CollectSettings:
    """How far and how long collect looks."""

    deadline_seconds: float = seconds(20)
    settle_seconds: int = whole(120, least=0)
    baseline_seconds: int = whole(1800)
    max_alerts: int = whole(200)
    max_points: int = whole(120, least=2)
    max_series: int = whole(40)
    outage_seconds: int = whole(60, least=0)
    changes_seconds: int = whole(86_400, least=0)
    memory_seconds: int = whole(300, least=0)


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpSource:
    """A source that is asked over HTTP; not asked without a URL."""

    url: str | None = web_url(None, example="http://prometheus:9090")
    bearer_token: str | None = credential()
    username: str | None = text(None, example="opssage")
    password: str | None = text(None, example="a password", secret=True)
    tenant: str | None = text(None, example="team-a")
    ca_file: str | None = text(None, example="./ca.pem")
    cert_file: str | None = text(None, example="./client.pem")
    key_file: str | None = text(None, example="./client-key.pem")
    timeout_seconds: float = seconds(5)


@dataclass(frozen=True, kw_only=True, slots=True)
class PrometheusSettings(HttpSource):
    """The Prometheus to ask, or what speaks its API."""

    url: str | None = web_url(None, example="http://prometheus:9090", env="PROMETHEUS_URL")
    bearer_token: str | None = credential(env="PROMETHEUS_TOKEN")


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertmanagerSettings(HttpSource):
    """The Alertmanager to ask what else fires and what is silenced."""

    url: str | None = web_url(None, example="http://alertmanager:9093", env="ALERTMANAGER_URL")
    bearer_token: str | None = credential(env="ALERTMANAGER_TOKEN")


@dataclass(frozen=True, kw_only=True, slots=True)
class LokiSettings(HttpSource):
    """The Loki to ask."""

    url: str | None = web_url(None, example="http://loki:3100", env="LOKI_URL")
    bearer_token: str | None = credential(env="LOKI_TOKEN")
    max_lines: int = whole(2000, most=5000)


@dataclass(frozen=True, kw_only=True, slots=True)
class KubernetesSettings:
    """The cluster to ask; not asked without `config`."""

    config: str | None = text(None, example="in-cluster", env="OPSSAGE_KUBECONFIG")
    context: str | None = text(None, example="production")
    timeout_seconds: float = seconds(5)
    log_lines: int = whole(200, least=0, most=5000)


@dataclass(frozen=True, kw_only=True, slots=True)
class SourcesSettings:
    """Where collect asks."""

    prometheus: PrometheusSettings = PrometheusSettings()
    alertmanager: AlertmanagerSettings = AlertmanagerSettings()
    kubernetes: KubernetesSettings = KubernetesSettings()
    loki: LokiSettings = LokiSettings()
    topology_file: str | None = text(None, example="./topology.yaml")


@dataclass(frozen=True, kw_only=True, slots=True)
class EnrichSettings:
    """What knowledge is looked up."""

    runbooks: str = text("./runbooks")  #: a folder of Markdown files, relative to `folder`
    max_passages: int = whole(5, least=0)
    past_incidents: int = whole(50, least=0)  #: of each kind
    runbook_hosts: tuple[str, ...] = host_names()
    max_document_bytes: int = whole(262_144)  #: the text of one document
    max_knowledge_bytes: int = whole(33_554_432)  #: the texts of all of them


@dataclass(frozen=True, kw_only=True, slots=True)
class DiagnoseSettings:
    """When an answer is good enough."""

    min_confidence: float = share(0.5)  #: below it the verdict is insufficient_evidence
    cooldown_seconds: float = seconds(300)


@dataclass(frozen=True, kw_only=True, slots=True)
class NotifyTarget:
    """Somebody to tell, and what of. A filter that is left out lets everything through."""

    name: str = target_name()
    url: str = target_url()
    events: tuple[str, ...] = words(*(event.value for event in Event))
    severities: tuple[str, ...] = severities()
    labels: tuple[tuple[str, str], ...] = label_patterns()  #: one alert has to match them all


@dataclass(frozen=True, kw_only=True, slots=True)
class NotifySettings:
    """Who is told when an investigation ends or a resolved incident fires again."""

    targets: tuple[NotifyTarget, ...] = many(
        NotifyTarget,
        expects="a list of targets",
        example="[{name: on-call, url: slack://TokenA/TokenB/TokenC}]",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The whole configuration."""

    folder: Path  #: config.yaml's; relative paths start here
    database: DatabaseSettings = DatabaseSettings()
    broker: BrokerSettings = BrokerSettings()
    web: WebSettings = WebSettings()
    auth: AuthSettings = AuthSettings()
    logging: LoggingSettings = LoggingSettings()
    ingest: IngestSettings = IngestSettings()
    worker: WorkerSettings = WorkerSettings()
    collect: CollectSettings = CollectSettings()
    sources: SourcesSettings = SourcesSettings()
    enrich: EnrichSettings = EnrichSettings()
    diagnose: DiagnoseSettings = DiagnoseSettings()
    notify: NotifySettings = NotifySettings()
