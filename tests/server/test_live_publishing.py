"""Documents on a live server: sent once, changed once, valid, and found again."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from live import Live, People, Resource
from test_live_changes import HAEMOGLOBIN
from whole_runs import ROOT, succeed

STUDY = ROOT / "mappings" / "bsab-cart-dlbcl"


@dataclass(frozen=True)
class Site:
    """A centre of these tests alone, so that its reports are nobody else's: its study folder and output folder."""

    people: People
    name: str
    study: Path
    out: Path

    @property
    def live(self) -> Live:
        return self.people.live

    def run(self) -> str:
        """A whole run that publishes; what it says."""
        return succeed("run", *self.people.source, "--study", self.study, "--out", self.out).out

    def documents(self, type: str) -> list[Resource]:
        """The documents of a type as they are, or would be, sent."""
        return [json.loads(path.read_bytes()) for path in sorted((self.out / "publish").glob(f"{type}-*.json"))]

    def held(self, document: Resource) -> Resource:
        """The one copy of a document that the server holds."""
        if "url" in document:
            [found] = self.live.search(document["resourceType"], url=document["url"])
        else:
            [found] = self.live.search(document["resourceType"], identifier=_token(document))
        return found

    def versions(self) -> dict[str, str]:
        """The server's version of every document, by our own id."""
        found = [*self.documents("Measure"), *self.documents("MeasureReport")]
        return {document["id"]: self.held(document)["meta"]["versionId"] for document in found}

    def provenances(self) -> dict[str, Resource]:
        """Every Provenance about a report of this site, by its place."""
        reports = [self.held(document)["id"] for document in self.documents("MeasureReport")]
        found = [one for id in reports for one in self.live.search("Provenance", target=f"MeasureReport/{id}")]
        return {f"Provenance/{one['id']}": one for one in found}


def _token(document: Resource) -> str:
    [identifier] = document["identifier"]
    return f"{identifier['system']}|{identifier['value']}"


@pytest.fixture(scope="module")
def site(two_people: People, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site whose first run has published; what it made goes away again."""
    folder = tmp_path_factory.mktemp("site")
    name = f"live-{folder.parent.name.rpartition('-')[2]}-{two_people.live.name}"
    shutil.copytree(STUDY, folder / "study")
    settings = (folder / "study" / "study.toml").read_text(encoding="utf-8")
    (folder / "study" / "study.toml").write_text(settings.replace('"site-01"', f'"{name}"'), encoding="utf-8")
    site = Site(two_people, name, folder / "study", folder / "out")
    told = site.run()
    assert "published to" in told
    yield site
    reports = [f"MeasureReport/{site.held(document)['id']}" for document in site.documents("MeasureReport")]
    for place in [*site.provenances(), *reports]:
        site.live.delete(place)


def test_the_first_run_makes_every_report_once_with_one_provenance(site: Site) -> None:
    reports = site.documents("MeasureReport")
    assert len(reports) == 13
    held = [site.held(report) for report in reports]
    [provenance] = site.provenances().values()
    targets = {target["reference"].partition("/_history")[0] for target in provenance["target"]}
    assert {f"MeasureReport/{one['id']}" for one in held} <= targets
    assert not any(target.startswith("urn:") for target in targets)


def test_the_server_holds_what_was_sent(site: Site) -> None:
    for document in [*site.documents("Measure"), *site.documents("MeasureReport")]:
        assert meant(site.held(document)) == meant(document)


def meant(document: Resource) -> Resource:
    return {name: value for name, value in document.items() if name not in ("id", "meta", "text")}


def test_a_second_run_sends_nothing(site: Site) -> None:
    before = (site.versions(), site.provenances().keys())
    assert "0 documents sent, 26 unchanged" in site.run()
    assert (site.versions(), site.provenances().keys()) == before


def test_a_changed_result_is_one_new_version_and_one_provenance(site: Site) -> None:
    """Haemoglobin 7.9 instead of 8.0 g/dL: anemia of grade 3 instead of 2."""
    before, known = site.versions(), site.provenances()
    changed = site.people.record(HAEMOGLOBIN)
    changed["valueQuantity"]["value"] = 7.9
    site.live.put(changed)
    assert "1 documents sent, 25 unchanged" in site.run()
    after = site.versions()
    [id] = [id for id in after if after[id] != before[id]]
    assert "laboratory-toxicity" in id
    [report] = [one for one in site.documents("MeasureReport") if one["id"] == id]
    assert len(site.live.history(f"MeasureReport/{site.held(report)['id']}")) == 2
    [new] = [one for place, one in site.provenances().items() if place not in known]
    [target] = new["target"]
    assert target["reference"].partition("/_history")[0] == f"MeasureReport/{site.held(report)['id']}"
    assert "0 documents sent" in site.run()


def test_every_document_is_valid_to_a_server_that_validates(site: Site) -> None:
    """A server that does not validate says that it does not: its silence is no blessing."""
    documents = [*site.documents("Measure"), *site.documents("MeasureReport")]
    documents.append(json.loads((site.out / "publish" / "Provenance.json").read_bytes()))
    severe: Counter[str] = Counter()
    for document in documents:
        type = document["resourceType"]
        if site.live.has_operation("validate", type):
            answer = site.live.transport.post(f"{type}/$validate", json.dumps(document).encode())
            issues = json.loads(answer.body)["issue"]
            severe.update(one.get("diagnostics", "") for one in issues if one["severity"] in ("fatal", "error"))
        else:
            assert site.live.status_of_operation(f"{type}/$validate", document) >= 400
    assert severe == {}
