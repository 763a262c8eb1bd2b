"""Serve a recorded outage: `python -m cli.replay crashloop --port 9090`."""

import json
from datetime import UTC, datetime

import click

from cli.replay.recording import UnknownOutageError, load, names
from cli.replay.server import serve


@click.command(epilog=f"Outages: {', '.join(names())}.")
@click.argument("outage")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=0, help="0 takes a free port.")
@click.option("--webhook", is_flag=True, help="Print the alert's webhook body and exit.")
def main(outage: str, host: str, port: int, *, webhook: bool) -> None:
    """Answer as the sources of OUTAGE would, as if its alert came now."""
    now = datetime.now(UTC)
    try:
        recording = load(outage)
    except UnknownOutageError as error:
        raise click.BadParameter(str(error)) from error
    if webhook:
        click.echo(json.dumps(recording.webhook(now, "http://alertmanager.monitoring:9093")))
        return
    served = serve(recording, host, port, now=now)
    click.echo(f"{recording.name}: {served.url} (Ctrl-C stops it)")
    try:
        served.thread.join()
    except KeyboardInterrupt:
        served.stop()


if __name__ == "__main__":
    main()
