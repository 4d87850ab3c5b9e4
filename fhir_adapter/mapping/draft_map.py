"""ConceptMaps to be filled in by a site: one element for each code or text that its records use and nobody knows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fhir_adapter.mapping.concept_maps import NONE_OF_OURS, UNDECIDED
from fhir_adapter.mapping.relevance import Appraised
from fhir_adapter.mapping.terminology import TEXT, ConceptMap

Json = dict[str, Any]

_HOW_TO = (
    "Draft by fhir-adapter. In each target write the `code` of the study (codes.csv beside this file lists them) and "
    f"`equivalent` instead of `{UNDECIDED}`; write `{NONE_OF_OURS}` for what is none of them. What is left as it is "
    "stays unknown. Texts may be shortened to the words that name the thing. The comments are guesses: check them."
)


def draft_map(table: ConceptMap, gaps: Iterable[Appraised], decided: Mapping[str, Any] | None = None) -> Json:
    """A ConceptMap of the gaps of one table.

    `decided` is an earlier draft: what somebody has filled in there is kept, word by word, and what is not is renewed.
    """
    base = table.vocabulary.partition("/CodeSystem/")[0]
    kept = [{**group, "element": [one for one in group["element"] if _is_decided(one)]} for group in _groups(decided)]
    groups = [group for group in kept if group["element"]]
    for source, element in ((_source(one, base), _element(one)) for one in gaps):
        home = next((group for group in groups if group.get("source", "") == source), None)
        if home is None:
            home = {**({"source": source} if source else {}), "target": table.vocabulary, "element": []}
            groups.append(home)
        if element["code"] not in {one["code"] for one in home["element"]}:
            home["element"].append(element)
    return {
        "resourceType": "ConceptMap",
        "id": f"site-{table.name}",
        "url": f"{base}/ConceptMap/site-{table.name}",
        "name": f"Site{table.name.title().replace('-', '')}",
        "title": f"The site's own codes: {table.name}",
        "status": "draft",
        "description": _HOW_TO,
        "purpose": "The site's own records.",
        "copyright": "Codes and words of the site. Codes of licensed systems under the site's own licence.",
        **({"group": groups} if groups else {}),
    }


def is_filled_in(draft: Mapping[str, Any]) -> bool:
    """Whether somebody has decided anything in it."""
    return any(_is_decided(element) for group in _groups(draft) for element in group["element"])


def _groups(draft: Mapping[str, Any] | None) -> Iterator[Json]:
    for group in (draft or {}).get("group", []):
        yield {**group, "element": group.get("element", [])}


def _is_decided(element: Mapping[str, Any]) -> bool:
    return any(one.get("code") or one.get("equivalence") != UNDECIDED for one in element.get("target", []))


def _source(one: Appraised, base: str) -> str:
    return one.gap.system if one.gap.code else f"{base}{TEXT}"


def _element(one: Appraised) -> Json:
    gap = one.gap
    named = {"code": gap.code, **({"display": gap.text} if gap.text else {})} if gap.code else {"code": gap.text}
    return {**named, "target": [{"equivalence": UNDECIDED, "comment": comment(one)}]}


def comment(one: Appraised) -> str:
    """How much it matters and what it may be, in the words of the study alone."""
    perhaps = f"; perhaps {', '.join(one.candidates)} ({one.why})" if one.candidates else ""
    return f"records: {one.gap.records}, patients: {len(one.gap.people)}{perhaps}"
