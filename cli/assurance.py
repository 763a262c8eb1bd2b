"""What `opssage doctor` looks at beneath the parts: what the promise to lose nothing rests on."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qs, urlsplit

import redis

import store
from cli.findings import Answer, Level, Row
from opssage import beats
from opssage.errors import StoreUnavailableError
from opssage.settings import Settings, is_loopback
from store import Assurances, Store

T = TypeVar("T")

_TIMEOUT_SECONDS = 5.0
_LEAST_FREE_BYTES = 2**30
_NETWORK_FILE_SYSTEMS = frozenset(
    ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "fuse.sshfs", "fuse.glusterfs")
)
"""As /proc/mounts calls them: their locks, or their flush to disk, are not to be relied on."""


def sqlite_file(settings: Settings) -> Path | None:
    """Return the file that SQLite keeps the database in; None on PostgreSQL."""
    url = store.normalise(settings.database.url, settings.folder)
    return Path(str(url.database)) if url.get_backend_name() == "sqlite" else None


class _Setting(NamedTuple):
    """A setting of the database, the values that keep what was committed, and why."""

    name: str
    safe: frozenset[str]
    otherwise: str
    fix: str


_RELOAD = "as a superuser: ALTER SYSTEM SET {0} = on; SELECT pg_reload_conf();"
_LOCAL_DISK = "keep the file on a local disk, or use PostgreSQL: set DATABASE_URL"
_RULES: Mapping[str, tuple[_Setting, ...]] = {
    "postgresql": (
        _Setting(
            "fsync",
            frozenset({"on"}),
            "a power cut loses alerts that were answered 202, and may ruin the database",
            _RELOAD.format("fsync"),
        ),
        _Setting(
            "full_page_writes",
            frozenset({"on"}),
            "a power cut in the middle of a write may ruin the database",
            _RELOAD.format("full_page_writes"),
        ),
        _Setting(
            "synchronous_commit",
            frozenset({"on", "remote_apply"}),
            "a crash loses alerts that were answered 202; our sessions ask for `on`, so a pooler "
            "in between drops what they ask for",
            "ALTER ROLE … SET synchronous_commit = on, or let the pooler pass `options`",
        ),
    ),
    "sqlite": (
        _Setting(
            "journal_mode",
            frozenset({"wal"}),
            "readers and the writer shut each other out",
            _LOCAL_DISK,
        ),
        _Setting(
            "synchronous",
            frozenset({"full", "extra"}),
            "a power cut loses alerts that were answered 202",
            _LOCAL_DISK,
        ),
    ),
}


def _durability(settings: Settings) -> Iterator[Answer]:
    found = ask(settings, Store.assurances)
    if found is not None:
        yield from judge_durability(found)
    file = sqlite_file(settings)
    if file is not None and file.exists():
        yield from judge_file_system(file_system(file), file)


def judge_durability(found: Assurances) -> Iterator[Answer]:
    """Tell each setting that may lose what was acknowledged; one good word when there is none."""
    rules = _RULES[found.kind]
    unsafe = [rule for rule in rules if found.settings[rule.name] not in rule.safe]
    for rule in unsafe:
        value = found.settings[rule.name]
        yield Level.WARN, f"{rule.name} is {value}: {rule.otherwise}", rule.fix
    if not unsafe:
        told = (f"{rule.name} is {found.settings[rule.name]}" for rule in rules)
        yield Level.OK, ", ".join(told)
    if found.replicas:
        yield Level.OK, _replicas(found)


def _replicas(found: Assurances) -> str:
    if names := found.settings["synchronous_standby_names"]:
        return f"replicas: {found.replicas}; a commit waits for {names}"
    return (
        f"replicas: {found.replicas}, and no commit waits for any: the last commits are lost when "
        "one takes over, unless synchronous_standby_names names them"
    )


def judge_file_system(kind: str, file: Path) -> Iterator[Answer]:
    """Tell a file system on which SQLite's locks cannot be relied on."""
    if kind in _NETWORK_FILE_SYSTEMS:
        yield Level.WARN, f"{file} is on a network file system ({kind})", _LOCAL_DISK


def file_system(file: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """Return the type of the file system that holds a file; empty where it cannot be told."""
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return ""
    places = {
        Path(point.replace(r"\040", " ")): kind for _, point, kind, *_ in map(str.split, lines)
    }
    folders = (folder for folder in file.resolve().parents if folder in places)
    return places[next(folders)] if places else ""


def _encryption(settings: Settings) -> Iterator[Answer]:
    found = ask(settings, Store.assurances)
    if found and found.connection:
        yield judge_encryption(found.connection)
    yield from judge_broker_encryption(settings.broker.url)


def judge_encryption(connection: Mapping[str, str]) -> Answer:
    """Tell a connection over a network whose other end is not certain."""
    hosts = [host for name in ("host", "hostaddr") for host in connection[name].split(",") if host]
    remote = [host for host in hosts if not (host.startswith("/") or is_loopback(host))]
    if not remote:
        return Level.OK, "the connection stays on this machine"
    mode = connection["sslmode"]
    if mode == "verify-full":
        return Level.OK, "sslmode is verify-full"
    where = ", ".join(remote)
    return Level.WARN, f"sslmode is {mode}: whoever is between here and {where} may be the database"


def judge_broker_encryption(url: str) -> Iterator[Answer]:
    """Tell a broker that is to be spoken to in TLS, but not asked who it is."""
    scheme, _, _, query, _ = urlsplit(url)
    if scheme == "rediss" and "required" not in parse_qs(query).get("ssl_cert_reqs", "required"):
        yield (
            Level.WARN,
            "the broker's certificate is not verified: its URL says so",
            "OPSSAGE_BROKER_URL=…?ssl_cert_reqs=required&ssl_ca_certs=/path/of/ca.crt",
        )


def _role(settings: Settings) -> Answer | None:
    found = ask(settings, Store.assurances)
    if found is None or found.kind == "sqlite":
        return None
    if found.is_superuser:
        return Level.WARN, "we connect as a superuser, who may do more than own one database"
    return Level.OK, "no superuser"


def _disk(settings: Settings) -> Answer | None:
    file = sqlite_file(settings)
    if file is None or not file.exists():
        return None
    return judge_disk(shutil.disk_usage(file.parent).free, file.parent)


def judge_disk(free_bytes: int, folder: Path) -> Answer:
    """Tell a disk that is soon full."""
    told = f"{free_bytes / 2**30:.1f} GiB free below {folder}"
    return (Level.OK if free_bytes >= _LEAST_FREE_BYTES else Level.WARN), told


def _buffer(settings: Settings) -> Iterator[Answer]:
    try:
        with redis.Redis.from_url(settings.broker.url, socket_timeout=_TIMEOUT_SECONDS) as client:
            # INFO and not CONFIG: managed servers and careful ACLs refuse the latter
            info = {**client.info("memory"), **client.info("persistence")}
    except (redis.RedisError, ValueError):  # the check `broker` tells it
        return
    yield from judge_buffer(info)


def judge_buffer(info: Mapping[str, Any]) -> Iterator[Answer]:
    """Tell a broker that throws messages away when it is full."""
    policy = info.get("maxmemory_policy", "unknown")
    if policy not in {"noeviction", "unknown"}:
        yield Level.WARN, f"maxmemory-policy is {policy}: full, it drops messages without a word"
        return
    kept = "" if info.get("aof_enabled") else "; appendonly is off, which the database makes up for"
    yield Level.OK, f"maxmemory-policy is {policy}{kept}"


_DISPATCHER = (
    "start or restart the dispatcher: `python -m worker.dispatcher`, or `opssage up`; its log says "
    "more"
)
_WORKER = "start a worker, or restart the one that answers: it takes nothing from this queue"


def _beats(settings: Settings) -> Iterator[Answer]:
    ages = ask(settings, Store.beats)
    if ages is not None:
        worker = settings.worker
        yield from judge_beats(ages, worker.canary_seconds, worker.silence_seconds)


def judge_beats(
    ages: Mapping[str, float], every_seconds: float, silence_seconds: float
) -> Iterator[Answer]:
    """Tell each part that has not been heard of for twice the time, and for far too long.

    Without the dispatcher, who sends the canaries, the silence of a queue says nothing.
    """
    known = {name: ages.get(name, float("inf")) for name in beats.KNOWN}
    late = {name: age for name, age in known.items() if age > 2 * every_seconds}
    if beats.DISPATCHER in late:
        late = {beats.DISPATCHER: late[beats.DISPATCHER]}
    for name, age in late.items():
        level = Level.FAIL if age > silence_seconds else Level.WARN
        since = f"for {age:.0f} s" if name in ages else "yet"
        fix = _DISPATCHER if name == beats.DISPATCHER else _WORKER
        yield level, f"no sign of life of {name} {since}", fix
    if not late:
        yield Level.OK, f"the oldest sign of life is {max(known.values()):.0f} s old"


def ask(settings: Settings, verb: Callable[[Store], T]) -> T | None:
    """Return what the store says; None where there is no store to ask, which `database` tells."""
    file = sqlite_file(settings)
    if file is not None and not file.exists():  # to connect would make it
        return None
    with closing(store.connect(settings.database, settings.folder, hasty=True)) as memory:
        try:
            return verb(memory)
        except StoreUnavailableError:
            return None


DATABASE: tuple[Row, ...] = (
    ("durability", _durability, ""),
    (
        "encryption",
        _encryption,
        "DATABASE_URL=…?sslmode=verify-full&sslrootcert=ca.crt; docs/operations.md, Certificates",
    ),
    ("role", _role, "connect as a role that owns this database alone; docs/operations.md, Role"),
    ("disk", _disk, "free some space there; on a full disk alerts are answered 503"),
)
BROKER: tuple[Row, ...] = (
    (
        "buffer",
        _buffer,
        "set maxmemory-policy to noeviction in its configuration",
    ),
)
WORK: tuple[Row, ...] = (("beats", _beats, ""),)
NEEDS: Mapping[str, str] = {
    **dict.fromkeys(("durability", "encryption", "role", "disk", "beats", "tokens"), "database"),
    "buffer": "broker",
}
"""Checks that tell nothing, and wait in vain, when another one has failed."""
