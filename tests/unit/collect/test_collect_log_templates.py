"""Log lines into evidence."""

from datetime import timedelta

import pytest
from unit.collect.stand_ins import make_alert, make_scope, nanoseconds

from tasks.collect.log_folding import folded
from tasks.collect.log_templates import (
    Line,
    LineReader,
    Stretch,
    grouped,
    log_evidence,
    merged,
    parted,
)

WEB = {"namespace": "shop", "app": "web", "pod": "web-1"}
SCOPE = make_scope(make_alert({"alertname": "A", "namespace": "shop"}))
CALM = SCOPE.calm_until
TRACE = """\
2026-11-23 ERROR c.s.Cart - cannot add 17
java.lang.RuntimeException: checkout 17 failed
\tat com.shop.Checkout.run(Checkout.java:12)
Caused by: java.net.ConnectException: Connection to 10.0.0.5:5432 refused
\tat com.shop.Db.open(Db.java:7)"""


def at(seconds, text, labels=WEB, own=None):
    """A line so many seconds after calm ended."""
    moment = nanoseconds(CALM + timedelta(seconds=seconds))
    return Line(at=moment, text=text, labels=labels, own=own or {})


def seen(*lines, since=SCOPE.baseline_start, source="loki"):
    groups = grouped("{}", *parted(lines, SCOPE, since=since), LineReader())
    return log_evidence(merged([groups]), SCOPE, source=source)


def every(seconds, start, end, text):
    return [at(second, text) for second in range(start, end, seconds)]


@pytest.mark.parametrize(
    ("lines", "change"),
    [
        ([at(1, "boom")], "new"),
        (every(300, -1500, 0, "boom") + every(10, 0, 900, "boom"), "surged"),
        (every(60, -1500, 0, "heartbeat ok"), "vanished"),
        (every(60, -1500, 900, "heartbeat ok"), "steady"),
        (every(1, -30, 0, "starting up"), "steady"),
        (every(300, -1500, 0, "rare"), "steady"),
    ],
)
def test_change_says_what_became_of_a_template(lines, change):
    """Gone is only what was regular: a burst, or something rare, proves nothing by its absence."""
    (item,) = seen(*lines)

    assert item.data["change"] == change


def test_harmless_template_is_new_only_where_it_would_have_been_seen():
    """Of the time before, a limit left ten seconds; what comes every minute need not be there."""
    since = CALM - timedelta(seconds=10)
    rare, often = every(60, 0, 900, "INFO now and then"), every(1, 0, 900, "INFO all the time")

    items = seen(*rare, *often, at(1, "ERROR boom"), since=since)

    assert {item.data["template"]: item.data["change"] for item in items} == {
        "ERROR boom": "new",
        "INFO now and then": "steady",
        "INFO all the time": "new",
    }


def test_nothing_is_gone_that_a_limit_may_have_cut_off():
    """The range after onset has to be seen as a whole."""
    before = Stretch(lines=tuple(every(60, -1500, 0, "heartbeat ok")), covered_seconds=1500)
    after = Stretch(covered_seconds=600, is_complete=False)

    (item,) = log_evidence(
        merged([grouped("{}", before, after, LineReader())]), SCOPE, source="loki"
    )

    assert item.data["change"] == "steady"


def test_summary_says_since_when_a_line_is_missing():
    """That is when it was seen last."""
    (item,) = seen(*every(60, -1500, 0, "heartbeat ok"))

    assert item.summary.endswith("“heartbeat ok”: 1 a minute until 02:54:00, none since")
    assert item.observed_at == CALM - timedelta(seconds=60)


def test_news_comes_first_and_errors_before_the_rest():
    """Then what vanished, then what is as ever."""
    steady = every(60, -1500, 900, "ERROR as ever")
    gone = every(60, -1500, 0, "heartbeat ok")

    items = seen(*steady, *gone, at(1, "INFO hello"), at(2, "ERROR boom"))

    assert [item.data["template"] for item in items] == [
        "ERROR boom",
        "INFO hello",
        "heartbeat ok",
        "ERROR as ever",
    ]


def test_source_is_whoever_read_the_lines():
    """Pod logs of Kubernetes are read like Loki's."""
    (item,) = seen(at(1, "boom"), source="kubernetes")

    assert item.source == "kubernetes"


def test_stack_trace_is_known_by_its_root_cause():
    """Its template is the innermost exception with what changes masked."""
    message, trace = seen(*(at(1, line) for line in TRACE.split("\n")))

    assert message.data["template"] == "<*> ERROR c.s.Cart - cannot add <*>"
    assert trace.data["template"] == "java.net.ConnectException: Connection to <*> refused"
    assert trace.data["exception"] == {
        "type": "java.net.ConnectException",
        "message": "Connection to 10.0.0.5:5432 refused",
        "at": "com.shop.Db.open (Db.java:7)",
    }
    assert trace.data["level"] == "error"
    assert trace.data["examples"] == [
        (
            "java.lang.RuntimeException: checkout 17 failed … "
            "java.net.ConnectException: Connection to 10.0.0.5:5432 refused"
        )
    ]
    assert " at com.shop.Db.open (Db.java:7): 1 since onset" in trace.summary
    assert "exception" not in message.data


def test_exception_of_a_structured_line_keeps_its_message():
    """The line says what failed, the exception why."""
    line = '{"level":"warn","msg":"cannot pay","stack":"E: no\\n    at f (/app/a.js:1:2)"}'

    (item,) = seen(at(1, line))

    assert (item.data["template"], item.data["level"]) == ("cannot pay: E: no", "warning")
    assert item.data["exception"]["at"] == "f (/app/a.js:1:2)"


def test_exception_may_stand_beside_the_line():
    """OpenTelemetry keeps it in attributes, which Loki takes as structured metadata."""
    own = {"exception_type": "KeyError", "exception_message": "'id'", "detected_level": "error"}

    (item,) = seen(at(1, "cannot add", own=own))

    assert item.data["template"] == "KeyError: 'id'"


def test_secrets_are_out_of_exceptions():
    """They are removed before a trace is read."""
    trace = "Error: postgres://app:s3cr3tpass@db:5432 refused\n    at f (/app/a.js:1:2)"

    (item,) = seen(*(at(1, line) for line in trace.split("\n")))

    assert item.data["exception"]["type"] == "Error"
    assert "s3cr3t" not in str(item)


def test_pods_of_a_service_count_together():
    """Also when each was asked for itself."""
    groups = [
        grouped(
            f'{{pod="{pod}"}}',
            *parted([at(1, "boom", {**WEB, "pod": pod})], SCOPE, since=SCOPE.baseline_start),
            LineReader(),
        )
        for pod in ("web-1", "web-2")
    ]

    (item,) = log_evidence(merged(groups), SCOPE, source="kubernetes")

    assert item.data["count_after"] == 2
    assert item.subject == {"namespace": "shop", "service": "web"}


def test_lines_seen_by_two_selectors_count_once():
    """Those count of the one that saw more of the time."""
    lines = tuple(every(1, 880, 900, "boom"))
    all_of = Stretch(covered_seconds=1500), Stretch(lines=lines, covered_seconds=900)
    few = Stretch(), Stretch(lines=lines[-5:], covered_seconds=5, is_complete=False)

    for selectors in ((all_of, few), (few, all_of)):
        groups = [
            grouped(str(index), *sides, LineReader()) for index, sides in enumerate(selectors)
        ]
        (item,) = log_evidence(merged(groups), SCOPE, source="loki")
        assert item.data["count_after"] == 20


def test_names_are_folded():
    """A word that takes many values says nothing about what kind of line it is."""
    lines = [f"user {name} bought {name}-shoes" for name in ("ada", "bob", "cid", "dee", "eva")]
    hosts = [f"lookup {name}: no such host" for name in ("db", "mq", "s3", "api", "auth", "cdn")]

    became = folded([*hosts, *lines])

    assert {became[host] for host in hosts} == {"lookup <*>: no such host"}
    assert not became.keys() & set(lines)


def test_two_names_are_folded_in_turn():
    """A template may hold more than one."""
    known = [f"{one} to {other}" for one in "abcde" for other in "vwxyz"]

    assert set(folded(known).values()) == {"<*> to <*>"}


@pytest.mark.parametrize(
    "words",
    [
        ("connection established", "connection refused"),
        ("order accepted", "order rejected", "order lost", "order paid"),
        ("level INFO set", "level DEBUG set"),
    ],
)
def test_few_words_are_what_a_line_has_to_say(words):
    """Merging them would hide the news."""
    assert folded(words) == {}


def test_folded_lines_count_together():
    """Names that came since onset are no news when others were there before."""
    names = ("ada", "bob", "cid", "dee", "eva", "fay")
    lines = [at(-600 + 200 * index, f"hello {name}") for index, name in enumerate(names)]

    (item,) = seen(*lines)

    assert item.data["template"] == "hello <*>"
    assert (item.data["count_before"], item.data["count_after"]) == (3, 3)
    assert item.data["change"] == "steady"


@pytest.mark.parametrize("pod", ["web-1", "web-2"])
def test_lines_without_a_baseline_make_no_news_of_others(pod):
    """Of one pod the lines before onset were read, of the other they were not."""
    known = grouped("{a}", *parted([at(1, "boom")], SCOPE, since=CALM), LineReader())
    unread = Stretch(is_complete=False, is_known=False)
    after = Stretch(lines=(at(2, "boom", {**WEB, "pod": pod}),) * 9, covered_seconds=9999)
    unknown = grouped("{b}", unread, after, LineReader())

    for groups in ([known, unknown], [unknown, known]):
        (item,) = log_evidence(merged(groups), SCOPE, source="loki")
        assert (item.query, item.data["change"], item.data["count_after"]) == ("{a}", "new", 1)
