"""Doses, collections and infusions as they are recorded: what counts as a dose, which was the last, which cells."""

from __future__ import annotations

from itertools import pairwise, permutations

import pytest
from mapping.hospital import ATC, CPT, GERMAN_ATC, ICD10PCS, RXNORM, Json, concept
from spec.edge_cases.chart import (
    anchors,
    assessed,
    chart,
    collected,
    done,
    doses,
    exposed,
    given,
    infused,
    left,
    lines,
    mapped,
    member,
    resource,
    says,
    washout,
)

GLOFITAMAB = concept((ATC, "L01FX28", "glofitamab"), text="Columvi (glofitamab) infusion")
DOSE = {"dosage": {"dose": {"value": 30, "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"}}}


def glofitamab(on: str, **elements: object) -> Json:
    return given(GLOFITAMAB, on, **{**DOSE, **elements})


def test_edge_01_step_up_doses_are_one_exposure_and_one_line() -> None:
    """Step-up doses are doses of one exposure and one line; the last completed one is the last dose."""
    steps = [
        given(GLOFITAMAB, f"2024-01-{day}T10:00:00+08:00", dosage={"dose": {"value": amount, "unit": "mg"}})
        for day, amount in (("08", 2.5), ("15", 10), ("22", 30))
    ]
    one = member(chart(*steps))
    assert doses(one) == {"glofitamab": 3}
    assert lines(one) == [("glofitamab",)]
    assert exposed(one).last_dose.iso == "2024-01-22"
    assert washout(one) == 42


def test_edge_02_a_dose_given_in_several_bags_is_one_dose() -> None:
    """Several administrations of one drug on one day are one dose: a new bag, a pause for CRS, a change of rate."""
    bags = [
        glofitamab("2024-01-22T09:00:00+08:00"),
        glofitamab("2024-01-22T13:30:00+08:00", dosage={"dose": {"value": 12, "unit": "mg"}}),
        glofitamab("", effectivePeriod={"start": "2024-01-22T15:00:00+08:00", "end": "2024-01-22T17:00:00+08:00"}),
    ]
    one = member(chart(glofitamab("2024-01-15"), *bags))
    assert doses(one) == {"glofitamab": 2}
    assert washout(one) == 42


@pytest.mark.parametrize("status", ["not-done", "entered-in-error"])
def test_edge_03_what_was_not_given_or_is_an_error_is_no_dose(status: str) -> None:
    """An administration that was not done, or was entered in error, is no dose."""
    one = member(chart(glofitamab("2024-01-22"), glofitamab("2024-02-19", status=status)))
    assert doses(one) == {"glofitamab": 1}
    assert washout(one) == 42


@pytest.mark.parametrize("status", ["stopped", "on-hold"])
def test_edge_03_an_interrupted_dose_of_which_some_ran_in_is_a_dose(status: str) -> None:
    """A stopped or held administration counts when it says that some was given: an amount, or how long it ran."""
    by_amount = glofitamab("2024-02-19", status=status, dosage={"dose": {"value": 4, "unit": "mg"}})
    ran = {"start": "2024-02-19T09:00:00+08:00", "end": "2024-02-19T10:10:00+08:00"}
    by_length = given(GLOFITAMAB, status=status, effectivePeriod=ran)
    for interrupted in (by_amount, by_length):
        assert washout(member(chart(glofitamab("2024-01-22"), interrupted))) == 14


def test_edge_03_a_stopped_dose_without_amount_or_length_is_for_review() -> None:
    """A stopped administration without amount and length may or may not be a dose: both readings bound the washout,
    and the record is shown.
    """
    stopped = given(GLOFITAMAB, "2024-02-19", status="stopped")
    one = member(chart(glofitamab("2024-01-22"), stopped))
    assert washout(one) == (14, 42)
    assert one.washout.verdict == "undetermined"
    assert says(one.exposure, "may or may not have been given")
    assert f"MedicationAdministration/{stopped['id']}/_history/1" in one.exposure.sources


def test_edge_03_a_dose_running_at_the_data_cut_counts() -> None:
    """An administration in progress at the data cut is a dose."""
    running = glofitamab("2024-01-22", status="in-progress")
    assert doses(member(chart(glofitamab("2024-01-15"), running))) == {"glofitamab": 2}


EVERY_EVIDENCE = "administration, statement, dispense, request"


def ordered(on: str, **elements: object) -> Json:
    order = {"status": "completed", "intent": "order", "authoredOn": on, "medicationCodeableConcept": GLOFITAMAB}
    return resource("MedicationRequest", f"order {on}", **{**order, **elements})


def dispensed(on: str, **elements: object) -> Json:
    handed = {"status": "completed", "whenHandedOver": on, "medicationCodeableConcept": GLOFITAMAB}
    return resource("MedicationDispense", f"dispense {on}", **{**handed, **elements})


def stated(**elements: object) -> Json:
    said = {"status": "completed", "medicationCodeableConcept": GLOFITAMAB}
    return resource("MedicationStatement", "statement", **{**said, **elements})


@pytest.mark.parametrize("weak", [ordered("2024-01-22"), dispensed("2024-01-22"), stated(effectiveDateTime="2024-01")])
def test_edge_04_orders_alone_are_no_doses_unless_the_study_says_so(weak: Json) -> None:
    """Orders, dispenses and statements are no doses unless the study accepts them; they are set aside and counted."""
    assert left(chart(weak)) == "no_bsab"
    assert [(one.reason, one.type) for one in mapped(chart(weak)).set_aside] == [
        ("evidence-not-accepted", weak["resourceType"])
    ]


def test_edge_04_a_washout_from_an_order_says_so() -> None:
    """Where the study accepts orders, a washout that rests on one is labelled as from an order."""
    one = member(chart(ordered("2024-01-22")), exposure_evidence=EVERY_EVIDENCE)
    assert washout(one) == 42
    assert exposed(one).flags == ("from-order",)
    assert "from order" in one.washout.sentence
    assert "from order" not in member(chart(glofitamab("2024-01-22"))).washout.sentence


STRONGER = [
    (glofitamab("2024-01-22"), "administration", 42),
    (stated(effectivePeriod={"start": "2024-01-08", "end": "2024-01-29"}), "statement", 35),
    (dispensed("2024-02-01"), "dispense", 32),
]


@pytest.mark.parametrize(("stronger", "evidence", "days"), STRONGER)
def test_edge_04_weaker_evidence_gives_way_to_stronger(stronger: Json, evidence: str, days: int) -> None:
    """Administration outranks statement, statement dispense, dispense request; what is outranked is shown, and its
    later day does not shorten the washout.
    """
    records = chart(stronger, ordered("2024-02-19"))
    for order in (records, records[::-1]):
        one = member(order, exposure_evidence=EVERY_EVIDENCE)
        assert (washout(one), exposed(one).evidence) == (days, evidence)
        assert says(one.exposure, "does not count beside stronger evidence")
        assert [dose.evidence for dose in one.subject.outranked] == ["request"]


def test_edge_04_a_report_of_an_earlier_course_stays() -> None:
    """A statement about a course long before the first administration is not outranked by it: it is another course."""
    before = stated(effectivePeriod={"start": "2022-01-10", "end": "2022-03-21"})
    one = member(chart(before, glofitamab("2024-01-22")), exposure_evidence=EVERY_EVIDENCE)
    assert exposed(one).exposures[0].first.iso == "2022-01-10"
    assert (washout(one), exposed(one).evidence) == (42, "administration")


@pytest.mark.parametrize(
    "no_order",
    [
        {"status": "cancelled"},
        {"status": "draft"},
        {"status": "entered-in-error"},
        {"intent": "plan"},
        {"intent": "proposal"},
        {"doNotPerform": True},
    ],
)
def test_edge_04_what_was_never_ordered_is_no_evidence(no_order: Json) -> None:
    """A draft, a plan, a cancelled order or the order not to give it is no evidence, whatever the study accepts."""
    assert left(chart(ordered("2024-01-22", **no_order)), exposure_evidence=EVERY_EVIDENCE) == "no_bsab"


def test_edge_04_a_statement_without_an_end_bounds_the_last_dose() -> None:
    """Reported since a day and still active: the last dose lies between that day and the collection."""
    active = stated(status="active", effectivePeriod={"start": "2024-01-22"})
    assert washout(member(chart(active), exposure_evidence=EVERY_EVIDENCE)) == (0, 42)


@pytest.mark.parametrize("status", ["not-taken", "intended", "entered-in-error", "unknown"])
def test_edge_04_a_statement_that_it_was_not_taken_is_no_evidence(status: str) -> None:
    """Not taken, intended or unknown: no dose."""
    told = stated(status=status, effectiveDateTime="2024-01-22")
    assert left(chart(told), exposure_evidence=EVERY_EVIDENCE) == "no_bsab"


def test_edge_04_the_days_an_order_names_are_its_doses() -> None:
    """An order with days for each dose: those count, not the day it was written, nor how long it was to run."""
    timing = {"event": ["2024-01-15", "2024-01-22"], "repeat": {"boundsPeriod": {"end": "2024-12-31"}}}
    one = member(chart(ordered("2024-01-10", dosageInstruction=[{"timing": timing}])), exposure_evidence=EVERY_EVIDENCE)
    assert doses(one) == {"glofitamab": 2}
    assert washout(one) == 42


def test_edge_05_obinutuzumab_before_glofitamab_is_no_dose_and_no_line() -> None:
    """Obinutuzumab a week before glofitamab prepares for it: it is not the bispecific antibody, does not shorten the
    washout and adds no line.
    """
    one = member(chart(given(concept((ATC, "L01FA03", "obinutuzumab")), "2024-01-15"), glofitamab("2024-01-22")))
    assert doses(one) == {"glofitamab": 1}
    assert lines(one) == [("glofitamab",)]
    assert washout(one) == 42


def test_edge_05_obinutuzumab_after_the_last_dose_does_not_shorten_the_washout() -> None:
    """Whatever obinutuzumab is recorded later, the washout counts from the bispecific antibody."""
    assert washout(member(chart(glofitamab("2024-01-22"), given("佳罗华 1000mg", "2024-02-12")))) == 42


PARTNERS = [
    (given(GLOFITAMAB, "2024-01-22"), ("gemcitabine", "oxaliplatin"), ("gemcitabine", "glofitamab", "oxaliplatin")),
    (given("Epkinly 48 mg s.c.", "2024-01-22"), ("rituximab", "lenalidomide"), None),
]


@pytest.mark.parametrize(("bsab", "partners", "regimen"), PARTNERS)
def test_edge_06_partner_drugs_belong_to_the_line_and_are_not_the_last_dose(
    bsab: Json, partners: tuple[str, ...], regimen: tuple[str, ...] | None
) -> None:
    """A bispecific antibody with its partners is one line; a later day of a partner is not the last dose."""
    together = [given(drug, on) for drug in partners for on in ("2024-01-22", "2024-02-05", "2024-02-19")]
    one = member(chart(bsab, *together))
    assert lines(one) == [regimen or ("epcoritamab", "lenalidomide", "rituximab")]
    assert washout(one) == 42


BLINATUMOMAB = concept((RXNORM, "1597258", "blinatumomab"))


def test_edge_07_a_continuous_infusion_ends_with_its_period() -> None:
    """The last exposure to a continuous infusion is the end of its period."""
    one = member(chart(given(BLINATUMOMAB, effectivePeriod={"start": "2024-01-01", "end": "2024-01-29"})))
    assert exposed(one).last_dose.iso == "2024-01-29"
    assert washout(one) == 35


def test_edge_07_a_continuous_infusion_running_at_the_collection_has_a_washout_of_0() -> None:
    """Without an end and in progress at the collection, the infusion is ongoing: washout 0, flagged."""
    one = member(chart(given(BLINATUMOMAB, status="in-progress", effectivePeriod={"start": "2024-02-08"})))
    assert washout(one) == 0
    assert exposed(one).exposures[0].ongoing
    assert exposed(one).same_day_as_apheresis


def test_edge_07_a_new_bag_of_a_continuous_infusion_is_no_new_dose() -> None:
    """Blinatumomab runs for 28 days: its bags, with or without their length, are one dose; the next cycle is one."""
    hung = [f"2024-01-{day:02}T10:00:00+08:00" for day in range(1, 30)]
    periods = [{"start": one, "end": other} for one, other in pairwise(hung)]
    by_period = [given(BLINATUMOMAB, effectivePeriod=period) for period in periods]
    by_moment = [given(BLINATUMOMAB, one) for one in hung]
    cycle_2 = given(BLINATUMOMAB, effectivePeriod={"start": "2024-02-12", "end": "2024-02-26"})
    for bags in (by_period, by_moment):
        assert doses(member(chart(*bags))) == {"blinatumomab": 1}
        one = member(chart(*bags, cycle_2))
        assert doses(one) == {"blinatumomab": 2}
        assert washout(one) == 7


def test_edge_08_a_planned_end_after_the_collection_is_clipped() -> None:
    """An end after the collection is a plan: the exposure is cut off at the collection."""
    one = member(chart(given(BLINATUMOMAB, effectivePeriod={"start": "2024-02-20", "end": "2024-03-19"})))
    assert exposed(one).last_dose.iso == "2024-03-04"
    assert washout(one) == 0
    assert exposed(one).flags == ("dose-on-the-day", "clipped")
    assert says(one.exposure, "cut off there")
    assert exposed(member(chart(glofitamab("2024-01-22")))).flags == ()


MEDICATION: Json = {"resourceType": "Medication", "id": "m1", "meta": {"versionId": "1"}, "code": GLOFITAMAB}
UUID = "0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"
SERVER = "https://ehr.example.org/fhir"


def refers(reference: str, **elements: object) -> Json:
    pointing = given("", "2024-01-22", medicationReference={"reference": reference}, **elements)
    del pointing["medicationCodeableConcept"]
    return pointing


@pytest.mark.parametrize(
    ("reference", "medication"),
    [
        ("Medication/m1", MEDICATION),
        ("Medication/m1/_history/1", MEDICATION),
        (f"{SERVER}/Medication/m1", MEDICATION),
        (f"urn:uuid:{UUID}", MEDICATION | {"id": UUID}),
    ],
)
def test_edge_09_a_medication_is_found_however_it_is_referenced(reference: str, medication: Json) -> None:
    """A medication is found by relative, versioned, absolute and urn:uuid reference."""
    assert washout(member(chart(refers(reference)), shared=[medication], base_url=SERVER)) == 42


def test_edge_09_a_contained_medication_is_found() -> None:
    """A medication inside the administration is found."""
    inner = {"resourceType": "Medication", "id": "med", "code": {"text": "格菲妥单抗"}}
    assert washout(member(chart(refers("#med", contained=[inner])))) == 42


def test_edge_09_a_reference_that_leads_nowhere_falls_back_on_its_display() -> None:
    """When the medication is missing, the display of the reference decides if it names a drug; else it is unknown."""
    named = refers("Medication/gone")
    named["medicationReference"]["display"] = "glofitamab 30 mg i.v."
    assert washout(member(chart(named))) == 42
    unknown = mapped(chart(refers("Medication/gone")))
    assert [one.reason for one in unknown.set_aside] == ["medication-not-resolved"]
    assert left(chart(refers("Medication/gone"))) == "no_bsab"


LOCAL_WORDS = [
    "格菲妥单抗注射液",
    "高罗华 10mg",
    "glofit",
    "RO7082859",
    "ＣＯＬＵＭＶＩ",
    "CD3×CD20双抗",
    "CD20 x CD3 BsAb",
]


@pytest.mark.parametrize("words", LOCAL_WORDS)
def test_edge_10_a_drug_known_only_by_local_words_is_recognised(words: str) -> None:
    """Local and Chinese names, code names of trials, full-width letters and every spelling of the cross are read."""
    one = member(chart(given(words, "2024-01-22")))
    assert [each.targets for each in exposed(one).exposures] == [("CD3", "CD20")]
    assert washout(one) == 42


@pytest.mark.parametrize("words", ["维泊妥珠单抗", "奥妥珠单抗注射液", "Polivy", "佳罗华"])
def test_edge_10_one_drugs_name_inside_anothers_is_not_matched(words: str) -> None:
    """Polatuzumab and obinutuzumab are not mosunetuzumab, although their Chinese names share most signs with its."""
    assert left(chart(given(words, "2024-01-22"))) == "no_bsab"


@pytest.mark.parametrize("words", ["研究药物", "Study drug NCT04408638", "Blinded study drug or placebo"])
def test_edge_11_a_blinded_study_drug_has_no_target(words: str) -> None:
    """A study drug is unknown until the site configures it: its target is never guessed."""
    assert left(chart(given(words, "2024-01-22"))) == "no_bsab"
    person = mapped(chart(given(words, "2024-01-22"))).subject
    assert person is not None
    assert [dose.agent for dose in person.doses] == ["unknown-study-drug"]


def test_edge_12_the_atc_code_that_changed_its_meaning_is_decided_by_the_name() -> None:
    """L01FX24 meant mosunetuzumab in Germany until the end of 2023 and is teclistamab for the WHO: a name decides."""
    named = given(concept((GERMAN_ATC, "L01FX24", "Mosunetuzumab")), "2024-01-22")
    assert doses(member(chart(named))) == {"mosunetuzumab": 1}
    assert left(chart(given(concept((GERMAN_ATC, "L01FX24", "Teclistamab")), "2024-01-22"))) == "no_bsab"


def test_edge_12_without_a_name_the_day_decides_in_the_german_system() -> None:
    """Without a name, the German code of a day up to the end of 2023 is mosunetuzumab, of a later one teclistamab,
    and the dose is flagged; in the system of the WHO it is always teclistamab.
    """
    bare = concept((GERMAN_ATC, "L01FX24"))
    one = member(chart(given(bare, "2023-12-04")))
    assert doses(one) == {"mosunetuzumab": 1}
    assert one.subject.doses[0].flags == ("code-read-by-date",)
    assert left(chart(given(bare, "2024-01-22"))) == "no_bsab"
    assert left(chart(given(concept((ATC, "L01FX24")), "2023-12-04"))) == "no_bsab"


def test_edge_13_a_bispecific_antibody_after_car_t_is_not_a_prior_one() -> None:
    """Salvage with a bispecific antibody after CAR-T does not bring a person into the cohort."""
    assert left(chart(glofitamab("2024-07-01"))) == "bsab_only_after_car_t"
    both = member(chart(glofitamab("2024-01-22"), glofitamab("2024-07-01")))
    assert doses(both) == {"glofitamab": 1}
    assert washout(both) == 42


def test_edge_14_of_two_infusions_the_first_after_failure_is_the_index() -> None:
    """The index is the first infusion after the bispecific antibody; a second one is a new anticancer therapy."""
    second = [collected("2024-08-05"), infused("2024-09-02")]
    one = member(chart(glofitamab("2024-01-22"), *second))
    found = anchors(one)
    assert found.infusion.iso == "2024-04-01"
    assert found.apheresis is not None
    assert found.apheresis.iso == "2024-03-04"
    assert found.next_therapy is not None
    assert found.next_therapy.iso == "2024-09-02"


def test_edge_14_the_study_may_take_the_last_infusion_instead() -> None:
    """By parameter the last infusion after the bispecific antibody is the index, with its own collection."""
    second = [collected("2024-08-05"), infused("2024-09-02")]
    one = member(chart(glofitamab("2024-01-22"), *second), index_infusion="last_after_bsab")
    assert anchors(one).infusion.iso == "2024-09-02"
    assert anchors(one).next_therapy is None
    assert washout(one) == 196  # 22 January to 5 August 2024


def test_edge_14_adverse_events_count_only_up_to_the_second_infusion() -> None:
    """The window of adverse events of the first infusion ends before the second."""
    coded = concept(("http://terminology.hl7.org/CodeSystem/mdr", "10052015"), text="CRS grade 3")
    late = resource("AdverseEvent", "crs", actuality="actual", event=coded, date="2024-04-25")
    early = resource("AdverseEvent", "crs", actuality="actual", event=coded, date="2024-04-05")
    again = infused("2024-04-20")
    for event, terms in ((late, []), (early, ["crs"])):
        one = member(chart(glofitamab("2024-01-22"), event, again))
        assert [found.value.code for found in one.toxicities if found.value] == terms


def test_edge_14_an_infusion_before_the_bispecific_antibody_is_not_the_index() -> None:
    """Earlier CAR-T counts as a line; the index is the infusion after the bispecific antibody."""
    earlier = [collected("2022-01-10"), infused("2022-02-07")]
    one = member(chart(*earlier, glofitamab("2024-01-22")))
    assert anchors(one).infusion.iso == "2024-04-01"
    assert lines(one) == [("cd19-cart-investigational",), ("glofitamab",)]


@pytest.mark.parametrize(
    "failure",
    [
        {"outcome": concept(text="insufficient yield")},
        {"status": "stopped"},
    ],
)
def test_edge_15_after_a_failed_collection_the_second_is_the_index(failure: Json) -> None:
    """When the first collection failed, the second is the index, the washout counts to it, and both are told."""
    one = member(chart(glofitamab("2024-01-22"), collected("2024-02-26", **failure)))
    assert washout(one) == 42
    assert says(one.index, "a collection on 2024-02-26 failed and is not the index")
    assert says(one.index, "the index apheresis is the collection of 2024-03-04")


BATCH = {"resourceType": "Medication", "id": "m9", "code": {"text": "CD19 CAR-T cells"}, "batch": {"lotNumber": "L-77"}}
PRODUCT = {
    "resourceType": "BiologicallyDerivedProduct",
    "id": "bag",
    "productCategory": "cells",
    "collection": {"collectedDateTime": "2024-02-19T09:00:00+08:00"},
}


def infusion_of(product: str, **elements: object) -> Json:
    """An infusion that refers to its product instead of naming it."""
    whole = infused(medicationReference={"reference": product, "display": "CD19 CAR-T cells"}, **elements)
    del whole["medicationCodeableConcept"]
    return whole


FIRST = collected("2024-02-19", identifier=[{"value": "L-77"}])
LINKS = [
    infused(supportingInformation=[{"reference": f"Procedure/{FIRST['id']}"}]),
    infused(partOf=[{"reference": f"{SERVER}/Procedure/{FIRST['id']}/_history/1"}]),
    infused(supportingInformation=[{"identifier": {"value": "L-77"}}]),
    infusion_of("#m9", contained=[BATCH]),
    infusion_of("Medication/m9"),
    infusion_of("#bag", contained=[PRODUCT]),
    done(concept((CPT, "38228")), "2024-04-01", usedReference=[{"reference": "Medication/m9"}]),
]


@pytest.mark.parametrize("infusion", LINKS)
def test_edge_15_the_collection_that_the_product_names_is_the_index(infusion: Json) -> None:
    """Of two collections, the one that the record of the product names is the index, by reference, lot number,
    identifier or day of collection, although the other is later; without such a link it is the last.
    """
    records = chart(glofitamab("2024-01-22"), FIRST, infusion, without=["infusion", "pd"])
    shared = [BATCH | {"meta": {"versionId": "1"}}]
    one = member([*records, assessed("PD", "2024-02-05")], shared=shared)
    assert anchors(one).infusion.iso == "2024-04-01"
    assert washout(one) == 28
    assert says(one.index, "which the record of the product names")
    assert washout(member(chart(glofitamab("2024-01-22"), FIRST))) == 42


def test_edge_15_equal_numbers_of_different_kinds_are_no_link() -> None:
    """The same number in two numbering systems says nothing."""
    first = collected("2024-02-19", identifier=[{"system": "urn:collections", "value": "77"}])
    other = infused(supportingInformation=[{"identifier": {"system": "urn:encounters", "value": "77"}}])
    assert washout(member(chart(glofitamab("2024-01-22"), first, other, without=["infusion"]))) == 42


def test_edge_18_a_product_that_tells_when_its_cells_were_collected_gives_the_collection() -> None:
    """Collected elsewhere, but the product's own record has the day: that is the collection."""
    records = chart(
        glofitamab("2024-01-22"), infusion_of("#bag", contained=[PRODUCT]), without=["collection", "infusion", "pd"]
    )
    assert washout(member([*records, assessed("PD", "2024-02-05")])) == 28


def test_edge_16_collections_on_two_days_running_are_one_and_the_first_day_counts() -> None:
    """A collection over consecutive days is one episode; the washout ends on its first day."""
    one = member(chart(glofitamab("2024-01-22"), collected("2024-03-05")))
    assert washout(one) == 42


OTHER_PHERESES = [
    concept((CPT, "38206")),
    concept((CPT, "36511")),
    concept(text="CD34+ cell collection"),
    concept(text="外周血造血干细胞采集"),
    concept(text="粒细胞单采"),
    concept(text="granulocyte collection"),
    concept(text="Therapeutic leukapheresis for hyperleukocytosis"),
]


@pytest.mark.parametrize("code", OTHER_PHERESES)
def test_edge_17_a_collection_of_other_cells_is_not_the_index(code: Json) -> None:
    """Stem cells, granulocytes and therapeutic leukapheresis are no collection for CAR-T."""
    one = member(chart(glofitamab("2024-01-22"), done(code, "2024-03-20")))
    assert washout(one) == 42


def test_edge_18_without_a_known_collection_the_person_stays_and_the_washout_is_missing() -> None:
    """Cells collected elsewhere: no washout, but the person belongs to the cohort."""
    one = member(chart(glofitamab("2024-01-22"), without=["collection"]))
    assert washout(one) is None
    assert one.washout.verdict == "undetermined"
    assert anchors(one).apheresis is None


INFUSION_RECORDS = [
    done(concept((CPT, "38228", "CAR-T administration")), "2024-03-31T23:30:00Z"),  # 1 April in Shanghai
    given("CD19 CAR-T cells", "2024-04-01T08:10:00+08:00"),
    given("CD19 CAR-T cells", "2024-04-02"),
    done(concept((ICD10PCS, "XW033C3")), "2024-04-01"),
]


@pytest.mark.parametrize("records", list(permutations(INFUSION_RECORDS, 3)))
def test_edge_19_one_infusion_recorded_several_times_is_one(records: tuple[Json, ...]) -> None:
    """Procedure, administration and a duplicate a day later are one infusion, on the site's local day; nothing of it
    is a new therapy.
    """
    one = member(chart(glofitamab("2024-01-22"), *records, without=["infusion"]))
    assert anchors(one).infusion.iso == "2024-04-01"
    assert anchors(one).product == "cd19-cart-investigational"
    assert anchors(one).next_therapy is None


def test_edge_19_a_date_without_time_is_never_moved() -> None:
    """A date without a time stays the day it is; a moment with an offset counts on the site's local day."""
    dated = member(chart(glofitamab("2024-01-22"), collected("2024-03-03"), without=["collection"]))
    moment = member(chart(glofitamab("2024-01-22"), collected("2024-03-03T16:30:00Z"), without=["collection"]))
    assert (washout(dated), washout(moment)) == (41, 42)


def test_edge_intrathecal_prophylaxis_is_no_line_and_no_new_therapy() -> None:
    """Methotrexate or cytarabine into the cerebrospinal fluid is prophylaxis: no line, no bridging, no new therapy."""
    into_csf = {"dosage": {"route": {"text": "Intrathecal"}, "dose": {"value": 12, "unit": "mg"}}}
    prophylaxis = [given("methotrexate", on, **into_csf) for on in ("2023-05-01", "2024-03-11", "2024-05-06")]
    one = member(chart(glofitamab("2024-01-22"), *prophylaxis))
    assert lines(one) == [("glofitamab",)]
    assert anchors(one).next_therapy is None
    systemic = member(chart(glofitamab("2024-01-22"), given("methotrexate", "2023-05-01")))
    assert lines(systemic) == [("methotrexate",), ("glofitamab",)]


def test_edge_several_bispecific_antibodies_are_told_apart_and_the_last_counts() -> None:
    """After several bispecific antibodies the last dose of any counts for the washout, each with its targets."""
    one = member(chart(given(BLINATUMOMAB, "2023-03-01"), assessed("PD", "2023-04-01"), glofitamab("2024-01-22")))
    assert [(each.agent, each.targets) for each in exposed(one).exposures] == [
        ("blinatumomab", ("CD3", "CD19")),
        ("glofitamab", ("CD3", "CD20")),
    ]
    assert washout(one) == 42


def test_edge_retreatment_with_the_same_drug_is_judged_on_its_last_line() -> None:
    """Retreatment: the last dose counts for the washout, and the last line decides relapsed or refractory."""
    first_course = [glofitamab("2022-06-01"), assessed("CR", "2022-08-01"), assessed("PD", "2023-06-01")]
    records = chart(*first_course, glofitamab("2024-01-22"))
    assert washout(member(records)) == 42
    assert member(records).failure.verdict == "refractory"
    assert member(records, bsab_line_for_status="best").failure.verdict == "relapsed"


def test_edge_a_bispecific_antibody_between_collection_and_infusion_is_bridging() -> None:
    """Doses after the collection are bridging, reported and not counted for the washout."""
    one = member(chart(glofitamab("2024-01-22"), glofitamab("2024-03-11")))
    assert washout(one) == 42
    assert exposed(one).flags == ("bridging-with-bsab",)
    assert says(one.exposure, "bridging")
