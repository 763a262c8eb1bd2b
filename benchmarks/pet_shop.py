"""Faults of an application in the cloud, as gauges of its provider every five minutes.

Reads the form of github.com/amazon-science/petshop-root-cause-analysis (data CC-BY-4.0): per issue
a few rows, days of normal life, and a matrix of calls. What was normal at that hour is put before
each issue. Gauges have the labels `node`, `metric` and `stat`, and nothing else is there: no
namespace, no pod, no histogram.
"""

import csv
import json
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from random import Random

from open_metrics import END, samples
from recorded import Case, Recording, moment, number

METRIC = "cloudwatch_metric"
NORMAL_ROWS = 72  #: six hours
STEP_SECONDS = 300
SLOT_SECONDS = 12 * 3600
BEGIN = 1_681_000_000 // SLOT_SECONDS * SLOT_SECONDS

Table = Mapping[tuple[str, str, str], list[tuple[float, float]]]


def recording(folder: Path) -> Recording:
    """Return the issues below a folder like `dataset/low_traffic`."""
    issues = sorted(file.parent for file in folder.glob("t*/issue_*/target.json"))
    Random(0).shuffle(issues)  # an order that does not tell the faults apart
    slots = {issue: BEGIN + SLOT_SECONDS * number for number, issue in enumerate(issues)}
    return Recording(
        cases=[_case(issue, at) for issue, at in slots.items()],
        samples=partial(_samples, folder, slots),
        settle_seconds=STEP_SECONDS,
        calls=_calls(folder / "graph.csv"),
    )


def _case(folder: Path, at: float) -> Case:
    told = json.loads((folder / "target.json").read_text())
    target, root = told["target"], told["root_cause"]["node"]
    first = min(time for values in _table(folder / "metrics.csv").values() for time, _ in values)
    kind = target["metric"]
    return Case(
        name=f"{kind} of {root}",
        began_at=moment(at),
        fired_at=moment(at + target["timestamp"] - first),
        labels={"alertname": f"SLO_{kind}", "service": target["node"]},
        root=root,
    )


def _samples(folder: Path, slots: Mapping[Path, float]) -> Iterator[str]:
    normal = _table(folder / "noissue" / "metrics.csv")
    last = max(values[-1][0] for values in normal.values())
    for issue, at in slots.items():
        table = _table(issue / "metrics.csv")
        first = min(values[0][0] for values in table.values())
        for name in sorted(table.keys() | normal.keys()):
            begin = last - NORMAL_ROWS * STEP_SECONDS
            before = [
                (time - last - STEP_SECONDS + at, value)
                for time, value in normal.get(name, ())
                if time > begin
            ]
            after = [(time - first + at, value) for time, value in table.get(name, ())]
            labels = dict(zip(("node", "metric", "stat"), name, strict=True))
            yield from samples(METRIC, labels, [*before, *after])
    yield END


def _table(file: Path) -> Table:
    with file.open(newline="") as stream:
        nodes, metrics, stats, *rows = csv.reader(stream)
    names = list(zip(nodes, metrics, stats, strict=True))
    found = {
        name: [
            (float(row[0]), value)
            for row in rows
            if row[0] and (value := number(row[index])) is not None
        ]
        for index, name in enumerate(names)
        if index
    }
    return {name: values for name, values in found.items() if values}


def _calls(file: Path) -> Mapping[str, list[str]]:
    with file.open(newline="") as stream:
        rows = [
            (row[""], [name for name, cell in row.items() if name and number(cell)])
            for row in csv.DictReader(stream)
        ]
    return {
        caller: [name for name in called if _is_a_name(name)]
        for caller, called in rows
        if _is_a_name(caller)
    }


def _is_a_name(node: str) -> bool:
    """Say whether a topology file can have it: no spaces, one slash at most."""
    return not any(map(str.isspace, node)) and node.count("/") <= 1
