"""The text of a DOCX: headings, paragraphs, lists and tables."""

import zipfile
from io import BytesIO

import mammoth

from webapi.extraction.html_text import markdown_of
from webapi.extraction.kinds import ExtractionError

MAX_PARTS = 2000
MAX_XML_BYTES = 16 << 20
_XML = (".xml", ".rels")
_CONTENTS = "[Content_Types].xml"
_DOCTYPES = tuple("<!DOCTYPE".encode(name) for name in ("utf-8", "utf-16-le", "utf-16-be"))


def read_docx(content: bytes, most_bytes: int) -> str:
    """Return Markdown. Raises ExtractionError, and what mammoth raises for a broken file."""
    _check(content)
    converted = mammoth.convert_to_html(
        BytesIO(content),
        convert_image=lambda _image: [],
        include_embedded_style_map=False,
        external_file_access=False,
    )
    text = markdown_of(converted.value, most_bytes)
    if not text:
        raise ExtractionError("it holds no text")
    return text


def _check(content: bytes) -> None:
    """Refuse what no word processor writes: an archive is read no further than it says it goes."""
    with zipfile.ZipFile(BytesIO(content)) as archive:
        parts = archive.infolist()
        if len(parts) > MAX_PARTS:
            raise ExtractionError(f"it has {len(parts)} parts, more than {MAX_PARTS}")
        told = [part for part in parts if part.filename.lower().endswith(_XML)]
        if sum(part.file_size for part in told) > MAX_XML_BYTES:
            raise ExtractionError(
                f"its text is packed, and unpacked it is larger than {MAX_XML_BYTES} bytes"
            )
        if _CONTENTS not in archive.namelist():
            raise ExtractionError("it is an archive, and no DOCX file")
        for part in told:
            # ECMA-376 part 2, 9.1.7: no part has a DTD; entities would multiply what is in it
            if any(mark in archive.read(part) for mark in _DOCTYPES):
                raise ExtractionError("it declares XML entities, which no DOCX file may")
