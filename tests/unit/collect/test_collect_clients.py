"""The HTTP clients of sources."""

from base64 import b64encode
from pathlib import Path

import httpx2
import pytest

from opssage.errors import SettingsError
from opssage.settings import PrometheusSettings
from tasks.collect.clients import client


def sent(**settings):
    """The headers that a source with these settings is asked with."""
    made = client(PrometheusSettings(**settings), Path(), section="sources.prometheus")
    request = made.build_request("GET", "http://there/")
    flow = (made.auth or httpx2.Auth()).auth_flow(request)
    return next(flow).headers


def test_bearer_token_and_tenant_are_headers():
    """As Mimir and Thanos want them."""
    headers = sent(bearer_token="t0ken", tenant="team-a")

    assert headers["Authorization"] == "Bearer t0ken"
    assert headers["X-Scope-OrgID"] == "team-a"


def test_user_name_and_password_are_basic_authentication():
    """For a Prometheus behind a proxy."""
    told = b64encode("me:pässword".encode()).decode()

    assert sent(username="me", password="pässword")["Authorization"] == f"Basic {told}"


@pytest.mark.parametrize("key", ["ca_file", "cert_file"])
def test_certificate_that_is_not_there_is_named(key):
    """With its setting, so that it can be mended."""
    with pytest.raises(SettingsError, match=rf"sources\.prometheus\.{key}: none\.pem cannot"):
        sent(**{key: "none.pem"})
