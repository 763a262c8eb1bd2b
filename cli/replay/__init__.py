"""Recorded outages, served as Prometheus, Loki, Alertmanager and Kubernetes would answer."""

from cli.replay.recording import Capture, Recording, UnknownOutageError, load, names
from cli.replay.server import Served, create_app, serve

__all__ = [
    "Capture",
    "Recording",
    "Served",
    "UnknownOutageError",
    "create_app",
    "load",
    "names",
    "serve",
]
