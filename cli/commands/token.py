"""`opssage token`."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from cli import history, listing, person
from cli.ages import AGE
from cli.exits import CommandError, Exit
from cli.options import Options, messages, pass_options, print_json, takes
from cli.output import Output
from cli.receiver import TOKEN_FILE
from opssage.access import Scope
from opssage.wire import format_time
from store import KeptToken, NewToken

_COLUMNS = (
    *("token_id", "name", "scopes", "created_at", "created_by"),
    *("expires_at", "last_used_at", "revoked_at"),
)
_HINTS: Mapping[Scope, str] = {
    Scope.INGEST: (
        "Alertmanager reads it from a file of its own: in the receiver, webhook_configs: "
        f"http_config: {{authorization: {{credentials_file: {TOKEN_FILE}}}}}"
    ),
    Scope.READ: "reading: curl -H 'Authorization: Bearer TOKEN', or OPSSAGE_TOKEN for `opssage`",
    Scope.WRITE: "working on incidents: OPSSAGE_TOKEN for `opssage`, or log in to the pages",
    Scope.ADMIN: "everything, tokens too: OPSSAGE_TOKEN for `opssage`, or log in to the pages",
}


@click.group()
def token() -> None:
    """Make, list and revoke the tokens that callers prove themselves with.

    Works on the database itself, so that the first one can be made.
    """


def _name(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not 0 < len(value) <= _MOST_CHARS or not value.isprintable() or value != value.strip():
        raise click.BadParameter(f"one to {_MOST_CHARS} printable characters")
    return value


_MOST_CHARS = 128  # what the column takes


@token.command()
@click.option(
    "--name",
    required=True,
    callback=_name,
    help="Whose it is; alerts that come with it have it as their sender.",
)
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="What it allows; repeat for several. write includes read, admin everything.",
)
@click.option("--expires", "seconds", type=AGE, metavar="AGE", help="When it ends: 90d, 12h, 8w.")
@takes("config", "data", "json")
@pass_options
def create(options: Options, name: str, scopes: Sequence[str], seconds: float | None) -> None:
    """Make a token and print it, alone, on stdout: it is not shown again.

    Several may have one name, so that one can be put in another's place.
    """
    chosen = tuple(dict.fromkeys(map(Scope, scopes)))
    with history.opened(options) as store:
        made = store.create_token(name, chosen, by=person.actor(), expires_seconds=seconds)
    if options.json:
        print_json({**_document(made.kept), "token": made.text})
        return
    click.echo(made.text)
    _tell(made, chosen)


def _tell(made: NewToken, scopes: Sequence[Scope]) -> None:
    until = made.kept.expires_at
    ends = f"until {format_time(until)}" if until else "until it is revoked"
    messages.print(
        f"token {made.token_id} of {made.kept.name} is good {ends}; it is not shown again",
        soft_wrap=True,
        markup=False,
    )
    for scope in scopes:
        messages.print(f"  {scope.value:<7} {_HINTS[scope]}", soft_wrap=True, markup=False)


@token.command("list")
@takes("config", "data", "json")
@pass_options
def list_(options: Options) -> None:
    """List the tokens, newest first, revoked ones too; what is secret of them is not kept."""
    with history.opened(options) as store:
        found = [_document(kept) for kept in store.list_tokens()]
    if options.json:
        print_json(found)
    else:
        listing.show(Output(), _COLUMNS, (_row(each) for each in found))


@token.command()
@click.argument("token_id", metavar="ID")
@takes("config", "data", "json")
@pass_options
def revoke(options: Options, token_id: str) -> None:
    """End a token, and the logins made with it.

    Web processes may take it for a few seconds more.
    """
    with history.opened(options) as store:
        revoked = store.revoke_token(token_id, by=person.actor())
    if not revoked:
        raise CommandError(
            f"no token {token_id} is in force: `opssage token list` shows their ids",
            Exit.NOT_FOUND,
        )
    if options.json:
        print_json({"token_id": token_id, "status": "revoked"})
    else:
        messages.print(f"token {token_id} is revoked", markup=False)


def _row(document: Mapping[str, Any]) -> list[object]:
    return list({**document, "scopes": " ".join(document["scopes"])}.values())


def _document(kept: KeptToken) -> dict[str, Any]:
    """Return a token as JSON has it, in the order of the columns."""
    values = {name: getattr(kept, name) for name in _COLUMNS}
    values["scopes"] = [scope.value for scope in Scope if scope in kept.scopes]
    for name, value in values.items():
        if name.endswith("_at") and value is not None:
            values[name] = format_time(value)
    return values
