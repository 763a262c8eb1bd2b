"""Commands for people to paste into a shell: whatever comes from outside stays one word."""

from shlex import quote

from opssage.redaction import redact_text


def word(text: str) -> str:
    """Return `text`, without secrets, as one word of a command.

    Secrets go before the quoting: a mask put into a finished command may take a mark of it away,
    and what the mark held together would be run.
    """
    return quote(redact_text(text))


def command(*words: str) -> str:
    """Return a command of these words."""
    return " ".join(map(word, words))


def whole(text: str) -> str:
    """Return a finished command, or "" when it cannot be told without masking a part of it."""
    return text if redact_text(text) == text else ""
