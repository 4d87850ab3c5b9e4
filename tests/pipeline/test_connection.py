"""Which server gets which credentials: those written for its own origin, or none."""

from __future__ import annotations

from typing import Any

import pytest

from fhir_adapter.credentials import AuthSettings
from fhir_adapter.errors import UsageError
from fhir_adapter.pipeline.connection import connected, credentials_for
from fhir_adapter.settings import Settings

SERVER = "https://ehr.example/fhir"
OURS = AuthSettings(method="basic", username="reader")
THEIRS = AuthSettings(method="basic", username="writer")


def user(url: str, **settings: Any) -> str:
    return credentials_for(url, Settings(**{"server": SERVER, "auth": OURS, **settings}))[1].username


def test_the_server_that_is_read_gets_its_own_however_it_is_spelled() -> None:
    for url in (SERVER, f"{SERVER}/", "https://EHR.example:443/fhir", "https://ehr.example/other"):
        assert user(url) == "reader"


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://reports.example/fhir",
        "https://ehr.example:8443/fhir",
        "http://127.0.0.1/fhir",
        "https://ehr.example.evil.example/fhir",
    ],
)
def test_another_origin_gets_none_unless_it_has_its_own(elsewhere: str) -> None:
    assert user(elsewhere, publish_to=elsewhere) == ""
    assert user(elsewhere, publish_to=elsewhere, publish_auth=THEIRS) == "writer"
    assert user(elsewhere, publish_auth=THEIRS) == ""


def test_a_second_address_of_the_same_origin_may_have_its_own() -> None:
    there = "https://ehr.example/reports"
    assert user(there, publish_to=there) == "reader"
    assert user(there, publish_to=there, publish_auth=THEIRS) == "writer"
    assert user(SERVER, publish_to=there, publish_auth=THEIRS) == "reader"


def test_credentials_without_a_server_belong_to_nobody() -> None:
    assert user("https://reports.example/fhir", server="", publish_to="https://reports.example/fhir") == ""


def test_a_client_key_without_its_certificate_is_refused() -> None:
    auth = AuthSettings.model_validate({"client_key_file": "key.pem"})
    with (
        pytest.raises(UsageError, match=r"\[auth\]"),
        connected(SERVER, Settings(server=SERVER, auth=auth)),
    ):
        pass
