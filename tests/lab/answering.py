"""Whether a server is there."""

import urllib.request


def answers(url: str) -> bool:
    """Say whether a URL is answered with 2xx."""
    try:
        with urllib.request.urlopen(url, timeout=1):
            return True
    except OSError:
        return False
