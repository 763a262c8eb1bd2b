"""Alembic's entry: on the connection or engine it is given, or on DATABASE_URL from a shell."""

from alembic import context
from sqlalchemy import Connection, Engine

from opssage.settings import load
from store import migrate
from store.engine import create
from store.tables import metadata


def _is_ours(name: str | None, *_: object) -> bool:
    """Tell whether autogenerate should look at it: not at what only one of the databases has."""
    return not (name or "").startswith(("incident_words_text", "ix_incident_words_text"))


def run(connection: Connection) -> None:
    """Run the migrations under a lock; SQLite alters tables by copying them."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=True,
        include_name=_is_ours,
    )
    with context.begin_transaction():
        migrate.lock(connection)
        context.run_migrations()


def _configured() -> Engine:
    settings = load()
    return create(settings.database, settings.folder)


given = context.config.attributes.get("connection")
if isinstance(given, Connection):
    run(given)
else:
    with (given or _configured()).begin() as own:
        run(own)
