"""`opssage send --count`: a load generator that is bounded."""

import json
import signal
import threading

import pytest
from werkzeug import Response

from cli.exits import CommandError, Exit
from cli.sending import storm
from cli.sending.storm import Plan, Tally

RECEIPT = {
    "incidents": [{"incident_id": "a", "status": "pending"}],
    "accepted": 2,
    "duplicates": 1,
    "rejected": [{"index": 0, "reason": "bad"}],
    "rejected_more": 3,
    "ignored": 4,
}


def test_a_storm_makes_each_request_once():
    """Several connections share the numbers."""
    made, lock = [], threading.Lock()

    def post(number):
        with lock:
            made.append(number)
        return 202, {}, ""

    tally = storm.run(Plan(count=50), post, lambda: None)

    assert sorted(made) == list(range(50))
    assert tally.statuses == {"202": 50}


def test_a_storm_ends_with_its_time():
    """What is due later is not begun."""
    tally = storm.run(
        Plan(count=storm.MOST, rate=1000, seconds=0.05), lambda _: (202, {}, ""), lambda: None
    )

    assert 1 <= tally.statuses["202"] <= 50


def test_a_storm_begins_no_request_before_its_time():
    """The tenth of 100 a second has to wait."""
    tally = storm.run(Plan(count=10, rate=100), lambda _: (202, {}, ""), lambda: None)

    assert tally.seconds >= 0.08


def test_a_storm_that_is_interrupted_tells_what_was_answered():
    """Ctrl-C ends it, and the answers so far count."""

    def post(_):
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        return 202, {}, ""

    tally = storm.run(Plan(count=2, rate=0.001), post, lambda: None)

    assert tally.statuses == {"202": 1}


def test_a_tally_adds_receipts_up():
    """Alerts by what became of them, and each incident once."""
    tally = Tally()
    for _ in range(2):
        tally.add((202, RECEIPT, ""), 0.01)

    found = tally.summary()

    assert {name: found[name] for name in ("accepted", "duplicates", "rejected", "ignored")} == {
        "accepted": 4,
        "duplicates": 2,
        "rejected": 8,
        "ignored": 8,
    }
    assert (found["sent"], found["incidents"], tally.outcome) == (2, 1, Exit.OK)


def test_a_tally_without_receipts_knows_nothing_of_alerts():
    """Zero would be a claim."""
    tally = Tally()
    tally.add((200, {}, ""), 0.01)

    assert tally.summary()["accepted"] is None


def test_a_tally_has_the_latency_that_99_in_100_stay_under():
    """By the nearest rank, in milliseconds."""
    tally = Tally()
    for number in range(200):
        tally.add((202, {}, ""), (number + 1) / 1000)

    found = tally.summary()

    assert (found["p50_ms"], found["p99_ms"]) == (100.0, 198.0)


@pytest.mark.parametrize("bad", [(503, {}, "full"), None])
def test_a_tally_fails_when_a_request_was_not_taken(bad):
    """An error or silence; the first reason of each is kept."""
    tally = Tally()
    tally.add((202, {}, ""), 0.01)
    if bad:
        tally.add(bad, 0.01)
        tally.add((503, {}, "another"), 0.01)
    else:
        tally.add_silence("full")

    assert tally.outcome is Exit.FAILURE
    assert list(tally.reasons.values()) == ["full"]


def test_requests_that_nobody_answers_are_counted():
    """They do not end the storm."""

    def post(_):
        raise CommandError("refused")

    assert storm.run(Plan(count=3), post, lambda: None).statuses == {"no answer": 3}


@pytest.fixture
def send(opssage, httpserver, tmp_path):
    """Send a plain alert by `opssage send`; returns click's result."""
    file = tmp_path / "alert.json"
    file.write_text('{"alert_name": "Down"}')
    return lambda *words: opssage("send", file, "--url", httpserver.url_for(""), *words)


@pytest.fixture
def bodies(httpserver):
    """Every body that was sent."""
    found = []
    httpserver.expect_request("/api/v1/alerts").respond_with_handler(
        lambda request: found.append(request.get_json()) or Response(json.dumps(RECEIPT), 202)
    )
    return found


def test_a_storm_sends_other_alerts_each_time(send, bodies):
    """A label tells them apart, and those of the next storm too."""
    result = send("--count", "5")

    marks = {body["labels"]["storm"] for body in bodies}
    assert result.exit_code == 0, result.output
    assert {mark.rpartition("-")[2] for mark in marks} == {"0", "1", "2", "3", "4"}
    assert [line.split()[0] for line in result.stdout.splitlines()] == [
        *("sent", "answers", "alerts", "incidents", "latency")
    ]
    assert "202: 5" in result.stdout


def test_a_storm_of_the_same_repeats_the_file(send, bodies):
    """--same is what an Alertmanager does that gets no answer."""
    send("--count", "3", "--same")

    assert bodies == [{"alert_name": "Down"}] * 3


def test_a_storm_as_json_is_its_summary(send, bodies):
    """One document."""
    found = json.loads(send("--count", "2", "--json").stdout)

    assert (found["sent"], found["statuses"], len(bodies)) == (2, {"202": 2}, 2)
    assert found["accepted"] == 4


def test_a_storm_that_was_refused_says_why(send, httpserver):
    """One line for each kind of error, and the code is 1."""
    httpserver.expect_request("/api/v1/alerts").respond_with_json(
        {"title": "Service Unavailable", "detail": "the backlog is full"}, 503
    )

    result = send("--count", "4")

    assert result.exit_code == 1
    assert result.stderr == "503: Service Unavailable (503): the backlog is full\n"
    assert "503: 4" in result.stdout


def test_a_storm_at_another_machine_has_to_be_meant(opssage, tmp_path):
    """Nothing is sent without --allow-remote."""
    file = tmp_path / "alert.json"
    file.write_text('{"alert_name": "Down"}')

    result = opssage("send", file, "--count", "2", "--url", "http://opssage.example.com")

    assert result.exit_code == 2
    assert "--allow-remote" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("--rate", "5"),
        ("--same",),
        ("--count", "2", "--wait"),
        ("--count", "100001"),
        ("--count", "0"),
        ("--count", "1", "--rate", "1001"),
        ("--for", "0"),
    ],
)
def test_a_storm_is_bounded(send, words):
    """What has no bound, or too wide a one, is a wrong use."""
    assert send(*words).exit_code == 2
