"""How long answers about a site are believed."""

from time import monotonic

import httpx2
import pytest
from unit.collect.stand_ins import upstream_to


@pytest.mark.parametrize(("memory_seconds", "requests"), [(300, 1), (0, 2)])
def test_answer_is_kept_no_longer_than_the_memory_lasts(memory_seconds, requests):
    """Without a memory the same question is asked anew, whatever the asker allows."""
    asked = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(200, json={})

    upstream = upstream_to(httpx2.MockTransport(answer), memory_seconds=memory_seconds)
    for _ in range(2):
        upstream.get("/labels", {}, monotonic() + 5, keep_seconds=60)

    assert len(asked) == requests
