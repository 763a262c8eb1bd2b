"""`gunicorn faults.entry.web:app`: the product's own door, with failpoints."""

from faults.entry.prepare import prepare

prepare()

from webapi.wsgi import app  # noqa: E402 - after the failpoints

__all__ = ["app"]
