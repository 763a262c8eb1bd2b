"""Changes that people and pipelines report: what was different before the trouble began."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class ChangeKind(StrEnum):
    """What sort of thing was changed."""

    DEPLOY = "deploy"
    CONFIG = "config"
    FLAG = "flag"
    SCALE = "scale"
    MIGRATION = "migration"
    INFRASTRUCTURE = "infrastructure"
    OTHER = "other"


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportedChange:
    """One change: who changed what, where, when."""

    kind: ChangeKind
    summary: str
    at: datetime
    by: str = ""  #: a person or a pipeline
    service: str | None = None
    namespace: str | None = None
    version_before: str = ""
    version_after: str = ""
    url: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    sender: str = "default"  #: whose token reported it
    change_id: int | None = None  #: given by the store
