"""The server around both APIs."""

import urllib.error
import urllib.request

import pytest

from cli.replay import serve


def test_a_served_outage_answers_until_it_is_stopped(now):
    """On a free port of its own."""
    served = serve("crashloop", now=now)
    with urllib.request.urlopen(f"{served.url}/-/ready") as answer:
        assert answer.status == 200
    with urllib.request.urlopen(f"{served.url}/ready") as answer:
        assert answer.status == 200

    served.stop()

    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{served.url}/-/ready", timeout=1)
