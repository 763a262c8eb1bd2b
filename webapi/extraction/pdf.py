"""The text of a PDF, a section a page."""

import json
from collections.abc import Iterator
from io import BytesIO

from pypdf import PdfReader
from pypdf.errors import FileNotDecryptedError

from webapi.extraction.inert import inert
from webapi.extraction.kinds import ExtractionError

MAX_PAGES = 500
_TITLE_CHARS = 200


def read_pdf(content: bytes, most_bytes: int) -> str:
    """Return Markdown. Raises ExtractionError, and what pypdf raises for a broken file."""
    reader = PdfReader(BytesIO(content))
    if reader.is_encrypted:
        raise ExtractionError("it is encrypted; send it without a password")
    try:
        count = len(reader.pages)
    except FileNotDecryptedError as error:
        raise ExtractionError("it is encrypted; send it without a password") from error
    if count > MAX_PAGES:
        raise ExtractionError(f"it has {count} pages, more than {MAX_PAGES}; split it")
    pages = list(_pages(reader, most_bytes))
    if not pages:
        raise ExtractionError("it holds no text: of a scan, send the text")
    return "".join((_front_matter(reader), *pages))


def _pages(reader: PdfReader, most_bytes: int) -> Iterator[str]:
    left = most_bytes
    for number, page in enumerate(reader.pages, start=1):
        text = inert(page.extract_text())
        if text:
            yield f"## Page {number}\n\n{text}\n\n"
            left -= len(text)
        if left < 0:
            return  # too large by now, and whoever asked for it says so


def _front_matter(reader: PdfReader) -> str:
    title = str((reader.metadata and reader.metadata.title) or "")[:_TITLE_CHARS].strip()
    # a JSON text is a YAML one
    return f"---\ntitle: {json.dumps(title, ensure_ascii=False)}\n---\n" if title else ""
