"""What `opssage doctor` looks at: one row a check, in the order a person would."""

import uuid
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx2 as httpx
import redis

import store
from cli import assurance, notifying
from cli.assurance import sqlite_file
from cli.findings import Answer, Check, Finding, Level, Row
from opssage.redaction import redact_text
from opssage.settings import HttpSource, Settings, is_loopback
from store import Store
from tasks.collect.clients import client
from tasks.collect.kubernetes import cluster
from worker import app as engine_room

_TIMEOUT_SECONDS = 5.0
_PING_SECONDS = 2.0


def run(settings: Settings, names: Collection[str] | None = None) -> Iterator[Finding]:
    """Yield what each check finds, of those named or of all.

    A part that does not answer is a finding, not an error.
    """
    failed = set()
    for name, check, fix in _CHECKS:
        if (names is not None and name not in names) or assurance.NEEDS.get(name) in failed:
            continue
        for level, message, *own_fix in _answers(check, settings):
            if level is Level.FAIL:
                failed.add(name)
            told = "" if level is Level.OK else next(iter(own_fix), fix)
            yield Finding(
                check=name, level=level, message=redact_text(" ".join(message.split())), fix=told
            )


def _answers(check: Check, settings: Settings) -> Iterable[Answer]:
    try:
        found = check(settings)
        if found is None:
            return ()
        # an answer is a tuple of words, of which several come in an iterator
        return (found,) if isinstance(found, tuple) else tuple(found)
    except Exception as error:  # noqa: BLE001 (whatever a part raises is what is wrong with it)
        return ((Level.FAIL, f"{type(error).__name__}: {error}"),)


def _database(settings: Settings) -> Answer:
    file = sqlite_file(settings)
    if file is not None and not file.exists():  # to connect would make it
        return Level.FAIL, "no database yet", "`opssage up` or `alembic upgrade head` makes it"
    memory = store.connect(settings.database, settings.folder)
    try:
        memory.ping()
        if memory.is_at_head():
            return Level.OK, "answers, and its tables are up to date"
        return Level.FAIL, "answers, but its tables are not those of this version"
    finally:
        memory.close()


def _password(settings: Settings) -> Answer | None:
    if sqlite_file(settings) is not None:  # it has none
        return None
    if settings.database.has_default_password:
        return Level.WARN, "the database has the default password"
    return Level.OK, "not a default one"


def _broker(settings: Settings) -> Answer:
    key, value = f"opssage:doctor:{uuid.uuid4()}", uuid.uuid4().bytes
    with redis.Redis.from_url(settings.broker.url, socket_timeout=_TIMEOUT_SECONDS) as client:
        client.lpush(key, value)
        if client.rpop(key) != value:
            return Level.FAIL, "does not give back what it was given"
    return Level.OK, "takes and gives messages"


def _worker(settings: Settings) -> Answer:
    try:
        with redis.Redis.from_url(settings.broker.url, socket_timeout=_TIMEOUT_SECONDS) as client:
            client.ping()
    except (redis.RedisError, ValueError):
        return Level.WARN, "cannot be told without a broker", "mend the broker first"
    app = engine_room.create(settings, hasty=True)
    names = [name for answer in app.control.ping(timeout=_PING_SECONDS) or [] for name in answer]
    if not names:
        return Level.FAIL, "no worker answers"
    return Level.OK, ", ".join(sorted(names))


def _web(settings: Settings) -> Answer:
    answer = _get(f"{settings.web.base_url}/readyz", timeout=_TIMEOUT_SECONDS)
    if not answer.is_success:
        return Level.FAIL, f"{settings.web.base_url} is not ready: {answer.text[:300]}"
    if answer.json()["status"] == "degraded":
        return Level.WARN, f"{settings.web.base_url} takes alerts, without a broker", "see broker"
    return Level.OK, f"ready at {settings.web.base_url}"


def _prometheus(settings: Settings) -> Answer:
    found = _ask(settings, "prometheus", "/api/v1/query", query="count(up)")
    if found is None:
        return Level.WARN, "not configured: diagnoses lack metrics"
    if not found["data"]["result"]:
        return Level.WARN, "answers, but scrapes nothing: `up` is empty"
    return Level.OK, "answers, and has data"


def _loki(settings: Settings) -> Answer:
    found = _ask(settings, "loki", "/loki/api/v1/labels")
    if found is None:
        return Level.WARN, "not configured: diagnoses lack logs"
    if not found.get("data"):
        return Level.WARN, "answers, but has no log lines of late"
    return Level.OK, "answers, and has data"


def _kubernetes(settings: Settings) -> Answer:
    section = settings.sources.kubernetes
    if section.config is None:
        return Level.WARN, "not configured: diagnoses lack the state of pods, and their events"
    url, asking = cluster(section, settings.folder)
    with asking:
        answer = asking.get(
            f"{url.rstrip('/')}/api/v1/pods",
            params={"limit": "1"},
            timeout=section.timeout_seconds,
        )
    if answer.status_code == httpx.codes.FORBIDDEN:
        told = "answers, but does not let us list the pods of all namespaces"
        return Level.WARN, told, "apply deploy/kubernetes/cluster-role.yaml, or role.yaml by choice"
    answer.raise_for_status()
    return Level.OK, "answers, and lets us list pods"


def _alertmanager(settings: Settings) -> Answer:
    found = _ask(settings, "alertmanager", "/api/v2/status")
    if found is None:
        told = "not configured: diagnoses do not see what else fires, and what is silenced"
        return Level.WARN, told
    return Level.OK, f"answers, version {found['versionInfo']['version']}"


def _ask(settings: Settings, name: str, path: str, **query: str) -> Any:
    """Return a source's answer to the client that collect asks with; None if not configured."""
    source: HttpSource = getattr(settings.sources, name)
    if source.url is None:
        return None
    url = source.url.rstrip("/") + path
    with client(source, settings.folder, section=f"sources.{name}") as asking:
        answer = asking.get(url, params=query, timeout=source.timeout_seconds)
    return answer.raise_for_status().json()


def _get(url: str, **more: Any) -> httpx.Response:
    """Ask as collect asks: not through a proxy of the environment."""
    return httpx.get(url, trust_env=False, **more)


def _auth(settings: Settings) -> Answer:
    if settings.auth.mode == "open" and not is_loopback(settings.web.host):
        return Level.WARN, f"anybody who reaches {settings.web.host} may use the API"
    return Level.OK, f"mode {settings.auth.mode}, listening on {settings.web.host}"


def _tokens(settings: Settings) -> Answer | None:
    if settings.auth.mode == "open" or settings.auth.token is not None:
        return None
    kept = assurance.ask(settings, Store.list_tokens)
    if kept is None:
        return None
    now = datetime.now(UTC)
    good = [
        token
        for token in kept
        if token.revoked_at is None and (token.expires_at is None or token.expires_at > now)
    ]
    if not good:
        return Level.FAIL, "none is in force, so nobody may call the API"
    return Level.OK, f"{len(good)} in force"


_CHECKS: tuple[Row, ...] = (
    (
        "database",
        _database,
        "start it and check DATABASE_URL; tables: `alembic upgrade head`, or start the web process",
    ),
    ("password", _password, "change it in the database and in DATABASE_URL (POSTGRES_PASSWORD)"),
    *assurance.DATABASE,
    ("broker", _broker, "start it and check OPSSAGE_BROKER_URL; `opssage up` brings one along"),
    *assurance.BROKER,
    ("worker", _worker, "start one: `celery -A worker worker`, or `opssage up`"),
    *assurance.WORK,
    (
        "web",
        _web,
        "start it and check OPSSAGE_PUBLIC_URL; `opssage up` starts all parts",
    ),
    ("prometheus", _prometheus, "set PROMETHEUS_URL (and PROMETHEUS_TOKEN) to one that scrapes"),
    (
        "kubernetes",
        _kubernetes,
        "set OPSSAGE_KUBECONFIG to a kubeconfig or in-cluster; rights: deploy/kubernetes",
    ),
    ("loki", _loki, "set LOKI_URL (and LOKI_TOKEN) to one that receives logs"),
    (
        "alertmanager",
        _alertmanager,
        "set ALERTMANAGER_URL (and ALERTMANAGER_TOKEN) to the one that sends the alerts",
    ),
    ("notify", notifying.check, ""),
    (
        "auth",
        _auth,
        "set OPSSAGE_AUTH_MODE=token and make tokens with `opssage token`, or listen on 127.0.0.1",
    ),
    ("tokens", _tokens, "make one: `opssage token create --name NAME --scope admin`"),
)
