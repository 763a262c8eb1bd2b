"""Answers out of a recording, in the place of the network."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from threading import Lock
from urllib.parse import parse_qsl, unquote

import httpx2
import orjson

from opssage.errors import SourceError
from opssage.redaction import redact_text
from opssage.settings import Settings
from tasks.collect.recording import clean
from tasks.collect.registry import Connect, Connection
from tasks.collect.tape import Exchange, Params, Request
from tasks.collect.upstream import SIZE_EXTENSION, UnreachableError

_URL = "http://recorded"


class UnrecordedError(SourceError):
    """Nobody asked this when the recording was made."""


class Playback:
    """Recorded exchanges, to be asked for again. Safe to use from several threads."""

    def __init__(self, exchanges: Iterable[Exchange]) -> None:
        """Take the exchanges in the order in which they began."""
        self._answers: dict[tuple[object, ...], list[Exchange]] = defaultdict(list)
        self._asked: dict[tuple[object, ...], int] = defaultdict(int)
        self._lock = Lock()
        for exchange in exchanges:
            self._answers[_key(exchange.request)].append(exchange)

    def exchange(self, source: str, method: str, path: str, params: Params) -> Exchange:
        """Return what came of a question: of one that was put several times in turn, then the last.

        Raises UnrecordedError.
        """
        key = _key(Request(source=source, method=method, path=path, params=params))
        with self._lock:
            answers = self._answers.get(key)
            if not answers:
                raise UnrecordedError(f"not recorded: {method} {path} of {source}")
            turn = self._asked[key]
            self._asked[key] += 1
        return answers[min(turn, len(answers) - 1)]


def _key(request: Request) -> tuple[object, ...]:
    """Return what makes two requests the same question, secrets masked and paths unquoted."""
    path = unquote(redact_text(request.path))
    return replace(request, path=path, params=clean(request.params)).key


def connect(playback: Playback, settings: Settings) -> Connect:
    """Return what connects the sources that these settings name to a recording."""

    def connected(name: str) -> Connection | None:
        section = getattr(settings.sources, name)
        if getattr(section, "url", None) is None and getattr(section, "config", None) is None:
            return None
        client = httpx2.Client(transport=_Transport(playback, name), trust_env=False)
        return Connection(url=_URL, client=client)

    return connected


class _Transport(httpx2.BaseTransport):
    """What a client asks of one source, answered from a recording: faults are raised as told."""

    def __init__(self, playback: Playback, source: str) -> None:
        self._playback = playback
        self._source = source

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return the recorded answer. Raises SourceError."""
        path, _, query = request.url.raw_path.decode().partition("?")
        told = request.read().decode() if request.method == "POST" else query
        exchange = self._playback.exchange(self._source, request.method, path, params_in(told))
        if exchange.status is None:
            raise (UnreachableError if exchange.unreachable else SourceError)(exchange.fault)
        return httpx2.Response(
            exchange.status, content=content(exchange), extensions={SIZE_EXTENSION: exchange.size}
        )


def params_in(text: str) -> dict[str, str | list[str]]:
    """Return the parameters of a query or a form."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, value in parse_qsl(text, keep_blank_values=True):
        found[name].append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def content(exchange: Exchange) -> bytes:
    """Return the body of an answer as it goes over the wire."""
    body = exchange.body
    return body.encode() if isinstance(body, str) else orjson.dumps(body)
