"""The knowledge base as a whole: its routes, and searching in it."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import marshmallow as ma
from flask import Response
from flask_smorest import Blueprint

from opssage.access import Scope
from opssage.settings import Settings
from store import DocumentFilter, Store
from tasks.enrich import Library, Passage
from webapi import documents
from webapi.answers import as_json
from webapi.auth import needs
from webapi.body import read
from webapi.problems import answers_problems
from webapi.suggestions import SuggestingSchema

_QUERY_CHARS = 2000
_MOST_FOUND = 20
_EXCERPT_CHARS = 600
_EXAMPLE = {"query": "pods are evicted, node disk pressure", "limit": 5}


class _Count(ma.fields.Integer):
    """A whole number; text that holds one is none."""

    def _deserialize(self, value: Any, *told: Any, **named: Any) -> Any:
        is_whole = isinstance(value, int | float) and value == int(value)
        if isinstance(value, bool) or not is_whole:
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, *told, **named)


class SearchSchema(SuggestingSchema):
    """What to search for."""

    other_words = {"q": "query", "text": "query", "top_k": "limit"}  # noqa: RUF012 - marshmallow's classes are made once

    query = ma.fields.String(
        required=True,
        validate=ma.validate.Length(1, _QUERY_CHARS),
        metadata={"description": "Words, the name of an alert, a line of a log"},
    )
    limit = _Count(load_default=5, validate=ma.validate.Range(1, _MOST_FOUND))


class PassageSchema(ma.Schema):
    """A passage that fits."""

    source_id = ma.fields.String(
        required=True, metadata={"description": "As a diagnosis cites it: `disk-pressure#actions`"}
    )
    document_id = ma.fields.UUID(
        required=True,
        allow_none=True,
        metadata={"description": "null: a file of the folder `enrich.runbooks`"},
    )
    name = ma.fields.String(required=True)
    title = ma.fields.String(required=True)
    heading = ma.fields.String(required=True)
    excerpt = ma.fields.String(required=True)
    relevance = ma.fields.Float(required=True, metadata={"description": "0 to 1"})


class FoundSchema(ma.Schema):
    """The passages that fit, best first."""

    items = ma.fields.List(ma.fields.Nested(PassageSchema), required=True)


def blueprint(store: Store, settings: Settings) -> Blueprint:
    """Return the routes of documents and of the search in them."""
    routes = Blueprint(
        "documents", __name__, url_prefix="/api/v1/documents", description="What the team knows"
    )
    documents.add_to(routes, store, settings.enrich)
    _add_search(routes, store, settings.folder / settings.enrich.runbooks)
    return routes


def _add_search(routes: Blueprint, store: Store, folder: Path) -> None:
    @cache
    def library() -> Library:
        """Return what this process searches; most never do, and it is read at the first search."""
        return Library(folder, store)

    content = {"application/json": {"schema": SearchSchema, "example": _EXAMPLE}}

    @routes.route("/search", methods=["POST"])
    @routes.doc(requestBody={"required": True, "content": content})
    @routes.alt_response(200, schema=FoundSchema, description="What fits, maybe nothing")
    @answers_problems(routes, 400, 413, 422)
    @needs(Scope.READ)
    def search_documents() -> Response:
        """Search the documents and the folder of runbooks, as a diagnosis does."""
        asked = read(SearchSchema())
        found = library().shelf().search(asked["query"], limit=asked["limit"])
        names = {passage.runbook.name for passage in found}
        kept = store.list_documents(DocumentFilter(name=sorted(names)), limit=len(names) or 1)
        ids = {document.name: document.document_id for document in kept}
        return as_json({"items": [_shown(passage, ids) for passage in found]})


def _shown(passage: Passage, ids: Mapping[str, UUID]) -> dict[str, Any]:
    runbook, chunk = passage.runbook, passage.chunk
    return {
        "source_id": chunk.source_id,
        "document_id": ids.get(runbook.name),
        "name": runbook.name,
        "title": runbook.title,
        "heading": chunk.heading,
        "excerpt": chunk.text[:_EXCERPT_CHARS],
        "relevance": passage.relevance,
    }
