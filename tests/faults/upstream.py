"""A fake Prometheus and Loki that can answer, hang, fail or talk nonsense."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any, Literal
from urllib.parse import parse_qsl

Behaviour = Literal["answer", "hang", "error", "refuse", "garbage", "huge"]

_STATUS = {"error": 500, "refuse": 429}
_LABELS = {"namespace": "shop"}
_LINES = 20
_HUGE_BYTES = 10 * 2**20


class Upstream:
    """What the server does, and what it was asked."""

    def __init__(self) -> None:
        """Answer until told otherwise: with one series, or one stream, of a namespace."""
        self.calls: Counter[str] = Counter()  #: by path
        self.port = 0
        self._behaviours: tuple[Behaviour, ...] = ("answer",)
        self._released = Event()

    @property
    def environment(self) -> dict[str, str]:
        """Where the service finds it."""
        url = f"http://127.0.0.1:{self.port}"
        return {"PROMETHEUS_URL": url, "LOKI_URL": url}

    def set(self, *behaviours: Behaviour) -> None:
        """Behave like this from here on, at each path in turns; whoever hangs is answered."""
        self._behaviours = behaviours
        self._released.set()
        self._released = Event()

    def answer(self, path: str, asked: Mapping[str, str]) -> tuple[int, bytes]:
        """Return status and body, after whatever the behaviour asks for."""
        behaviour = self._behaviours[self.calls[path] % len(self._behaviours)]
        self.calls[path] += 1
        if behaviour == "hang":
            self._released.wait(600)
        if behaviour == "garbage":
            return 200, b'{"status": "succ'
        if behaviour in _STATUS:
            return _STATUS[behaviour], b"no"
        told = {"status": "success", "data": _data(path, asked)}
        padding = _HUGE_BYTES if behaviour == "huge" else 0
        return 200, json.dumps(told).encode() + b" " * padding


def _data(path: str, asked: Mapping[str, str]) -> Any:
    if path.endswith("/labels"):
        return list(_LABELS)
    if path.startswith("/loki/"):
        end = int(asked["end"]) - 1
        lines = [[str(end - n), f"error: attempt {n} refused"] for n in range(_LINES)]
        return {"resultType": "streams", "result": [{"stream": _LABELS, "values": lines}]}
    if path.endswith("/query_range"):
        start, end, step = (int(asked[name]) for name in ("start", "end", "step"))
        values = [[at, "1"] for at in range(start, end + 1, step)]
        return {"resultType": "matrix", "result": [{"metric": _LABELS, "values": values}]}
    value = [float(asked.get("time", 0)), "1"]
    return {"resultType": "vector", "result": [{"metric": _LABELS, "value": value}]}


@contextmanager
def serving() -> Iterator[Upstream]:
    """Serve on a free port for the length of the block."""
    upstream = Upstream()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            form = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            status, body = upstream.answer(path, dict(parse_qsl(query or form)))
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                pass  # the asker has given up

        do_POST = do_GET  # noqa: N815 - the base class names it

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    upstream.port = server.server_port
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield upstream
    finally:
        upstream.set("answer")
        server.shutdown()
        server.server_close()
        thread.join()
