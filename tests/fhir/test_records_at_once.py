"""Filing many resources at once says the same as filing one after the other."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fhir_adapter.fhir.record import Unreadable, read_record, read_records

ids = st.sampled_from(["o1", "a.b-c", "x" * 64, "x" * 65, "", ".", "..", "o1\no2", "o/1", "é", 7, None])
types = st.sampled_from(["Observation", "Patient", "observation", "Observation\nPatient", "", 7])
metas: st.SearchStrategy[Any] = st.sampled_from(
    [{"versionId": "2", "lastUpdated": "2025-06-01"}, {"versionId": 7}, {}, None, []]
)
abouts = st.sampled_from([{"reference": "Patient/p1"}, {"reference": "urn:uuid:1"}, {}, None, [{"reference": "P"}], 7])
resources = st.fixed_dictionaries(
    {"resourceType": types, "id": ids}, optional={"meta": metas, "subject": abouts, "patient": abouts}
)
usual = st.builds(
    lambda number, about: {"resourceType": "Observation", "id": f"o{number}", "subject": about},
    st.integers(0, 99),
    st.sampled_from([{"reference": "Patient/p1"}, {"reference": "https://ehr.example.org/Patient/p2"}, None]),
)
bodies = st.one_of(
    usual.map(lambda one: json.dumps(one).encode()),
    usual.map(lambda one: json.dumps(one).encode()),
    resources.map(lambda one: json.dumps(one).encode()),
    st.sampled_from([b"", b"{", b"{}{}", b"[]", b"null", b'{"resourceType":"Patient","id":"\xff"}', b"[" * 5_000]),
)


@given(some=st.lists(bodies, max_size=6))
def test_many_are_filed_at_once_as_they_are_one_by_one_or_not_at_all(some: list[bytes]) -> None:
    try:
        expected = [read_record(body) for body in some]
    except Unreadable:
        assert read_records(some) is None
    else:
        assert read_records(some) == expected
