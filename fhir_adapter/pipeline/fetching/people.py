"""Whose records are asked for: everybody, or those of a list and who was merged with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fhir_adapter.ehr.population import Population
from fhir_adapter.fhir.r4 import Patient, decode
from fhir_adapter.fhir.record import Unreadable, patient_id
from fhir_adapter.store import Store

_MERGED = frozenset({"replaced-by", "replaces"})


class People:
    """The ids of the Patients of one run. Those of a list grow by the Patients that they were merged with."""

    def __init__(self, population: Population, store: Store) -> None:
        self.everybody = population.everybody
        self._hidden = population.hidden
        self._listed, self._store = dict.fromkeys(population.people), store
        self._members, self._before = population.people, store.ids("Patient")
        while self.merged():  # as far as earlier runs have shown
            pass

    @property
    def ids(self) -> tuple[str, ...]:
        """Everybody known: listed, or found on the server, even if their Patient is set aside."""
        if not self.everybody:
            return tuple(self._listed)
        aside = {one.id for one in self._store.quarantine() if one.type == "Patient" and one.id}
        return tuple(sorted(self._store.ids("Patient") | aside))

    def merged(self) -> tuple[str, ...]:
        """Patients that somebody on the list was merged with and who were not asked for; from now on they belong to
        them. Each is named once, so that links that form a circle end.
        """
        if self.everybody:
            return ()
        found = dict.fromkeys(other for other in self._linked() if other not in self._listed)
        self._listed |= found
        return tuple(found)

    def _linked(self) -> Iterator[str]:
        base = f"{self._store.source}/"
        for record in self._store.of_type("Patient"):
            if record.id in self._listed:
                yield from _others(record.body, base)

    def reveal(self) -> None:
        """Who is on a list that nobody can read shows by whose Patients came."""
        self._listed |= dict.fromkeys(sorted(self._store.ids("Patient")))

    def newcomers(self) -> tuple[str, ...]:
        """Those who were not there before this run, and those who belong to the list by a merger alone."""
        members = frozenset(self._members)
        return tuple(one for one in self._listed if one not in self._before or one not in members)

    def strangers(self) -> list[str]:
        """People in the store who are not asked for any more: they left the list."""
        if self.everybody or self._hidden:
            return []
        return sorted(set(self._store.person_keys()) - set(self._listed))


def _others(body: bytes, base: str) -> Iterable[str]:
    try:
        patient = decode(body)
    except Unreadable:
        return ()
    links = patient.link if isinstance(patient, Patient) else ()
    targets = (link.other.reference for link in links if link.type in _MERGED)
    here = (target for target in targets if "://" not in target or target.startswith(base))
    return [other for other in map(patient_id, here) if other]
