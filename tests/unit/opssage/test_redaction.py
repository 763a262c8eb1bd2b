import pytest
from hypothesis import given
from hypothesis import strategies as st

from opssage.redaction import is_secret_name, mask, redact, redact_text

LEAK = "Zx9Kq7Lm2Pv4Rt8W"
PEM = f"-----BEGIN RSA PRIVATE KEY-----\nMIIE{LEAK}\nQ=\n-----END RSA PRIVATE KEY-----"

SECRETS = [
    f"connect postgresql://app:{LEAK}@db:5432/shop failed",
    f"redis://:{LEAK}@mq/0",
    f"amqp://u:p@ss/w#{LEAK}@mq//",
    f"GET https://me:{LEAK}@host/path?mail=a@b.c",
    f"Authorization: Basic {LEAK}==",
    f'{{"authorization": "Bearer {LEAK}"}}',
    f"curl -H 'Authorization: token {LEAK}' host",
    f'Authorization: Digest username="x", response="{LEAK}"',
    f"proxy-authorization={LEAK}",
    f"got bearer {LEAK} from client",
    f"Basic {LEAK} refused",
    f"Cookie: theme=dark; sid={LEAK}",
    f"Set-Cookie: sid={LEAK}; Path=/; HttpOnly",
    f"password={LEAK}, user=bob",
    f"DB_PASSWORD={LEAK}",
    f"export SMTP_PASS={LEAK}",
    f"password: {LEAK}",
    "password: hunter",
    f'{{"db_password": "{LEAK}"}}',
    f'{{\\"apiKey\\":\\"{LEAK}\\"}}',
    f'{{\\\\\\"apiKey\\\\\\": \\\\\\"{LEAK}\\\\\\"}}',
    f'{{\\\\\\"Authorization\\\\\\": \\\\\\"Bearer {LEAK}\\\\\\"}}',
    f"glpat-{LEAK}abcd",
    f"client_secret = '{LEAK}'",
    f"GET /hook?api_key={LEAK}&page=2",
    f"AccountKey={LEAK}==;EndpointSuffix=core",
    f"aws_secret_access_key={LEAK}",
    f"mysqldump --password {LEAK} shop",
    f"x-api-key: {LEAK}",
    f"https://s3/x?X-Amz-Signature={LEAK}",
    f"eyJhbGciOiJIUzI1NiJ9.eyJ{LEAK}.{LEAK}",
    "AKIAIOSFODNN7EXAMPLE",
    f"ghp_{LEAK}{LEAK}",
    f"github_pat_{LEAK}{LEAK}",
    f"xoxb-1234567890-{LEAK}",
    f"https://hooks.slack.com/services/T0/B0/{LEAK}",
    f"sk-proj-{LEAK}",
    "sk_live_abcdefghijklmnopqrstuvwx",
    f"AIza{LEAK}{LEAK}",
    f"npm_{LEAK}{LEAK}",
    f"pypi-{LEAK}",
    f"SG.{LEAK}.{LEAK}",
    f"SK{'0a' * 16}",
    f"hvs.{LEAK}",
    f"dp.pt.{LEAK}",
    f"dop_v1_{LEAK}",
    f"123456789:AA{LEAK}{LEAK}"[:46],
    f"https://discord.com/api/webhooks/123456/{LEAK}",
    PEM,
    PEM.replace("\n", "\\n"),
    f"-----BEGIN PRIVATE KEY-----\nMIIE{LEAK}",
]
HARMLESS = [
    "auth service is down",
    "task disk-0 of SK region, npm install, pypi mirror, hvs volume",
    "token bucket exhausted",
    "invalid value for key 'DATABASE_URL'",
    'FATAL: password authentication failed for user "app"',
    "invalid token: expired at 12:00",
    "oauth2: cannot fetch token: 400 Bad Request",
    'MountVolume.SetUp failed for volume "x" : secret "app-secret" not found',
    "bearer authentication required",
    "basic authentication required",
    "authorization: required",
    "GET http://prometheus:9090/api/v1/query 200",
    "http://shop:8080/login?email=a@b.c",
    "ssh://git@github.com/x",
    "password=null token=none secret=${DB_SECRET} password=****",
    "max_tokens=512 tokens: 12",
    "pod checkout-7d9f8b6c5-x2x4z trace 4bf92f3577b34da6a3ce929d0e0e4736",
    "failed to verify signature: crypto/rsa: verification error",
    "task-0123456789abcdefghij monkey: 12345678",
    "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
]

MARKS = '= :@/",;)]\\\n'
WORDS = (
    "password",
    "token",
    "secret=",
    "password: ",
    "--password ",
    "://",
    "[redacted:7f3a:32]",
    "[redacted:",
    "Authorization: ",
    "Bearer ",
    "Cookie: a=b",
    "eyJabcdef.abcdefg",
    "AKIAIOSFODNN7EXAMPLE",
    "-----BEGIN PRIVATE KEY-----",
)
texts = st.lists(st.sampled_from((*WORDS, *MARKS)) | st.text(max_size=5), max_size=12).map("".join)
trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(texts, below, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("text", SECRETS)
def test_secret_is_masked(text: str):
    """Nothing of the secret is left, and a mask stands in its place."""
    masked = redact_text(text)

    assert "[redacted:" in masked
    assert not any(leak in masked for leak in (LEAK, "hunter", "IOSFODNN7"))


@pytest.mark.parametrize("text", HARMLESS)
def test_harmless_text_survives(text: str):
    """A word that only sounds secret is evidence, and stays."""
    assert redact_text(text) == text


def test_text_around_a_secret_survives():
    """Who, where and what happened can still be read."""
    text = "dial postgresql://app:hunter2@db:5432/shop: timeout, retry=3"

    assert redact_text(text) == (
        "dial postgresql://app:[redacted:f52f:7]@db:5432/shop: timeout, retry=3"
    )


def test_multi_line_key_keeps_its_frame():
    """Of a private key the body goes; text behind it stays."""
    masked = redact_text(f"before\n{PEM}\nafter")

    assert masked.startswith("before\n-----BEGIN RSA PRIVATE KEY-----[redacted:")
    assert masked.endswith("]-----END RSA PRIVATE KEY-----\nafter")


@pytest.mark.parametrize(
    "token",
    [
        *("ghp_ab1", "glpat-ab1", "xoxb-ab1", "sk-ab1", "sk_live_ab1", "npm_ab1", "hvs.ab1"),
        *("AIzaab1", f"ops_abcdefgh_{'0' * 64}"),
    ],
)
def test_tokens_without_an_end_are_one_secret(token: str):
    """Masked piece by piece, each piece would cost another round over all the text."""
    text = token * 5000

    assert redact_text(text) == mask(text)


def test_same_secret_gives_the_same_mask():
    """Two places that held one secret can be told by hash and length."""
    assert mask("hunter2") == mask("hunter2") == "[redacted:f52f:7]"
    assert mask("hunter3") != mask("hunter2")


@given(texts)
def test_redacting_text_twice_changes_nothing(text: str):
    """What is stored redacted can be redacted again on its way out."""
    once = redact_text(text)

    assert redact_text(once) == once


@given(trees)
def test_redacting_a_tree_twice_changes_nothing(tree: object):
    """The same holds of JSON."""
    once = redact(tree)

    assert redact(once) == once


@pytest.mark.parametrize(
    "name",
    ["password", "DB_PASSWORD", "pgpassword", "apiKey", "X-Auth-Token", "aws.secret", "Set-Cookie"],
)
def test_secret_name_is_known(name: str):
    """Spelling does not matter: case, dashes, dots, camels."""
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name", ["auth", "secretName", "max_tokens", "tokenizer", "key", "passed", "monkey", "author"]
)
def test_other_name_is_not_secret(name: str):
    """A name is judged by how it ends."""
    assert not is_secret_name(name)


def test_tree_is_masked_by_key_and_by_shape():
    """Values go by the name of their key, free text by what it looks like."""
    tree = {"user": "bob", "password": "pw", "pin_token": 4711, "note": ["token=abc"], "on": True}

    assert redact(tree) == {
        "user": "bob",
        "password": mask("pw"),
        "pin_token": mask("4711"),
        "note": [f"token={mask('abc')}"],
        "on": True,
    }


def test_list_under_a_secret_key_is_masked():
    """Several secrets under one name are all masked."""
    assert redact({"password": ("a", "b")}) == {"password": [mask("a"), mask("b")]}


def test_mapping_under_a_secret_key_is_judged_by_its_own_keys():
    """A volume or a service may be called `secret` or `token`."""
    tree = {"secret": {"secretName": "app-tls", "defaultMode": 420}, "token": {"calls": "orders"}}

    assert redact(tree) == tree


def test_environment_variable_of_a_pod_is_masked():
    """Kubernetes writes a variable as a name and a value."""
    tree = [{"name": "DB_PASSWORD", "value": "pw"}, {"name": "MODE", "value": "fast"}]

    assert redact(tree) == [
        {"name": "DB_PASSWORD", "value": mask("pw")},
        {"name": "MODE", "value": "fast"},
    ]


def test_redact_leaves_its_argument_alone():
    """A copy comes back."""
    tree = {"password": "pw"}

    redact(tree)

    assert tree == {"password": "pw"}
