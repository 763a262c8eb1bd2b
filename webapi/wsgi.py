"""`gunicorn webapi.wsgi:app` starts here."""

from functools import partial

from opssage import log
from opssage.settings import load
from store import connect
from webapi.app import create_app
from worker.app import create
from worker.dispatch import dispatch, waiting
from worker.publisher import Publisher

settings = load()
log.configure(settings.logging)
if settings.database.has_default_password:
    log.get_logger(__name__).warning(
        "database_password_is_the_default", fix="set POSTGRES_PASSWORD"
    )
store = connect(settings.database, settings.folder)
store.migrate()
store.close()  # connections are made anew in each process
celery = create(settings, hasty=True)


def _broker() -> None:
    with celery.producer_or_acquire() as producer:
        waiting(producer.channel)


def _migrations() -> str | None:
    return None if store.is_at_head() else "the schema is not at head; run `alembic upgrade head`"


app = create_app(
    settings,
    store,
    Publisher(partial(dispatch, celery, store, settings.worker)).nudge,
    {"database": store.ping, "migrations": _migrations, "broker": _broker},
)
