"""Which files can be read, and how each is known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from opssage.errors import OpsSageError


class ExtractionError(OpsSageError):
    """The file cannot be read."""


class UnsupportedError(ExtractionError):
    """The file is of a kind that is not read here."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """A kind of file."""

    name: str
    suffixes: tuple[str, ...]
    magic: bytes = b""  #: what every such file begins with


TEXT = Kind(name="text", suffixes=(".md", ".markdown", ".txt"))
PDF = Kind(name="PDF", suffixes=(".pdf",), magic=b"%PDF-")
DOCX = Kind(name="DOCX", suffixes=(".docx",), magic=b"PK\x03\x04")
KINDS: Sequence[Kind] = (TEXT, PDF, DOCX)

SUFFIXES: Mapping[str, Kind] = {suffix: kind for kind in KINDS for suffix in kind.suffixes}
TAKEN = "Markdown and text (.md, .markdown, .txt), PDF (.pdf) and Word (.docx)"


def kind_of(filename: str, content: bytes) -> Kind:
    """Return the kind of a file: by its suffix, and what has none by how it begins.

    Raises UnsupportedError for a kind that is not read, and ExtractionError for a file that is not
    what its suffix says.
    """
    suffix = PurePosixPath(filename).suffix.lower()
    if not suffix:
        return next((kind for kind in (PDF, DOCX) if content.startswith(kind.magic)), TEXT)
    kind = SUFFIXES.get(suffix)
    if kind is None:
        raise UnsupportedError(f"{suffix} files are not read here; there are {TAKEN}")
    # a PDF may have some bytes before it, and readers look for its mark in the first 1,024
    if kind.magic not in content[:1024]:
        raise ExtractionError(f"it is no {kind.name} file, although its name says so")
    return kind


def stem(filename: str) -> str:
    """Return a file's name without folders and without a suffix that is ours."""
    path = PurePosixPath(filename.replace("\\", "/"))
    return path.stem if path.suffix.lower() in SUFFIXES else path.name
