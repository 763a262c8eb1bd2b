"""The Celery app, and what its tasks work with."""

import gc
import os
import platform
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from celery import Celery, signals

import store
from opssage import log
from opssage.errors import SettingsError
from opssage.settings import Settings
from opssage.settings.topology import declared
from tasks.collect import build_sources
from tasks.enrich import Library
from tasks.pipeline import Parts
from worker.options import options


class App(Celery):
    """Celery with the parts that the tasks need."""

    amqp_cls = "worker.connection:AMQP"
    opssage_settings: Settings
    owner: str
    """Who holds the claims of this process and its children."""

    @cached_property
    def parts(self) -> Parts:
        """Build store, sources and library at first use, which is after the fork."""
        settings = self.opssage_settings
        opened = store.connect(settings.database, settings.folder, store.Rules.of(settings))
        return Parts(
            settings=settings,
            store=opened,
            sources=build_sources(settings),
            library=Library(settings.folder / settings.enrich.runbooks, opened),
            owners=_owners(settings),
        )

    @cached_property
    def Worker(self) -> Any:  # noqa: N802 - Celery's name
        """The worker program that `celery worker` runs."""
        # by name: the web has no use for it, and it imports this app's tasks
        return self.subclass_with_self("worker.process:Worker")  # type: ignore[arg-type]


def _owners(settings: Settings) -> Mapping[str, str]:
    """Return who owns what; nothing when the file is gone since the start: collect tells of it."""
    try:
        return declared(settings).owners
    except SettingsError:
        return {}


def create(settings: Settings, *, hasty: bool = False) -> App:
    """Create the app; `hasty` for a process that answers requests and must not wait."""
    app = App("opssage", include=["tasks.pipeline", "tasks.canary"])
    app.conf.update(options(settings, hasty=hasty))
    app.opssage_settings = settings
    app.owner = f"{platform.node()}/{os.getpid()}"
    app.loader.import_default_modules()
    return app


@signals.setup_logging.connect
def _configure_logging(**_: Any) -> None:
    """Keep Celery from configuring logging: the process has done so."""


@signals.worker_process_init.connect
def _freeze_imports(**_: Any) -> None:
    """Leave what was imported out of every later collection."""
    gc.collect()
    gc.freeze()


@signals.task_prerun.connect
def _bind_log(task_id: str, args: tuple[str, ...], **_: Any) -> None:
    log.bind(task_id=task_id, incident_id=args[0] if args else None)


@signals.task_postrun.connect
def _unbind_log(**_: Any) -> None:
    log.unbind("task_id", "incident_id")
