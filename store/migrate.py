"""Bring the schema up to date, once, however many processes start together.

Alembic is loaded where it is used: it costs a worker, which never asks, 7 MB and 0.2 s.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, text

from opssage.log import get_logger
from store.engine import BEGIN_OPTION

if TYPE_CHECKING:
    from alembic.config import Config

log = get_logger(__name__)

_ADVISORY_LOCK = 0x0_0B5_5A6E
_SCRIPTS = Path(__file__).parent / "migrations"


def _config() -> "Config":
    from alembic.config import Config  # noqa: PLC0415 - see above

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    return config


def head() -> str | None:
    """Return the revision this code expects."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - see above

    return ScriptDirectory.from_config(_config()).get_current_head()


def current(connection: Connection) -> str | None:
    """Return the revision the database is at; None when it is empty."""
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415 - see above

    return MigrationContext.configure(connection).get_current_revision()


def lock(connection: Connection) -> None:
    """Let one process at a time migrate, and take the time it needs.

    SQLite's BEGIN IMMEDIATE has done so already.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})


def upgrade(engine: Engine) -> None:
    """Migrate to head in one transaction under a lock; a no-op when there already."""
    from alembic import command  # noqa: PLC0415 - see above

    with engine.connect() as connection:
        before = current(connection)
    if before == head():
        log.info("database ready", revision=before)
        return
    with engine.execution_options(**{BEGIN_OPTION: "IMMEDIATE"}).begin() as connection:
        lock(connection)
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    log.info("database migrated", before=before, revision=head())
