"""Tells people: sends what the table of effects owes, beside the dispatcher's own work.

Each target that has something due gets a lane, a thread that sends one notification after the
other, so a target that hangs delays neither the others nor the dispatcher. Any number of
notifiers may run: a notification is taken by one of them at a time.
"""

import random
from collections.abc import Sequence
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from time import monotonic
from traceback import extract_tb

from opssage import metrics
from opssage.errors import OpsSageError
from opssage.log import get_logger
from opssage.notification import Outcome
from opssage.settings import NotifyTarget, Settings
from store import Effect, Store
from tasks.notify import AppriseSender, Sender, matches, message, unusable

log = get_logger(__name__)

MAX_ATTEMPTS = 10
BACKOFF_SECONDS = 5
BACKOFF_FACTOR = 3
BACKOFF_MAX_SECONDS = 600
STALE_SECONDS = 86400
"""What could not be sent for a day is given up: nobody would know why it comes."""

_LEASE_SECONDS = 120
_MAX_LANES = 8
GRACE_SECONDS = 5
"""How long what is being sent may take once the process is to stop."""


def start(store: Store, settings: Settings, stop: Flag) -> Thread | None:
    """Notify in a thread of its own until told to stop; None when there is nobody to tell."""
    if not settings.notify.targets:
        return None
    for target in settings.notify.targets:
        if unusable(target.url):
            log.error("target_unusable", target=target.name, fix="correct its url")
    notifier = Notifier(
        store,
        settings.notify.targets,
        AppriseSender(),
        base_url=settings.web.base_url,
        every_seconds=settings.worker.dispatch_seconds,
    )
    thread = Thread(target=notifier.run, args=(stop,), name="notifier", daemon=True)
    thread.start()
    return thread


class Notifier:
    """Sends what is due to the targets it knows."""

    def __init__(
        self,
        store: Store,
        targets: Sequence[NotifyTarget],
        sender: Sender,
        *,
        base_url: str = "",
        every_seconds: float = 2,
    ) -> None:
        """Take where notifications are owed, whom they are for, and how they are sent."""
        self._store = store
        self._targets = {target.name: target for target in targets}
        self._sender = sender
        self._base_url = base_url
        self._every_seconds = every_seconds
        self._lanes: dict[str, Thread] = {}

    def run(self, stop: Flag) -> None:
        """Look for what is due until told to stop; what is being sent then may come to its end."""
        while not stop.is_set():
            try:
                self.look(stop)
            except Exception as error:  # noqa: BLE001 - the loop's edge: the next round tries again
                log.warning("notifying_failed", error=str(error))
            stop.wait(self._every_seconds)
        self.wait(GRACE_SECONDS)

    def look(self, stop: Flag) -> None:
        """Open a lane for each target that has something due and none yet."""
        due = self._store.effects_due()
        if max(due.values(), default=0) > STALE_SECONDS and (
            given_up := self._store.give_up_effects(STALE_SECONDS)
        ):
            log.error("notifications_given_up", notifications=given_up, after=STALE_SECONDS)
        self._lanes = {name: lane for name, lane in self._lanes.items() if lane.is_alive()}
        for name in sorted(due.keys() & self._targets.keys() - self._lanes.keys()):
            if len(self._lanes) < _MAX_LANES:
                told = (self._targets[name], stop)
                lane = Thread(target=self._serve, args=told, name=f"notify {name}", daemon=True)
                self._lanes[name] = lane
                lane.start()

    def wait(self, seconds: float) -> None:
        """Wait for the lanes to end, for so long at most."""
        until = monotonic() + seconds
        for lane in self._lanes.values():
            lane.join(max(0.0, until - monotonic()))

    def _serve(self, target: NotifyTarget, stop: Flag) -> None:
        """Send what is due to a target, until nothing is or it does not take it."""
        try:
            while not stop.is_set():
                taken = self._store.take_effects(target.name, 1, _LEASE_SECONDS)
                if not taken or not self._settle(taken[0], target):
                    return
        except Exception as error:  # noqa: BLE001 - the lane's edge: what it holds is due again
            log.warning("notifying_failed", target=target.name, error=str(error))

    def _settle(self, effect: Effect, target: NotifyTarget) -> bool:
        """Send one notification and write down what came of it; False to leave the target be."""
        error, again = None, False
        try:
            outcome = self._send(effect, target)
        except Exception as fault:  # noqa: BLE001 - whatever it is, the attempt counts and is over
            error = _words(fault)
            is_final = isinstance(fault, OpsSageError) and fault.permanent
            again = not is_final and effect.attempts < MAX_ATTEMPTS
            outcome = Outcome.FAILED
        delay = _delay_seconds(effect.attempts)
        self._store.end_effect(effect, None if again else outcome, error, delay)
        told = "retried" if again else outcome.value
        metrics.NOTIFICATIONS.labels(effect.event.value, told).inc()
        (log.warning if error else log.info)(
            f"notification_{told}",
            target=target.name,
            notified_of=effect.event.value,
            incident_id=str(effect.incident_id),
            revision=effect.revision,
            attempts=effect.attempts,
            **({"error": error} if error else {}),
        )
        return error is None

    def _send(self, effect: Effect, target: NotifyTarget) -> Outcome:
        incident = self._store.incident_at(effect.incident_id, effect.revision)
        if incident is None:
            return Outcome.SKIPPED
        alerts = self._store.list_alerts(effect.incident_id)
        if not matches(target, effect.event, incident, alerts):
            return Outcome.SKIPPED
        told = message(incident, effect.event, effect.revision, self._base_url)
        self._sender.send(target.url, told)
        return Outcome.SENT


def _words(fault: Exception) -> str:
    """Return what may be kept of an error: what others say in it may quote the URL."""
    name = type(fault).__name__
    if isinstance(fault, OpsSageError):
        return f"{name}: {fault}"
    *_, frame = extract_tb(fault.__traceback__)
    return f"unexpected {name} in {Path(frame.filename).name}, line {frame.lineno}"


def _delay_seconds(attempts: int) -> float:
    """Return the time until the next attempt, spread so that notifiers do not come together."""
    seconds = min(BACKOFF_SECONDS * float(BACKOFF_FACTOR) ** (attempts - 1), BACKOFF_MAX_SECONDS)
    return float(seconds) * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load, keeps no secret
