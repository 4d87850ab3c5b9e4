"""Whole commands against a server that gives nothing without a token."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from smartserver import CLIENT, SECRET, SmartServer, smart_server
from typer.main import get_command
from whole_runs import Ended, bundles, command, people, run_process, succeed

from fhir_adapter.cli import app
from fhir_adapter.ehr.auth.key import new_key
from fhir_adapter.output_folder import OutputFolder
from fhir_adapter.store import Store

KEY = new_key("ES384")


@pytest.fixture
def server() -> Iterator[SmartServer]:
    """A SMART server that holds one person of the study, in pages of five."""
    with smart_server(KEY) as server:
        server.load(*bundles("SYN-12", "shared"))
        yield server


class Site:
    """A folder with settings, a key and an output folder."""

    def __init__(self, home: Path) -> None:
        self.out = home / "out"
        self.config = home / "site.toml"
        self.key_file = home / "key.pem"
        self.key_file.write_bytes(KEY.private_pem())
        self.key_file.chmod(0o600)

    def knows(self, server: SmartServer, *lines: str, method: str = "smart") -> None:
        auth = [f'method = "{method}"', f'client_id = "{CLIENT}"']
        auth += [f'key_file = "{self.key_file}"'] if method == "smart" else []
        head = [f'server = "{server.fhir_url}"', f'out = "{self.out}"', "page_size = 5"]
        self.config.write_text("\n".join([*head, "[auth]", *auth, *lines]), encoding="utf-8")

    def runs(self, verb: str, *flags: object) -> Ended:
        return command(verb, "--config", self.config, *flags)

    def content(self) -> str:
        with Store.reopen(OutputFolder(self.out).store) as store:
            return store.content_hash()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Ended, Site, SmartServer]]:
    """One whole run in a process of its own, and what it has left on both sides."""
    site = Site(tmp_path_factory.mktemp("site"))
    with smart_server(KEY) as server:
        server.load(*bundles("SYN-12", "shared"))
        site.knows(server)
        yield run_process("run", "--config", site.config, "--verbose"), site, server


def test_a_run_logs_in_fetches_and_publishes(ran: tuple[Ended, Site, SmartServer]) -> None:
    ended, site, server = ran
    assert ended.code == 0, ended.told
    assert people(site.out) == ["SYN-12"]
    assert "published to" in ended.out
    assert len(server.service.repository.find("MeasureReport", ())) == 13


def test_writing_is_asked_for_when_something_is_written(ran: tuple[Ended, Site, SmartServer]) -> None:
    reading, writing = ran[2].asked_scopes()
    assert "system/Observation.rs" in reading
    assert not any("Measure" in scope for scope in reading)
    assert writing == ["system/Measure.crus", "system/MeasureReport.crus", "system/Provenance.crus"]


def test_no_secret_is_left_anywhere(ran: tuple[Ended, Site, SmartServer]) -> None:
    """Not on the screen, not in run.json, not in the store, not in any file but the key's own."""
    ended, site, server = ran
    secrets = [*server.tokens, *server.assertions, str(KEY.key.as_dict(private=True)["d"])]
    left = b"".join(path.read_bytes() for path in site.out.rglob("*") if path.is_file() and not path.is_symlink())
    assert len(secrets) == 2 + 2 + 1
    assert [one for one in secrets if one in ended.told or one.encode() in left] == []


def test_tokens_that_die_in_the_middle_of_the_pages_cost_nothing(server: SmartServer, site: Site) -> None:
    site.knows(server)
    assert site.runs("fetch").code == 0
    undisturbed, tokens, requests = site.content(), len(server.tokens), server.data_requests
    server.data_requests, server.habits.refuses = 0, (requests // 4, requests // 2, requests * 3 // 4)
    site.out = site.out.with_name("other")
    ended = site.runs("fetch", "--out", site.out)
    assert ended.code == 0, ended.told
    assert site.content() == undisturbed
    assert len(server.tokens) - tokens == 1 + 3


def test_a_server_without_its_token_says_that_one_is_needed(server: SmartServer, site: Site) -> None:
    ended = command("fetch", "--server", server.fhir_url, "--out", site.out)
    assert ended.code == 3
    assert "[auth]" in ended.err


def test_a_secret_from_the_environment_does_as_well(
    server: SmartServer, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.habits.methods = ("client_secret_post",)
    site.knows(server, method="client_credentials")
    monkeypatch.setenv("FHIR_ADAPTER__AUTH__SECRET", SECRET)
    ended = site.runs("fetch")
    assert (ended.code, SECRET in ended.told) == (0, False)


def test_a_type_that_is_not_granted_is_said_and_not_taken_for_empty(server: SmartServer, site: Site) -> None:
    server.habits.not_granted = ("system/AdverseEvent.rs",)
    site.knows(server)
    ended = site.runs("fetch")
    assert ended.code == 0, ended.told
    assert "not authorised, so left out: AdverseEvent" in ended.err
    with Store.reopen(OutputFolder(site.out).store) as store:
        (row,) = (row for row in store.ledger(store.last_run() or 0) if row.stream == "AdverseEvent")
    assert (row.received, row.unverified) == (0, True)
    assert "not authorised" in row.reason
    assert not any(path.startswith("AdverseEvent") for _, path, _ in server.fhir_requests)


def test_nothing_can_be_done_without_the_patients(server: SmartServer, site: Site) -> None:
    server.habits.not_granted = ("system/Patient.rs",)
    site.knows(server)
    ended = site.runs("fetch")
    assert ended.code != 0
    assert "Patient" in ended.err


def test_what_may_not_be_written_is_said_before_anything_is_sent(server: SmartServer, site: Site) -> None:
    server.habits.not_granted = ("system/MeasureReport.crus",)
    site.knows(server)
    ended = site.runs("run")
    assert ended.code == 3
    assert "no permission to write MeasureReport, so nothing was sent" in ended.err
    assert server.service.repository.find("Measure", ()) == []


def test_no_flag_takes_a_secret() -> None:
    """Every process of the machine can read the arguments of the others."""
    verbs = get_command(app)
    waiting, flags = [verbs], []
    while waiting:
        verb = waiting.pop()
        waiting += getattr(verb, "commands", {}).values()
        flags += [flag for option in verb.params for flag in option.opts]
    assert len(flags) > 20
    assert [flag for flag in flags if re.search("secret|password|token|key", flag)] == []


def test_the_token_never_goes_to_another_server_that_is_written_to(server: SmartServer, site: Site) -> None:
    site.knows(server)
    with smart_server() as other:  # it would take no token, and sees every header
        ended = site.runs("run", "--publish-to", other.fhir_url)
        assert ended.code == 3
        assert {authorization for _, _, authorization in other.fhir_requests} == {""}
        assert other.token_requests == []


def test_another_server_gets_credentials_of_its_own(server: SmartServer, site: Site) -> None:
    with smart_server(methods=("client_secret_basic",)) as other:
        secret = site.config.with_name("secret")
        secret.write_text(SECRET, encoding="utf-8")
        secret.chmod(0o600)
        method = ('method = "client_credentials"', f'client_id = "{CLIENT}"', f'secret_file = "{secret}"')
        site.knows(server, "[publish_auth]", *method)
        ended = site.runs("run", "--publish-to", other.fhir_url)
        assert ended.code == 0, ended.told
        assert set(server.tokens) & {header.removeprefix("Bearer ") for _, _, header in other.fhir_requests} == set()
        assert len(other.service.repository.find("MeasureReport", ())) == 13


def test_credentials_belong_to_the_run_of_the_server_not_to_folders(site: Site, tmp_path: Path) -> None:
    """A site reads an export by hand: the credentials in its settings are not in the way."""
    with smart_server() as server:
        site.knows(server)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "patient.ndjson").write_text('{"resourceType": "Patient", "id": "a"}\n', encoding="utf-8")
    succeed("fetch", "--config", site.config, "--folder", tmp_path / "in", "--out", tmp_path / "other")
    assert (server.token_requests, server.fhir_requests) == ([], [])
