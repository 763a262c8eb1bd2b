"""A server that answers as Prometheus, Loki, Alertmanager and Kubernetes of an outage would."""

import threading
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from wsgiref.types import WSGIApplication

from flask import Flask, Response
from werkzeug.exceptions import NotFound
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from cli.replay.alertmanager_api import AlertmanagerApi
from cli.replay.kubernetes import KubernetesApi
from cli.replay.loki_api import LokiApi
from cli.replay.prometheus_api import PrometheusApi
from cli.replay.recording import Capture, Recording, load

_POLL_SECONDS = 0.05  # how long `stop` may take to be noticed


def create_app(recording: Recording, now: datetime) -> Flask:
    """Return a WSGI application over a recording whose alert arrives at `now`."""
    return answering(recording, recording.at(now))


def answering(recording: Recording, capture: Capture) -> Flask:
    """Return a WSGI application over a recording that was placed in time."""
    app = Flask(__name__, static_folder=None)
    app.register_blueprint(PrometheusApi(capture).blueprint())
    app.register_blueprint(LokiApi(capture).blueprint())
    app.register_blueprint(AlertmanagerApi(recording.document, capture.now).blueprint())
    app.register_blueprint(KubernetesApi(recording.document, capture).blueprint())
    app.register_error_handler(NotFound, _not_found)
    return app


def _not_found(_: Exception) -> Response:
    return Response("404 page not found\n", status=404, mimetype="text/plain")


@dataclass(frozen=True, slots=True)
class Served:
    """A running server."""

    server: BaseWSGIServer
    thread: threading.Thread

    @property
    def url(self) -> str:
        """Where all APIs are, without a slash at the end."""
        return f"http://{self.server.host}:{self.server.port}"

    def stop(self) -> None:
        """Stop serving and free the port."""
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class _Quiet(WSGIRequestHandler):
    """Handles requests without a line on stderr for each."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing."""


def serve(
    outage: str | Path | Recording, host: str = "127.0.0.1", port: int = 0, *, now: datetime
) -> Served:
    """Serve an outage in a thread; port 0 takes a free one. Raises UnknownOutageError."""
    recording = outage if isinstance(outage, Recording) else load(outage)
    return run(create_app(recording, now), host, port)


def run(app: WSGIApplication, host: str = "127.0.0.1", port: int = 0) -> Served:
    """Serve an application in a thread; port 0 takes a free one."""
    server = make_server(host, port, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(
        target=server.serve_forever, args=(_POLL_SECONDS,), name="replay", daemon=True
    )
    thread.start()
    return Served(server, thread)
