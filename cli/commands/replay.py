"""`opssage replay`."""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

import click
import orjson

from cli import answers, bundles, report
from cli.exits import CommandError, Exit
from cli.options import Options, messages, pass_options, print_json, takes
from cli.output import Output
from opssage import __version__
from opssage.log import get_logger
from tasks.bundle import Bundle
from tasks.replay import Replayed, comparable, differing
from tasks.replay import replay as replay_bundle

log = get_logger(__name__)


@click.command()
@click.argument("bundle", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--serve", is_flag=True, help="Serve the recorded answers instead, until Ctrl-C.")
@click.option(
    "--port", default=0, type=click.IntRange(0, 65535), help="For --serve; 0 takes a free port."
)
@takes("json")
@pass_options
@click.pass_context
def replay(
    context: click.Context, options: Options, bundle: str, *, serve: bool, port: int
) -> None:
    """Diagnose the incident in BUNDLE again, without any network, and compare.

    BUNDLE is a file of `opssage export`; - is standard input. What enrich knew is taken as it was.
    Exits with 0 when the diagnosis is the recorded one byte for byte, 1 when it differs, 2 when
    this is no bundle.
    """
    read = bundles.load(bundle)
    if serve:
        answers.serve(read.recording, port)
        return
    replayed = _replayed(read, bundle)
    recorded = read.incident["diagnostic_report"]
    differs = differing(recorded, replayed.diagnostic_report)
    evidence_differs = differing(read.incident["primary_context"], replayed.primary_context)
    if options.json:
        print_json(
            {
                "incident_id": read.incident["incident_id"],
                "same": not differs,
                "differing": {"diagnostic_report": differs, "primary_context": evidence_differs},
                "diagnostic_report": replayed.diagnostic_report,
                "primary_context": replayed.primary_context,
            }
        )
    else:
        _show(read, replayed, bundle)
        click.echo(_verdict(read, bool(differs), bool(evidence_differs)))
        for line in _changes(recorded, replayed.diagnostic_report, differs):
            click.echo(line)
    context.exit(Exit.FAILURE if differs else Exit.OK)


def _replayed(read: Bundle, path: str) -> Replayed:
    try:
        with messages.status("diagnosing"):
            return replay_bundle(read)
    except Exception as error:  # somebody else wrote the file: any fault is one of its own
        log.debug("replay_failed", exc_info=error)
        told = f"{path}: cannot be replayed: {type(error).__name__}: {error}"
        raise CommandError(report.printable(told), Exit.USAGE) from error


def _show(read: Bundle, replayed: Replayed, path: str) -> None:
    shown = {
        **read.incident,
        "incident_id": str(read.incident["incident_id"]),
        "primary_context": replayed.primary_context,
        "diagnostic_report": replayed.diagnostic_report,
    }
    report.show(shown, f"{shown['incident_id']} (from {path})", Output())


def _verdict(read: Bundle, differs: bool, evidence_differs: bool) -> str:  # noqa: FBT001 - two answers, named where they are made
    evidence = "other" if evidence_differs else "the same"
    if not differs:
        return f"The diagnosis is the recorded one, byte for byte, on {evidence} evidence."
    made_by = read.recording.made_by
    versions = f" (recorded by {made_by}, replayed by {__version__})"
    told = versions if made_by != __version__ else ""
    return f"The diagnosis differs from the recorded one, on {evidence} evidence{told}:"


def _changes(
    one: Mapping[str, Any], other: Mapping[str, Any], keys: tuple[str, ...]
) -> Iterator[str]:
    """Yield how the documents differ under these keys."""
    for key in keys:
        before, after = _lines(one.get(key)), _lines(other.get(key))
        names = (f"recorded/{key}", f"replayed/{key}")
        yield from map(report.printable, difflib.unified_diff(before, after, *names, lineterm=""))


def _lines(value: object) -> list[str]:
    told = orjson.loads(comparable(value))
    return orjson.dumps(told, option=orjson.OPT_INDENT_2).decode().splitlines()
