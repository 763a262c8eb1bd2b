"""A recording answers as the source did: the same bodies, sizes and faults."""

import gzip
from collections.abc import Callable
from datetime import timedelta
from time import monotonic
from typing import Any

import httpx2
import orjson
import pytest
from unit.collect.stand_ins import ONSET, make_alert, upstream_to

from opssage.changes import ChangeKind, ReportedChange
from opssage.errors import SourceError
from opssage.settings import Settings, load
from tasks.collect.playback import Playback, connect
from tasks.collect.recording import MAX_PLAIN_BYTES, Recording, RecordingSchema, pack
from tasks.collect.tape import Exchange, Request, recording
from tasks.collect.upstream import Upstream

Ask = Callable[[Upstream, float], Any]
SECRET = "ghp_0123456789abcdefghijklmnopqrstuvwxyz"


def settings() -> Settings:
    """A site with a Prometheus behind a token."""
    environ = {"PROMETHEUS_URL": "http://ann:hunter2@prom.corp:9090", "PROMETHEUS_TOKEN": SECRET}
    return load(environ=environ)


def taken(exchanges: tuple[Exchange, ...] = (), **changes: Any) -> Recording:
    """A recording that went through bytes."""
    made = Recording(
        **{
            "alert_name": "HighErrorRate",
            "alert_seq": 3,
            "now": ONSET,
            "alerts": (make_alert(),),
            "settings": settings(),
            "exchanges": exchanges,
            **changes,
        }
    )
    return RecordingSchema().load(orjson.loads(gzip.decompress(pack(made))))


def outcome(ask: Ask, upstream: Upstream, *, seconds: float = 5) -> tuple[str, object]:
    """Return what asking leads to: an answer, or the class and words of a fault."""
    try:
        reply = ask(upstream, monotonic() + seconds)
    except SourceError as error:
        return type(error).__name__, str(error)
    return "Reply", (reply.body, reply.size)


def replayed(*asked: Ask, seconds: float = 5, **transport: Any) -> tuple[list, list]:
    """Return what asking led to, and what it leads to in a replay."""
    source = upstream_to(httpx2.MockTransport(**transport), source="prometheus")
    with recording() as tape:
        then = [outcome(ask, source, seconds=seconds) for ask in asked]
    heard = taken(tape.exchanges)
    connection = connect(Playback(heard.exchanges), heard.settings)("prometheus")
    again = Upstream(
        source="prometheus", url=connection.url, client=connection.client, timeout_seconds=5
    )
    return then, [outcome(ask, again) for ask in asked]


def query(upstream: Upstream, deadline: float) -> Any:
    """Ask as the Prometheus source does."""
    form = {"query": 'up{job="a b&c"}', "timeout": f"{deadline}ms"}
    return upstream.post("/api/v1/query", form, deadline)


def names(upstream: Upstream, deadline: float) -> Any:
    """Ask for a list, one parameter twice."""
    return upstream.get("/api/v1/labels", {"match[]": ["up", "äö"], "limit": "5"}, deadline)


def log(upstream: Upstream, deadline: float) -> Any:
    """Ask for text."""
    return upstream.get_text("/api/v1/namespaces/a%2Fb/pods/x/log", {}, deadline)


FAULTS: dict[str, Exception | dict[str, Any]] = {
    "refused": httpx2.ConnectError("[Errno 111] Connection refused"),
    "no way": httpx2.ConnectTimeout(""),
    "slow": httpx2.ReadTimeout(""),
    "cut off": httpx2.ReadError("Connection reset by peer"),
    "unavailable": {"status_code": 503, "text": "no healthy upstream\n"},
    "impossible": {"status_code": 422, "json": {"status": "error", "error": "too many points"}},
    "elsewhere": {"status_code": 302, "headers": {"Location": "/login"}},
    "a page": {"status_code": 200, "text": "<html>welcome</html>"},
    "a word": {"status_code": 200, "text": '"{}"'},
    "half": {"status_code": 200, "content": b'{"a": '},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_in_the_same_words(fault):
    """Whatever it was: of the network, of HTTP, of the body."""

    def handler(_):
        if isinstance(FAULTS[fault], Exception):
            raise FAULTS[fault]
        return httpx2.Response(**FAULTS[fault])

    then, again = replayed(query, names, handler=handler)

    assert then == again
    assert "Reply" not in dict(then)


def test_a_question_without_time_left_has_none_in_a_replay():
    """A replay has all the time there is, and still tells what happened."""
    then, again = replayed(query, seconds=-1, handler=lambda _: httpx2.Response(200, json={}))

    assert then == again == [("SourceError", "not asked: the deadline had passed")]


@pytest.mark.parametrize(
    ("ask", "content"),
    [
        (query, b'{"data":  {"result": [1.50, "\\u00e4", null, 12345678901234567890]}}'),
        (names, b'["a", "b"]'),
        (log, b'{"level": "error"}'),
        (log, "übrig\n404\n".encode()),
        (log, b"17"),
        (log, b""),
    ],
)
def test_an_answer_is_the_same_in_body_and_size(ask, content):
    """JSON stays JSON and text stays text, whatever the text looks like."""
    then, again = replayed(ask, handler=lambda _: httpx2.Response(200, content=content))

    assert then == again
    assert then[0][1][1] == len(content)


def test_one_question_asked_several_times_is_answered_in_turn():
    """And as the last time from then on."""
    numbers = iter("12")
    exchanges = [exchange({"n": next(numbers)}) for _ in range(2)]
    playback = Playback(exchanges)

    told = [playback.exchange("loki", "GET", "/labels", {"a": "b"}).body["n"] for _ in range(3)]

    assert told == ["1", "2", "2"]


def exchange(body: Any, **params: str) -> Exchange:
    """An answer of a Loki."""
    request = Request(source="loki", method="GET", path="/labels", params={"a": "b", **params})
    return Exchange(request=request, status=200, body=body, size=7)


def test_a_question_that_was_not_recorded_says_so():
    """Nobody else is asked."""
    heard = taken((exchange({}),))
    connected = connect(Playback(heard.exchanges), heard.settings)
    there = connected("prometheus")
    source = Upstream(source="prometheus", url=there.url, client=there.client, timeout_seconds=5)

    assert connected("loki") is None
    assert outcome(query, source) == (
        "UnrecordedError",
        "not recorded: POST /api/v1/query of prometheus",
    )


def test_a_recording_survives_its_bytes():
    """Everything an investigation began with, and everything it was told."""
    change = ReportedChange(kind=ChangeKind.DEPLOY, summary="cart 1.8.0", at=ONSET, by="ann")
    heard = taken(
        (exchange({"b": 1, "a": 2}),),
        changes=(change,),
        matters={"call2.1/spared1": True},
        now=ONSET + timedelta(microseconds=1),
    )

    assert heard.changes == (change,)
    assert heard.alerts == (make_alert(),)
    assert list(heard.exchanges[0].body) == ["b", "a"]
    assert heard.settings.collect == settings().collect
    assert taken(heard.exchanges, **{name: getattr(heard, name) for name in KEPT}) == heard


KEPT = ("alert_name", "alert_seq", "now", "alerts", "changes", "settings", "matters", "made_by")


def test_a_recording_holds_neither_secrets_nor_addresses():
    """It is made to leave the house; a question that was built from a secret is still found."""
    alert = make_alert({"alertname": "A", "pod": SECRET}, annotations={"token": SECRET})
    heard = taken((exchange({}, query=f'{{pod="{SECRET}"}}'),), alerts=(alert,))
    told = gzip.decompress(pack(heard)).decode()

    assert SECRET not in told
    assert "prom.corp" not in told
    assert "hunter2" not in told
    params = {"a": "b", "query": f'{{pod="{SECRET}"}}'}
    assert Playback(heard.exchanges).exchange("loki", "GET", "/labels", params).body == {}


def test_a_recording_that_is_too_large_is_not_kept():
    """The answers alone tell, before anything is written."""
    large = Exchange(request=exchange({}).request, status=200, size=MAX_PLAIN_BYTES + 1)

    assert pack(taken()) is not None
    assert pack(Recording(**{**fields_of(taken()), "exchanges": (large,)})) is None


def fields_of(heard: Recording) -> dict[str, Any]:
    """Return what a recording is made of."""
    return {name: getattr(heard, name) for name in KEPT}
