"""The web process put together: the app over the real store, broker and publisher."""

from functools import partial

from flask import Flask

from opssage.log import get_logger
from opssage.settings import Settings
from store import Rules, connect
from webapi import database
from webapi.app import create_app
from worker.app import create
from worker.dispatch import dispatch, waiting
from worker.publisher import Publisher

log = get_logger(__name__)


def create_service(settings: Settings) -> Flask:
    """Wait for the database, migrate it and return the app.

    Raises StoreUnavailableError when it stays away for a minute.
    """
    if settings.database.has_default_password:
        log.warning("database_password_is_the_default", fix="set POSTGRES_PASSWORD")
    database.prepare(settings)
    # connects at first use, so a server may fork before
    store = connect(settings.database, settings.folder, Rules.of(settings), hasty=True)
    celery = create(settings, hasty=True)

    def ask_broker() -> None:
        with celery.producer_or_acquire() as producer:
            waiting(producer.channel)

    def ask_schema() -> str | None:
        return None if store.is_at_head() else "not at head; run `alembic upgrade head`"

    publisher = Publisher(partial(dispatch, celery, store, settings.worker))
    probes = {"database": store.ping, "migrations": ask_schema, "broker": ask_broker}
    return create_app(settings, store, publisher.nudge, probes)
