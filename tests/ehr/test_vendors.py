"""The field notes about servers: whom they are about, and that each fact says what it needs to be used."""

from __future__ import annotations

import pytest

from fhir_adapter.ehr.capability import Capability
from fhir_adapter.ehr.plan import plan
from fhir_adapter.ehr.vendors import NO_VENDOR, Fact, read_vendors, recognise
from fhir_adapter.errors import UsageError
from fhir_adapter.fhir.resource_types import R4_TYPES

FACTS = [(vendor.key, fact) for vendor in read_vendors().values() for fact in vendor.facts]
NEEDS = {
    "narrowing-required": ("param", "values"),
    "page-size": ("limit",),
    "export-levels": ("values",),
    "export-without": ("types",),
}


def said(software: str = "", publisher: str = "") -> Capability:
    return Capability("4.0.1", software, {}, False, publisher=publisher)


@pytest.mark.parametrize(
    ("software", "publisher", "address", "key"),
    [
        ("Epic May 2026", "", "https://a.example/r4", "epic"),
        ("unknown software", "", "https://fhir.hospital.example/interconnect-prd/api/FHIR/R4", "epic"),
        ("", "Cerner", "https://a.example/r4", "oracle-health"),
        ("Oracle Health Millennium Platform", "", "https://a.example/r4", "oracle-health"),
        ("HAPI FHIR Server 8.10.0", "", "https://a.example/r4", "hapi"),
        ("medplum 5.2.13", "Medplum", "https://a.example/r4", "medplum"),
        ("Microsoft FHIR Server 4.0", "", "https://a.example/r4", "azure"),
        ("unknown software", "Google", "https://a.example/v1/fhirStores/x/fhir", "google"),
        ("Smart Bulk Data Server", "", "https://a.example/r4", "smart-sandbox"),
        ("fhir-adapter sandbox 1.0", "", "http://127.0.0.1:8080/fhir", "none"),
        ("Epicenter Records 1", "", "https://a.example/r4", "none"),
        ("", "", "https://a.example/r4", "none"),
    ],
)
def test_a_server_is_recognised_by_its_words_or_its_address(
    software: str, publisher: str, address: str, key: str
) -> None:
    assert recognise(said(software, publisher), address).key == key


def test_what_the_software_says_counts_more_than_the_address() -> None:
    assert recognise(said("HAPI FHIR Server"), "https://a.example/api/FHIR/R4").key == "hapi"


def test_a_site_may_name_the_vendor_or_none() -> None:
    epic = said("Epic")
    assert recognise(epic, "https://a.example", "none") == NO_VENDOR
    assert recognise(epic, "https://a.example", "hapi").key == "hapi"
    with pytest.raises(UsageError, match="the vendor `epik` is not known") as problem:
        recognise(epic, "https://a.example", "epik")
    assert "epic" in problem.value.hint


@pytest.mark.parametrize(("key", "fact"), FACTS, ids=[f"{key}-{fact.kind}-{n}" for n, (key, fact) in enumerate(FACTS)])
def test_every_fact_is_dated_has_a_source_and_what_its_kind_needs(key: str, fact: Fact) -> None:
    assert "2015" < fact.seen < "2027"
    assert fact.source
    assert fact.says.endswith(".")
    assert set(fact.types) <= set(R4_TYPES)
    for name in ("param", "values", "limit", "types"):
        if name in NEEDS.get(fact.kind, ()):
            assert getattr(fact, name), f"{key}: {fact.kind} needs {name}"
        elif name != "types":
            assert not getattr(fact, name), f"{key}: {fact.kind} does not use {name}"
    assert not (fact.kind in ("export-levels",) and set(fact.values) - {"system", "group", "patient"})


def test_no_vendor_note_says_that_there_is_nothing_of_a_type() -> None:
    """Whatever is noted about a maker, a type that the server offers is fetched."""
    from test_plan import USUAL, server

    for vendor in read_vendors().values():
        streams = plan(server(), list(USUAL), ["a"], vendor=vendor)
        assert {stream.how for stream in streams} <= {"search", "person"}, vendor.key
