"""The knowledge base by REST: its documents, and what is found in them."""

from collections.abc import Mapping
from typing import Any, NoReturn
from uuid import UUID

import marshmallow as ma
from flask import Response, request
from flask_smorest import Blueprint

from opssage.access import Scope
from opssage.knowledge import KnowledgeDocument
from opssage.settings import EnrichSettings
from store import DocumentChange, DocumentFilter, DocumentOutcome, Store
from webapi.answers import PageQuerySchema, PageSchema, as_json, cut, page, shown
from webapi.auth import actor, needs
from webapi.cursors import ID, MOMENT, Cursor
from webapi.document_bodies import (
    ContentSchema,
    NewDocumentSchema,
    Sent,
    new_document,
    read_sent,
)
from webapi.extraction.kinds import TAKEN
from webapi.problems import answers_problems, refuse
from webapi.schemas import any_of

_CURSOR = Cursor((MOMENT, ID))
_EXAMPLE = "---\ntitle: Checkout is slow\nservices: [checkout]\nowner: shop\n---\n## Actions\n- …\n"


class AboutSchema(ma.Schema):
    """What a document's front matter says of it."""

    owner = ma.fields.String(required=True)
    services = ma.fields.List(ma.fields.String(), required=True)
    alertnames = ma.fields.List(ma.fields.String(), required=True)
    tags = ma.fields.List(ma.fields.String(), required=True)
    causes = ma.fields.List(ma.fields.String(), required=True)
    reviewed = ma.fields.String(required=True, metadata={"description": "As 2026-11-23, or empty"})
    url = ma.fields.String(required=True, metadata={"description": "Where people read it"})


class DocumentSummarySchema(ma.Schema):
    """A document in a list: everything but its text."""

    document_id = ma.fields.UUID(required=True)
    name = ma.fields.String(required=True)
    title = ma.fields.String(required=True)
    about = ma.fields.Nested(AboutSchema, required=True)
    origin = ma.fields.String(
        required=True, metadata={"description": "What it is a copy of; empty: nothing"}
    )
    digest = ma.fields.String(
        required=True, metadata={"description": "SHA-256 of the text or file that was sent"}
    )
    size = ma.fields.Integer(required=True, metadata={"description": "Bytes of its text"})
    version = ma.fields.Integer(required=True, metadata={"description": "Counts its changes"})
    created_at = ma.fields.AwareDateTime(required=True)
    updated_at = ma.fields.AwareDateTime(required=True)
    updated_by = ma.fields.String(required=True)


class DocumentSchema(DocumentSummarySchema):
    """A document with its text."""

    text = ma.fields.String(
        required=True, metadata={"description": "Markdown, not checked for what it would render"}
    )


class WrittenDocumentSchema(DocumentSummarySchema):
    """A document that was sent."""

    change = ma.fields.String(
        required=True, validate=ma.validate.OneOf(["added", "replaced", "unchanged"])
    )
    secrets_masked = ma.fields.Integer(
        required=True,
        metadata={"description": "What looked like a secret and is kept as [redacted:…]"},
    )


class DocumentPageSchema(PageSchema):
    """A page of documents, last changed first."""

    items = ma.fields.List(ma.fields.Nested(DocumentSummarySchema), required=True)


class DocumentQuerySchema(PageQuerySchema):
    """Which documents to list."""

    name = any_of("Name, exactly")
    origin = any_of("What it is a copy of, exactly")
    cursor = _CURSOR.field()


class DeletedDocumentSchema(ma.Schema):
    """A deletion done."""

    status = ma.fields.Constant("deleted")
    document_id = ma.fields.UUID()


_SUMMARY = tuple(DocumentSummarySchema().fields)
_WHOLE = tuple(DocumentSchema().fields)


def add_to(routes: Blueprint, store: Store, settings: EnrichSettings) -> None:
    """Add the routes of documents."""
    _add_reading(routes, store)
    _add_post(routes, store, settings)
    _add_changing(routes, store, settings)


def _add_reading(routes: Blueprint, store: Store) -> None:
    @routes.route("")
    # a filter we do not know would silently list everything
    @routes.arguments(DocumentQuerySchema, location="query", unknown=ma.RAISE)
    @routes.alt_response(200, schema=DocumentPageSchema, description="A page")
    @needs(Scope.READ)
    def list_documents(query: dict[str, Any]) -> Response:
        """List documents without their text, last changed first."""
        limit, after = query.pop("limit"), query.pop("cursor")
        found = store.list_documents(DocumentFilter(**query), limit=limit + 1, after=after)
        items, following = cut(
            found, limit, lambda last: _CURSOR.write(last.updated_at, last.document_id)
        )
        return page([shown(item, _SUMMARY) for item in items], following)

    @routes.route("/<uuid:document_id>")
    @routes.alt_response(200, schema=DocumentSchema, description="The document")
    @answers_problems(routes, 404)
    @needs(Scope.READ)
    def get_document(document_id: UUID) -> Response:
        """Show a document with its text; its ETag is what `If-Match` of a PUT takes."""
        found = store.get_document(document_id) or _refuse_missing(document_id)
        answer = as_json(shown(found, _WHOLE))
        answer.set_etag(_etag(found))
        answer.make_conditional(request)
        return answer


def _add_post(routes: Blueprint, store: Store, settings: EnrichSettings) -> None:
    @routes.route("", methods=["POST"])
    @routes.doc(requestBody=_body(NewDocumentSchema, {"name": "shop/checkout", "text": _EXAMPLE}))
    @routes.alt_response(201, schema=WrittenDocumentSchema, description="Kept")
    @routes.alt_response(200, schema=WrittenDocumentSchema, description="Replaced or unchanged")
    @answers_problems(routes, 409, 422, 503)
    @needs(Scope.WRITE)
    def add_document() -> Response:
        """Keep a document under its name, in place of the one that has it.

        The same content again changes nothing. What is in it is kept as text: control characters
        are taken out, what looks like a secret is masked, and scripts and markup mean nothing here.
        A file whose text cannot be read, or has faulty front matter, is answered 422.
        """
        sent = read_sent()
        known = _known(store, sent)
        if known:
            return _written((DocumentChange.UNCHANGED, known), 0)
        new, masked = new_document(sent, settings.max_document_bytes)
        most = settings.max_knowledge_bytes
        return _written(store.put_document(new, actor(), most_bytes=most), masked)


def _add_changing(routes: Blueprint, store: Store, settings: EnrichSettings) -> None:
    @routes.route("/<uuid:document_id>", methods=["PUT"])
    @routes.doc(requestBody=_body(ContentSchema, {"text": _EXAMPLE}))
    @routes.alt_response(200, schema=WrittenDocumentSchema, description="Replaced or unchanged")
    @answers_problems(routes, 404, 409, 412, 422, 503)
    @needs(Scope.WRITE)
    def replace_document(document_id: UUID) -> Response:
        """Put other content into a document, which keeps its name.

        With `If-Match` and the ETag that GET answers, only if nobody else has done so since.
        """
        found = store.get_document(document_id) or _refuse_missing(document_id)
        version = _expected(found)
        new, masked = new_document(read_sent(found.name), settings.max_document_bytes)
        most = settings.max_knowledge_bytes
        outcome = store.replace_document(
            document_id, new, actor(), most_bytes=most, version=version
        )
        return _written(outcome, masked)

    @routes.route("/<uuid:document_id>", methods=["DELETE"])
    @routes.alt_response(200, schema=DeletedDocumentSchema, description="Deleted")
    @answers_problems(routes, 404)
    @needs(Scope.WRITE)
    def delete_document(document_id: UUID) -> Response:
        """Delete a document; no later diagnosis quotes it."""
        if not store.delete_document(document_id, actor()):
            _refuse_missing(document_id)
        return as_json({"status": "deleted", "document_id": document_id})


def _body(schema: type[ma.Schema], example: Mapping[str, str]) -> dict[str, Any]:
    form = {
        "type": "object",
        "properties": {
            "file": {"type": "string", "format": "binary", "description": TAKEN},
            "name": {"type": "string", "description": "Else that of the file, without suffix"},
            "origin": {"type": "string", "description": "As in JSON"},
        },
        "required": ["file"],
        "additionalProperties": False,
    }
    if schema is ContentSchema:
        del form["properties"]["name"]  # type: ignore[attr-defined]
    content = {
        "application/json": {"schema": schema, "example": example},
        "multipart/form-data": {"schema": form},
    }
    return {"required": True, "content": content}


def _known(store: Store, sent: Sent) -> KnowledgeDocument | None:
    """Return the document that has this content already, so that nothing has to be read out of it.

    Another request may change it meanwhile: then that one came second.
    """
    for found in store.list_documents(DocumentFilter(name=[sent.name]), limit=1):
        if (found.digest, found.origin) == (sent.digest, sent.origin):
            return found
    return None


def _written(outcome: DocumentOutcome, masked: int) -> Response:
    change, document = outcome
    if change is DocumentChange.FULL:
        refuse(
            409,
            "all documents together would be larger than enrich.max_knowledge_bytes; delete some, "
            "or raise it",
        )
    if document is None:
        refuse(404, "somebody has just deleted this document")
    if change is DocumentChange.STALE:
        _refuse_stale(document)
    body = {**shown(document, _SUMMARY), "change": change, "secrets_masked": masked}
    return as_json(body, 201 if change is DocumentChange.ADDED else 200)


def _expected(found: KnowledgeDocument) -> int | None:
    """Return the version that the request wants to replace, None for any."""
    if not request.if_match or request.if_match.star_tag:
        return None
    if not request.if_match.contains(_etag(found)):
        _refuse_stale(found)
    return found.version


def _etag(document: KnowledgeDocument) -> str:
    return f"{document.document_id}.{document.version}"


def _refuse_stale(document: KnowledgeDocument) -> NoReturn:
    refuse(
        412,
        f"{document.name} was changed by {document.updated_by} meanwhile; read it again, and put "
        "your change into that",
    )


def _refuse_missing(document_id: UUID) -> NoReturn:
    refuse(404, f"there is no document {document_id}")
