"""What the store goes by, beside what each verb is told."""

from dataclasses import dataclass

from opssage.settings import Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """Settings that decide what becomes of an incident."""

    backlog_max: int = 10_000  #: unfinished incidents; above it no alert opens another
    cooldown_seconds: float = 300  #: gathers the alerts that join a diagnosed incident
    notify: tuple[str, ...] = ()  #: targets that are told how an investigation ended

    @classmethod
    def of(cls, settings: Settings) -> "Rules":
        """Return the rules of these settings."""
        return cls(
            backlog_max=settings.ingest.backlog_max,
            cooldown_seconds=settings.diagnose.cooldown_seconds,
            notify=tuple(target.name for target in settings.notify.targets),
        )
