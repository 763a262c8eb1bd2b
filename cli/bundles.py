"""Bundles as files: written whole or not at all, read with care."""

import os
import sys
import tempfile
from pathlib import Path

from cli.exits import CommandError, Exit
from cli.report import printable
from tasks import bundle
from tasks.bundle import Bundle, BundleError

STANDARD = "-"
"""In the place of a path: standard input or output."""


def check_free(path: Path, *, force: bool) -> None:
    """Refuse to write over a file. Raises CommandError."""
    if path.exists() and not force:
        raise CommandError(f"{path} is there already; --force writes over it", Exit.USAGE)


def save(content: bytes, path: Path) -> None:
    """Write a file that only its owner may read; it appears when it is whole.

    Raises CommandError, and leaves nothing behind, when that fails.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror}") from error
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)


def load(path: str) -> Bundle:
    """Read the bundle in a file. Raises CommandError."""
    try:
        content = _content(path)
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}", Exit.USAGE) from error
    try:
        return bundle.read(content)
    except BundleError as error:
        raise CommandError(printable(f"{path}: {error}"), Exit.USAGE) from error


def _content(path: str) -> bytes:
    most = bundle.MAX_BYTES + 1
    if path == STANDARD:
        return sys.stdin.buffer.read(most)
    with Path(path).open("rb") as file:
        return file.read(most)
