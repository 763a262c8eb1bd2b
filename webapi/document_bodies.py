"""What is sent as a document: JSON with its text, or a form with a file; none of it trusted."""

import hashlib
import re
from dataclasses import dataclass
from typing import NoReturn

import marshmallow as ma
from flask import request

from opssage.plain_text import plain_text
from opssage.redaction import redact_text
from store import NewDocument
from tasks.enrich.runbooks import RunbookError, parse_runbook
from webapi.body import body_bytes, read
from webapi.extraction.kinds import TAKEN, ExtractionError, UnsupportedError, stem
from webapi.extraction.reading import BusyError, text_of, too_large
from webapi.fields import DocumentName, Name
from webapi.problems import refuse
from webapi.suggestions import SuggestingSchema

NAME_CHARS = 256
ORIGIN_CHARS = 512
_TITLE_CHARS = 512
_MASKS = re.compile(r"\[redacted:[0-9a-f]{4}:\d+\]")
_FILE = "file"
_FORM = "multipart/form-data"
# what curl and other clients say of a JSON body when nobody tells them better
_JSON = frozenset({"", "application/json", "application/x-www-form-urlencoded"})


class ContentSchema(SuggestingSchema):
    """The content of a document that is there."""

    other_words = {"body": "text", "content": "text", "markdown": "text", "source": "origin"}  # noqa: RUF012 - marshmallow's classes are made once

    text = ma.fields.String(
        required=True,
        validate=[
            ma.validate.Length(min=1),
            ma.validate.Regexp(r"[!-~\u00a1-\u167f]|[\u3041-\uabff]", error="Holds no text."),
        ],
        metadata={"description": "Markdown, with front matter if you like"},
    )
    origin = Name(
        load_default="",
        validate=ma.validate.Length(1, ORIGIN_CHARS),
        metadata={"description": "The folder or repository that it is a copy of"},
    )


class NewDocumentSchema(ContentSchema):
    """A document."""

    other_words = {**ContentSchema.other_words, "path": "name", "title": "name"}  # noqa: RUF012 - as above

    name = DocumentName(
        required=True,
        validate=ma.validate.Length(1, NAME_CHARS),
        metadata={"description": "What it is called, such as `shop/checkout`; unique"},
    )


class _FileSchema(SuggestingSchema):
    """What a form has beside the file."""

    other_words = {"path": "name", "title": "name", "source": "origin"}  # noqa: RUF012 - as above

    origin = Name(load_default="", validate=ma.validate.Length(1, ORIGIN_CHARS))


class _NewFileSchema(_FileSchema):
    name = DocumentName(load_default=None, validate=ma.validate.Length(1, NAME_CHARS))


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """What was sent, not looked into."""

    name: str
    origin: str
    filename: str
    content: bytes

    @property
    def digest(self) -> str:
        """SHA-256 of it, in hex."""
        return hashlib.sha256(self.content).hexdigest()


def read_sent(name: str | None = None) -> Sent:
    """Return what the request sends; ends the request when it cannot be read.

    With a `name` it is new content of the document that has it.
    """
    if request.mimetype == _FORM:
        return _file(name)
    if request.mimetype not in _JSON:
        refuse(
            415,
            f"{request.mimetype} is not read here; send JSON with a text, or {_FORM} with a part "
            f"`{_FILE}`: {TAKEN}",
        )
    told = read(ContentSchema() if name else NewDocumentSchema())
    text: str = told["text"]
    return Sent(
        name=name or told["name"],
        origin=told["origin"],
        filename="text.md",
        content=text.encode("utf-8", "replace"),
    )


def _file(name: str | None) -> Sent:
    body_bytes()
    try:
        return _file_in(name)
    finally:
        for part in request.files.values():
            part.close()


def _file_in(name: str | None) -> Sent:
    parts = request.files.getlist(_FILE)
    if len(parts) != 1 or len(request.files) != 1:
        _refuse_field(_FILE, f"There has to be one file, in a part named {_FILE}.")
    try:
        told = (_FileSchema() if name else _NewFileSchema()).load(request.form.to_dict())
    except ma.ValidationError as error:
        detail = "the form has fields that cannot be taken; errors names them"
        refuse(422, detail, errors={"form": error.messages_dict})
    filename = parts[0].filename or ""
    return Sent(
        name=name or told["name"] or _named(filename),
        origin=told["origin"],
        filename=filename,
        content=parts[0].read(),
    )


def _named(filename: str) -> str:
    try:
        name: str = NewDocumentSchema().fields["name"].deserialize(stem(filename))
    except ma.ValidationError:
        _refuse_field("name", "Needed: the name of the file is none for a document.")
    return name


def _refuse_field(name: str, fault: str) -> NoReturn:
    refuse(422, f"{name}: {fault}", errors={"form": {name: [fault]}})


def new_document(sent: Sent, most_bytes: int) -> tuple[NewDocument, int]:
    """Return what is kept of it, and how many secrets were masked; ends the request if nothing is.

    The text is kept as text: whoever shows it has to see to it that it stays that.
    """
    raw = _extracted(sent, most_bytes)
    text = redact_text(plain_text(raw.replace("\r\n", "\n").replace("\r", "\n")))
    if len(text.encode()) > most_bytes:  # a mask may be longer than what it stands for
        _refuse_text(too_large(most_bytes))
    try:
        runbook = parse_runbook(sent.name, text)
    except RunbookError as error:
        _refuse_text(f"it cannot be kept: {error}")
    masked = len(_MASKS.findall(text)) - len(_MASKS.findall(raw))
    new = NewDocument(
        name=sent.name,
        text=text,
        title=runbook.title[:_TITLE_CHARS],
        about=runbook.about,
        digest=sent.digest,
        origin=sent.origin,
    )
    return new, masked


def _extracted(sent: Sent, most_bytes: int) -> str:
    try:
        return text_of(sent.filename, sent.content, most_bytes)
    except UnsupportedError as error:
        refuse(415, str(error))
    except BusyError as error:
        refuse(503, str(error))
    except ExtractionError as error:
        _refuse_text(str(error))


def _refuse_text(fault: str) -> NoReturn:
    place, name = ("form", _FILE) if request.mimetype == _FORM else ("json", "text")
    refuse(422, f"{name}: {fault}", errors={place: {name: [fault]}})
