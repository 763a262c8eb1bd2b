"""Posts many requests, as quickly as is asked for, and counts what was answered."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import closing, suppress
from dataclasses import dataclass, field
from math import ceil
from threading import Event, Lock
from typing import Any

from cli.exits import CommandError, Exit

MOST = 100_000
"""Requests of one storm."""
MOST_A_SECOND = 1_000
_CONNECTIONS = 8
_NO_ANSWER = "no answer"

Answer = tuple[int, Mapping[str, Any], str]
"""The status of an answer, its receipt or nothing, and what it says when it is an error."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How many requests, and how quickly."""

    count: int
    rate: float | None = None  #: a second; None: as quickly as they are answered
    seconds: float | None = None  #: none is begun later than this


@dataclass(kw_only=True, slots=True)
class Tally:
    """What was answered."""

    statuses: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, str] = field(default_factory=dict)  #: the first of each error
    receipts: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    ignored: int = 0
    incidents: set[str] = field(default_factory=set)
    answered_seconds: list[float] = field(default_factory=list)
    seconds: float = 0.0  #: from the first request to the last answer
    _lock: Lock = field(default_factory=Lock)

    def add(self, answer: Answer, seconds: float) -> None:
        """Count an answer that took so long."""
        status, receipt, reason = answer
        with self._lock:
            self.statuses[str(status)] += 1
            self.answered_seconds.append(seconds)
            if reason:
                self.reasons.setdefault(str(status), reason)
            if receipt:
                self._add_receipt(receipt)

    def add_silence(self, reason: str) -> None:
        """Count a request that nobody answered."""
        with self._lock:
            self.statuses[_NO_ANSWER] += 1
            self.reasons.setdefault(_NO_ANSWER, reason)

    def _add_receipt(self, receipt: Mapping[str, Any]) -> None:
        self.receipts += 1
        self.accepted += receipt["accepted"]
        self.duplicates += receipt["duplicates"]
        self.rejected += len(receipt["rejected"]) + receipt["rejected_more"]
        self.ignored += receipt.get("ignored", 0)
        self.incidents.update(each["incident_id"] for each in receipt["incidents"])

    @property
    def outcome(self) -> Exit:
        """FAILURE when any request was not taken."""
        return Exit.FAILURE if any(not each.startswith("2") for each in self.statuses) else Exit.OK

    def summary(self) -> dict[str, Any]:
        """Return the figures; those of alerts are None when no answer had a receipt."""
        alerts = {
            "accepted": self.accepted,
            "duplicates": self.duplicates,
            "rejected": self.rejected,
            "ignored": self.ignored,
            "incidents": len(self.incidents),
        }
        ordered = sorted(self.answered_seconds)
        return {
            "sent": self.statuses.total(),
            "seconds": round(self.seconds, 3),
            "statuses": dict(sorted(self.statuses.items())),
            **(alerts if self.receipts else dict.fromkeys(alerts)),
            "p50_ms": _milliseconds(ordered, 0.50),
            "p99_ms": _milliseconds(ordered, 0.99),
        }


def _milliseconds(ordered: list[float], share: float) -> float | None:
    """Return the least value that this share of the values does not exceed."""
    if not ordered:
        return None
    return round(ordered[ceil(share * len(ordered)) - 1] * 1000, 1)


def run(plan: Plan, post: Callable[[int], Answer], progressed: Callable[[], None]) -> Tally:
    """Make the requests of a plan over a few connections, and count the answers.

    `post` makes the request of a number and raises CommandError when nobody answers; it is called
    in several threads, and so is `progressed`, after each. Ends early on KeyboardInterrupt, with
    the answers so far.
    """
    tally, pace = Tally(), _Pace(plan)

    def work() -> None:
        for number in pace.numbers():
            began = time.monotonic()
            try:
                tally.add(post(number), time.monotonic() - began)
            except CommandError as error:
                tally.add_silence(str(error))
            progressed()

    jobs: list[Future[None]] = []
    # left from the right: the pace ends before its threads are waited for
    with suppress(KeyboardInterrupt), ThreadPoolExecutor(_CONNECTIONS) as threads, closing(pace):
        jobs.extend(threads.submit(work) for _ in range(min(_CONNECTIONS, plan.count)))
        wait(jobs, return_when=FIRST_EXCEPTION)
    tally.seconds = pace.elapsed()
    for job in jobs:
        job.result()
    return tally


class _Pace:
    """Gives out numbers when it is their time."""

    def __init__(self, plan: Plan) -> None:
        """Begin the plan."""
        self._plan = plan
        self._lock = Lock()
        self._given = 0
        self._stopped = Event()
        self._began = time.monotonic()

    def numbers(self) -> Iterator[int]:
        """Yield numbers that no other thread gets, until all are given or the time is over."""
        bound = self._plan.seconds
        while True:
            with self._lock:
                number = self._given
                self._given += 1
            due = number / self._plan.rate if self._plan.rate else 0.0
            if number >= self._plan.count or (bound and max(due, self.elapsed()) >= bound):
                return
            if self._stopped.wait(max(due - self.elapsed(), 0)):
                return
            yield number

    def close(self) -> None:
        """Give out no more."""
        self._stopped.set()

    def elapsed(self) -> float:
        """Return the seconds since it began."""
        return time.monotonic() - self._began
