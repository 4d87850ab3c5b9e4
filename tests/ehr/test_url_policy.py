"""Which addresses are ever contacted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_adapter.ehr.url_policy import UrlPolicy, normalise_base
from fhir_adapter.errors import ForeignUrl, UsageError

BASE = "https://base.example/fhir"
HERE = f"{BASE}/Observation?page=1"


@pytest.fixture
def policy() -> UrlPolicy:
    return UrlPolicy(BASE)


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ("https://base.example/fhir", BASE),
        ("https://BASE.example:443/fhir/", BASE),
        (" https://base.example/fhir// ", BASE),
        ("https://base.example/fhir/metadata", BASE),
        ("https://base.example", "https://base.example"),
        ("http://127.0.0.1:8080/fhir", "http://127.0.0.1:8080/fhir"),
        ("http://localhost/fhir", "http://localhost/fhir"),
        ("http://[::1]:8080/fhir", "http://[::1]:8080/fhir"),
    ],
)
def test_a_base_has_one_spelling(written: str, means: str) -> None:
    assert normalise_base(written) == means


@pytest.mark.parametrize(
    "written",
    [
        "",
        "fhir",
        "base.example/fhir",
        "ftp://base.example/fhir",
        "file:///etc/passwd",
        "http://base.example/fhir",
        "http://10.0.0.1/fhir",
        "https://user:secret@base.example/fhir",
        "https://base.example/fhir?x=1",
        "https://base.example/fhir#x",
        "https://base.example:99999/fhir",
        "https://base.example:0/fhir",
        "https://ba se.example/fhir",
        "https://[::1/fhir",
        "https:///fhir",
    ],
)
def test_a_base_that_cannot_be_used_is_refused_before_any_request(written: str) -> None:
    with pytest.raises(UsageError) as caught:
        normalise_base(written)
    assert caught.value.exit_code == 2
    assert "secret" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize(
    ("link", "goes_to"),
    [
        ("https://base.example/fhir?_getpages=1&_getpagesoffset=2", f"{BASE}?_getpages=1&_getpagesoffset=2"),
        ("https://base.example:443/fhir/x", f"{BASE}/x"),
        ("HTTPS://Base.Example/fhir/x", f"{BASE}/x"),
        ("?page=2", f"{BASE}/Observation?page=2"),
        ("/fhir?page=2", f"{BASE}?page=2"),
        ("Observation?page=2", f"{BASE}/Observation?page=2"),
        ("https://base.example/elsewhere", "https://base.example/elsewhere"),
        ("?a=b|c d&e=%7Cf", f"{BASE}/Observation?a=b|c%20d&e=%7Cf"),
        ("?name=Müller", f"{BASE}/Observation?name=M%C3%BCller"),
        ("?page=2#top", f"{BASE}/Observation?page=2"),
    ],
)
def test_links_to_the_same_server_are_followed(policy: UrlPolicy, link: str, goes_to: str) -> None:
    assert policy.resolve(link, HERE) == goes_to


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/fhir",
        "http://base.example/fhir",
        "https://base.example:8443/fhir",
        "//evil.example/x",
        "//base.example/x",
        "https://base.example@evil.example/",
        "https://user@base.example/fhir",
        "https://base.example.evil.example/",
        "https://base.example./fhir",
        "https://evil.example\\@base.example/fhir",
        "\\\\evil.example\\x",
        "/\\evil.example/x",
        "https:\\\\evil.example/x",
        "https://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "ftp://base.example/fhir",
        "data:text/plain,x",
        "https://base.example:x/fhir",
        "https://[::1/fhir",
        "https://base\u3002example/fhir",
        "https://base.example\n.evil.example/",
        "https://base.example%00.evil.example/",
        "?x=" + "a" * 20_000,
    ],
)
def test_links_to_anywhere_else_are_refused(policy: UrlPolicy, link: str) -> None:
    with pytest.raises(ForeignUrl) as caught:
        policy.resolve(link, HERE)
    assert caught.value.exit_code == 5


def test_the_refusal_says_which_alias_would_help_and_nothing_of_the_query(policy: UrlPolicy) -> None:
    with pytest.raises(ForeignUrl) as caught:
        policy.resolve("http://inside:8080/fhir?patient=SECRET", HERE)
    assert "http://inside:8080" in caught.value.hint
    assert "SECRET" not in caught.value.message + caught.value.hint


def test_links_under_an_alias_are_followed_at_the_base_itself() -> None:
    policy = UrlPolicy(BASE, ["http://inside:8080/hapi/fhir"])
    assert policy.resolve("http://inside:8080/hapi/fhir?page=2", HERE) == f"{BASE}?page=2"
    assert policy.resolve("http://inside:8080/hapi/fhir/Observation", HERE) == f"{BASE}/Observation"


@pytest.mark.parametrize("link", ["http://inside:8080/hapi/fhirx", "http://inside:8080/", "http://inside/hapi/fhir"])
def test_an_alias_covers_its_path_and_port_only(link: str) -> None:
    with pytest.raises(ForeignUrl):
        UrlPolicy(BASE, ["http://inside:8080/hapi/fhir"]).resolve(link, HERE)


def test_an_alias_without_a_path_stands_for_the_whole_origin() -> None:
    policy = UrlPolicy(BASE, ["http://inside:8080"])
    assert policy.resolve("http://inside:8080/fhir/x", HERE) == f"{BASE}/x"


@given(st.text())
def test_whatever_a_server_writes_we_stay_on_the_base(link: str) -> None:
    try:
        url = UrlPolicy(BASE).resolve(link, HERE)
    except ForeignUrl:
        return
    assert url.startswith("https://base.example/")
