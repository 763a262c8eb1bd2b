"""`opssage kb`: keeping, mirroring, searching and checking documents."""

import hashlib
import io
import json
import re
import subprocess

import pytest
from rich.console import Console
from werkzeug import Response

from cli import report
from cli.exits import CommandError
from cli.mirror import files_in, origin_of

DOCUMENTS = "/api/v1/documents"


def document(name, text="Drain it.", **more):
    """Return a document as the API answers it."""
    about = {"owner": "shop", "reviewed": "", "services": [], "alertnames": [], "tags": []}
    return {
        "document_id": f"id-of-{name}",
        "name": name,
        "title": name.title(),
        "about": about,
        "origin": "",
        "digest": hashlib.sha256(text.encode()).hexdigest(),
        "updated_at": "2026-11-23T03:00:00.000000Z",
        **more,
    }


class Server:
    """The API's documents, as far as the command asks for them."""

    def __init__(self, httpserver) -> None:
        self.kept = {}
        self.sent, self.deleted = [], []
        self.refused = {}
        httpserver.expect_request(DOCUMENTS, method="GET").respond_with_handler(self._list)
        httpserver.expect_request(DOCUMENTS, method="POST").respond_with_handler(self._post)
        httpserver.expect_request(
            re.compile(f"{DOCUMENTS}/id-.*"), method="DELETE"
        ).respond_with_handler(self._delete)

    def _list(self, request):
        names = request.args.getlist("name")
        items = [each for each in self.kept.values() if not names or each["name"] in names]
        return Response(json.dumps({"items": items, "next_cursor": None}))

    def _post(self, request):
        name = request.form["name"]
        if name in self.refused:
            told = {"title": "Unprocessable", "detail": self.refused[name]}
            return Response(json.dumps(told), 422, mimetype="application/problem+json")
        file = request.files["file"]
        self.sent.append((name, file.filename, file.read().decode(), request.form.get("origin")))
        file.close()
        return Response(json.dumps({**document(name), "change": "added", "secrets_masked": 0}))

    def _delete(self, request):
        self.deleted.append(request.path.rpartition("/")[2])
        return Response("{}")


@pytest.fixture
def server(httpserver):
    """The stand-in."""
    return Server(httpserver)


@pytest.fixture
def kb(opssage, httpserver):
    """Run `opssage kb` against it; returns click's result."""
    return lambda *words: opssage("kb", *words, "--url", httpserver.url_for(""))


@pytest.fixture
def folder(tmp_path):
    """Three documents, and files that are none."""
    root = tmp_path / "books"
    for name, text in {
        "cart.md": "Drain it.",
        "shop/pay.txt": "Ask Kim.",
        "shop/new.md": "Look.",
        ".git/config.md": "no",
        "logo.png": "no",
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_add_sends_files_under_their_names(kb, server, folder):
    """One document a file; --name calls it otherwise."""
    result = kb("add", folder / "cart.md", folder / "shop" / "pay.txt")
    renamed = kb("add", folder / "cart.md", "--name", "shop/cart")

    assert (result.exit_code, result.stdout) == (0, "added\tcart\nadded\tpay\n"), result.output
    assert server.sent == [
        ("cart", "cart.md", "Drain it.", None),
        ("pay", "pay.txt", "Ask Kim.", None),
        ("shop/cart", "cart.md", "Drain it.", None),
    ]
    assert renamed.exit_code == 0


@pytest.mark.parametrize(
    "words", [("cart.md", "shop/pay.txt", "--name", "x"), ("logo.png",), ("missing.md",)]
)
def test_add_refuses_what_it_cannot_name(kb, server, folder, words):
    """A name for several files, and a file that is no document."""
    paths = [folder / word if "." in word else word for word in words]

    assert kb("add", *paths).exit_code == 2
    assert server.sent == []


def test_sync_sends_what_has_changed_only(kb, server, folder):
    """By the digest of the file; what is called is its path below the folder."""
    server.kept = {
        "cart": document("cart", "Drain it.", origin="books"),
        "shop/pay": document("shop/pay", "Ask Lee.", origin="books"),
    }

    result = kb("sync", folder, "--origin", "books")

    assert result.exit_code == 0, result.output
    assert [(name, origin) for name, _, _, origin in server.sent] == [
        *(("shop/new", "books"), ("shop/pay", "books")),
    ]
    assert "1 unchanged" in result.stderr


def test_sync_prunes_only_what_it_brought(kb, server, folder):
    """What others keep stays, whatever its name."""
    server.kept = {
        "old": document("old", origin="books"),
        "theirs": document("theirs", origin="elsewhere"),
        "typed": document("typed"),
    }

    kept = kb("sync", folder, "--origin", "books")
    assert (kept.exit_code, server.deleted) == (0, [])
    pruned = kb("sync", folder, "--origin", "books", "--prune")

    assert (pruned.exit_code, server.deleted) == (0, ["id-of-old"])
    assert "deleted\told" in pruned.stdout


def test_sync_leaves_documents_of_another_origin_alone(kb, server, folder):
    """And says so; one without an origin becomes the folder's."""
    server.kept = {
        "cart": document("cart", "theirs", origin="elsewhere"),
        "shop/pay": document("shop/pay", "Ask Kim."),
    }

    result = kb("sync", folder, "--origin", "books")

    assert result.exit_code == 1
    assert "cart: it is a copy of elsewhere" in result.stderr
    assert [name for name, *_ in server.sent] == ["shop/new", "shop/pay"]


def test_a_dry_run_changes_nothing(kb, server, folder):
    """It says what would be done."""
    server.kept = {"old": document("old", origin="books")}

    result = kb("sync", folder, "--origin", "books", "--prune", "--dry-run")

    assert (server.sent, server.deleted) == ([], [])
    assert result.stdout.splitlines() == [
        *("would be sent\tcart", "would be sent\tshop/new", "would be sent\tshop/pay"),
        "would be deleted\told",
    ]


def test_sync_never_empties_the_knowledge_base_by_mistake(kb, server, tmp_path):
    """A checkout that failed is an empty folder."""
    (tmp_path / "empty").mkdir()
    server.kept = {"old": document("old", origin="books")}

    result = kb("sync", tmp_path / "empty", "--origin", "books", "--prune")

    assert (result.exit_code, server.deleted) == (2, [])


def test_one_refused_file_does_not_keep_the_others_back(kb, server, folder):
    """It is named with its fault, and the command fails at its end."""
    server.refused = {"cart": "text: it is no UTF-8"}

    result = kb("sync", folder, "--origin", "books")

    assert result.exit_code == 1
    assert "no UTF-8" in result.stderr
    assert [name for name, *_ in server.sent] == ["shop/new", "shop/pay"]


def test_two_files_of_one_name_are_refused(folder):
    """Which of them would count?"""
    (folder / "cart.pdf").write_bytes(b"%PDF-")

    with pytest.raises(CommandError, match="would both be called cart"):
        files_in(folder)


def test_a_link_out_of_the_folder_is_no_document(folder, tmp_path):
    """A checkout is not trusted with other files of whoever syncs it."""
    (tmp_path / "private.md").write_text("no")
    (folder / "innocent.md").symlink_to(tmp_path / "private.md")

    assert [file.name for file in files_in(folder)] == ["cart", "shop/new", "shop/pay"]


def test_a_checkout_is_known_by_its_repository(folder):
    """Without credentials, and wherever it lies; another folder by its path."""
    assert origin_of(folder) == folder.as_posix()
    git = ("git", "-C", str(folder))
    subprocess.run([*git, "init", "-q"], check=True)
    url = "https://me:se/c@ret@git.example/team/books.git?private_token=x"
    subprocess.run([*git, "remote", "add", "origin", url], check=True)

    assert origin_of(folder) == "https://git.example/team/books.git"
    assert origin_of(folder / "shop") == "https://git.example/team/books.git#shop"


def test_list_is_in_order_of_name(kb, server):
    """With who looks after each."""
    server.kept = {name: document(name) for name in ("b", "a")}

    result = kb("list")

    assert result.stdout.splitlines()[0] == "a\tA\tshop\t\t2026-11-23T03:00:00.000000Z\t"
    assert [each["name"] for each in json.loads(kb("list", "--json").stdout)] == ["a", "b"]


def test_delete_goes_by_name(kb, server):
    """A wrong one deletes nothing."""
    server.kept = {name: document(name) for name in ("a", "b")}

    assert kb("delete", "a", "x").exit_code == 5
    assert server.deleted == []
    assert kb("delete", "a").exit_code == 0
    assert server.deleted == ["id-of-a"]


def test_search_shows_what_a_diagnosis_would_cite(kb, httpserver):
    """One line a passage."""
    passage = {"relevance": 0.8, "source_id": "a#b", "title": "A", "excerpt": "- go\n- there"}
    httpserver.expect_request(
        f"{DOCUMENTS}/search", method="POST", json={"query": "disk full", "limit": 5}
    ).respond_with_json({"items": [passage]})

    assert kb("search", "disk", "full").stdout == "0.8\ta#b\tA\t- go - there\n"


def test_lint_needs_no_server(opssage, folder):
    """Faults with their place, and an exit code for pipelines."""
    (folder / "cart.md").write_text(
        "---\nalertname: [x]\nowner: a\n---\n# Cart\n## Actions\n- go\n"
    )

    faulty = opssage("kb", "lint", folder / "cart.md")

    assert faulty.exit_code == 1
    assert faulty.stdout.replace(str(folder), "").splitlines() == [
        "/cart.md: unknown-key: front matter has no key alertname; did you mean alertnames?",
        "/cart.md: no-title: front matter has no title; people look for it",
    ]
    (folder / "cart.md").write_text("---\ntitle: x\nowner: a\n---\n## Actions\n- go\n")
    assert opssage("kb", "lint", folder / "cart.md").exit_code == 0
    told = json.loads(opssage("kb", "lint", folder, "--json").stdout)
    assert {fault["rule"] for fault in told} == {"no-title", "no-owner", "no-actions"}


def test_show_names_the_page_that_a_rule_leads_to(incident):
    """It is there only when its host is trusted."""
    url = "https://runbooks.example.com/cart"
    console = Console(record=True, width=200, file=io.StringIO())

    report.show(incident(enhanced_context={"runbook_urls": [url]}), "http://here", console)

    assert f"Runbook     {url}" in console.export_text()
