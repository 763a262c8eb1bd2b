"""Recorded outages: what happened to a cluster, told in seconds before the alert arrives.

An outage's file describes nodes, workloads, traffic, log lines and alerts; `Recording.at` turns
it into the samples and lines that Prometheus and Loki would hold at a given moment. What Kubernetes
has of it is made in `kubernetes`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from cli import outages
from cli.outages import NAMES
from cli.replay.alerts import alert_things, notification, rule_groups
from cli.replay.exporters import SCRAPE_SECONDS, own_series, scraped
from cli.replay.logs import Stream, streams
from cli.replay.nodes import node_things
from cli.replay.pods import Pod, pod_things, pods_of
from cli.replay.series import SeriesSet
from cli.replay.shapes import Numbers
from cli.replay.targets import target_things
from cli.replay.things import Thing
from cli.replay.traffic import call_things, request_things
from cli.replay.workloads import volume_things, workload_things
from opssage.errors import OpsSageError


class UnknownOutageError(OpsSageError):
    """There is no such recorded outage."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Capture:
    """A recording placed in time."""

    now: int  #: unix seconds, a multiple of the scrape interval
    series: SeriesSet
    streams: tuple[Stream, ...]
    rule_groups: list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """One outage."""

    name: str
    document: Mapping[str, Any]

    @property
    def title(self) -> str:
        """What a person sees of the outage, in one line; it does not tell the cause."""
        return str(self.document["title"])

    def at(self, now: datetime) -> Capture:
        """Return samples and lines as they would be when the alert arrives at `now`.

        All times move with `now` in whole scrape intervals, so that the numbers relative to it
        are the same whenever the recording is played.
        """
        moment = _aligned(now)
        pods = pods_of(self.document)
        times = np.arange(self.document["from"], self.document["until"] + 1, SCRAPE_SECONDS) * 1.0
        things = self._things(pods, times, moment)
        own = own_series(self.document.get("series", ()), pods, times, moment)
        found = [*scraped(things, times, moment), *own]
        return Capture(
            now=moment,
            series=SeriesSet(series for series in found if len(series.times)),
            streams=tuple(streams(self.document, pods, moment)),
            rule_groups=rule_groups(self.document, moment),
        )

    def webhook(self, now: datetime, external_url: str) -> dict[str, Any]:
        """Return the body Alertmanager would post about this outage at `now`."""
        return notification(self.document, _aligned(now), external_url)

    def _things(self, pods: list[Pod], times: Numbers, now: int) -> Iterator[Thing]:
        yield from node_things(self.document, times)
        yield from workload_things(self.document, pods, times, now)
        yield from volume_things(self.document, times)
        for pod in pods:
            yield from pod_things(pod, times, now)
        yield from call_things(self.document.get("calls", ()), pods, times)
        yield from request_things(self.document.get("requests", ()), pods, times)
        yield from target_things(self.document, pods, times)
        yield from alert_things(self.document, times, now)


def _aligned(now: datetime) -> int:
    seconds = int(now.timestamp())
    return seconds - seconds % SCRAPE_SECONDS


def names() -> tuple[str, ...]:
    """Return the names of the outages that come with OpsSage, from the simplest to the hardest."""
    return NAMES


def load(outage: str | Path) -> Recording:
    """Read an outage by its name, or from a file. Raises UnknownOutageError."""
    if isinstance(outage, str) and outage in NAMES:
        text = files(outages).joinpath(f"{outage}.yaml").read_text(encoding="utf-8")
        return Recording(name=outage, document=yaml.safe_load(text))
    path = Path(outage)
    if not path.is_file():
        raise UnknownOutageError(
            f"no recorded outage {str(outage)!r}; there are {', '.join(NAMES)}"
        )
    return Recording(name=path.stem, document=yaml.safe_load(path.read_text(encoding="utf-8")))
