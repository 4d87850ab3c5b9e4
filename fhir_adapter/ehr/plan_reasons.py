"""What a plan means for the study, in sentences for the user."""

from __future__ import annotations

from fhir_adapter.ehr.search_params import NAMES_MEDICINES

# What a study loses when a server does not offer a type. Unknown is not the same as none.
_LOST = {
    "AdverseEvent": "Adverse events are unknown from this source, which is not the same as none.",
    "MedicationAdministration": "Doses can then only come from statements, dispenses and requests.",
    "Medication": "Medicines that are only referenced cannot be named.",
    "Patient": "Without patients nothing can be built.",
    "Observation": "Laboratory values, responses and grades that are Observations stay unknown.",
    "Procedure": "Infusions, aphereses and transplants that are Procedures stay unknown.",
    "Condition": "Diagnoses stay unknown, so nobody can be shown to have the disease of the study.",
    "Encounter": "Visits do not show that somebody lived, so follow-up may end earlier.",
}
# Whatever it is about, a record of these types shows that its patient lived that day.
_SHOWS_LIFE = {"MedicationAdministration", "Observation", "Procedure"}
_WAYS = {
    "search": "is searched as a whole",
    "person": "is searched for each patient",
    "codes": "is searched",
    "export": "is taken from a bulk export",
}


def not_offered(type: str) -> str:
    return f"{type} is not offered by this server. {_lost(type)}"


def not_searchable(type: str) -> str:
    return f"{type} cannot be searched on this server. {_lost(type)}"


def not_permitted(type: str) -> str:
    return f"{type} is not authorised: the server grants no permission to read it. {_lost(type)}"


def not_found(type: str) -> str:
    return f"{type} is listed by this server, and searching it is answered with HTTP 404. {_lost(type)}"


def not_listed(type: str) -> str:
    return f"{type} is searched as a whole, although the server does not list what it offers."


def planned(type: str, how: str, code_param: str, portions: int, unseen: str, *, incremental: bool) -> str:
    """How a type is fetched, and what is not seen that way."""
    way = "is asked for one by one" if (type, how) == ("Patient", "person") else _WAYS[how]
    narrowed = f" by {code_param}{f' in {portions} portions' if portions > 1 else ''}: {unseen}" if unseen else ""
    full = "" if incremental else " The server is not asked what changed, so it is fetched in full each time."
    return f"{type} {way}{narrowed}.{full}"


def unseen(type: str, code_param: str) -> str:
    """What a search that names some values of a parameter cannot find; a phrase."""
    if code_param == "category":
        return "records without one of the usual values of category are not seen"
    told = ["records that have only a text, or a code that the study does not know, are not seen"]
    if type in NAMES_MEDICINES:
        told.append("nor those that point to a Medication")
    if (type, code_param) == ("Observation", "code"):
        told.append("nor panels whose code is not known, whatever is in them")
    if type in _SHOWS_LIFE:
        told.append("and follow-up may end earlier, as other records no longer show that somebody lived")
    return ", ".join(told)


def _lost(type: str) -> str:
    return _LOST.get(type, "What it would have said stays unknown.")
