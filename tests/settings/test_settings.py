"""Settings of a site: a flag wins over the environment, the environment over the file, the file over the default."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fhir_adapter.errors import UsageError
from fhir_adapter.settings import PREFIX, Settings, read_settings


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine that runs the tests."""
    import os

    for name in list(os.environ):
        if name.upper().startswith(PREFIX):
            monkeypatch.delenv(name)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "site.toml"


def settings(config: Path | None = None, flags: Mapping[str, Any] | None = None, source: bool = False) -> Settings:
    return read_settings(config, flags or {}, need_source=source)


def refused(config: Path | None = None, flags: Mapping[str, Any] | None = None, source: bool = False) -> str:
    """The sentence and the hint."""
    with pytest.raises(UsageError) as problem:
        settings(config, flags, source)
    return f"{problem.value.message}\n{problem.value.hint}"


# Precedence


def test_defaults_are_those_of_the_reference_study() -> None:
    found = settings()
    assert (found.study, found.out, found.publish) == ("bsab-cart-dlbcl", Path("out"), True)


def test_flag_over_environment_over_file_over_default(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings().page_size == 200
    config.write_text("page_size = 10\n", encoding="utf-8")
    assert settings(config).page_size == 10
    monkeypatch.setenv("FHIR_ADAPTER__PAGE_SIZE", "20")
    assert settings(config).page_size == 20
    assert settings(config, {"page_size": 30}).page_size == 30


def test_a_flag_that_was_not_given_does_not_count(config: Path) -> None:
    config.write_text('study = "other"\npublish = false\n', encoding="utf-8")
    found = settings(config, {"study": None, "publish": None, "set": {}})
    assert (found.study, found.publish) == ("other", False)


def test_a_false_flag_counts(config: Path) -> None:
    config.write_text("publish = true\n", encoding="utf-8")
    assert settings(config, {"publish": False}).publish is False


def test_keys_may_be_spelled_like_their_flags(config: Path) -> None:
    config.write_text('page-size = 11\npublish-to = "https://b.example.org/fhir"\n', encoding="utf-8")
    found = settings(config)
    assert (found.page_size, found.publish_to) == (11, "https://b.example.org/fhir")


def test_parameters_of_the_study_are_joined_from_all_places(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text("[set]\ninterval_days = 28\npfs_censor = 'last_contact'\ngap_days = 1\n", encoding="utf-8")
    monkeypatch.setenv("FHIR_ADAPTER__SET__INTERVAL_DAYS", "29")
    found = settings(config, {"set": {"gap_days": "3"}})
    assert found.set == {"interval_days": "29", "pfs_censor": "last_contact", "gap_days": "3"}


def test_parameters_may_be_toml_values(config: Path) -> None:
    config.write_text("[set]\ndata_cut = 2025-02-24\nbulky_inclusive = true\ntimepoints_months = [6, 12]\n", "utf-8")
    expected = {"data_cut": "2025-02-24", "bulky_inclusive": "true", "timepoints_months": "6,12"}
    assert settings(config).set == expected


def test_a_byte_order_mark_and_windows_line_ends_do_not_matter(config: Path) -> None:
    config.write_bytes(b'\xef\xbb\xbfpage_size = 5\r\nstudy = "x"\r\n')
    assert (settings(config).page_size, settings(config).study) == (5, "x")


# The way in


def test_a_folder_given_by_flag_replaces_the_server_of_the_file(config: Path, tmp_path: Path) -> None:
    config.write_text('server = "https://a.example.org/fhir"\n', encoding="utf-8")
    found = settings(config, {"folder": tmp_path}, source=True)
    assert (found.server, found.folder) == ("", tmp_path)


def test_a_server_given_by_flag_replaces_the_folder_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FHIR_ADAPTER__FOLDER", "/data")
    found = settings(None, {"server": "https://a.example.org/fhir"}, source=True)
    assert (found.server, found.folder) == ("https://a.example.org/fhir", None)


def test_both_ways_in_are_one_too_many(config: Path) -> None:
    config.write_text('server = "https://a.example.org/fhir"\nfolder = "/data"\n', encoding="utf-8")
    assert "both a server and a folder" in refused(config, source=True)


def test_no_way_in_is_a_mistake_only_where_one_is_needed() -> None:
    assert "neither a server nor a folder" in refused(source=True)
    assert settings().server == ""


def test_the_same_server_with_and_without_a_slash_is_one_source() -> None:
    sources = {settings(None, {"server": f"https://a.example.org/fhir{end}"}).source for end in ("", "/")}
    assert sources == {"https://a.example.org/fhir"}


def test_results_go_back_to_the_server_unless_told_otherwise() -> None:
    server, other = {"server": "https://a.example.org/fhir"}, {"publish_to": "https://b.example.org/fhir"}
    assert settings(None, server).destination == "https://a.example.org/fhir"
    assert settings(None, server | other).destination == "https://b.example.org/fhir"
    assert settings(None, server | other | {"publish": False}).destination == ""
    assert settings(None, {"folder": Path("/data")}).destination == ""


# Mistakes


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('sever = "https://a.example.org"\n', ("`sever`", "did you mean `server`?")),
        ("xyz = 1\n", ("`xyz`", "server, folder, study")),
        ("page_size = 0\n", ("`page_size`", "--page-size", "FHIR_ADAPTER__PAGE_SIZE", "site.toml")),
        ('page_size = "many"\n', ("`page_size`",)),
        ("publish = 'perhaps'\n", ("`publish`",)),
        ("set = 5\n", ("`set`",)),
        ("server = ['a', 'b']\n", ("`server`",)),
        ("page_size = 5\npage_size = 6\n", ("not valid TOML",)),
        ("page_size\n", ("not valid TOML",)),
        ("\x00", ("not valid TOML",)),
    ],
)
def test_a_mistake_in_the_file_names_the_key(text: str, says: tuple[str, ...], config: Path) -> None:
    config.write_text(text, encoding="utf-8")
    for words in says:
        assert words in refused(config)


def test_a_file_in_another_encoding(config: Path) -> None:
    config.write_bytes("study = 'ä'".encode("latin-1"))
    assert "not valid TOML" in refused(config)


def test_a_file_that_does_not_exist(config: Path) -> None:
    assert f"{config} cannot be read" in refused(config)


def test_a_bad_value_in_the_environment_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FHIR_ADAPTER__PAGE_SIZE", "a secret")
    said = refused()
    assert "FHIR_ADAPTER__PAGE_SIZE" in said
    assert "a secret" not in said


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        settings().page_size = 3  # type: ignore[misc]


# Who is asked for


@pytest.mark.parametrize("ways", [("patients", "group"), ("patients", "list"), ("group", "list")])
def test_only_one_thing_may_say_which_patients_are_asked_for(ways: tuple[str, str]) -> None:
    told = refused(flags=dict.fromkeys(ways, "somebody"))
    assert f"both `{ways[0]}` and `{ways[1]}`" in told


@pytest.mark.parametrize("key", ["patients", "group", "list"])
def test_a_folder_is_read_whole(key: str, tmp_path: Path) -> None:
    assert f"leave out --{key}" in refused(flags={"folder": tmp_path, key: "somebody"})


@pytest.mark.parametrize("id", ["Group/1", "a b", "x" * 65, "../1", "1?_id=2"])
def test_the_id_of_a_group_is_an_id(id: str) -> None:
    assert "`group` cannot be used" in refused(flags={"group": id})
