"""`opssage send`."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import IO, Any, TypeVar
from urllib.parse import urlsplit

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from cli import progress, report
from cli.client import Client, Incident
from cli.exits import CommandError, Exit
from cli.options import Options, messages, pass_options, print_json, takes, waits
from cli.output import Output
from cli.sending import copies, posts, receipts, storm
from cli.sending.courier import Courier
from cli.sending.posts import Form, Post
from cli.sending.storm import Answer, Plan, Tally
from opssage.settings import GrafanaSettings, is_loopback

F = TypeVar("F", bound=Callable[..., Any])

_MAY_NOT_WAIT = (
    "the alerts are stored; only --wait needs more: a token made with --scope ingest --scope read"
)
_STORM = (
    click.option(
        "--count",
        type=click.IntRange(1, storm.MOST),
        help="Storm: so many requests, FILES in turn, and a summary of the answers.",
    ),
    click.option(
        "--rate",
        type=click.FloatRange(0, storm.MOST_A_SECOND, min_open=True),
        help="Storm: so many a second (default: as quickly as they are answered).",
    ),
    click.option(
        "--for",
        "seconds",
        type=click.FloatRange(0, 3600, min_open=True),
        help="Storm: for so many seconds at most.",
    ),
    click.option(
        "--same",
        is_flag=True,
        help="Storm: repeat FILES as they are (default: each request has alerts of its own, by a "
        f"label `{copies.LABEL}`, which begin now).",
    ),
    click.option(
        "--allow-remote",
        is_flag=True,
        help="Storm: also a server that is not on this machine. Ask its owner first.",
    ),
)


def _storms(command: F) -> F:
    for option in reversed(_STORM):
        command = option(command)
    return command


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.File("rb"))
@click.option(
    "--as",
    "form",
    type=click.Choice([form.value for form in Form]),
    help="What FILES are (default: what their shape tells).",
)
@click.option("--wait", is_flag=True, help="Wait for the diagnosis and show it.")
@waits(120.0)
@_storms
@takes("config", "data", "url", "token", "json")
@pass_options
@click.pass_context
def send(
    context: click.Context,
    options: Options,
    /,
    files: Sequence[IO[bytes]],
    form: str | None,
    *,
    wait: bool,
    timeout: float,
    **asked: Any,
) -> None:
    """Send FILES (- for stdin), one after the other: alerts in any form that OpsSage takes.

    A webhook body of Alertmanager or Grafana, a list of alerts as Prometheus posts it, one plain
    alert, or a recorded request {path, headers, body}, of which the body is sent.

    With --wait exits with 1 when an investigation failed, 10 when the evidence was not enough.
    With --count or --for it is a load generator, and exits with 1 when an answer was not 2xx.
    """
    found = [posts.read(file, Form(form) if form else None) for file in files]
    url, token = options.address()
    plan = _plan(url, wait=wait, **asked)
    with Client(url, token) as client:
        courier = Courier(client, _grafana(options, found))
        if plan is not None:
            context.exit(_storm(courier, found, plan, same=asked["same"], as_json=options.json))
        if wait:
            context.exit(_diagnosed(client, courier, found, timeout, as_json=options.json))
        _send(client, courier, found, as_json=options.json)


def _grafana(options: Options, found: Sequence[Post]) -> GrafanaSettings:
    """Return how Grafana signs; the settings are read only when something has to be signed."""
    if any(post.form is Form.GRAFANA for post in found):
        return options.running_settings().ingest.grafana
    return GrafanaSettings()


def _plan(
    url: str,
    *,
    wait: bool,
    count: int | None,
    rate: float | None,
    seconds: float | None,
    same: bool,
    allow_remote: bool,
) -> Plan | None:
    """Return what storm was asked for, if any. Raises UsageError for what does not go together."""
    if count is None and seconds is None:
        if rate is not None or same:
            raise click.UsageError(
                "--rate and --same are of a storm: say how long by --count or --for"
            )
        return None
    if wait:
        raise click.UsageError("a storm does not wait for diagnoses: leave --wait or --count out")
    if not allow_remote and not is_loopback(urlsplit(url).hostname or ""):
        raise click.UsageError(
            f"{url} may be another machine, and a storm is a load test: say --allow-remote when "
            "its owner agrees"
        )
    return Plan(count=count or storm.MOST, rate=rate, seconds=seconds)


def _send(client: Client, courier: Courier, found: Sequence[Post], *, as_json: bool) -> None:
    """Send each and print its receipt; a list of them when there are several."""
    given = []
    for post in found:
        receipt = courier.send(post)
        given.append(receipt)
        receipts.tell(receipt, post)
        for incident in () if as_json else receipt.get("incidents", ()):
            address = client.page_of(incident["incident_id"])
            click.echo(f"{incident['incident_id']}\t{incident['status']}\t{address}")
    if as_json:
        print_json(given if len(given) > 1 else given[0])


def _diagnosed(
    client: Client, courier: Courier, found: Sequence[Post], timeout: float, *, as_json: bool
) -> Exit:
    """Send each, and show what came of all."""
    if silent := next((post for post in found if not post.form.gets_receipt), None):
        raise click.UsageError(
            f"{silent.name}: {silent.form.path} does not tell which incidents to --wait for"
        )
    touched: dict[str, Incident] = {}
    for post in found:
        receipt = courier.send(post)
        receipts.tell(receipt, post)
        for incident in receipt["incidents"]:
            touched.setdefault(incident["incident_id"], incident)
    started = progress.known(*touched.values())
    try:
        ended = progress.follow(client, started, timeout, messages)
    except CommandError as error:
        if error.code is not Exit.AUTH:
            raise
        raise CommandError(f"{error}\n  {_MAY_NOT_WAIT}", Exit.AUTH) from error
    if as_json:
        print_json(ended)
    else:
        console = Output()
        for incident in ended:
            key = incident["incident_id"]
            earlier = started[key].is_terminal
            report.show(incident, client.page_of(key), console, earlier=earlier)
    return report.outcome(*ended)


def _storm(
    courier: Courier, found: Sequence[Post], plan: Plan, *, same: bool, as_json: bool
) -> Exit:
    began = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"

    def post(number: int) -> Answer:
        chosen = found[number % len(found)]
        mark = f"{began}-{number}"  # the alerts of another storm are others
        body = chosen.body if same else copies.distinct(chosen, mark, datetime.now(UTC))
        return courier.ask(chosen.form, body)

    columns = (TextColumn("sending"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=messages, disable=not messages.is_terminal) as shown:
        bar = shown.add_task("sending", total=plan.count)
        tally = storm.run(plan, post, lambda: shown.advance(bar))
    for status, reason in sorted(tally.reasons.items()):
        messages.print(f"{status}: {reason}", markup=False, soft_wrap=True)
    if as_json:
        print_json(tally.summary())
    else:
        _print_summary(tally)
    return tally.outcome


def _print_summary(tally: Tally) -> None:
    figures = tally.summary()
    statuses = ", ".join(f"{status}: {number}" for status, number in figures["statuses"].items())
    alerts = ", ".join(
        f"{figures[name]} {name}" for name in ("accepted", "duplicates", "rejected", "ignored")
    )
    speed = figures["sent"] / max(tally.seconds, 0.001)
    click.echo(f"sent       {figures['sent']} in {tally.seconds:.1f} s ({speed:.0f} a second)")
    click.echo(f"answers    {statuses or 'none'}")
    click.echo(f"alerts     {alerts if tally.receipts else 'not told: no answer had a receipt'}")
    if tally.receipts:
        click.echo(f"incidents  {figures['incidents']}")
    if tally.answered_seconds:
        click.echo(f"latency    p50 {figures['p50_ms']} ms, p99 {figures['p99_ms']} ms")
