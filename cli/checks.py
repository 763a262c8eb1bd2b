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
from cli.source_checks import SOURCES
from opssage.redaction import redact_text
from opssage.settings import Settings, is_loopback
from store import Store
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
    *SOURCES,
    ("notify", notifying.check, ""),
    (
        "auth",
        _auth,
        "set OPSSAGE_AUTH_MODE=token and make tokens with `opssage token`, or listen on 127.0.0.1",
    ),
    ("tokens", _tokens, "make one: `opssage token create --name NAME --scope admin`"),
)
