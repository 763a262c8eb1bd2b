import logging

import pytest

from opssage.log import configure
from opssage.settings import LoggingSettings
from tasks.notify import AppriseSender, NotSentError, UnusableTargetError, trial, unusable

CLOSED = "json://me:hunter-password@127.0.0.1:1/hunter-path?+X-Key=hunter-header"
"""Nothing listens on port 1."""
MESSAGE = trial("http://localhost:8000")


@pytest.fixture
def loggers_as_they_were():
    """Put the loggers back that the sender turns off and `configure` turns on."""
    names = ("", "apprise", "urllib3", "oauthlib", "requests_oauthlib")
    before = [(logging.getLogger(n), logging.getLogger(n).level) for n in names]
    handlers = list(logging.getLogger().handlers)
    yield
    logging.getLogger().handlers = handlers
    for logger, level in before:
        logger.setLevel(level)


def test_unreachable_target_says_so_without_its_secrets():
    """The host helps to mend it; password, path and headers stay out."""
    with pytest.raises(NotSentError) as caught:
        AppriseSender().send(CLOSED, MESSAGE)

    assert "127.0.0.1" in str(caught.value)
    assert "hunter" not in str(caught.value)
    assert not caught.value.permanent


def test_nothing_of_a_url_is_logged(capsys, loggers_as_they_were):
    """Not even at debug, where the libraries below write out what they request."""
    configure(LoggingSettings(level="debug", format="json"))
    sender = AppriseSender()

    for url in (CLOSED, "nosuch://hunter-token/hunter-path", "slack://hunter"):
        with pytest.raises((NotSentError, UnusableTargetError)):
            sender.send(url, MESSAGE)

    assert "hunter" not in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    "url",
    [
        "json://127.0.0.1:9/path",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#on-call",
        "tgram://123456789:abcdefghijklmnopqrstuvwxyz123456789/12345",
        "mailtos://user:password@example.com",
    ],
)
def test_known_services_are_usable(url):
    """Nothing is sent to find out."""
    assert not unusable(url)


@pytest.mark.parametrize("url", ["nosuch://x", "slack://too-short", "json://[bad", "json://"])
def test_unknown_services_are_not_usable(url):
    """A sender says so, and is tried again: the URL may be corrected meanwhile."""
    assert unusable(url)
    with pytest.raises(UnusableTargetError) as caught:
        AppriseSender().send(url, MESSAGE)
    assert not caught.value.permanent
