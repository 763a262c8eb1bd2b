"""The series exporters make of things, as the table in exporters.yaml says."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from itertools import product
from typing import Any

import numpy as np
import yaml

from cli.replay.pods import Pod
from cli.replay.series import NAME, Series
from cli.replay.shapes import Numbers, drawn, seed_of, uniform, wobble
from cli.replay.things import Thing

SCRAPE_SECONDS = 15
_DAY_SECONDS = 86400.0
_HISTOGRAM_PARTS = ("_bucket", "_count")


@cache
def catalogue() -> Mapping[str, Any]:
    """Return the table of exporters."""
    text = files(__package__).joinpath("exporters.yaml").read_text(encoding="utf-8")
    table: Mapping[str, Any] = yaml.safe_load(text)
    return table


def scraped(things: Iterable[Thing], times: Numbers, now: int) -> Iterator[Series]:
    """Return every series of the things.

    `times` are the scrapes in seconds relative to `now`, which is in unix seconds.
    """
    by_kind: dict[str, list[Thing]] = {}
    for thing in things:
        by_kind.setdefault(thing.kind, []).append(thing)
    for metric, templates, row in _rows():
        for thing in by_kind.get(row["of"], ()):
            if _has(row["value"], thing):
                labels = _labels(templates, row.get("labels"), thing.fields)
                yield made(metric, labels, row, thing, times, now)


def _rows() -> Iterator[tuple[str, Mapping[str, str], Mapping[str, Any]]]:
    """Return the table's rows: metric, templates of labels, and the row itself."""
    for exporter in catalogue().values():
        for metric, rows in exporter["metrics"].items():
            for row in rows if isinstance(rows, list) else [rows]:
                yield metric, {**exporter.get("labels", {}), **row.get("set", {})}, row


def _has(value: Any, thing: Thing) -> bool:
    return not isinstance(value, str) or value in thing.numbers


def _labels(
    templates: Mapping[str, str], names: Iterable[str] | None, fields: Mapping[str, str]
) -> dict[str, str]:
    filled = {name: text.format_map(fields) for name, text in templates.items()}
    return filled | {
        name: fields[name] for name in (fields if names is None else names) if name in fields
    }


def own_series(
    rows: Iterable[Mapping[str, Any]], pods: Iterable[Pod], times: Numbers, now: int
) -> Iterator[Series]:
    """Return the metrics that only one outage's applications have, one series per pod."""
    templates = catalogue()["application"]["labels"]
    for row, pod in product(rows, pods):
        if pod.workload == row["workload"]:
            labels = _labels({**templates, **row["labels"]}, (), pod.fields)
            thing = Thing(
                kind="own",
                fields=labels,
                numbers={"value": drawn(row["value"], times) * pod.serving(times)},
                since=pod.since,
                until=pod.until,
            )
            yield made(row["metric"], labels, {**row, "value": "value"}, thing, times, now)


def made(
    metric: str,
    labels: Mapping[str, str],
    row: Mapping[str, Any],
    thing: Thing,
    times: Numbers,
    now: int,
) -> Series:
    """Return one thing's series of one metric; `row` tells value, type and noise."""
    family = metric
    for part in _HISTOGRAM_PARTS:
        family = family.removesuffix(part)
    seed = seed_of(f"{family} {thing.chance or ' '.join(thing.fields.values())}")
    value = row["value"]
    numbers = thing.numbers[value] if isinstance(value, str) else drawn(value, times)
    scattered = numbers * wobble(seed, len(times), row.get("noise", 0))
    kind = row.get("type", "gauge")
    values = np.round(scattered, 6) if kind == "gauge" else counted(scattered, thing, times, seed)
    there = _life(thing, times)
    return Series(
        labels={NAME: metric, **labels},
        times=((times[there] + now) * 1000).astype(np.int64),
        values=(np.floor(values) if kind == "whole" else np.round(values, 6))[there],
    )


def counted(rate: Numbers, thing: Thing, times: Numbers, seed: int) -> Numbers:
    """Return the counter that rises by `rate` per second and starts at 0 with its thing."""
    total = np.cumsum(np.maximum(rate, 0.0)) * SCRAPE_SECONDS
    chance = uniform(seed, 2)
    if thing.since is None:
        total += float(rate[0]) * _DAY_SECONDS * (1 + 6 * chance[0]) + chance[1]
    beginnings = [*thing.resets] if thing.since is None else [thing.since, *thing.resets]
    for moment in sorted(beginnings):
        index = int(np.searchsorted(times, moment, side="left"))
        if index < len(total):
            total[index:] -= total[index]
    return total


def _life(thing: Thing, times: Numbers) -> slice:
    first = 0 if thing.since is None else int(np.searchsorted(times, thing.since, side="left"))
    end = len(times)
    if thing.until is not None:
        end = int(np.searchsorted(times, thing.until, side="left"))
    return slice(first, end)
