"""What laboratories say word for word is read once: no reading may differ for that, and no refusal."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_adapter.fhir.r4 import Observation, decode
from fhir_adapter.fhir.record import Unreadable

LONGER_THAN_REMEMBERED = "x" * 5000
PLAIN = msgspec.json.Decoder(Observation)

TEXTS = st.sampled_from(["", "Hämoglobin", "a/b", "7.0 - 11.0 G/L", LONGER_THAN_REMEMBERED])
NOT_AS_FHIR_HAS_IT: st.SearchStrategy[Any] = st.sampled_from(
    [None, 7, "text", [], [None], {}, {"coding": "x"}, [{"low": []}]]
)
QUANTITIES = st.fixed_dictionaries({}, optional={"value": st.sampled_from([4, 4.5, "NaN", None]), "unit": TEXTS})
CONCEPTS = st.fixed_dictionaries(
    {},
    optional={
        "coding": st.lists(st.fixed_dictionaries({}, optional={"system": TEXTS, "code": TEXTS, "other": TEXTS})),
        "text": TEXTS,
    },
)
RANGES = st.fixed_dictionaries({}, optional={"low": QUANTITIES, "high": QUANTITIES, "appliesTo": st.lists(CONCEPTS)})
OBSERVATIONS = st.fixed_dictionaries(
    {"resourceType": st.just("Observation")},
    optional={
        "id": TEXTS,
        "category": st.lists(CONCEPTS) | NOT_AS_FHIR_HAS_IT,
        "code": CONCEPTS | NOT_AS_FHIR_HAS_IT,
        "interpretation": st.lists(CONCEPTS) | NOT_AS_FHIR_HAS_IT,
        "referenceRange": st.lists(RANGES) | NOT_AS_FHIR_HAS_IT,
        "valueQuantity": QUANTITIES | NOT_AS_FHIR_HAS_IT,
    },
)
DIALECTS = st.sampled_from(
    [
        lambda one: json.dumps(one, separators=(",", ":"), ensure_ascii=False),
        lambda one: json.dumps(one, indent=1),
        lambda one: json.dumps(one).replace("/", "\\/"),
        lambda one: json.dumps(dict(reversed(one.items()))),
    ]
)


def plainly(body: bytes) -> Observation | None:
    try:
        return PLAIN.decode(body)
    except msgspec.DecodeError:
        return None


def shared(body: bytes) -> Observation | None:
    try:
        found = decode(body)
    except Unreadable:
        return None
    assert isinstance(found, Observation)
    return found


@given(OBSERVATIONS, DIALECTS)
def test_an_observation_is_read_as_without_remembering(one: dict[str, Any], write: Any) -> None:
    body = write(one).encode()
    expected = plainly(body)
    for _ in range(2):
        found = shared(body)
        assert (found is None) == (expected is None)
        if found and expected:
            # Texts, for NaN is not even itself.
            assert repr(msgspec.structs.astuple(found)) == repr(msgspec.structs.astuple(expected))


def test_the_same_words_are_the_same_object_and_other_words_are_not() -> None:
    def code_of(text: str) -> object:
        found = shared(json.dumps({"resourceType": "Observation", "code": {"text": text}}).encode())
        assert found
        return found.code

    assert code_of("HGB") is code_of("HGB")
    assert code_of("HGB") != code_of("hgb")


@pytest.mark.parametrize("element", ["category", "code", "interpretation", "referenceRange"])
def test_text_that_is_not_utf8_is_refused_wherever_it_stands(element: str) -> None:
    bad = b'{"text":"\xff"}' if element == "code" else b'[{"text":"\xff"}]'
    with pytest.raises(Unreadable, match="unexpected-shape"):
        decode(b'{"resourceType":"Observation","' + element.encode() + b'":' + bad + b"}")
