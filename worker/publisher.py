"""The web's helper thread: publishes right after a commit, without any request waiting."""

from collections.abc import Callable
from threading import Event, Thread
from time import sleep

from pybreaker import CircuitBreaker, CircuitBreakerError

from opssage.log import get_logger

log = get_logger(__name__)

_FAILURES_TO_OPEN = 3
_OPEN_SECONDS = 10
_GATHER_SECONDS = 0.1  # a burst of webhooks becomes one batch


class Publisher:
    """Runs `dispatch` in one daemon thread: once it is nudged, and until the broker is not full.

    A dead or hung broker costs nobody anything: what is not published here is published by the
    dispatcher process later.
    """

    def __init__(self, dispatch: Callable[[], bool]) -> None:
        """Take the function that publishes, and says whether there may be more to publish.

        Nothing runs before the first nudge.
        """
        self._dispatch = CircuitBreaker(fail_max=_FAILURES_TO_OPEN, reset_timeout=_OPEN_SECONDS)(
            dispatch
        )
        self._nudged = Event()
        self._thread: Thread | None = None

    def nudge(self) -> None:
        """Say that there may be something to publish. Never blocks, never raises."""
        self._nudged.set()
        if self._thread is None or not self._thread.is_alive():
            self._thread = Thread(target=self._run, name="publisher", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            self._nudged.wait()
            sleep(_GATHER_SECONDS)
            self._nudged.clear()
            try:
                if self._dispatch():
                    self._nudged.set()
            except CircuitBreakerError:
                log.debug("publisher_breaker_open")
            except Exception as error:  # noqa: BLE001 - a thread's edge; the dispatcher covers
                log.warning("publish_failed", error=str(error))
