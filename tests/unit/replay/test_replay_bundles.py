"""A recorded outage, diagnosed, exported, and diagnosed again: the same bytes without a network."""

import random
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Lock
from time import sleep
from typing import Any

import httpx2
import pytest
import recorded

from cli.replay import Recording as Outage
from cli.replay import create_app, load
from opssage.settings import Settings
from opssage.settings import load as load_settings
from tasks import bundle
from tasks.bundle import Bundle
from tasks.replay import comparable, differing, replay
from webapi.senders.alertmanager import webhook_group

SITE = {
    "PROMETHEUS_URL": "http://prometheus",
    "ALERTMANAGER_URL": "http://alertmanager",
    "OPSSAGE_KUBECONFIG": "kubeconfig",
    "LOKI_URL": "http://loki",
}


@pytest.fixture
def no_network(monkeypatch) -> Iterator[None]:
    """Nothing can be connected to."""

    def refuse(*_: Any) -> None:
        raise AssertionError("a replay asks nobody")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return


def site() -> Settings:
    """A site with all sources."""
    return load_settings(environ=SITE)


def investigated(
    outage: Outage, now: datetime, transport: httpx2.BaseTransport, settings: Settings
) -> Bundle:
    """Collect and diagnose, and export what came of it."""
    alerts = webhook_group(outage.webhook(now, "http://alertmanager:9093")).alerts
    seconds_later = now + timedelta(seconds=5)
    return bundle.read(recorded.investigated(alerts, seconds_later, settings, transport))


def assert_same(read: Bundle) -> None:
    """The documents of a replay are the recorded ones."""
    again = replay(read)
    assert differing(read.incident["primary_context"], again.primary_context) == ()
    assert comparable(read.incident["diagnostic_report"]) == comparable(again.diagnostic_report)


@pytest.mark.usefixtures("no_network")
def test_an_outage_is_diagnosed_to_the_same_bytes(recording, now):
    """All sources answered."""
    read = investigated(
        recording, now, httpx2.WSGITransport(app=create_app(recording, now)), site()
    )

    assert read.incident["diagnostic_report"]["verdict"] == "fault"
    assert_same(read)


@pytest.mark.usefixtures("no_network")
def test_an_incident_whose_sources_are_all_dead_is_replayed(now):
    """Somebody is refused first, and others are spared: the same ones as then."""

    def refuse(_: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("[Errno 111] Connection refused")

    read = investigated(load("crashloop"), now, httpx2.MockTransport(refuse), site())

    assert read.incident["diagnostic_report"]["verdict"] == "insufficient_evidence"
    assert_same(read)


@dataclass
class Capricious(httpx2.BaseTransport):
    """A network on which anything may happen to a request, and any answer may come late."""

    inner: httpx2.BaseTransport
    dice: random.Random
    _lock: Lock = field(default_factory=Lock)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer, or not."""
        with self._lock:
            fate, seconds = self.dice.random(), self.dice.random() * 0.03
            answer = self.inner.handle_request(request)
        sleep(seconds if fate > 0.1 else 0.5)
        if fate < 0.2:
            return answer
        if fate < 0.25:
            raise httpx2.ConnectError("[Errno 111] Connection refused")
        if fate < 0.4:
            raise httpx2.ReadTimeout("")
        if fate < 0.5:
            return httpx2.Response(503, text="no healthy upstream")
        return answer


@pytest.mark.parametrize("seed", range(2))
def test_whatever_time_and_order_decided_is_decided_the_same(now, seed):
    """Answers lost and late, questions spared and never asked: the ledger tells the same."""
    outage = load("crashloop")
    there = Capricious(httpx2.WSGITransport(app=create_app(outage, now)), random.Random(seed))
    settings = site()
    hasty = replace(settings, collect=replace(settings.collect, deadline_seconds=0.3))

    read = investigated(outage, now, there, hasty)

    assert read.recording.matters
    assert_same(read)
