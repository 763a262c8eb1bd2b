"""What the store goes by, beside what each verb is told."""

from dataclasses import dataclass, field

from opssage.settings import IngestSettings, Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """Settings that decide what becomes of an incident."""

    ingest: IngestSettings = field(default_factory=IngestSettings)
    cooldown_seconds: float = 300  #: gathers the alerts that join a diagnosed incident
    notify: tuple[str, ...] = ()  #: targets that are told how an investigation ended

    @classmethod
    def of(cls, settings: Settings) -> "Rules":
        """Return the rules of these settings."""
        return cls(
            ingest=settings.ingest,
            cooldown_seconds=settings.diagnose.cooldown_seconds,
            notify=tuple(target.name for target in settings.notify.targets),
        )
