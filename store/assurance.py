"""What the database says of the settings that the safety of a commit rests on."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, text


@dataclass(frozen=True, kw_only=True, slots=True)
class Assurances:
    """The database as our own connections find it, whatever its files and URL say."""

    kind: str  #: postgresql or sqlite
    settings: Mapping[str, str]  #: in force for our sessions, by the name the database gives them
    connection: Mapping[str, str] = field(default_factory=dict)
    """What libpq connected with, its environment and service files included; empty on SQLite."""
    is_superuser: bool = False
    replicas: int = 0  #: standbys that receive the write-ahead log now


_POSTGRESQL_SETTINGS = (
    "fsync",
    "full_page_writes",
    "synchronous_commit",
    "synchronous_standby_names",
)
_ASK_POSTGRESQL = text(
    f"SELECT {', '.join(f'current_setting({name!r}) AS {name}' for name in _POSTGRESQL_SETTINGS)},"  # noqa: S608 - our own words
    " current_setting('is_superuser') = 'on' AS is_superuser,"
    " (SELECT count(*) FROM pg_stat_replication) AS replicas"
)
_SQLITE_SYNCHRONOUS = ("off", "normal", "full", "extra")  # SQLite answers with the number


def assurances(connection: Connection) -> Assurances:
    """Return what the database says of itself to a connection like all others of ours."""
    return _READERS[connection.dialect.name](connection)


def _postgresql(connection: Connection) -> Assurances:
    row = connection.execute(_ASK_POSTGRESQL).one()
    driver = connection.connection.driver_connection
    given = driver.info.dsn_parameters if driver is not None else {}
    return Assurances(
        kind="postgresql",
        settings={name: getattr(row, name) for name in _POSTGRESQL_SETTINGS},
        connection={name: given.get(name, "") for name in ("host", "hostaddr", "sslmode")},
        is_superuser=row.is_superuser,
        replicas=row.replicas,
    )


def _sqlite(connection: Connection) -> Assurances:
    journal = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
    synchronous = connection.exec_driver_sql("PRAGMA synchronous").scalar_one()
    return Assurances(
        kind="sqlite",
        settings={"journal_mode": journal, "synchronous": _SQLITE_SYNCHRONOUS[synchronous]},
    )


_READERS = {"postgresql": _postgresql, "sqlite": _sqlite}
