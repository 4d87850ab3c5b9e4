"""One patient's chart, brought by a server or in a folder, with odd things in it, and what becomes of them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faultserver import answer
from front import FHIR, framed
from served_hospital import Hospital, Night
from whole_runs import Resource, bundles, command, resource, resources, succeed, write_ndjson

LAB = resource("Observation/SYN-12-ldh-20241210")
PATIENT = resource("Patient/SYN-12")


@dataclass(frozen=True)
class Chart:
    """What a fetch and a build have made of a chart."""

    night: Night

    @property
    def reasons(self) -> dict[str, str]:
        """Why things were set aside, by their id or place, without the element paths."""
        return {one.id: one.reason.split(" ")[0] for one in self.night.quarantine}

    @property
    def kept(self) -> set[str]:
        """The odd things that are held as they came."""
        return {key.partition("/")[2] for key in self.night.held if "/odd-" in key}

    def body(self, id: str) -> bytes:
        """The bytes of an odd Observation as they are held."""
        return self.night.held[f"Observation/{id}"]

    def rows(self, name: str) -> list[dict[str, str]]:
        """The rows of a table of the cohort."""
        with (self.night.out / "cohort" / f"{name}.csv").open(encoding="utf-8", newline="") as table:
            return list(csv.DictReader(table))

    def lab(self, id: str) -> dict[str, str]:
        """The row of an odd laboratory value; empty when there is none."""
        return next((row for row in self.rows("labs") if row["source"].startswith(f"Observation/{id}/")), {})

    @property
    def rejected(self) -> dict[str, int]:
        """How often each reason stands among what was set aside."""
        counts: dict[str, int] = {}
        for row in self.rows("rejects"):
            counts[row["reason"]] = counts.get(row["reason"], 0) + int(row["count"])
        return counts


Bring = Callable[..., Chart]


def lab(id: str, **elements: Any) -> bytes:
    """A laboratory value of the patient under another id, with other elements; None takes one away."""
    return text(LAB | {"id": f"odd-{id}"} | elements)


def text(one: Resource) -> bytes:
    kept = {name: value for name, value in one.items() if value is not None}
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode()


def spelled(id: str, elements: bytes) -> bytes:
    """A laboratory value with elements no writer of JSON would write."""
    return lab(id)[:-1] + b"," + elements + b"}"


def with_value(id: str, number: bytes) -> bytes:
    """A laboratory value with a number in any spelling."""
    return lab(id, valueQuantity={"value": "*", "unit": "U/L"}).replace(b'"*"', number)


def from_a_server(hospital: Hospital) -> Bring:
    """The odd things stand among the first page of Observations."""

    def bring(*odd: bytes) -> Chart:
        entries = b"".join(b'{"resource":' + one + b"}," for one in odd)
        insert = framed(lambda body: answer(body.replace(b'"entry":[', b'"entry":[' + entries, 1), FHIR))
        hospital.front.on("Observation", insert, page=1)
        return _built(hospital.fetch())

    return bring


def from_a_folder(home: Path) -> Bring:
    """The odd things are lines of a file of their own; the site allows for them."""

    def bring(*odd: bytes, instead: Resource | None = None) -> Chart:
        found = resources(bundles("SYN-12", "shared"))
        if instead:
            found = [
                one for one in found if (one["resourceType"], one["id"]) != (instead["resourceType"], instead["id"])
            ]
            found.append(instead)
        write_ndjson(home / "in" / "Patient.ndjson", found)
        (home / "in" / "odd.ndjson").write_bytes(b"".join(one + b"\n" for one in odd))
        (home / "site.toml").write_text("unreadable_lines = 99\n", encoding="utf-8")
        ended = command("fetch", "--folder", home / "in", "--out", home / "out", "--config", home / "site.toml")
        return _built(Night(ended, home / "out"))

    return bring


def _built(night: Night) -> Chart:
    assert night.ended.code == 0, night.ended.told
    assert all(one.balances for one in night.ledger.values())
    succeed("build", "--out", night.out)
    return Chart(night)
