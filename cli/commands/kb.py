"""`opssage kb`."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from cli import listing, mirror
from cli.client import Client
from cli.exits import CommandError, Exit
from cli.options import Options, messages, pass_options, print_json, takes
from cli.output import Output
from opssage.wire import to_json
from tasks.enrich.lint import Fault, lint
from webapi.extraction.kinds import TEXT

_COLUMNS = ("name", "title", "owner", "reviewed", "updated_at", "origin")
_FOUND = ("relevance", "source_id", "title", "excerpt")
_EXCERPT_CHARS = 80
_ENDS_ALL = frozenset({Exit.UNREACHABLE, Exit.AUTH})
"""What one request met, and the next would meet too."""

Told = dict[str, str]
"""What became of a document: its name, `change`, and `fault` when there is one."""

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group()
def kb() -> None:
    """Keep, search and check what the team knows: runbooks, notes, reports.

    A diagnosis quotes what fits. Documents are Markdown or text, PDF and Word files.
    """


@kb.command()
@click.argument("files", nargs=-1, required=True, type=_FILE, metavar="FILE...")
@click.option("--name", help="What to call it, such as shop/checkout (default: as the file).")
@takes("config", "data", "url", "token", "json")
@pass_options
@click.pass_context
def add(context: click.Context, options: Options, files: Sequence[Path], name: str | None) -> None:
    """Keep FILEs as documents; one of the same name is replaced."""
    if name and len(files) > 1:
        raise click.BadParameter("names one file, and there are several", param_hint="--name")
    chosen = list(mirror.named(files))
    if name:
        chosen = [mirror.File(name=name, path=chosen[0].path)]
    with Client(*options.address()) as client:
        told = [_sent(client, file, "") for file in chosen]
    _tell(context, options, told)


@kb.command()
@click.argument("folder", type=_FOLDER)
@click.option("--prune", is_flag=True, help="Delete documents that came from FOLDER and are gone.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option(
    "--origin",
    metavar="TEXT",
    help="What FOLDER is known by (default: its repository's address, else its path).",
)
@takes("config", "data", "url", "token", "json")
@pass_options
@click.pass_context
def sync(
    context: click.Context,
    options: Options,
    folder: Path,
    *,
    prune: bool,
    dry_run: bool,
    origin: str | None,
) -> None:
    """Make the knowledge base a copy of FOLDER, such as a checkout of a repository.

    Each file is a document called by its path below FOLDER, without suffix. Only what has changed
    is sent. A document of another origin is left alone.
    """
    known_by = origin or mirror.origin_of(folder)
    files = mirror.files_in(folder)
    if prune and not files:
        raise CommandError(f"{folder} holds no documents; nothing is deleted", Exit.USAGE)
    with Client(*options.address()) as client:
        plan = mirror.compare(files, client.every_document({}), known_by)
        gone = plan.gone if prune else ()
        told = [_taken(document["name"], document["origin"]) for document in plan.taken]
        if dry_run:
            told += [{"name": file.name, "change": "would be sent"} for file in plan.changed]
            told += [{"name": each["name"], "change": "would be deleted"} for each in gone]
        else:
            told += [_sent(client, file, known_by) for file in plan.changed]
            told += [_deleted(client, each["name"], each["document_id"]) for each in gone]
    _tell(context, options, told, unchanged=plan.unchanged)


@kb.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@takes("config", "data", "url", "token", "json")
@pass_options
@click.pass_context
def delete(context: click.Context, options: Options, names: Sequence[str]) -> None:
    """Delete documents; no later diagnosis quotes them."""
    with Client(*options.address()) as client:
        found = {each["name"]: each for each in client.every_document({"name": names})}
        if missing := [name for name in names if name not in found]:
            raise CommandError(
                f"there is no document {missing[0]}: `opssage kb list` shows them", Exit.NOT_FOUND
            )
        told = [_deleted(client, name, each["document_id"]) for name, each in found.items()]
    _tell(context, options, told)


@kb.command("list")
@click.option("--origin", metavar="TEXT", help="Only what is a copy of it.")
@takes("config", "data", "url", "token", "json")
@pass_options
def list_(options: Options, origin: str | None) -> None:
    """List the documents in order of name."""
    with Client(*options.address()) as client:
        kept = list(client.every_document({"origin": origin} if origin else {}))
    kept.sort(key=lambda document: str(document["name"]))
    if options.json:
        print_json(kept)
    else:
        rows = ({**each["about"], **each} for each in kept)
        listing.show(Output(), _COLUMNS, ([row[name] for name in _COLUMNS] for row in rows))


@kb.command()
@click.argument("words", nargs=-1, required=True, metavar="WORDS...")
@click.option("--limit", default=5, show_default=True, type=click.IntRange(1, 20))
@takes("config", "data", "url", "token", "json")
@pass_options
def search(options: Options, words: Sequence[str], limit: int) -> None:
    """Show the passages that fit WORDS best: documents and runbooks of the server's folder."""
    with Client(*options.address()) as client:
        found = client.search_documents(" ".join(words), limit)
    if options.json:
        print_json(found)
        return
    rows = ({**each, "excerpt": " ".join(each["excerpt"].split())} for each in found)
    cut = ({**row, "excerpt": row["excerpt"][:_EXCERPT_CHARS]} for row in rows)
    listing.show(Output(), _FOUND, ([row[name] for name in _FOUND] for row in cut))
    if not found:
        messages.print("nothing has any of these words")


@kb.command("lint")
@click.argument(
    "paths", nargs=-1, metavar="[FOLDER|FILE]...", type=click.Path(exists=True, path_type=Path)
)
@takes("config", "json")
@pass_options
@click.pass_context
def lint_(context: click.Context, options: Options, paths: Sequence[Path]) -> None:
    """Say what is wrong with Markdown documents, without asking a server.

    Without an argument, those of the folder enrich.runbooks. Exits with 1 when there is a fault.
    """
    if not paths:
        configured = options.settings()
        paths = [configured.folder / configured.enrich.runbooks]
    faults = [(file.path, fault) for path in paths for file, fault in _faults(path)]
    if options.json:
        print_json([{"path": str(path), **to_json(fault)} for path, fault in faults])
    else:
        for path, fault in faults:
            place = f"{path}:{fault.line}" if fault.line else str(path)
            click.echo(f"{place}: {fault.rule}: {fault.message}")
    messages.print(f"{len(faults)} fault{'' if len(faults) == 1 else 's'}")
    if faults:
        context.exit(Exit.FAILURE)


def _faults(path: Path) -> Iterator[tuple[mirror.File, Fault]]:
    files = mirror.files_in(path) if path.is_dir() else list(mirror.named([path]))
    beside = files if path.is_dir() else mirror.files_in(path.resolve().parent)
    names = {file.name for file in beside}
    today = datetime.now(UTC).date()
    for file in files:
        if file.path.suffix.lower() in TEXT.suffixes:
            text = file.content().decode("utf-8-sig", "replace")
            yield from ((file, fault) for fault in lint(file.name, text, names, today))


def _sent(client: Client, file: mirror.File, origin: str) -> Told:
    def send() -> str:
        kept = client.send_document(file.name, file.path.name, file.content(), origin)
        masked = kept["secrets_masked"]
        return str(kept["change"]) + (f", secrets masked: {masked}" if masked else "")

    return _told(file.name, send)


def _deleted(client: Client, name: str, document_id: str) -> Told:
    def delete() -> str:
        client.delete_document(document_id)
        return "deleted"

    return _told(name, delete)


def _told(name: str, act: Callable[[], str]) -> Told:
    """Return what became of one document; another one may fare better."""
    try:
        return {"name": name, "change": act()}
    except CommandError as error:
        if error.code in _ENDS_ALL:
            raise
        return {"name": name, "change": "refused", "fault": str(error)}


def _taken(name: str, origin: str) -> Told:
    return {"name": name, "change": "left alone", "fault": f"it is a copy of {origin}"}


def _tell(
    context: click.Context, options: Options, told: Sequence[Told], unchanged: int = 0
) -> None:
    """Say what was done, document by document; ends with 1 when some were refused."""
    if options.json:
        document: dict[str, Any] = {"documents": told, "unchanged": unchanged}
        print_json(document)
    else:
        listing.show(
            Output(), ("change", "name"), ((each["change"], each["name"]) for each in told)
        )
    for each in told:
        if "fault" in each:
            messages.print(f"{each['name']}: {each['fault']}", soft_wrap=True, markup=False)
    if unchanged:
        messages.print(f"{unchanged} unchanged")
    if any("fault" in each for each in told):
        context.exit(Exit.FAILURE)
