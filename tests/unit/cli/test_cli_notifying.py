import json
from pathlib import Path

import pytest

from cli import checks, notifying
from cli.findings import Level
from opssage.settings import NotifySettings, NotifyTarget, Settings, WebSettings
from tasks.notify import NotSentError, UnusableTargetError

USABLE = NotifyTarget(name="chat", url="json://127.0.0.1:9/hunter2")
UNUSABLE = NotifyTarget(name="typo", url="jsom://127.0.0.1:9/hunter2")


class Recorder:
    def __init__(self, **errors):
        self.errors = errors
        self.sent = []

    def send(self, url, message):
        self.sent.append((url, message))
        if error := self.errors.get(url.partition(":")[0]):
            raise error


def configured(*targets, public_url="https://sage.example.com"):
    return Settings(
        folder=Path(),
        notify=NotifySettings(targets=targets),
        web=WebSettings(public_url=public_url),
    )


def test_doctor_looks_at_targets_without_sending():
    """A URL that apprise does not know is found before the first incident."""
    found = list(checks.run(configured(USABLE, UNUSABLE), ["notify"]))

    assert [finding.level for finding in found] == [Level.OK, Level.FAIL]
    assert found[1].message.startswith("typo: ")
    assert "appriseit.com" in found[1].fix


def test_doctor_has_nothing_to_say_without_targets():
    """Notifications are optional."""
    assert list(checks.run(configured(), ["notify"])) == []


def test_doctor_warns_about_links_that_others_cannot_follow():
    """A message that says localhost helps nobody."""
    found = next(checks.run(configured(USABLE, public_url=None), ["notify"]))

    assert (found.level, found.fix) == (Level.WARN, "set OPSSAGE_PUBLIC_URL")


def test_every_target_gets_a_test_message():
    """One that fails does not keep the next from its own."""
    sender = Recorder(json=NotSentError("Forbidden (403)"), jsom=UnusableTargetError())
    last = NotifyTarget(name="last", url="xml://127.0.0.1")

    found = list(notifying.trials(configured(USABLE, UNUSABLE, last), sender))

    assert [finding.level for finding in found] == [Level.FAIL, Level.FAIL, Level.OK]
    assert found[0].message == "chat: Forbidden (403)"
    assert all(finding.fix for finding in found[:2])
    assert len(sender.sent) == 3


def test_test_message_without_a_target_says_what_is_missing():
    """Whoever asks for one expects one."""
    (found,) = notifying.trials(configured(), Recorder())

    assert (found.level, "notify.targets" in found.fix) == (Level.WARN, True)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "notify.yaml"
    path.write_text(f"notify: {{targets: [{{name: typo, url: '{UNUSABLE.url}'}}]}}")
    return path


def test_check_config_tells_a_url_that_apprise_does_not_know(opssage, file):
    """With its key and the way to mend it, and without the URL."""
    result = opssage("check-config", file)

    assert result.exit_code == 3
    assert result.stdout.startswith("notify.targets[0].url: apprise can make nothing of this URL; ")
    assert "hunter2" not in result.output


def test_doctor_sends_on_request_only(opssage, file):
    """`--notify` is what makes it send."""

    def told(*words):
        shown = json.loads(opssage("doctor", "--config", file, "--json", *words).stdout)
        return [finding["message"] for finding in shown if finding["check"] == "notify"]

    assert len(told()) == 2
    assert len(told("--notify")) == 3
