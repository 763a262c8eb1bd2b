"""Keeps a lease while its stage is worked on."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from opssage.errors import StoreUnavailableError
from opssage.log import get_logger
from opssage.settings import WorkerSettings
from store import Claim, Store

log = get_logger(__name__)


@contextmanager
def kept(claim: Claim, store: Store, settings: WorkerSettings) -> Iterator[None]:
    """Extend the lease of `claim` every few seconds for the length of the block.

    A claim that has passed to somebody else is not fought for: its commit is refused anyway.
    """
    over = Event()
    beats = Thread(target=_beat, args=(claim, store, settings, over), name="heartbeat", daemon=True)
    beats.start()
    try:
        yield
    finally:
        over.set()


def _beat(claim: Claim, store: Store, settings: WorkerSettings, over: Event) -> None:
    incident_id = claim.incident.incident_id
    while not over.wait(settings.heartbeat_seconds):
        try:
            if not store.extend_lease(incident_id, claim.epoch, settings.lease_seconds):
                log.warning("lease_lost", incident_id=str(incident_id), epoch=claim.epoch)
                return
        except StoreUnavailableError as error:
            log.warning("heartbeat_failed", incident_id=str(incident_id), error=str(error))
