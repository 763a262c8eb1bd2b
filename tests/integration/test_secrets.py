"""Secrets in whatever a source says: none reaches the database or the log."""

import gzip
import io
import json
import logging
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import httpx2
import pytest
from factories import alert, group
from sqlalchemy import select
from unit.collect import kubernetes_stand_ins as cluster
from unit.collect.stand_ins import FakeLoki, FakePrometheus, step_at

from opssage import log
from opssage.settings import LoggingSettings, load
from store import tables
from tasks import pipeline
from tasks.collect import build_sources
from tasks.collect.registry import Connection
from tasks.enrich import Library
from tasks.pipeline import Parts
from webapi.app import create_app

ONSET = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=10)


def _pem(core):
    return f"-----BEGIN RSA PRIVATE KEY-----\nMIIE{core}\nQ=\n-----END RSA PRIVATE KEY-----"


SHAPES = {
    "url": "dial postgresql://app:{}@db:5432/shop failed",
    "url without a user": "redis://:{}@mq/0",
    "web address": "GET https://me:{}@host/path",
    "basic": "Authorization: Basic {}==",
    "bearer": "got bearer {} from client",
    "digest": 'Authorization: Digest username="x", response="{}"',
    "cookie": "Cookie: theme=dark; sid={}",
    "set-cookie": "Set-Cookie: sid={}; Path=/; HttpOnly",
    "name and value": "password={}, user=bob",
    "variable": "DB_PASSWORD={}",
    "field": "client_secret: '{}'",
    "json": '{{"db_password": "{}"}}',
    "json in json": '{{\\"apiKey\\":\\"{}\\"}}',
    "query": "GET /hook?api_key={}&page=2",
    "cloud": "aws_secret_access_key={}",
    "cloud id": "denied for AKIA{} in eu-west-1",
    "signature": "https://s3/x?X-Amz-Signature={}",
    "option": "mysqldump --password {} shop",
    "header": "x-api-key: {}",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJ{0}.{0}",
    "github": "ghp_{0}{0}",
    "gitlab": "glpat-{0}abcd",
    "slack": "xoxb-1234567890-{}",
    "slack hook": "https://hooks.slack.com/services/T0/B0/{}",
    "llm": "sk-proj-{}",
    "colours": "pass\x1b[31mword\x1b[0m={}",
    "direction": "pass\u202eword\u2066={}",
    "control": "tok\x00en=\x07{}",
}
CORES = {name: f"ZX9KQ7LM2PV4{n:02}AB" for n, name in enumerate((*SHAPES, "key"))}
SECRETS = [shape.format(CORES[name]) for name, shape in SHAPES.items()] + [_pem(CORES["key"])]
ALL = "; ".join(SECRETS)
ODD = [
    told
    for odd in "\x07\x1b\u202e\u2066"
    for told in (odd, ascii(odd)[1:-1], json.dumps(odd)[1:-1])
]


def prometheus():
    """Its labels, its rules, its warnings and its refusals hold them all."""
    fake = FakePrometheus(rules=[_rule(text) for text in SECRETS])
    fake.on("", *(_series(n, text) for n, text in enumerate(SECRETS)))
    refusal = {"status": "error", "errorType": "execution", "error": ALL}
    fake.refuse = lambda query: httpx2.Response(422, json=refusal) if "restarts" in query else None

    def handle(request):
        answer = fake.transport.handle_request(request)
        told = json.loads(answer.content) if answer.is_success else {}
        return httpx2.Response(200, json={**told, "warnings": SECRETS}) if told else answer

    return handle


def _series(number, text):
    labels = {"namespace": "shop", "pod": f"web-{number}", "note": text, "reason": text}
    return {**labels, "auth_token": CORES["basic"]}, step_at(ONSET, 1, 900)


def _rule(text):
    named = {"name": "HighErrorRate", "labels": {"severity": "warning"}, "type": "alerting"}
    notes = {"summary": text}
    return {**named, "query": f'up{{note="{text}"}} == 0', "annotations": notes}


def loki():
    """Its lines and its streams' labels hold them."""
    fake = FakeLoki()
    for number, text in enumerate(SECRETS):
        labels = {"namespace": "shop", "app": "web", "pod": f"web-{number}", "note": text}
        fake.on(labels, (ONSET + timedelta(seconds=9), f"ERROR cannot log in {text}"))
    return fake.transport.handle_request


def kubernetes():
    """Objects, events, logs and refusals hold them."""
    fake = cluster.FakeKubernetes()
    for number, text in enumerate(SECRETS):
        variables = [{"name": "PLAIN", "value": text}, {"name": "KEY_PASSWORD", "value": text}]
        spec = {"containers": [{"name": "app", "image": "web:1", "env": variables, "args": [text]}]}
        state = cluster.waiting("CrashLoopBackOff", text)
        state["lastState"] = {"terminated": {"reason": "Error", "exitCode": 1, "message": text}}
        notes = {"note": text, "kubectl.kubernetes.io/last-applied-configuration": text}
        pod = cluster.pod(f"web-{number}", state, spec=spec, ready=False, annotations=notes)
        about = ("Pod", f"web-{number}")
        fake.has(pod, cluster.event(f"Failed{number}", about, message=text))
        fake.logs[f"web-{number}", "app", False] = f"ERROR cannot start {text}\n"
    fake.has(cluster.thing("ConfigMap", "web", data={"conf": ALL}))
    status = {"kind": "Status", "code": 403, "message": ALL}
    fake.refuse("/resourcequotas", httpx2.Response(403, json=status))
    return fake.transport.handle_request


def alertmanager():
    """Other alerts and silences hold them."""

    def handle(request):
        if request.url.path.endswith("/silences"):
            return httpx2.Response(200, json=[_silence(n, text) for n, text in enumerate(SECRETS)])
        return httpx2.Response(200, json=[_fired(n, text) for n, text in enumerate(SECRETS)])

    return handle


def _times():
    until = (ONSET + timedelta(hours=1)).isoformat()
    return {"startsAt": ONSET.isoformat(), "endsAt": until, "updatedAt": ONSET.isoformat()}


def _fired(number, text):
    labels = {"alertname": f"B{number}", "namespace": "shop", "service": "web", "note": text}
    state = {"state": "active", "silencedBy": [], "inhibitedBy": []}
    told = {"annotations": {"summary": text}, "generatorURL": text, "receivers": [{"name": text}]}
    return {"labels": labels, "fingerprint": f"{number:016x}", "status": state, **_times(), **told}


def _silence(number, text):
    matcher = {"name": "namespace", "value": "shop", "isRegex": False, "isEqual": True}
    told = {"createdBy": text, "comment": text, "status": {"state": "active"}}
    return {"id": f"s{number}", "matchers": [matcher], **_times(), **told}


def change(text):
    """A change as a pipeline reports it; the door keeps no NUL."""
    text = text.replace("\x00", "")
    return {
        "kind": "deploy",
        "summary": text,
        "service": "web",
        "namespace": "shop",
        "at": (ONSET - timedelta(minutes=2)).isoformat(),
        "by": text[:100].split("\n")[0],
        "url": "https://ci:ZX9KQ7LM2PV400AB@host/run?token=ZX9KQ7LM2PV401AB",
        "details": {"note": text, "db_password": CORES["basic"]},
    }


@pytest.fixture
def logged():
    """Everything that is logged, debugging included, in our form."""
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    stream = io.StringIO()
    log.configure(LoggingSettings(format="json", level="debug"), stream)
    yield stream
    root.handlers, root.level = before


@pytest.fixture
def task(store_with):
    """What Celery hands a task, with sources that tell secrets."""
    settings = load(environ={})
    answers = {
        "prometheus": prometheus(),
        "kubernetes": kubernetes(),
        "loki": loki(),
        "alertmanager": alertmanager(),
    }

    def connect(name):
        transport = httpx2.MockTransport(answers[name])
        return Connection(url="http://there", client=httpx2.Client(transport=transport))

    sources = build_sources(settings, connect)
    parts = Parts(settings=settings, store=store_with(), sources=sources, library=Library(None))
    request = SimpleNamespace(id="task-1", delivery_info={}, chain=None)
    return SimpleNamespace(app=SimpleNamespace(parts=parts, owner="w@test/1"), request=request)


def investigated(task):
    """Report changes, open an incident and run its three tasks; returns it."""
    store = task.app.parts.store
    app = create_app(task.app.parts.settings, store, lambda: None, {"database": store.ping})
    for text in SECRETS:
        assert app.test_client().post("/api/v1/changes", json=change(text)).status_code == 201
    opened = store.create_incident(group(alert(service="web", pod="web-0", starts_at=ONSET)))
    (touched,) = opened.incidents
    for stage in (pipeline.collect, pipeline.enrich, pipeline.diagnose):
        assert stage.__wrapped__.__func__(task, str(touched.incident_id)) == "committed"
    return store.get_incident(touched.incident_id)


def everything(bound):
    """Every value in every table, by the table's name; what is packed, unpacked."""
    with bound.connect() as connection:
        for table in tables.metadata.sorted_tables:
            for row in connection.execute(select(table)):
                for value in row:
                    packed = isinstance(value, bytes) and value[:2] == b"\x1f\x8b"
                    yield table.name, gzip.decompress(value).decode() if packed else str(value)


def masked_in(said):
    """The sources whose recorded answers hold masks."""
    (recording,) = (
        json.loads(text) for name, text in said if name == "incident_recordings" and text[0] == "{"
    )
    return {each["source"] for each in recording["exchanges"] if "[redacted:" in str(each["body"])}


def test_no_secret_reaches_the_database_or_the_log(emptied, task, logged):
    """Of 29 kinds, told by every source in every place, and with each reported change."""
    incident = investigated(task)

    said = [*everything(emptied), ("log", logged.getvalue())]
    found = incident.primary_context["evidence_collected"]
    cited = {item["source"] for kind in found.values() for item in kind}
    assert cited >= {"prometheus", "kubernetes", "loki", "alertmanager", "changes"}
    assert masked_in(said) == {"prometheus", "kubernetes", "loki", "alertmanager"}
    leaks = {(kind, place) for place, text in said for kind, core in CORES.items() if core in text}
    assert leaks == set()
    assert {place for place, text in said for odd in ODD if odd in text} == set()
