"""Errors that know whether trying again makes sense."""


class OpsSageError(Exception):
    """Something OpsSage cannot do. Its docstring is the default message."""

    permanent = True
    """False when the same call may succeed later."""
    counted = True
    """False when it says nothing about the incident, so that the attempt is given back."""

    def __init__(self, message: str | None = None) -> None:
        """Take a message, or the class's own sentence."""
        super().__init__(message or (self.__doc__ or "").strip())


class SettingsError(OpsSageError):
    """The configuration has faults."""

    def __init__(self, faults: list[str]) -> None:
        """Keep every fault found; the message lists them all."""
        self.faults = faults
        super().__init__("\n".join(faults))


class StoreUnavailableError(OpsSageError):
    """The database cannot answer now."""

    permanent = False


class LostClaimError(OpsSageError):
    """Somebody else has taken the incident over; this result is discarded."""


class SourceError(OpsSageError):
    """A source of evidence could not answer."""

    permanent = False


class SourcesAwayError(OpsSageError):
    """None of the sources of evidence answers, since a moment ago."""

    permanent = False
    counted = False


class UnsupportedQueryError(OpsSageError):
    """The query uses something outside the family of PromQL that is evaluated here."""
