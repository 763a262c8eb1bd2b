"""From the bytes of a file to text that is safe to keep."""

import subprocess
import sys
from threading import BoundedSemaphore

import orjson

from webapi.extraction import child
from webapi.extraction.child import CPU_SECONDS, MEMORY_BYTES
from webapi.extraction.kinds import TEXT, ExtractionError, Kind, kind_of

SECONDS = 10.0
"""That reading one file may take; its own process stops it earlier when it works all the time."""
_AT_A_TIME = 2
_PATIENCE_SECONDS = 3.0

_places = BoundedSemaphore(_AT_A_TIME)


class BusyError(ExtractionError):
    """Other files are being read."""


def text_of(filename: str, content: bytes, most_bytes: int) -> str:
    """Return the text of a file as Markdown, of `most_bytes` of UTF-8 at most.

    Raises UnsupportedError for a kind of file that is not read, BusyError when it has to be sent
    again, and ExtractionError, naming the fault, for a file that cannot be read.
    """
    kind = kind_of(filename, content)
    text = _decoded(content) if kind is TEXT else _apart(kind, content, most_bytes)
    if len(text.encode()) > most_bytes:
        raise ExtractionError(too_large(most_bytes))
    return text


def too_large(most_bytes: int) -> str:
    """Return what to say of a text that is longer."""
    return (
        f"its text is larger than {most_bytes} bytes, which is enrich.max_document_bytes; split it"
    )


def _decoded(content: bytes) -> str:
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ExtractionError(f"it is not UTF-8 text (byte {error.start})") from error
    if "\0" in text:
        raise ExtractionError("it holds NUL characters: it is no text")
    return text


def _apart(kind: Kind, content: bytes, most_bytes: int) -> str:
    """Have a process of its own read the file."""
    if not _places.acquire(timeout=_PATIENCE_SECONDS):
        raise BusyError("other files are being read; send it again")
    try:
        answer = _asked(kind, content, most_bytes)
    finally:
        _places.release()
    if "fault" in answer:
        raise ExtractionError(answer["fault"])
    return str(answer["text"])


def _asked(kind: Kind, content: bytes, most_bytes: int) -> dict[str, str]:
    try:
        done = subprocess.run(  # noqa: S603 - our own module, its arguments are ours
            (sys.executable, "-IB", "-X", "utf8", "-m", child.__name__, kind.name, str(most_bytes)),
            input=content,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},  # our secrets are in the environment
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ExtractionError(_excess(kind)) from error
    if done.returncode:
        raise ExtractionError(_excess(kind))
    answer: dict[str, str] = orjson.loads(done.stdout)
    return answer


def _excess(kind: Kind) -> str:
    return (
        f"reading this {kind.name} file takes more than {CPU_SECONDS} s or "
        f"{MEMORY_BYTES >> 20} MiB; split it, or send its text as Markdown"
    )
