"""A stand-in for Alertmanager: sends groups at a steady rate and retries as the real one does.

It retries what its `RetryStage` retries, network errors and 5xx, after waits that begin at 0.5 s
and grow by half (the defaults of the back-off library that Alertmanager uses), and it takes any
4xx for final (notify/webhook and notify/util.go of Alertmanager).
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Event, Lock
from typing import Any

import httpx2

from opssage.fingerprint import fingerprint
from opssage.wire import format_time, parse_time

_PATH = "/api/v1/webhooks/alertmanager"
_FIRST_WAIT_SECONDS = 0.5
_WAIT_FACTOR = 1.5
_WAIT_MAX_SECONDS = 60.0
_NEVER = "0001-01-01T00:00:00Z"  # how Alertmanager spells the end of a firing alert
_SEVERITIES = ("critical", "warning", "info", "error")

Key = tuple[str, datetime]
"""What identifies an alert: fingerprint and start."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """A steady stream of alerts, each a group of its own."""

    per_second: float = 5.0
    seconds: float = 10.0
    peers: int = 1  #: of a cluster of Alertmanagers, each of which sends everything
    resolve_every: int = 5  #: one alert of so many is resolved a second later
    alertname: str = "HighErrorRate"


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One request."""

    at: float  #: of the wall clock
    seconds: float
    status: int  #: 0: no answer


@dataclass
class Record:
    """What was sent and what was promised for it."""

    attempts: list[Attempt] = field(default_factory=list)
    acked: set[Key] = field(default_factory=set)  #: answered with 2xx and not rejected
    ended: set[Key] = field(default_factory=set)  #: those whose end was acked too
    given_up: int = 0  #: groups that were refused with 4xx, or never answered in time

    @property
    def statuses(self) -> Counter[int]:
        """How many answers had each status; 0 is no answer."""
        return Counter(attempt.status for attempt in self.attempts)

    def ack_ms(self, share: float) -> float:
        """Return the percentile of the time of the answers with 2xx, in ms; 0 without any."""
        taken = sorted(each.seconds for each in self.attempts if each.status // 100 == 2)
        return 1000 * taken[min(len(taken) - 1, int(share * len(taken)))] if taken else 0.0


class Alertmanager:
    """Sends to one address from threads of its own."""

    def __init__(self, address: str, patience_seconds: float = 120.0) -> None:
        """Take the web's base URL, and how long a group is tried before it is given up."""
        self.record = Record()
        self._patience = patience_seconds
        limits = httpx2.Limits(max_connections=200, max_keepalive_connections=50)
        self._client = httpx2.Client(base_url=address, timeout=30, limits=limits)
        self._pool = ThreadPoolExecutor(64, thread_name_prefix="alertmanager")
        self._lock = Lock()
        self._closing = Event()
        self._sent = 0

    def close(self) -> None:
        """Retry nothing any more, await what is under way, and close."""
        self._closing.set()
        self._pool.shutdown()
        self._client.close()

    def send(self, *alerts: Mapping[str, Any], group: str = "", **envelope: Any) -> int:
        """Send one group until it is answered for good; returns the last status.

        `group` tells groups apart; without it the first alert's labels do.
        """
        body = {**webhook(alerts, group), **envelope}
        deadline = time.monotonic() + self._patience
        wait = _FIRST_WAIT_SECONDS
        while True:
            answer = self._attempt(body)
            status = answer.status_code if answer is not None else 0
            if status // 100 == 2:
                assert answer is not None
                self._remember(alerts, answer.json()["rejected"])
                return status
            late = time.monotonic() + wait > deadline
            if status // 100 == 4 or late or self._closing.wait(wait):
                with self._lock:
                    self.record.given_up += 1
                return status
            wait = min(wait * _WAIT_FACTOR, _WAIT_MAX_SECONDS)

    def submit(self, *alerts: Mapping[str, Any], group: str = "", **envelope: Any) -> Future[int]:
        """Send in the background."""
        return self._pool.submit(self.send, *alerts, group=group, **envelope)

    def start(self, load: Load) -> Future[list[Future[None]]]:
        """Send a load in the background: the future of the groups, each of which is retried."""
        return self._pool.submit(self._stream, load)

    def _stream(self, load: Load) -> list[Future[None]]:
        began, sent = time.monotonic(), []
        for n in range(round(load.per_second * load.seconds)):
            if self._closing.wait(max(0.0, began + n / load.per_second - time.monotonic())):
                break
            firing = self.next_alert(load.alertname)
            ends = load.resolve_every > 0 and n % load.resolve_every == 0
            sent += [self._pool.submit(self._life, firing, ends=ends) for _ in range(load.peers)]
        return sent

    def next_alert(self, alertname: str = "HighErrorRate", **labels: str) -> dict[str, Any]:
        """Return a firing alert unlike all before it, with the next severity."""
        with self._lock:
            self._sent += 1
            n = self._sent
        severity = _SEVERITIES[n % len(_SEVERITIES)]
        return alert(alertname, severity=severity, service=f"service-{n}", **labels)

    def _life(self, firing: Mapping[str, Any], *, ends: bool) -> None:
        status = self.send(firing)
        if ends and status // 100 == 2:
            time.sleep(1)
            self.send(resolved(firing))

    def _attempt(self, body: Mapping[str, Any]) -> httpx2.Response | None:
        at, began = time.time(), time.monotonic()
        try:
            answer = self._client.post(_PATH, json=body)
        except httpx2.TransportError:
            answer = None
        attempt = Attempt(
            at=at,
            seconds=time.monotonic() - began,
            status=answer.status_code if answer is not None else 0,
        )
        with self._lock:
            self.record.attempts.append(attempt)
        return answer

    def _remember(
        self, alerts: Sequence[Mapping[str, Any]], rejected: Iterable[Mapping[str, Any]]
    ) -> None:
        refused = {item["index"] for item in rejected}
        with self._lock:
            for index, sent in enumerate(alerts):
                if index in refused:
                    continue
                self.record.acked.add(key_of(sent))
                if sent["status"] == "resolved":
                    self.record.ended.add(key_of(sent))


def alert(alertname: str, *, severity: str = "warning", **labels: str) -> dict[str, Any]:
    """Return a firing alert as Alertmanager spells it, starting this moment."""
    named = {"alertname": alertname, "severity": severity, "namespace": "shop", **labels}
    return {
        "status": "firing",
        "labels": named,
        "annotations": {"summary": f"{alertname} in shop"},
        "startsAt": format_time(datetime.now(UTC)),
        "endsAt": _NEVER,
        "generatorURL": "",
        "fingerprint": fingerprint(named),
    }


def resolved(firing: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same alert, over."""
    ends = max(datetime.now(UTC), parse_time(firing["startsAt"]) + timedelta(seconds=1))
    return {**firing, "status": "resolved", "endsAt": format_time(ends)}


def webhook(alerts: Sequence[Mapping[str, Any]], group: str = "") -> dict[str, Any]:
    """Return the body of a webhook, version 4."""
    first = alerts[0]["labels"]
    name = group or ",".join(f'{key}="{first[key]}"' for key in sorted(first))
    firing = any(each["status"] == "firing" for each in alerts)
    return {
        "version": "4",
        "groupKey": f"{{}}:{{{name}}}",
        "truncatedAlerts": 0,
        "status": "firing" if firing else "resolved",
        "receiver": "opssage",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example:9093",
        "alerts": list(alerts),
    }


def key_of(sent: Mapping[str, Any]) -> Key:
    """Return what identifies a sent alert."""
    return str(sent["fingerprint"]), parse_time(sent["startsAt"])
