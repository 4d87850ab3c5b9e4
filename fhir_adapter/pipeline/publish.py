"""From estimates to documents, and from documents to the server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from fhir_adapter import __version__
from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.cohort.judgement import Judgement
from fhir_adapter.ehr.capability import Capability, fetch_capability
from fhir_adapter.ehr.deliver import Delivery, deliver
from fhir_adapter.ehr.foresee import Foreseen, foresee
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.ehr.url_policy import normalise_base
from fhir_adapter.errors import AccessError, FhirAdapterError, UsageError
from fhir_adapter.output_folder import OutputFolder
from fhir_adapter.pipeline.build import Cohort
from fhir_adapter.pipeline.connection import PUBLISHING, PUBLISHING_EVIDENCE, connected
from fhir_adapter.progress import Progress
from fhir_adapter.publish.canonical_base import with_base
from fhir_adapter.publish.deqm import as_deqm
from fhir_adapter.publish.documents import Document, document
from fhir_adapter.publish.evidence import build_evidence
from fhir_adapter.publish.individual import build_individual
from fhir_adapter.publish.measure_report import build_reports
from fhir_adapter.publish.provenance import build as build_provenance
from fhir_adapter.publish.release import WITH_EVIDENCE, Release, as_r5
from fhir_adapter.settings import Settings

SOFTWARE = f"fhir-adapter/{__version__}"


@dataclass(frozen=True)
class Material:
    """What documents are made of. `inputs` are the hashes of what the cohort rests on, by name; `changed_at` is the
    instant since which the records are what they are; `individual` asks for reports about single people too.
    """

    cohort: Cohort
    estimates: Sequence[Estimate]
    inputs: Mapping[str, str]
    changed_at: str
    settings: Settings
    individual: bool = False

    def documents(self, release: Release = "4.0", *, evidence: bool = False) -> tuple[Document, ...]:
        """Every document as a server of this release gets it."""
        study, period = self.cohort.study, self._period()
        found = build_reports(self.estimates, study, flow=self.cohort.flow, **period)
        if evidence:
            found += build_evidence(found, self.estimates, study)
        if self.settings.deqm:
            found = as_deqm(found, self.estimates)
        if self.individual:
            everybody = (packed.unpacked() for packed in self.cohort.told)
            included = ((one.judged, one.times) for one in everybody if isinstance(one.judged, Judgement))
            found += build_individual(included, self.estimates, study, **period)
        found = tuple(replace(one, resource=with_base(one.resource, self.settings.canonical)) for one in found)
        return as_r5(found) if release == "5.0" else found

    def provenance(self, targets: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The Provenance of some documents: software, study and what they rest on."""
        study = self.cohort.study
        made = build_provenance(targets, software=SOFTWARE, study=study, inputs=self.inputs, recorded=self.changed_at)
        return with_base(made, self.settings.canonical)

    def files(self, found: Sequence[Document]) -> dict[str, bytes]:
        """The files of `publish/`: every document, and the Provenance of them all."""
        about = document(self.provenance([one.resource for one in found]), "the Provenance")
        return {**{one.file_name: one.to_json() for one in found}, "Provenance.json": about.to_json()}

    def _period(self) -> dict[str, date]:
        """The first infusion to the data cut; without one, to the day since which the records are what they are."""
        infusions = [one.infused_on for one in self.cohort.people if one.infused_on]
        end = self.cohort.study.parameters.data_cut or date.fromisoformat(self.changed_at[:10])
        return {"period_start": min(infusions, default=end), "period_end": end}


@dataclass(frozen=True)
class Sent:
    """The files of `publish/`, and what became of them on the server. `told` is for run.json; None if there is none."""

    files: dict[str, bytes] = field(default_factory=dict)
    delivery: Delivery | None = None
    problem: FhirAdapterError | None = None
    told: dict[str, Any] | None = None


def send(material: Material, out: OutputFolder, say: Progress) -> Sent:
    """Bring the server of the settings to hold the documents; unchanged ones are left alone.

    The results stand even if they do not arrive: the problem is told, not raised. `UsageError` when reports about
    single people would go to another server than the records came from.
    """
    _check_home(material)
    found, destination = material.documents(), material.settings.destination
    if not destination:
        return Sent(material.files(found))
    say(f"publishing to {destination}")
    try:
        with opened(material.settings) as server:
            found = server.documents(material)
            delivery = deliver(
                server.transport,
                server.capability,
                [one.resource for one in found],
                material.provenance,
                journal=out.journal,
            )
    except FhirAdapterError as problem:
        return Sent(material.files(found), problem=problem, told={"to": destination, "failed": problem.message})
    told = {"to": destination, "sent": delivery.sent, "unchanged": delivery.unchanged}
    return Sent(material.files(found), delivery, told=told)


def foreseen(material: Material) -> tuple[Foreseen, ...]:
    """What `send` would do, entry by entry; nothing is written anywhere. Raises what prevents it."""
    if not material.settings.destination:
        raise UsageError("no server is given, so nothing would be sent", "name one: --server or --publish-to URL")
    _check_home(material)
    with opened(material.settings) as server:
        documents = [one.resource for one in server.documents(material)]
        return foresee(server.transport, server.capability, documents)


@dataclass(frozen=True)
class Opened:
    """The server that gets the documents, while the connection is open."""

    transport: Transport
    capability: Capability

    def documents(self, material: Material) -> tuple[Document, ...]:
        return material.documents(release_of(self.capability), evidence=takes_evidence(self.capability))


@contextmanager
def opened(settings: Settings) -> Iterator[Opened]:
    """A connection that may write what the server takes. `AccessError` when it may not."""
    with connected(settings.destination, settings, PUBLISHING) as transport:
        capability = fetch_capability(transport, PUBLISHED_IN)
        if not takes_evidence(capability):
            _check_permission(transport)
            yield Opened(transport, capability)
            return
    with connected(settings.destination, settings, PUBLISHING_EVIDENCE) as transport:
        _check_permission(transport)
        yield Opened(transport, capability)


PUBLISHED_IN: tuple[Release, ...] = ("4.0", "4.3", "5.0")


def release_of(capability: Capability) -> Release:
    """The release that the server speaks, as far as it matters to a document."""
    return next((one for one in PUBLISHED_IN if capability.fhir_version.startswith(one)), "4.0")


def takes_evidence(capability: Capability) -> bool:
    """Has its release an Evidence that can hold a statistic, and does it store it?"""
    offered = capability.types.get("Evidence")
    return release_of(capability) in WITH_EVIDENCE and bool(offered and (offered.update or offered.create))


def _check_home(material: Material) -> None:
    """Ids of patients mean nothing on another server, or somebody else."""
    settings = material.settings
    if not (material.individual and settings.destination):
        return
    if not settings.server or normalise_base(settings.destination) != normalise_base(settings.server):
        raise UsageError(
            "reports about single people refer to the records of their own server, and would go to another place",
            "publish them to the server that was read from (--server), or only to files (--no-publish)",
        )


def _check_permission(transport: Transport) -> None:
    """What is not allowed is said before anything is sent, not in the middle."""
    denied = sorted(transport.denied_types)
    if denied:
        raise AccessError(
            f"The server grants no permission to write {', '.join(denied)}, so nothing was sent.",
            f"Ask its administrators for the scopes {' '.join(PUBLISHING.scopes(2))}, or publish to files only.",
        )
