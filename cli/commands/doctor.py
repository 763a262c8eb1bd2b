"""`opssage doctor`."""

import dataclasses
from itertools import chain

import click
from rich.console import Console
from rich.text import Text

from cli import checks, notifying
from cli.exits import Exit
from cli.findings import Finding, Level
from cli.options import Options, pass_options, print_json, takes
from cli.output import Output
from tasks.notify import AppriseSender

_WIDTH = 14  #: of the column of names
_STYLES = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "bold red"}


@click.command()
@click.option("--notify", is_flag=True, help="Send a test message to every target too.")
@takes("config", "data", "url", "json")
@pass_options
@click.pass_context
def doctor(context: click.Context, options: Options, *, notify: bool) -> None:
    """Check every part of a running OpsSage and say how to mend what is wrong.

    Exits with 3 when the configuration has faults, 4 when a part fails.
    """
    settings = options.running_settings()
    if options.url is not None:
        web = dataclasses.replace(settings.web, public_url=options.url)
        settings = dataclasses.replace(settings, web=web)
    console = Output()
    findings = []
    trials = notifying.trials(settings, AppriseSender()) if notify else ()
    for finding in chain(checks.run(settings), trials):
        findings.append(finding)
        if not options.json:
            _show(finding, console)
    if options.json:
        print_json([dataclasses.asdict(finding) for finding in findings])
    failed = any(finding.level is Level.FAIL for finding in findings)
    context.exit(Exit.UNREACHABLE if failed else Exit.OK)


def _show(finding: Finding, console: Console) -> None:
    told = f"{finding.check:<{_WIDTH}}{finding.message}"
    line = Text.assemble((f"{finding.level:<5}", _STYLES[finding.level]), told)
    console.print(line, soft_wrap=True)
    if finding.fix:
        console.print(Text(f"{'':<{5 + _WIDTH}}fix: {finding.fix}"), soft_wrap=True)
