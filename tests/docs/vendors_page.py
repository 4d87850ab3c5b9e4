"""`docs/reference/vendors.md`, made of `mappings/common/vendors.toml`. Run it to write the page again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fhir_adapter.ehr.vendors import Fact, Vendor, read_vendors

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "vendors.md"
_HEAD = """\
# Field notes about servers

What is known about the makers of FHIR servers, from `mappings/common/vendors.toml`: with the date when it was seen and
where it is written. A server is recognised by the names of its software and publisher, or by its address; the setting
`vendor` of a [site](settings.md) names another one, or `"none"`.

A fact that is verified decides how the server is asked. One that is not is only told by `fhir-adapter check`, and
believed after the server has shown it in an answer. No fact leaves out what the server would give when asked otherwise.
"""
_DOES = {
    "person-required": "asked for each patient",
    "narrowing-required": "asked for with one parameter more",
    "no-last-updated": "fetched in full each time",
    "page-size": "smaller pages",
    "totals-wrong": "totals are not believed",
    "post-unusable": "never asked by POST",
    "export-levels": 'levels of `bulk = "auto"`',
    "export-without": "searched beside an export",
    "export-whole": "an export is never asked for what changed",
    "note": "—",
}


def page() -> str:
    return "\n".join([_HEAD, *(line for vendor in read_vendors().values() for line in _section(vendor))])


def _section(vendor: Vendor) -> Iterator[str]:
    yield f"## `{vendor.key}`: {vendor.name}\n"
    yield "| seen | types | what | what it does | verified | source |"
    yield "|---|---|---|---|---|---|"
    yield from map(_row, vendor.facts)
    yield ""


def _row(fact: Fact) -> str:
    types = ", ".join(fact.types) or "all"
    verified = "yes" if fact.verified else "no"
    return f"| {fact.seen} | {types} | {fact.says} | {_DOES[fact.kind]} | {verified} | {fact.source} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
