"""Tokens out of what is written down of a request: its address and its id."""

from flask import Flask, current_app

from opssage.redaction import mask, redact_text

_KEY = "OPSSAGE_TOKEN"


def register(app: Flask, configured: str | None) -> None:
    """Remember `auth.token`: it may be any text, so it has no shape to be known by."""
    app.config[_KEY] = configured


def masked(text: str) -> str:
    """Return a text without the configured token, and without what looks like a secret."""
    configured = current_app.config[_KEY]
    return redact_text(text.replace(configured, mask(configured)) if configured else text)
