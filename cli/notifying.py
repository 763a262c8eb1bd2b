"""What `opssage doctor` and `opssage check-config` say of the targets of notifications."""

from collections.abc import Iterator

from cli.findings import Answer, Finding, Level
from opssage.settings import Settings
from tasks.notify import NotSentError, Sender, UnusableTargetError, trial, unusable

_KNOWN = "https://appriseit.com/services has the URL of each service"
_NOT_KNOWN = "apprise can make nothing of this URL"


def faults(settings: Settings) -> list[str]:
    """Return which targets have a URL that apprise does not know."""
    return [
        f"notify.targets[{position}].url: {_NOT_KNOWN}; {_KNOWN}"
        for position, target in enumerate(settings.notify.targets)
        if unusable(target.url)
    ]


def check(settings: Settings) -> Iterator[Answer]:
    """Yield how each target looks without sending anything to it."""
    if settings.notify.targets and settings.web.public_url is None:
        address = settings.web.base_url
        yield Level.WARN, f"links in messages start with {address}", "set OPSSAGE_PUBLIC_URL"
    for target in settings.notify.targets:
        if unusable(target.url):
            yield Level.FAIL, f"{target.name}: {_NOT_KNOWN}", _KNOWN
        else:
            yield Level.OK, f"{target.name}: configured (--notify sends a test message)"


def trials(settings: Settings, sender: Sender) -> Iterator[Finding]:
    """Send a test message to every target, and yield what came of it."""
    if not settings.notify.targets:
        yield Finding(
            check="notify",
            level=Level.WARN,
            message="nobody is told: there is no target",
            fix="add one to notify.targets in config.yaml",
        )
    for target in settings.notify.targets:
        level, told, fix = Level.OK, "took a test message", ""
        try:
            sender.send(target.url, trial(settings.web.base_url))
        except UnusableTargetError:
            level, told, fix = Level.FAIL, _NOT_KNOWN, _KNOWN
        except NotSentError as error:
            level, told = Level.FAIL, str(error)
            fix = "check the tokens in its url, and that this machine reaches the service"
        yield Finding(check="notify", level=level, message=f"{target.name}: {told}", fix=fix)
