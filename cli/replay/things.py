"""A thing of a recorded cluster that exporters make series of."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cli.replay.shapes import Numbers


@dataclass(frozen=True, kw_only=True, slots=True)
class Thing:
    """A node, a pod, a call between two services …, with what is known of it."""

    kind: str  #: as `of` in exporters.yaml spells it
    fields: Mapping[str, str]  #: what may become a label
    numbers: Mapping[str, Numbers] = field(default_factory=dict)  #: values at every scrape
    since: float | None = None  #: seconds relative to now; None: older than the recording
    until: float | None = None
    resets: tuple[float, ...] = ()  #: when its counters begin anew
    chance: str = ""  #: things that share it scatter alike; empty: by its fields
