"""The edge to what is asked: bounded, clean, on tape, and no further than its URL."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import repeat
from time import monotonic, sleep

import httpx2
import pytest
from unit.collect.stand_ins import upstream_to

from opssage.errors import SourceError
from opssage.settings import PrometheusSettings
from tasks.collect import tape
from tasks.collect.clients import client
from tasks.collect.upstream import MAX_ANSWER_BYTES, RefusedError, UnreachableError

SECRET = "Zx9Kq7Lm2Pv4Rt8W"


class Stream(httpx2.SyncByteStream):
    """A body that comes in pieces."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces


def answering(response, **changes):
    """An upstream that always answers so."""
    return upstream_to(httpx2.MockTransport(lambda _: response), **changes)


def failing(error):
    """An upstream whose network fails."""

    def fail(request):
        raise error

    return upstream_to(httpx2.MockTransport(fail))


def soon():
    """A deadline that nobody meets."""
    return monotonic() + 60


def drops():
    """Bytes for ever, one at a time."""
    for byte in repeat(b" "):
        sleep(0.002)
        yield byte


def test_an_endless_answer_is_cut_off():
    """It costs no more memory than the largest answer that is read."""
    upstream = answering(httpx2.Response(200, stream=Stream(repeat(b" " * 65536))))

    with pytest.raises(SourceError, match=f"larger than {MAX_ANSWER_BYTES // 1024**2} MiB"):
        upstream.get("/", {}, soon())


def test_an_answer_in_drops_is_too_slow():
    """Each drop comes in time, the whole does not."""
    upstream = answering(httpx2.Response(200, stream=Stream(drops())), timeout_seconds=0.02)

    with pytest.raises(SourceError, match="too slow: no answer within"):
        upstream.get("/", {}, soon())


def test_after_the_deadline_nothing_is_sent():
    """Whoever waits has gone on without it."""
    asked = []
    upstream = upstream_to(httpx2.MockTransport(asked.append))

    with pytest.raises(SourceError, match="not asked: the deadline had passed"):
        upstream.get("/", {}, monotonic() - 1)
    assert asked == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status):
    """An answer does not choose whom our credentials are shown."""
    asked = []

    def elsewhere(request):
        asked.append(request.url.host)
        return httpx2.Response(status, headers={"Location": "http://evil/steal"})

    with pytest.raises(RefusedError, match=rf"not followed: check the URL \(HTTP {status}\)$"):
        upstream_to(httpx2.MockTransport(elsewhere)).get("/", {}, soon())
    assert asked == ["there"]


def test_the_client_of_a_source_follows_no_redirects_and_no_environment(tmp_path):
    """Neither an answer nor a variable sends a question elsewhere."""
    made = client(PrometheusSettings(url="http://p"), tmp_path, section="sources.prometheus")

    assert not made.follow_redirects
    assert not made.trust_env


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (f"level=info password={SECRET}", False),
        (f'{{"a": ["token={SECRET}"]}}', False),
        (f'{{"db_password": "{SECRET}"}}', False),
        (f"password={SECRET}", True),
    ],
)
@pytest.mark.parametrize("status", [200, 500])
def test_an_answer_holds_no_secret(body, text, status):
    """Neither what is returned, nor the refusal, nor the tape."""
    upstream = answering(httpx2.Response(status, text=body))
    ask = upstream.get_text if text else upstream.get

    with tape.recording() as heard:
        try:
            told = repr(ask("/", {}, soon()))
        except SourceError as error:
            told = repr(vars(error)) + str(error)

    assert SECRET not in told + repr(heard.exchanges)
    assert "[redacted:" in repr(heard.exchanges)


@pytest.mark.parametrize(
    "odd",
    ["\\u001b[31m", "\\u202e", "\\u0000", "\\ud83d", "\\u0007", "\u202e", "\u2066", "\x9b31m"],
)
def test_an_answer_is_plain_text(odd):
    """What steers a terminal, turns the direction of writing or is half a character is gone."""
    plain = "31m" if odd == "\x9b31m" else ""
    body = f'{{"line{odd}": "be{odd}fore", "tab": "a\\tb"}}'

    reply = answering(httpx2.Response(200, text=body)).get("/", {}, soon())

    assert reply.body == {f"line{plain}": f"be{plain}fore", "tab": "a\tb"}
    assert reply.size == len(body.encode())


def test_a_secret_that_control_characters_take_apart_is_found():
    """They are taken out first."""
    body = f'{{"line": "pass\\u200eword\\u0000={SECRET}"}}'

    reply = answering(httpx2.Response(200, text=body)).get("/", {}, soon())

    assert SECRET not in str(reply.body)


@pytest.mark.parametrize("body", ["<html>", "", "1", '"text"', "null", "{", b"\xff\xfe"])
def test_what_is_not_json_is_a_fault(body):
    """A proxy's page of greetings is no empty answer."""
    with pytest.raises(SourceError, match="not JSON: is this the right URL"):
        answering(httpx2.Response(200, content=body)).get("/", {}, soon())


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (httpx2.ConnectError("refused"), UnreachableError, "no connection: refused"),
        (httpx2.ConnectTimeout(""), UnreachableError, "no connection"),
        (httpx2.ReadTimeout(""), SourceError, "too slow: no answer within 5.0 s"),
        (httpx2.RemoteProtocolError("cut"), SourceError, "broken connection: cut"),
    ],
)
def test_a_fault_is_told_in_words_and_is_on_the_tape(error, kind, said):
    """A replay has to fail where the investigation did."""
    with tape.recording() as heard, pytest.raises(kind, match=said):
        failing(error).get("/labels", {"start": "1"}, soon())

    (exchange,) = heard.exchanges
    assert (exchange.request.path, exchange.request.params) == ("/labels", {"start": "1"})
    assert exchange.fault.startswith(said)
    assert (exchange.status, exchange.unreachable) == (None, kind is UnreachableError)


@pytest.mark.parametrize("status", [200, 403])
def test_an_answer_is_on_the_tape(status):
    """With its status, whether it was liked or not."""
    upstream = answering(httpx2.Response(status, json={"error": "no"}))

    with tape.recording() as heard, suppress(RefusedError):
        upstream.post("/query", {"query": "up"}, soon())

    (exchange,) = heard.exchanges
    assert (exchange.status, exchange.body, exchange.size) == (status, {"error": "no"}, 14)
    assert (exchange.request.method, exchange.fault) == ("POST", "")


def test_a_kept_answer_is_asked_for_once_and_is_on_every_tape():
    """Each investigation can be replayed alone."""
    asked = []

    def answer(request):
        asked.append(request)
        return httpx2.Response(200, json=[len(asked)])

    upstream = upstream_to(httpx2.MockTransport(answer))
    heard = []
    for _ in range(2):
        with tape.recording() as one:
            upstream.get("/rules", {}, soon(), keep_seconds=60)
        heard.append([exchange.body for exchange in one.exchanges])

    assert len(asked) == 1
    assert heard == [[[1]], [[1]]]


def test_a_fault_is_not_kept():
    """The next investigation may have more luck."""
    answers = iter([httpx2.Response(500), httpx2.Response(200, json=[1])])
    upstream = upstream_to(httpx2.MockTransport(lambda _: next(answers)))

    with pytest.raises(RefusedError):
        upstream.get("/rules", {}, soon(), keep_seconds=60)

    assert upstream.get("/rules", {}, soon(), keep_seconds=60).body == [1]


def test_a_header_that_cannot_be_sent_is_not_quoted():
    """It holds the credentials."""
    upstream = failing(httpx2.LocalProtocolError(f"Illegal header value b'Bearer {SECRET}\\n'"))

    with pytest.raises(SourceError, match="check the credentials") as caught:
        upstream.get("/x", {}, soon())

    assert SECRET not in str(caught.value)


def test_kept_answers_are_few():
    """Namespaces and hours are part of the questions: what is kept must not grow with them."""
    asked = []

    def answer(request):
        asked.append(request.url.params["n"])
        return httpx2.Response(200, json={})

    upstream = upstream_to(httpx2.MockTransport(answer))
    for n in range(100):
        upstream.get("/x", {"n": str(n)}, soon(), keep_seconds=60)
    upstream.get("/x", {"n": "99"}, soon(), keep_seconds=60)
    upstream.get("/x", {"n": "0"}, soon(), keep_seconds=60)

    assert asked[-2:] == ["99", "0"]


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("body", ['{"a":' * 65 + "1" + "}" * 65, "[" * 4000])
def test_an_answer_that_is_too_deep_is_a_fault(body, status):
    """Whoever reads it would run out of stack; the tape has it too, so that it can be replayed."""
    with tape.recording() as heard, pytest.raises(SourceError, match="deeper than 64 levels"):
        answering(httpx2.Response(status, text=body)).get("/", {}, soon())

    assert heard.exchanges[0].fault == "the answer is nested deeper than 64 levels"
