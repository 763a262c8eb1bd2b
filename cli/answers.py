"""Serves the answers in a recording, each source below an address of its own."""

import signal
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import orjson
import yaml
from werkzeug import Request, Response

from cli.replay.server import Served, run
from opssage.settings import Settings
from tasks.collect.playback import Playback, UnrecordedError, content, params_in
from tasks.collect.recording import Recording

_VARIABLES: Mapping[str, str] = {
    "prometheus": "PROMETHEUS_URL",
    "loki": "LOKI_URL",
    "alertmanager": "ALERTMANAGER_URL",
    "kubernetes": "OPSSAGE_KUBECONFIG",
}
"""What names each source to OpsSage."""

_OURSELVES = frozenset({"127.0.0.1", "localhost", "::1"})
_MAX_QUESTION_BYTES = 1024 * 1024


def serve(recording: Recording, port: int) -> None:
    """Serve until Ctrl-C or a SIGTERM, and print the environment that leads here."""
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="opssage-replay-") as folder:
        served = start(recording, port)
        try:
            for line in environment(recording.settings, served.url, Path(folder)):
                click.echo(line)
            served.thread.join()
        except KeyboardInterrupt:
            pass
        finally:
            served.stop()


def start(recording: Recording, port: int = 0) -> Served:
    """Serve in a thread; port 0 takes a free one."""
    return run(_Answers(Playback(recording.exchanges)), port=port)


def environment(settings: Settings, url: str, folder: Path) -> Iterable[str]:
    """Yield the variables that lead the sources of a recording to `url`.

    A kubeconfig is written to `folder`.
    """
    for source, variable in _VARIABLES.items():
        section = getattr(settings.sources, source)
        if getattr(section, "url", None):
            yield f"{variable}={url}/{source}"
        elif getattr(section, "config", None):
            file = folder / "kubeconfig"
            file.write_text(yaml.safe_dump(_kubeconfig(f"{url}/{source}", section.context)))
            yield f"{variable}={file}"


def _kubeconfig(url: str, context: str | None) -> dict[str, Any]:
    name = context or "recorded"
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": url}}],
        "users": [{"name": name, "user": {}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }


class _Answers:
    """A WSGI application that knows nothing but what was recorded."""

    def __init__(self, playback: Playback) -> None:
        self._playback = playback

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if urlsplit(f"//{request.host}").hostname not in _OURSELVES:
            # a page of somebody else's whose name was pointed here would read it all
            return _refusal(403, "only 127.0.0.1 and localhost are answered")
        if (request.content_length or 0) > _MAX_QUESTION_BYTES:
            return _refusal(413, f"a question of more than {_MAX_QUESTION_BYTES} bytes")
        source, _, path = request.path.lstrip("/").partition("/")
        told = request.get_data(as_text=True) if request.method == "POST" else ""
        params = params_in(told or request.query_string.decode(errors="replace"))
        try:
            exchange = self._playback.exchange(source, request.method, f"/{path}", params)
        except UnrecordedError as error:
            asked = " ".join(f"{name}={value}" for name, value in params.items())
            return _refusal(422 if source in _VARIABLES else 404, f"{error}: {asked}")
        if exchange.status is None:
            return _refusal(503 if exchange.unreachable else 504, exchange.fault)
        kind = "text/plain" if isinstance(exchange.body, str) else "application/json"
        return Response(content(exchange), exchange.status, content_type=kind)


def _refusal(status: int, told: str) -> Response:
    """Return an error as clients of Prometheus and of Kubernetes look for it."""
    body = {"status": "error", "errorType": "recording", "error": told, "message": told}
    return Response(orjson.dumps(body), status, content_type="application/json")
