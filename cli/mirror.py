"""A folder of documents and its copy in the knowledge base: what there is, and what differs."""

import hashlib
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.client import Document
from cli.exits import CommandError, Exit
from webapi.extraction.kinds import SUFFIXES

_GIT_SECONDS = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class File:
    """A file to be kept as a document."""

    name: str  #: the document's
    path: Path

    def content(self) -> bytes:
        """Return what is in it. Raises CommandError."""
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise CommandError(f"{self.path} cannot be read: {error.strerror}") from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What makes the knowledge base a copy of a folder."""

    changed: Sequence[File]  #: new ones too
    unchanged: int
    taken: Sequence[Document]  #: of another origin, under a name of ours
    gone: Sequence[Document]  #: of this origin, and not in the folder any more


def files_in(folder: Path) -> list[File]:
    """Return the documents below a folder in order of name, each called by its path without suffix.

    Hidden ones are left out, and links that lead out of the folder. Raises CommandError when two
    have one name.
    """
    found: dict[str, File] = {}
    for path in sorted(folder.rglob("*"), key=Path.as_posix):
        below = path.relative_to(folder)
        if path.suffix.lower() not in SUFFIXES or any(part.startswith(".") for part in below.parts):
            continue
        if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
            continue
        name = below.with_suffix("").as_posix()
        if name in found:
            raise CommandError(f"{found[name].path} and {path} would both be called {name}")
        found[name] = File(name=name, path=path)
    return list(found.values())


def compare(files: Sequence[File], kept: Iterable[Document], origin: str) -> Plan:
    """Return what to do with the files of a folder; `kept` are all documents.

    One that has no origin yet becomes the folder's.
    """
    known = {document["name"]: document for document in kept}
    taken = [
        known[file.name]
        for file in files
        if file.name in known and known[file.name]["origin"] not in {"", origin}
    ]
    others = {document["name"] for document in taken}
    ours = [file for file in files if file.name not in others]
    changed = [file for file in ours if _differs(file, known.get(file.name), origin)]
    names = {file.name for file in files}
    return Plan(
        changed=changed,
        unchanged=len(ours) - len(changed),
        taken=taken,
        gone=[
            each
            for each in known.values()
            if each["origin"] == origin and each["name"] not in names
        ],
    )


def _differs(file: File, known: Document | None, origin: str) -> bool:
    if known is None or known["origin"] != origin:
        return True
    return bool(hashlib.sha256(file.content()).hexdigest() != known["digest"])


def origin_of(folder: Path) -> str:
    """Return what a folder is known by: its place in a repository, else on this machine."""
    remote = _git(folder, "config", "--get", "remote.origin.url")
    prefix = _git(folder, "rev-parse", "--show-prefix")
    if remote is None or prefix is None:
        return folder.resolve().as_posix()
    below = prefix.strip("/")
    return _without_credentials(remote) + (f"#{below}" if below else "")


def _without_credentials(remote: str) -> str:
    """Return a URL from its host on, without a query; a password may hold any mark."""
    scheme, mark, rest = remote.partition("://")
    return f"{scheme}://{rest.partition('?')[0].rpartition('@')[2]}" if mark else remote


def _git(folder: Path, *words: str) -> str | None:
    """Return what git answers; None when there is no answer."""
    program = shutil.which("git")
    if program is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603 - our own words
            (program, "-C", str(folder), *words),
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def named(paths: Sequence[Path]) -> Iterator[File]:
    """Yield files under their own names, without folders. Raises CommandError for other kinds."""
    for path in paths:
        if path.suffix.lower() not in SUFFIXES:
            kinds = ", ".join(SUFFIXES)
            raise CommandError(
                f"{path} is no document: its name ends with none of {kinds}", Exit.USAGE
            )
        yield File(name=path.stem, path=path)
