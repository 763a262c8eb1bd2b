"""Who was told what: the table of notifications and what empties it, on both databases."""

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event as Flag
from time import monotonic, sleep

import pytest
from factories import REPORT, alert, group
from pytest_httpserver import HTTPServer
from sqlalchemy import select, update
from steps import claimed, completed, hasten, opened

from opssage.incident import Stage
from opssage.notification import Event, Outcome
from opssage.settings import NotifyTarget
from store import Rules, connect, effects, engine, tables
from store.columns import database_now
from tasks.notify import AppriseSender, NotSentError, UnusableTargetError
from worker.notifier import MAX_ATTEMPTS, STALE_SECONDS, Notifier

LEASE_SECONDS = 60


class Recorder:
    """A sender that keeps what it is given, or refuses it with an error."""

    def __init__(self, error=None):
        self.sent = []
        self.error = error

    def send(self, url, message):
        self.sent.append((url, message))
        if self.error:
            raise self.error


@pytest.fixture
def store(database):
    """A store that owes every ending to one target."""
    with_target = connect(database, Path(), Rules(notify=("chat",)))
    yield with_target
    with_target.close()


@pytest.fixture
def effects_table(database):
    """Read and change the rows behind the store's back."""
    bound = engine.create(database, Path())

    class Rows:
        def all(self):
            with bound.connect() as connection:
                return connection.execute(
                    select(tables.effects).order_by(tables.effects.c.effect_id)
                ).all()

        def one(self):
            (row,) = self.all()
            return row

        def set(self, **values):
            with bound.begin() as connection:
                connection.execute(update(tables.effects).values(**values))

        def make_due(self):
            self.set(next_attempt_at=database_now(-1))

    yield Rows()
    bound.dispose()


def ended(store, *alerts, **envelope):
    """Open an incident and run its stages."""
    incident_id = opened(store, *alerts, **envelope)
    completed(store, incident_id)
    return incident_id


def target(name="chat", **filters):
    return NotifyTarget(name=name, url=f"json://127.0.0.1/{name}", **filters)


def notify(store, sender, *targets, rounds=1):
    """Let a notifier look for work, and wait until its lanes are empty."""
    notifier = Notifier(store, targets or [target()], sender, base_url="http://sage")
    for _ in range(rounds):
        notifier.look(Flag())
        notifier.wait(30)


def test_an_answer_is_owed_to_every_target(database, effects_table):
    """The row comes with the end of the investigation, one a target."""
    store = connect(database, Path(), Rules(notify=("chat", "mail")))

    incident_id = ended(store)

    rows = effects_table.all()
    store.close()
    assert [(row.incident_id, row.revision, row.event, row.target) for row in rows] == [
        (incident_id, 1, "completed", "chat"),
        (incident_id, 1, "completed", "mail"),
    ]


def test_nothing_is_owed_without_targets(database, effects_table):
    """Nobody to tell, no rows."""
    store = connect(database, Path())

    ended(store)

    store.close()
    assert effects_table.all() == []


def test_the_same_ending_is_owed_once(store, effects_table):
    """The key is incident, revision, event and target, however often it is announced."""
    incident_id = ended(store)

    for event in ("completed", "failed", "completed"):
        store._write(effects.announce, [incident_id], event, ["chat"])

    assert [row.event for row in effects_table.all()] == ["completed", "failed"]


def test_an_ending_that_is_not_committed_is_not_owed(store, effects_table):
    """Whoever lost the claim tells nobody."""
    incident_id = opened(store)
    claim = claimed(store, incident_id)
    store.delete_incident(incident_id)

    with pytest.raises(Exception, match="taken the incident over"):
        store.update_status(incident_id, Stage.COLLECT, claim.epoch, {}, give_up=True)

    assert effects_table.all() == []


def test_a_failure_is_told_with_its_reason(store, effects_table):
    """Class and message of the error are in the message."""
    incident_id = opened(store)
    claim = claimed(store, incident_id)
    error = {"class": "TypeError", "message": "no such thing", "stage": "collect"}
    store.update_status(incident_id, Stage.COLLECT, claim.epoch, error, give_up=True)
    sender = Recorder()

    notify(store, sender)

    ((_, message),) = sender.sent
    assert message.event is Event.FAILED
    assert "TypeError: no such thing" in message.body
    assert effects_table.one().state == Outcome.SENT


def test_what_was_sent_is_over(store, effects_table):
    """The next look finds nothing."""
    ended(store)
    sender = Recorder()

    notify(store, sender, rounds=2)

    row = effects_table.one()
    assert (row.state, row.attempts, row.next_attempt_at) == (Outcome.SENT, 1, None)
    assert len(sender.sent) == 1


def test_a_filtered_event_is_skipped(store, effects_table):
    """It is over without a message, and the row says so."""
    ended(store)
    sender = Recorder()

    notify(store, sender, target(severities=("critical",)))

    assert sender.sent == []
    assert (effects_table.one().state, effects_table.one().next_attempt_at) == ("skipped", None)


def test_labels_of_any_alert_are_looked_at(store, effects_table):
    """The alert that matches need not be the one the incident is shown by."""
    ended(store, alert("Worse", severity="critical"), alert(team="payments"))
    sender = Recorder()

    notify(store, sender, target(labels=(("team", "pay.*"),)))

    assert len(sender.sent) == 1


def test_what_a_dead_notifier_held_is_sent_by_the_next(store, effects_table):
    """At least once: it may have been sent before the process died, nobody knows."""
    ended(store)
    store.take_effects("chat", 1, LEASE_SECONDS)
    sender = Recorder()
    notify(store, sender)
    assert sender.sent == []  # the lease holds

    effects_table.make_due()
    notify(store, sender)

    assert len(sender.sent) == 1
    assert (effects_table.one().state, effects_table.one().attempts) == (Outcome.SENT, 2)


def test_an_attempt_that_outlived_its_lease_decides_nothing(store, effects_table):
    """Whoever has taken the notification since says how it ends."""
    ended(store)
    (late,) = store.take_effects("chat", 1, LEASE_SECONDS)
    effects_table.make_due()
    (newer,) = store.take_effects("chat", 1, LEASE_SECONDS)

    assert not store.end_effect(late, Outcome.FAILED, "too late")
    assert effects_table.one().state == "pending"
    assert store.end_effect(newer, Outcome.SENT)


def test_a_failing_target_is_tried_again_later(store, effects_table):
    """The error is kept, and the row is not due at once."""
    ended(store)
    sender = Recorder(NotSentError("Forbidden (403)"))

    notify(store, sender, rounds=2)

    row = effects_table.one()
    assert (row.state, row.attempts, len(sender.sent)) == ("pending", 1, 1)
    assert row.next_attempt_at > row.created_at
    assert row.last_error == "NotSentError: Forbidden (403)"


def test_a_failing_target_is_given_up(store, effects_table):
    """After its attempts the row ends as failed, with the error of the last."""
    ended(store)
    sender = Recorder(NotSentError("Forbidden (403)"))

    for _ in range(MAX_ATTEMPTS + 1):
        if effects_table.one().state == "pending":
            effects_table.make_due()
        notify(store, sender)

    row = effects_table.one()
    assert len(sender.sent) == MAX_ATTEMPTS
    assert (row.state, row.next_attempt_at) == (Outcome.FAILED, None)
    assert row.last_error == "NotSentError: Forbidden (403)"


def test_an_unusable_target_is_tried_again(store, effects_table):
    """Who corrects its URL in time is told."""
    ended(store)
    notify(store, Recorder(UnusableTargetError()))
    effects_table.make_due()
    corrected = Recorder()

    notify(store, corrected)

    row = effects_table.one()
    assert (row.state, row.attempts, len(corrected.sent)) == (Outcome.SENT, 2, 1)


def test_an_unexpected_error_does_not_tell_the_url(store, effects_table):
    """Only its class, and where it was raised, is kept."""
    ended(store)

    notify(store, Recorder(RuntimeError("json://127.0.0.1/chat")))

    assert re.fullmatch(
        r"unexpected RuntimeError in test_effects\.py, line \d+", effects_table.one().last_error
    )


def test_a_message_that_cannot_be_composed_is_given_up(store, effects_table):
    """It is an attempt like any other, so that it ends, and says why."""
    steps = {"short_term_actions": [{"risk": "low"}]}
    completed(store, opened(store), report={**REPORT, "recommended_remediation": steps})
    sender = Recorder()

    for _ in range(MAX_ATTEMPTS):
        effects_table.make_due()
        notify(store, sender)

    row = effects_table.one()
    assert sender.sent == []
    assert (row.state, row.attempts) == (Outcome.FAILED, MAX_ATTEMPTS)
    assert row.last_error.startswith("unexpected KeyError in message.py")


def test_a_failing_target_does_not_hold_up_another(database, effects_table):
    """Each has a lane of its own."""
    store = connect(database, Path(), Rules(notify=("chat", "mail")))
    ended(store)

    class Half(Recorder):
        def send(self, url, message):
            if url.endswith("chat"):
                raise NotSentError("Forbidden (403)")
            super().send(url, message)

    notify(store, Half(), target("chat"), target("mail"))

    store.close()
    assert [(row.target, row.state) for row in effects_table.all()] == [
        ("chat", "pending"),
        ("mail", "sent"),
    ]


def test_a_hanging_target_does_not_hold_up_another(database, effects_table):
    """While one send hangs, the next looks still serve the other target."""
    store = connect(database, Path(), Rules(notify=("chat", "mail")))
    hanging, told = Flag(), Flag()

    class Hanging(Recorder):
        def send(self, url, message):
            if url.endswith("chat"):
                hanging.wait(60)
            else:
                told.set()

    notifier = Notifier(store, [target("chat"), target("mail")], Hanging())
    ended(store)
    notifier.look(Flag())
    assert told.wait(30)
    told.clear()
    ended(store, alert("Other"), key="other")
    while not told.is_set():
        notifier.look(Flag())
        told.wait(0.05)

    hanging.set()
    notifier.wait(30)
    store.close()
    assert {row.state for row in effects_table.all() if row.target == "mail"} == {"sent"}


def test_two_notifiers_share_the_work(store, effects_table):
    """Each notification is taken by one of them."""
    for number in range(20):
        ended(store, alert(f"Alert{number}"), key=str(number))
    senders = [Recorder(), Recorder()]

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda sender: notify(store, sender), senders))

    assert sum(len(sender.sent) for sender in senders) == 20
    assert {(row.state, row.attempts) for row in effects_table.all()} == {(Outcome.SENT, 1)}


def test_the_longest_due_is_taken_first(store):
    """So that what failed does not stand before what is new."""
    ids = [ended(store, alert(f"Alert{number}"), key=str(number)) for number in range(3)]

    taken = store.take_effects("chat", 2, LEASE_SECONDS)

    assert [effect.incident_id for effect in taken] == ids[:2]


def test_what_nobody_sends_for_a_day_is_given_up(store, effects_table):
    """A target that left the configuration leaves no row that waits for ever."""
    ended(store)
    effects_table.set(created_at=database_now(-STALE_SECONDS - 1))

    notify(store, Recorder(), target("another"))

    row = effects_table.one()
    assert (row.state, row.next_attempt_at) == (Outcome.FAILED, None)
    assert row.last_error.startswith("owed for too long")


def test_a_late_message_tells_of_its_own_revision(database, store):
    """The answer is that of the revision it was owed for, and the newer one is named."""
    incident_id = ended(store)
    store.create_incident(group(alert(), alert("Joined")))
    hasten(database, incident_id)
    assert store.start_revisions(1) == 1
    sender = Recorder()

    notify(store, sender)

    ((_, message),) = sender.sent
    assert "Root cause: Configuration value DATABASE_URL is invalid" in message.body
    assert "Revision: 1; revision 2 has begun since: pending" in message.body


def test_a_deleted_incident_is_not_told_of(store, effects_table):
    """Its notifications go with it."""
    incident_id = ended(store)

    assert store.delete_incident(incident_id)

    assert effects_table.all() == []


def test_a_message_arrives_over_http(store, effects_table, httpserver: HTTPServer):
    """The whole way: from the end of the investigation to a receiver, by apprise."""
    httpserver.expect_request("/hook", method="POST").respond_with_data("ok")
    incident_id = ended(store)
    there = NotifyTarget(name="chat", url=f"json://127.0.0.1:{httpserver.port}/hook")

    notify(store, AppriseSender(), there)

    ((request, _),) = httpserver.log
    body = json.loads(request.get_data())
    assert body["title"].startswith("[warning] HighErrorRate on shop: ")
    assert f"http://sage/api/v1/incidents/{incident_id}" in body["message"]
    assert effects_table.one().state == Outcome.SENT


def test_a_refusal_over_http_is_kept_as_the_error(store, effects_table, httpserver: HTTPServer):
    """What the receiver said is in the row; what stands in the URL is not."""
    httpserver.expect_request("/hunter2", method="POST").respond_with_data("no", status=403)
    ended(store)
    there = NotifyTarget(name="chat", url=f"json://me:hunter3@127.0.0.1:{httpserver.port}/hunter2")

    notify(store, AppriseSender(), there)

    error = effects_table.one().last_error
    assert "403" in error
    assert "hunter" not in error


@pytest.fixture
def dispatcher(store, database, tmp_path, broker_url):
    """Start a dispatcher with one target; returns a function that stops it and gives its log."""
    started = []

    def start(url):
        config = tmp_path / "config.yaml"
        config.write_text(
            f"database: {{url: '{database.url}'}}\n"
            "logging: {level: debug}\n"
            "worker: {dispatch_seconds: 0.2}\n"
            f"notify: {{targets: [{{name: chat, url: '{url}'}}]}}\n"
        )
        environ = {**os.environ, "OPSSAGE_CONFIG": str(config), "OPSSAGE_BROKER_URL": broker_url}
        command = [sys.executable, "-m", "worker.dispatcher"]
        process = subprocess.Popen(
            command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        started.append(process)

        def stop():
            process.terminate()
            return process.communicate(timeout=30)[0]

        return stop

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.communicate()


def test_a_dispatcher_notifies_and_keeps_the_url_to_itself(
    store, dispatcher, effects_table, httpserver: HTTPServer
):
    """A real process, at debug: the message arrives, and its log has no part of the URL."""
    httpserver.expect_request("/hunter2", method="POST").respond_with_data("ok")
    ended(store)
    stop = dispatcher(f"json://me:hunter3@127.0.0.1:{httpserver.port}/hunter2")

    log = _after(stop, lambda: effects_table.one().state == Outcome.SENT)

    assert len(httpserver.log) == 1
    assert "notification_sent" in log
    assert "hunter" not in log


def _after(stop, is_done):
    """Stop the process once something has come to pass, and return its log."""
    until = monotonic() + 60
    while not is_done() and monotonic() < until:
        sleep(0.05)
    return stop()
