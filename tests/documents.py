"""Files as somebody may upload them: sound ones, and ones made to do harm."""

import io
import zipfile
import zlib

_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_MAIN = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
_PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
    f'<Override PartName="/word/document.xml" ContentType="{_MAIN}"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r1" '
    f'Type="{_OFFICE}/officeDocument" Target="word/document.xml"/></Relationships>',
}


def archive(parts: dict[str, str | bytes]) -> bytes:
    """Return a zip file."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as writer:
        for name, content in parts.items():
            writer.writestr(name, content)
    return packed.getvalue()


def docx(body: str, *, doctype: str = "", **more: str | bytes) -> bytes:
    """Return a DOCX whose body is this WordprocessingML."""
    document = f'{doctype}<w:document xmlns:w="{_WORD}"><w:body>{body}</w:body></w:document>'
    return archive({**_PARTS, "word/document.xml": document, **more})


def paragraph(text: str, style: str = "") -> str:
    """Return a paragraph of it; `style` such as Heading1."""
    named = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{named}<w:r><w:t>{text}</w:t></w:r></w:p>"


def table(rows: int, columns: int) -> str:
    """Return a table of it."""
    cell = f"<w:tc>{paragraph('x')}</w:tc>"
    return f"<w:tbl>{f'<w:tr>{cell * columns}</w:tr>' * rows}</w:tbl>"


def pdf(
    content: bytes = b"",
    *,
    pages: int = 1,
    filters: bytes = b"",
    title: bytes = b"",
    more: bytes = b"",
) -> bytes:
    """Return a PDF whose pages all show this content stream."""
    kids = b" ".join(b"%d 0 R" % (number + 6) for number in range(pages))
    page = (
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 3 0 R"
        b"/Resources<</Font<</F1 4 0 R>>>>>>"
    )
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, pages),
        b"<<%s/Length %d>>stream\n%s\nendstream" % (filters, len(content), content),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        b"<</Title(%s)>>" % title,
        *[page] * pages,
    ]
    return _numbered(objects, b"/Root 1 0 R/Info 5 0 R" + more)


def _numbered(objects: list[bytes], trailer: bytes) -> bytes:
    text, places = b"%PDF-1.4\n", []
    for number, each in enumerate(objects, start=1):
        places.append(b"%010d 00000 n \n" % len(text))
        text += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    size = len(objects) + 1
    table_of = b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, b"".join(places))
    return b"%s%strailer<</Size %d%s>>\nstartxref\n%d\n%%%%EOF" % (
        *(text, table_of, size, trailer, len(text)),
    )


def shown(*lines: str) -> bytes:
    """Return a content stream that shows lines of text."""
    told = b" 0 -14 Td ".join(b"(%s) Tj" % line.encode() for line in lines)
    return b"BT /F1 12 Tf 72 700 Td " + told + b" ET"


def packed_pdf(content: bytes) -> bytes:
    """Return a PDF with one page of a compressed content stream."""
    return pdf(zlib.compress(content, 9), filters=b"/Filter/FlateDecode")
