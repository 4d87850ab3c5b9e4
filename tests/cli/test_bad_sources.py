"""A source that cannot be used: one clear sentence, the documented exit code, nothing half-written."""

from __future__ import annotations

import gzip
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from whole_runs import Ended, bundles, command, files, resources, server_with, succeed, tree, write_ndjson

LOGIN_PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in</body></html>"
R5_STATEMENT = {
    "resourceType": "CapabilityStatement",
    "status": "active",
    "date": "2026-01-01",
    "kind": "instance",
    "fhirVersion": "5.0.0",
    "format": ["json"],
    "rest": [{"mode": "server", "resource": [{"type": "Patient", "interaction": [{"code": "search-type"}]}]}],
}


@contextmanager
def answering(body: bytes, content_type: str, status: int = 200) -> Iterator[str]:
    """The address of a server that gives one answer to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_PUT = do_GET

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/fhir"
        finally:
            server.shutdown()
            thread.join()


def is_one_clear_sentence(ended: Ended) -> bool:
    """The sentence, and at most one hint below it; nothing on the other stream, no traceback."""
    said = [line for line in ended.err.splitlines() if line.startswith("fhir-adapter: ")]
    hints = [line for line in ended.err.splitlines() if line.startswith("  ")]
    return len(said) == 1 and len(hints) <= 1 and "Traceback" not in ended.told and ended.out == ""


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


# Servers


def test_a_server_that_nobody_listens_at(out: Path) -> None:
    with answering(b"", "text/plain") as gone:
        pass
    ended = command("run", "--server", gone, "--out", out)
    assert ended.code == 4
    assert is_one_clear_sentence(ended), ended.told
    assert gone in ended.err
    assert files(out) == {}


def test_a_host_that_does_not_exist(out: Path) -> None:
    ended = command("run", "--server", "https://no-such-host.invalid/fhir", "--out", out)
    assert ended.code == 4
    assert is_one_clear_sentence(ended), ended.told
    assert files(out) == {}


@pytest.mark.parametrize(
    ("body", "content_type", "says"),
    [
        (LOGIN_PAGE, "text/html", "web page"),
        (LOGIN_PAGE, "application/fhir+json", "web page"),
        (b'{"status": "ok"}', "application/json", "not a CapabilityStatement"),
        (b"[1, 2, 3]", "application/json", "not as a FHIR server"),
        (b'{"resourceType": "Patient", "id": "1"}', "application/fhir+json", "not a CapabilityStatement"),
        (json.dumps(R5_STATEMENT).encode(), "application/fhir+json", "R5"),
    ],
    ids=["a web page", "a web page that says it is FHIR", "JSON", "a JSON array", "a Patient", "only R5"],
)
@pytest.mark.parametrize("verb", ["run", "check"])
def test_something_that_is_no_r4_server(verb: str, body: bytes, content_type: str, says: str, out: Path) -> None:
    with answering(body, content_type) as address:
        ended = command(verb, "--server", address, *(["--out", out] if verb == "run" else []))
    assert ended.code == 2
    assert is_one_clear_sentence(ended), ended.told
    assert says in ended.err
    assert "Please sign in" not in ended.told
    assert files(out) == {}


@pytest.mark.parametrize(
    "address", ["hospital", "ftp://127.0.0.1/fhir", "http://user:secret@127.0.0.1/fhir", "http://"]
)
def test_an_address_that_is_none(address: str, out: Path) -> None:
    ended = command("run", "--server", address, "--out", out)
    assert ended.code == 2
    assert is_one_clear_sentence(ended), ended.told
    assert "secret" not in ended.told
    assert files(out) == {}


# Folders


def test_a_folder_that_does_not_exist(tmp_path: Path, out: Path) -> None:
    ended = command("run", "--folder", tmp_path / "nowhere", "--out", out)
    assert ended.code == 2
    assert is_one_clear_sentence(ended), ended.told
    assert "does not exist" in ended.err
    assert files(out) == {}


@pytest.mark.parametrize("content", [{}, {"notes.txt": "hello"}, {"package.json": '{"name": "x"}'}], ids=str)
def test_a_folder_without_resources(content: dict[str, str], tmp_path: Path, out: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name, text in content.items():
        (folder / name).write_text(text, encoding="utf-8")
    ended = command("run", "--folder", folder, "--out", out)
    assert ended.code == 2
    assert is_one_clear_sentence(ended), ended.told
    assert "holds no FHIR resources" in ended.err
    assert files(out) == {}


@pytest.fixture
def one_person(tmp_path: Path) -> Path:
    """A folder of NDJSON with one person of the study, with a good result of an earlier run in `out`."""
    folder = tmp_path / "in"
    write_ndjson(folder / "everything.ndjson", resources(bundles("SYN-03", "shared")))
    succeed("fetch", "--folder", folder, "--out", tmp_path / "out")
    succeed("analyze", "--out", tmp_path / "out")
    return folder


def test_a_compressed_file_that_is_cut_keeps_the_last_good_result(one_person: Path, out: Path) -> None:
    before = files(out)
    whole = gzip.compress((one_person / "everything.ndjson").read_bytes())
    (one_person / "more.ndjson.gz").write_bytes(whole[: len(whole) // 2])
    ended = command("run", "--folder", one_person, "--out", out)
    assert ended.code == 5
    assert "Traceback" not in ended.told
    assert "incomplete" in ended.err
    assert "cut short or damaged" in ended.err
    assert files(out) == before
    assert "INCOMPLETE" in succeed("status", "--out", out).out


def test_after_an_incomplete_fetch_nothing_can_be_built(one_person: Path, out: Path) -> None:
    before = files(out)
    (one_person / "more.json").write_text('{"resourceType": "Bundle", "type": "collection", "entry": [', "utf-8")
    assert command("fetch", "--folder", one_person, "--out", out).code == 5
    ended = command("analyze", "--out", out)
    assert ended.code == 5
    assert is_one_clear_sentence(ended), ended.told
    assert files(out) == before


def test_a_whole_fetch_after_an_incomplete_one_is_as_if_nothing_had_happened(one_person: Path, out: Path) -> None:
    before = files(out, "cohort", "analysis")
    damaged = one_person / "more.ndjson.gz"
    damaged.write_bytes(gzip.compress(b'{"resourceType": "Patient", "id": "1"}\n')[:20])
    assert command("fetch", "--folder", one_person, "--out", out).code == 5
    damaged.unlink()
    succeed("fetch", "--folder", one_person, "--out", out)
    succeed("analyze", "--out", out)
    assert files(out, "cohort", "analysis") == before


def test_a_broken_line_makes_the_file_incomplete_unless_the_site_allows_it(
    one_person: Path, out: Path, tmp_path: Path
) -> None:
    """One line that is no JSON among good ones: nobody knows what it was, so nothing is published by default."""
    before = files(out, "analysis")
    source = one_person / "everything.ndjson"
    first, rest = source.read_text(encoding="utf-8").split("\n", 1)
    source.write_text(f'{first}\n{{"resourceType": "Observation", "id": "x", Wang Xiaoming\n{rest}', encoding="utf-8")
    refused = command("run", "--folder", one_person, "--out", out)
    assert refused.code == 5
    assert files(out, "analysis") == before
    settings = tmp_path / "site.toml"
    settings.write_text("unreadable_lines = 1\n", encoding="utf-8")
    ended = succeed("run", "--config", settings, "--folder", one_person, "--out", out)
    assert files(out, "analysis") == before
    rejects = (out / "cohort" / "rejects.csv").read_text(encoding="utf-8")
    assert "quarantined: " in rejects
    told = json.loads((out / "run.json").read_bytes())
    assert sum(stream["quarantined"] for stream in told["ledger"]) == 1
    assert "Xiaoming" not in refused.told + ended.told + rejects + json.dumps(told)
    assert "quarantined: 1" in succeed("status", "--out", out).out


# The source and the output folder together


def test_an_output_folder_that_holds_another_source(one_person: Path, tmp_path: Path, out: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(one_person, other)
    before = tree(out)
    ended = command("run", "--folder", other, "--out", out)
    assert ended.code == 2
    assert is_one_clear_sentence(ended), ended.told
    assert "another source" in ended.err
    assert tree(out) == before


def test_another_server_is_another_source(one_person: Path, out: Path) -> None:
    before = files(out)
    with server_with([]) as sandbox:
        ended = command("run", "--server", sandbox.base_url, "--out", out)
    assert (ended.code, is_one_clear_sentence(ended)) == (2, True), ended.told
    assert files(out) == before
