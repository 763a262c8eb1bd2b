"""Logging in to the pages."""

import re
from datetime import timedelta
from html.parser import HTMLParser

import pytest
import time_machine

from opssage.settings import load
from webapi.app import create_app

INCIDENTS = "/api/v1/incidents"


def log_in(client, token: str = "sesame-0123456789", **form: str):
    """Send the form."""
    return client.post("/login", data={"token": token, **form}, headers=SAME_SITE)


SAME_SITE = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}


class Form(HTMLParser):
    """The parts of the form, by their name."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.fields: dict[str, dict[str, str]] = {}
        self.labels: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        told = {name: value or "" for name, value in attrs}
        if tag == "input":
            self.fields[told["name"]] = told
        if tag == "label":
            self.labels.add(told["for"])


def test_a_login_opens_the_pages(guarded, make_token):
    """And leads to where the browser wanted to go."""
    answer = log_in(guarded, make_token("read").text, next="/api/docs")

    assert (answer.status_code, answer.headers["Location"]) == (303, "/api/docs")
    assert guarded.get(INCIDENTS).status_code == 200


def test_the_cookie_is_out_of_reach(guarded):
    """Of scripts, of other sites, and of the token itself."""
    (cookie,) = log_in(guarded).headers.getlist("Set-Cookie")

    parts = cookie.split("; ")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(parts)
    assert "Secure" not in parts
    assert "sesame-0123456789" not in cookie


@pytest.mark.parametrize("how", ["request", "public_url"])
def test_the_cookie_stays_on_https(store, nudges, how):
    """Where the browser uses it, whether or not a proxy speaks it to us."""
    environ = {"OPSSAGE_TOKEN": "sesame-0123456789"}
    if how == "public_url":
        environ["OPSSAGE_PUBLIC_URL"] = "https://localhost"
    client = create_app(load(environ=environ), store, nudges, {}).test_client()
    scheme = "https" if how == "request" else "http"

    answer = client.post(
        "/login", data={"token": "sesame-0123456789"}, base_url=f"{scheme}://localhost"
    )

    assert "; Secure" in answer.headers["Set-Cookie"]


def test_a_session_has_the_scopes_of_its_token(guarded, make_token):
    """No more can be done by logging in."""
    log_in(guarded, make_token("read").text)

    assert guarded.get("/api/v1/tokens").status_code == 403
    (missing,) = ("00000000-0000-0000-0000-000000000000",)
    assert guarded.delete(f"{INCIDENTS}/{missing}", headers=SAME_SITE).status_code == 403


def test_a_page_of_another_site_cannot_use_a_session(guarded, make_token):
    """Even if a browser sent the cookie with it."""
    log_in(guarded, make_token("admin").text)
    body = {"name": "evil", "scopes": ["admin"]}

    for headers in ({"Origin": "http://evil"}, {"Sec-Fetch-Site": "cross-site"}):
        assert guarded.post("/api/v1/tokens", json=body, headers=headers).status_code == 403
    assert guarded.post("/api/v1/tokens", json=body, headers=SAME_SITE).status_code == 201


def test_a_session_ends_by_itself(guarded):
    """After auth.session_seconds."""
    log_in(guarded)

    with time_machine.travel(timedelta(seconds=43_201)):
        answer = guarded.get(INCIDENTS)

    assert answer.status_code == 401


def test_a_session_ends_no_later_than_its_token(guarded, store, make_token):
    """Whatever auth.session_seconds says."""
    made = make_token("read", seconds=60)

    cookie = log_in(guarded, made.text).headers["Set-Cookie"]

    token_id = re.search("ops_([a-z0-9]{8})_", cookie)[1]
    assert store.find_token(token_id).expires_at <= made.kept.expires_at + timedelta(seconds=1)


def test_a_session_ends_by_logging_out(guarded):
    """The cookie is gone, and would not open any more."""
    cookie = log_in(guarded).headers["Set-Cookie"].split(";")[0]

    answer = guarded.post("/logout", headers=SAME_SITE)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    assert guarded.get(INCIDENTS, headers={"Cookie": cookie}).status_code == 401


def test_sessions_are_no_tokens(guarded, make_token):
    """They are not listed, and do not open but by cookie."""
    token = make_token("admin")
    cookie = log_in(guarded, token.text).headers["Set-Cookie"]
    text = re.search("=(ops_[^;]*)", cookie)[1]

    listed = guarded.get("/api/v1/tokens").json["items"]
    guarded.delete_cookie("opssage_session")

    assert [item["token_id"] for item in listed] == [token.token_id]
    assert guarded.get(INCIDENTS, headers={"X-API-Key": text}).status_code == 401


def test_a_login_is_audited(guarded, store, make_token):
    """By the name of the token and its id."""
    token = make_token("read", name="ann")

    log_in(guarded, token.text)

    login, _ = store.list_audit()
    assert (login.actor, login.action, login.target) == ("ann", "login", token.token_id)


@pytest.mark.parametrize(
    ("token", "fault"), [("", "not known"), ("wrong", "not known"), ("ingest", "may not read")]
)
def test_a_wrong_token_shows_the_form_again(guarded, make_token, token, fault):
    """With what is wrong, tied to the field for those who do not see it."""
    text = make_token("ingest").text if token == "ingest" else token

    answer = log_in(guarded, text, next="/api/docs")

    page = answer.get_data(as_text=True)
    form = Form(page)
    assert answer.status_code == 401
    assert fault in re.search('<p id="fault" role="alert">(.*?)</p>', page)[1]
    assert "fault" in form.fields["token"]["aria-describedby"].split()
    assert form.fields["next"]["value"] == "/api/docs"
    assert "value" not in form.fields["token"]
    assert "Set-Cookie" not in answer.headers


def test_wrong_tokens_are_limited(guarded):
    """Ten a minute from one address."""
    told = [log_in(guarded, "wrong").status_code for _ in range(10)]

    answer = log_in(guarded, "wrong")

    assert told == [401] * 10
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 60


def test_right_tokens_are_not_limited(guarded):
    """Neither by their number nor by the failures of others behind the same proxy."""
    for _ in range(11):
        log_in(guarded, "wrong")

    assert {log_in(guarded).status_code for _ in range(12)} == {303}


@pytest.mark.parametrize(
    "onward",
    [
        "https://evil.example.com",
        "//evil.example.com",
        "/\\evil.example.com",
        "/\t/evil.example.com",
        "javascript:alert(1)",
        "evil",
        "",
        "/x?token=ops_00000000_" + "0" * 64,
    ],
)
def test_a_login_leads_nowhere_else(guarded, onward):
    """Neither to another site nor with a secret in the address."""
    page = guarded.get("/login", query_string={"next": onward}).get_data(as_text=True)

    assert Form(page).fields["next"]["value"] == "/"
    assert log_in(guarded, next=onward).headers["Location"] == "/"


def test_what_the_address_says_is_text(guarded):
    """It cannot become part of the page."""
    page = guarded.get("/login", query_string={"next": '/"><script>x'}).get_data(as_text=True)

    assert "<script" not in page
    assert Form(page).fields["next"]["value"] == '/"><script>x'


def test_the_page_loads_nothing_but_its_style(guarded):
    """No script runs in it, and no other page can frame it."""
    answer = guarded.get("/login")

    policy = dict(
        part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; ")
    )
    assert policy == {
        "default-src": "'none'",
        "style-src": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }
    page = answer.get_data(as_text=True)
    assert re.findall('(?:src|href|action)="(.*?)"', page) == ["/login.css", "/login"]
    assert "style=" not in page
    with guarded.get("/login.css") as style:
        assert (style.status_code, style.mimetype) == (200, "text/css")


def test_the_page_can_be_used_without_seeing_it(guarded):
    """It has a language, a heading, and a label for what is to be filled in."""
    page = guarded.get("/login").get_data(as_text=True)

    form = Form(page)
    assert '<html lang="en">' in page
    assert "<h1>" in page
    assert form.labels == {"token"}
    assert form.fields["token"]["type"] == "password"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_in_mode_open_there_is_nothing_to_log_in_to(client, store, method):
    """It leads to the pages."""
    answer = client.open("/login", method=method, data={"token": "x"})

    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert store.list_audit() == []
