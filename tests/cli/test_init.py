"""`init`: settings that load and explain themselves, and a key that never leaves."""

from __future__ import annotations

import json
import re
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from smartserver import CLIENT, smart_server
from whole_runs import command, server_with, succeed

from fhir_adapter.credentials import AuthSettings
from fhir_adapter.ehr.auth.key import read_keys
from fhir_adapter.settings import Settings, read_settings

HOSPITAL = "https://fhir.hospital.example/r4"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "a site.toml"


def key_file(config: Path) -> Path:
    return config.with_name("a site-key.pem")


def begun(config: Path, *more: object, server: str = HOSPITAL) -> str:
    return succeed("init", "--server", server, "--out-config", config, *more).out


@pytest.mark.parametrize("algorithm", ["RS384", "ES384"])
def test_the_key_set_that_is_printed_belongs_to_the_key_that_is_kept(algorithm: str, config: Path) -> None:
    (printed,) = json.loads(begun(config, "--algorithm", algorithm))["keys"]
    (kept,) = read_keys(key_file(config).read_bytes(), "the key")
    assert (kept.algorithm, kept.public_jwk()) == (algorithm, printed)
    assert not {"d", "p", "q", "dp", "dq", "qi"} & set(printed)


def test_both_files_are_closed_to_everybody_else(config: Path) -> None:
    begun(config)
    assert {stat.S_IMODE(path.stat().st_mode) for path in config.parent.iterdir()} == {0o600}
    assert len(list(config.parent.iterdir())) == 2


def test_what_to_do_next_is_said_apart_from_the_keys(config: Path) -> None:
    ended = succeed("init", "--server", HOSPITAL, "--out-config", config)
    assert "system/Observation.rs" in ended.err
    assert "system/MeasureReport.crus" in ended.err
    assert "PRIVATE" not in ended.told
    json.loads(ended.out)


def test_the_settings_load(config: Path) -> None:
    begun(config)
    found = read_settings(config, {})
    assert (found.server, found.publish, found.out) == (HOSPITAL, False, config.parent / "out")
    assert (found.auth.method, found.auth.key_file) == ("none", key_file(config))


def test_a_client_id_makes_them_complete(config: Path) -> None:
    begun(config, "--client-id", 'night "client"')
    found = read_settings(config, {}).auth
    assert (found.method, found.client_id) == ("smart", 'night "client"')


def commented(config: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The settings behind a # with the section they belong to."""
    section = ""
    for line in config.read_text(encoding="utf-8").splitlines():
        if found := re.fullmatch(r"\[(\w+)\]", line):
            section = found.group(1)
        if re.match(r"# \w+ = ", line):
            yield section, tomllib.loads(line.removeprefix("# "))


def test_every_setting_that_is_shown_exists_and_can_be_used_as_shown(config: Path) -> None:
    begun(config)
    shown = list(commented(config))
    assert len(shown) > 10
    for section, setting in shown:
        (key,) = setting
        assert key in {"": Settings.model_fields, "auth": AuthSettings.model_fields, "set": setting}[section]
    together = config.read_text(encoding="utf-8")
    for key in ("patients", "group"):  # one way of saying who is asked for is enough
        together = together.replace(f"# {key} = ", f"#  {key} = ")
    config.write_text(re.sub(r"^# (?=\w+ = )", "", together, flags=re.MULTILINE), encoding="utf-8")
    assert read_settings(config, {}).auth.scopes == ("system/*.rs",)


def test_what_is_there_is_never_replaced_unasked(config: Path) -> None:
    begun(config)
    before = {path: path.read_bytes() for path in config.parent.iterdir()}
    for removed in (None, config):
        if removed:
            removed.unlink()
            del before[removed]
        ended = command("init", "--server", HOSPITAL, "--out-config", config)
        assert (ended.code, ended.out) == (2, "")
        assert "--force" in ended.err
        assert {path: path.read_bytes() for path in config.parent.iterdir()} == before


def test_force_replaces_both(config: Path) -> None:
    first = begun(config)
    second = begun(config, "--force", server="https://other.example/r4")
    assert first != second
    assert read_settings(config, {}).server == "https://other.example/r4"


@pytest.mark.parametrize(
    "server", ["fhir.hospital.example", "http://fhir.hospital.example/r4", "https://u:secret@x.example"]
)
def test_an_address_that_cannot_be_used_makes_no_files(server: str, config: Path) -> None:
    ended = command("init", "--server", server, "--out-config", config)
    assert ended.code == 2
    assert "secret" not in ended.told
    assert list(config.parent.iterdir()) == []


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    ended = command("init", "--server", HOSPITAL, "--out-config", tmp_path / "nowhere" / "site.toml")
    assert ended.code == 7
    assert "No such file or directory" in ended.err


def test_check_works_with_the_settings_as_they_are(config: Path) -> None:
    with server_with([]) as sandbox:
        begun(config, server=sandbox.base_url)
        assert "Patient" in succeed("check", "--config", config).out


def test_check_works_as_soon_as_the_key_is_registered(config: Path) -> None:
    with smart_server() as unknown:
        begun(config, "--client-id", CLIENT, server=unknown.fhir_url)
        ended = command("check", "--config", config)
        assert (ended.code, "(invalid_client)" in ended.err) == (3, True)
    (key,) = read_keys(key_file(config).read_bytes(), "the key")
    with smart_server(key) as server:
        config.write_text(config.read_text("utf-8").replace(unknown.fhir_url, server.fhir_url), encoding="utf-8")
        assert "Patient" in succeed("check", "--config", config).out
