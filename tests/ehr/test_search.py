"""Fetching one stream, page after page, against a fake server."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fakehttp import BASE, Handler, in_turn, observation, ok, outcome, refusal, searchset, transport_to
from hypothesis import given
from hypothesis import strategies as st

from fhir_adapter.ehr.failures import Forbidden
from fhir_adapter.ehr.page import Page
from fhir_adapter.ehr.plan import StreamPlan
from fhir_adapter.ehr.search import fetch_stream
from fhir_adapter.errors import AccessError, FhirAdapterError, ForeignUrl, NotReadyError, StreamIncomplete, Unreachable

PLAN = StreamPlan("Observation", "search", "", person_param="patient")


class Fetched:
    """Everything a stream gave before it ended, and how it ended."""

    def __init__(self, handler: Handler, plan: StreamPlan = PLAN, max_pages: int = 50, **options: Any) -> None:
        transport, self.wire = transport_to(handler, **options)
        self.pages: list[Page] = []
        self.error: FhirAdapterError | None = None
        try:
            for page in fetch_stream(transport, plan, 10, max_pages):
                self.pages.append(page)
        except FhirAdapterError as error:
            self.error = error

    @property
    def ids(self) -> list[str]:
        return [record.id for page in self.pages for record in page.records]

    @property
    def reasons(self) -> list[str]:
        return [aside.reason for page in self.pages for aside in page.quarantined]

    @property
    def said(self) -> str:
        return f"{self.error.message} {self.error.hint}" if self.error else ""


def paged(*pages: object) -> Callable[[httpx.Request], httpx.Response]:
    """Page n is asked for by `?page=n`; the first one by anything else."""

    def handler(request: httpx.Request) -> httpx.Response:
        page = pages[int(request.url.params.get("page", "1")) - 1]
        return page if isinstance(page, httpx.Response) else ok(page)

    return handler


def test_pages_are_followed_to_the_last() -> None:
    fetched = Fetched(
        paged(
            searchset([observation("a"), observation("b")], next="?page=2", total=3),
            searchset([observation("c")], total=3),
        )
    )
    assert fetched.error is None
    assert fetched.ids == ["a", "b", "c"]
    assert [(page.number, page.announced, page.received) for page in fetched.pages] == [(1, 3, 2), (2, 3, 1)]
    assert fetched.wire.urls == [f"{BASE}/Observation?_count=10", f"{BASE}/Observation?page=2"]
    assert {request.headers["prefer"] for request in fetched.wire.requests} == {"handling=strict"}


def test_the_bytes_of_a_resource_are_kept_as_they_were_sent() -> None:
    odd = b'{"id":"a" , "resourceType":"Observation","valueQuantity":{"value":1.50},"note":[{"text":"\\u00e9"}]}'
    body = b'{"resourceType":"Bundle","type":"searchset","entry":[{"resource": ' + odd + b" }]}"
    fetched = Fetched(in_turn(httpx.Response(200, content=body)))
    assert fetched.pages[0].records[0].body == odd


@pytest.mark.parametrize("bundle", [searchset([]), {"resourceType": "Bundle", "type": "searchset", "entry": None}])
def test_no_entries_are_no_rows_and_complete(bundle: object) -> None:
    fetched = Fetched(in_turn(ok(bundle)))
    assert (fetched.error, fetched.ids, len(fetched.pages)) == (None, [], 1)


def test_an_empty_page_with_a_next_link_goes_on() -> None:
    fetched = Fetched(paged(searchset([], next="?page=2"), searchset([observation("a")])))
    assert (fetched.error, fetched.ids) == (None, ["a"])


@pytest.mark.parametrize("link", ["?page=2", "/fhir/Observation?page=2", f"{BASE}/Observation?page=2"])
def test_relative_and_absolute_links_are_followed(link: str) -> None:
    assert Fetched(paged(searchset([observation("a")], next=link), searchset([observation("b")]))).ids == ["a", "b"]


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/fhir?page=2",
        "http://ehr.example/fhir?page=2",
        "//evil.example/x",
        "https://ehr.example@evil.example/",
        "https://ehr.example.evil.example/",
    ],
)
def test_a_next_link_elsewhere_is_refused_and_no_request_reaches_it(link: str) -> None:
    fetched = Fetched(in_turn(ok(searchset([observation("a")], next=link))), auth=httpx.BasicAuth("u", "secret"))
    assert isinstance(fetched.error, ForeignUrl)
    assert len(fetched.wire.requests) == 1
    assert {request.url.host for request in fetched.wire.requests} == {"ehr.example"}
    assert fetched.ids == ["a"]


def test_a_next_link_under_an_alias_is_asked_at_the_base() -> None:
    fetched = Fetched(
        paged(
            searchset([observation("a")], next="http://inside:8080/fhir/Observation?page=2"),
            searchset([observation("b")]),
        ),
        aliases=["http://inside:8080"],
    )
    assert fetched.ids == ["a", "b"]
    assert fetched.wire.urls[1] == f"{BASE}/Observation?page=2"


def test_a_link_to_itself_is_noticed_at_the_second_visit() -> None:
    fetched = Fetched(in_turn(ok(searchset([observation("a")], next="?page=1"))))
    assert isinstance(fetched.error, StreamIncomplete)
    assert "circle" in fetched.said
    assert len(fetched.wire.requests) == 2


def test_a_loop_over_several_pages_is_noticed() -> None:
    fetched = Fetched(
        paged(
            searchset([observation("a")], next="?page=2"),
            searchset([observation("b")], next="?page=3"),
            searchset([observation("c")], next="?page=2"),
        )
    )
    assert isinstance(fetched.error, StreamIncomplete)
    assert len(fetched.wire.requests) <= 4


def test_the_same_page_under_ever_fresh_links_is_noticed() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        number = int(request.url.params.get("n", "0"))
        return ok(searchset([observation("a")], next=f"?n={number + 1}"))

    fetched = Fetched(handler)
    assert isinstance(fetched.error, StreamIncomplete)
    assert len(fetched.wire.requests) == 2


def test_endless_fresh_links_without_data_end_at_the_page_limit() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        return ok(searchset([], next=f"?n={int(request.url.params.get('n', '0')) + 1}"))

    fetched = Fetched(handler, max_pages=20)
    assert isinstance(fetched.error, StreamIncomplete)
    assert "after 20" in fetched.said
    assert len(fetched.wire.requests) == 21


@given(
    st.dictionaries(
        st.integers(0, 8),
        st.tuples(st.one_of(st.none(), st.integers(0, 8)), st.lists(st.integers(0, 5), max_size=2)),
    )
)
def test_whatever_graph_the_links_form_the_stream_ends(graph: dict[int, tuple[int | None, list[int]]]) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        to, ids = graph.get(int(request.url.params.get("n", "0")), (None, []))
        return ok(searchset([observation(f"o{i}") for i in ids], next=None if to is None else f"?n={to}"))

    fetched = Fetched(handler, max_pages=30)
    assert fetched.error is None or isinstance(fetched.error, StreamIncomplete)
    assert len(fetched.wire.requests) <= 31


@given(
    st.permutations([f"o{n}" for n in range(9)]),
    st.integers(1, 9),
    st.integers(0, 2),
    st.booleans(),
)
def test_every_id_arrives_whatever_the_order_the_page_size_and_the_overlap(
    order: list[str], size: int, overlap: int, counted: bool
) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        at = int(request.url.params.get("at", "0"))
        rows = [observation(id) for id in order[max(0, at - overlap) : at + size]]
        onward = f"?at={at + size}" if at + size < len(order) else None
        return ok(searchset(rows, next=onward, total=len(order) if counted else None))

    fetched = Fetched(handler)
    assert fetched.error is None
    assert set(fetched.ids) == set(order)


@given(st.lists(st.permutations(list(range(6))), min_size=3, max_size=12))
def test_a_server_that_shuffles_its_rows_gives_all_of_them_or_is_incomplete(orders: list[list[int]]) -> None:
    asked = iter(range(10_000))

    def handler(request: httpx.Request) -> httpx.Response:
        order = orders[next(asked) % len(orders)]
        at = int(request.url.params.get("at", "0"))
        onward = f"?at={at + 2}" if at + 2 < 6 else None
        return ok(searchset([observation(f"o{n}") for n in order[at : at + 2]], next=onward, total=6))

    fetched = Fetched(handler)
    if fetched.error is None:
        assert len(set(fetched.ids)) == 6
    else:
        assert isinstance(fetched.error, StreamIncomplete)


def test_fewer_than_announced_is_read_again_in_a_stable_order_and_then_incomplete() -> None:
    plan = StreamPlan("Observation", "search", "", sort="_lastUpdated,_id")
    fetched = Fetched(in_turn(ok(searchset([observation("a")], total=2))), plan)
    assert isinstance(fetched.error, StreamIncomplete)
    assert "announced 1 more than it gave" in fetched.said
    assert [dict(r.url.params).get("_sort") for r in fetched.wire.requests] == [None, *["_lastUpdated,_id"] * 2]


def test_more_than_announced_is_fine() -> None:
    fetched = Fetched(in_turn(ok(searchset([observation("a"), observation("b")], total=1))))
    assert (fetched.error, len(fetched.ids)) == (None, 2)


def test_totals_known_to_be_wrong_can_be_ignored() -> None:
    plan = StreamPlan("Observation", "search", "", trust_total=False)
    assert Fetched(in_turn(ok(searchset([observation("a")], total=9))), plan).error is None


@pytest.mark.parametrize("total", ["many", None, -1, 1.5, {}])
def test_a_total_that_is_no_number_is_no_total(total: object) -> None:
    bundle = {**searchset([observation("a")]), "total": total}
    fetched = Fetched(in_turn(ok(bundle)))
    assert (fetched.error, fetched.pages[-1].announced) == (None, None)


def test_a_resource_on_two_pages_counts_once_against_the_total() -> None:
    fetched = Fetched(
        paged(
            searchset([observation("a"), observation("b")], next="?page=2", total=3),
            searchset([observation("b"), observation("c")], total=3),
        )
    )
    assert fetched.error is None
    assert fetched.ids == ["a", "b", "b", "c"]


def test_included_resources_are_kept_and_do_not_count_against_the_total() -> None:
    bundle = searchset([observation("a"), observation("b")], total=3)
    bundle["entry"].append({"resource": {"resourceType": "Medication", "id": "m"}, "search": {"mode": "include"}})
    fetched = Fetched(in_turn(ok(bundle)))
    assert fetched.ids[:3] == ["a", "b", "m"]
    assert isinstance(fetched.error, StreamIncomplete)


@pytest.mark.parametrize("status", [404, 410])
def test_results_that_expired_are_read_from_the_beginning_without_loss(status: int) -> None:
    asked: list[int] = []

    def handler(request: httpx.Request) -> httpx.Response:
        page = int(request.url.params.get("page", "1"))
        asked.append(page)
        if page == 2 and asked.count(2) == 1:
            return refusal(status, "expired")
        return ok(searchset([observation(f"o{page}")], next=f"?page={page + 1}" if page < 3 else None, total=3))

    fetched = Fetched(handler)
    assert fetched.error is None
    assert asked == [1, 2, 1, 2, 3]
    assert set(fetched.ids) == {"o1", "o2", "o3"}
    assert [page.number for page in fetched.pages] == [1, 2, 3, 4]


def test_results_that_always_expire_are_incomplete_after_two_restarts() -> None:
    fetched = Fetched(paged(searchset([observation("a")], next="?page=2"), refusal(410)))
    assert isinstance(fetched.error, StreamIncomplete)
    assert "forgot" in fetched.said
    assert len(fetched.wire.requests) == 6


def test_pages_that_shifted_are_read_again() -> None:
    shifted = outcome("conflict", "warning", "Warning: Pages have shifted; check pages for missed data")
    fetched = Fetched(in_turn(ok(searchset([observation("a"), shifted])), ok(searchset([observation("a")]))))
    assert fetched.error is None
    assert len(fetched.wire.requests) == 2


def test_remarks_in_the_results_are_not_data() -> None:
    bundle = searchset([observation("a")], total=1)
    bundle["entry"].append({"resource": outcome("informational", "warning"), "search": {"mode": "outcome"}})
    bundle["entry"].append({"resource": outcome("not-supported", "information")})
    fetched = Fetched(in_turn(ok(bundle)))
    assert (fetched.error, fetched.ids) == (None, ["a"])
    assert [(i.severity, i.code) for i in fetched.pages[0].issues] == [
        ("warning", "informational"),
        ("information", "not-supported"),
    ]


def test_an_error_in_the_results_keeps_the_data_and_makes_the_stream_incomplete() -> None:
    bundle = searchset([observation("a"), outcome("incomplete", "error", "CANARY")], next="?page=2")
    fetched = Fetched(paged(bundle, searchset([observation("b")])))
    assert fetched.ids == ["a", "b"]
    assert isinstance(fetched.error, StreamIncomplete)
    assert "reported an error in its results (incomplete)" in fetched.said
    assert "CANARY" not in fetched.said


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({}, "no-resource"),
        (None, "not-a-json-object"),
        ({"resource": None}, "no-resource"),
        ({"resource": "CANARY"}, "not-a-json-object"),
        ({"resource": {"resourceType": "Observation"}}, "no-id"),
        ({"resource": {"resourceType": "Observation", "id": "../CANARY"}}, "bad-id"),
        ({"resource": {"id": "x"}}, "no-resource-type"),
        ({"resource": {"resourceType": "../../evil", "id": "x"}}, "no-resource-type"),
    ],
)
def test_an_entry_that_is_no_resource_is_set_aside_and_the_others_kept(entry: object, reason: str) -> None:
    bundle = searchset([observation(f"o{n}") for n in range(49)], total=50)
    bundle["entry"].insert(20, entry)
    fetched = Fetched(in_turn(ok(bundle)))
    assert (fetched.error, len(fetched.ids), fetched.reasons) == (None, 49, [reason])
    assert fetched.pages[0].received == 50
    assert fetched.pages[0].quarantined[0].id == "page-1-entry-21"


@pytest.mark.parametrize(
    "poison",
    [
        b'{"resource":{"resourceType":"Observation","id":"x","valueDecimal":NaN}}',
        b'{"resource":{"resourceType":"Observation","id":"x","valueString":"\\ud800"}}',
        b'{"resource":{"resourceType":"Observation","id":"x","valueString":"\x01"}}',
        b'{"resource":{"resourceType":"Observation","id":"x","extension":' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
        b'{"resource":{resourceType:"Observation"}}',
    ],
    ids=["NaN", "lone surrogate", "control character", "endless nesting", "key without quotes"],
)
def test_an_entry_that_is_not_even_json_does_not_take_the_page_with_it(poison: bytes) -> None:
    good = json.dumps({"resource": observation("a")}).encode()
    also = json.dumps({"resource": observation("b")}).encode()
    body = (
        b'{"resourceType":"Bundle","type":"searchset","total":3,"entry":[ '
        + b" , ".join([good, poison, also])
        + b' ],"link":[{"relation":"next","url":"?page=2"}]}'
    )
    fetched = Fetched(paged(httpx.Response(200, content=body), searchset([])))
    assert (fetched.error, fetched.ids) == (None, ["a", "b"])
    assert fetched.reasons == ["not-a-json-object"]
    assert len(fetched.wire.requests) == 2


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        (b"[1]", "a JSON array"),
        (b'"CANARY"', "a JSON string"),
        (b"null", "a bare JSON value"),
        (b'{"resourceType":"Patient","id":"CANARY"}', "another JSON object"),
        (json.dumps(outcome("security", "fatal", "CANARY")).encode(), "an OperationOutcome (security)"),
        (b'{"resourceType":"Bundle","type":"history"}', "not a set of search results"),
        (b'{"resourceType":"Bundle","type":"searchset","entry":{}}', "another JSON object"),
        (b'{"resourceType":"Bundle","type":"searchset","link":"CANARY"}', "another JSON object"),
    ],
)
def test_something_else_than_results_is_incomplete_and_says_what_was_seen(body: bytes, seen: str) -> None:
    fetched = Fetched(in_turn(httpx.Response(200, content=body)))
    assert isinstance(fetched.error, StreamIncomplete)
    assert seen in fetched.said
    assert "CANARY" not in fetched.said
    assert len(fetched.wire.requests) == 1


@pytest.mark.parametrize(
    "body", [b"<html>Maintenance</html>", b'{"resourceType":"Bundle","type":"searchset","entry":[{"res', b"oops", b""]
)
def test_a_page_that_is_not_json_is_asked_for_again_and_then_incomplete(body: bytes) -> None:
    bad, good = httpx.Response(200, content=body), ok(searchset([observation("a")]))
    healed = Fetched(in_turn(bad, good))
    assert (healed.error, healed.ids, healed.pages[0].retries) == (None, ["a"], 1)
    broken = Fetched(in_turn(bad), max_tries=3)
    assert isinstance(broken.error, StreamIncomplete)
    assert len(broken.wire.requests) == 3


def test_a_server_that_fails_for_ever_makes_the_stream_incomplete_but_keeps_the_pages_before() -> None:
    fetched = Fetched(paged(searchset([observation("a")], next="?page=2"), refusal(500)), max_tries=3)
    assert isinstance(fetched.error, StreamIncomplete)
    assert fetched.error.exit_code == 5
    assert fetched.ids == ["a"]


def test_a_server_that_is_not_ready_or_gone_is_not_called_incomplete() -> None:
    busy = Fetched(in_turn(refusal(503, headers={"Retry-After": "86400"})))
    assert isinstance(busy.error, NotReadyError)
    gone = Fetched(in_turn(httpx.ConnectError("")))
    assert type(gone.error) is Unreachable


def per_person(*, refuses: int = 400, people: dict[str, list[str]] | None = None) -> Handler:
    """Refuses a search over the type; answers for each patient."""
    rows = people if people is not None else {"p1": ["a", "b"], "p2": ["c"]}

    def handler(request: httpx.Request) -> httpx.Response:
        person = parse_qs(urlsplit(str(request.url)).query).get("patient", [""])[0].removeprefix("Patient/")
        if not person:
            return refusal(refuses, "required")
        return ok(searchset([observation(id, person) for id in rows[person]], total=len(rows[person])))

    return handler


@pytest.mark.parametrize("status", [400, 403, 422])
def test_a_refused_search_over_the_type_is_made_for_each_patient(status: int) -> None:
    fetched = Fetched(per_person(refuses=status), PLAN.for_people(["p1", "p2"]))
    assert fetched.error is None
    assert fetched.ids == ["a", "b", "c"]
    assert fetched.wire.urls == [
        f"{BASE}/Observation?_count=10",
        f"{BASE}/Observation?_count=10&patient=Patient%2Fp1",
        f"{BASE}/Observation?_count=10&patient=Patient%2Fp2",
    ]
    assert [page.announced for page in fetched.pages] == [2, 1]


def test_with_a_patient_list_nobody_else_is_asked_for() -> None:
    plan = StreamPlan("Observation", "person", "", ("p2",), "patient")
    fetched = Fetched(per_person(), plan)
    assert (fetched.error, fetched.ids, len(fetched.wire.requests)) == (None, ["c"], 1)


@pytest.mark.parametrize(
    ("type", "param", "value"),
    [
        ("AdverseEvent", "subject", "Patient%2Fp1"),
        ("Observation", "patient", "Patient%2Fp1"),
        ("Patient", "_id", "p1"),
    ],
)
def test_a_patient_is_asked_for_by_a_whole_reference_or_by_the_id_itself(type: str, param: str, value: str) -> None:
    """Some servers find nothing, without a word, by `patient=p1`."""
    fetched = Fetched(in_turn(ok(searchset([]))), StreamPlan(type, "person", "", ("p1",), param))
    assert fetched.wire.urls == [f"{BASE}/{type}?_count=10&{param}={value}"]


def test_a_refused_search_without_known_patients_says_what_to_do() -> None:
    fetched = Fetched(per_person(refuses=422))
    assert isinstance(fetched.error, StreamIncomplete)
    assert "list them in the settings" in fetched.said


def test_a_forbidden_type_is_named() -> None:
    fetched = Fetched(in_turn(refusal(403)))
    assert isinstance(fetched.error, Forbidden)
    assert "Observation" in fetched.said
    everybody = Fetched(in_turn(refusal(403)), PLAN.for_people([f"p{n}" for n in range(100)]))
    assert isinstance(everybody.error, Forbidden)
    assert len(everybody.wire.requests) < 10


def test_refused_credentials_stop_at_once() -> None:
    fetched = Fetched(in_turn(refusal(401)), PLAN.for_people(["p1"]))
    assert type(fetched.error) is AccessError
    assert len(fetched.wire.requests) == 1


def test_one_refused_patient_does_not_hide_the_others_but_is_counted() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        person = request.url.params["patient"].removeprefix("Patient/")
        return refusal(403) if person == "p2" else ok(searchset([observation(f"o-{person}", person)]))

    plan = StreamPlan("Observation", "person", "", ("p1", "p2", "p3"), "patient")
    fetched = Fetched(handler, plan)
    assert fetched.ids == ["o-p1", "o-p3"]
    assert isinstance(fetched.error, StreamIncomplete)
    assert "refused for 1 of 3 patients" in fetched.said


def test_a_server_that_ignores_the_patient_asked_for_is_refused() -> None:
    plan = StreamPlan("Observation", "person", "", ("p1",), "patient")
    fetched = Fetched(in_turn(ok(searchset([observation("a", "p1"), observation("b", "p2")]))), plan)
    assert isinstance(fetched.error, StreamIncomplete)
    assert "other patients" in fetched.said
    assert fetched.ids == []


def test_an_unsupported_type_is_never_an_empty_stream() -> None:
    fetched = Fetched(in_turn(ok()), StreamPlan("AdverseEvent", "unsupported", "AdverseEvent is not offered."))
    assert isinstance(fetched.error, StreamIncomplete)
    assert fetched.wire.requests == []


def test_no_id_of_a_patient_reaches_a_message(caplog: pytest.LogCaptureFixture) -> None:
    canary = "CANARY"
    for handler in (in_turn(refusal(500)), in_turn(refusal(400, "invalid")), in_turn(ok(searchset([canary])))):
        fetched = Fetched(handler, StreamPlan("Observation", "person", "", (canary,), "patient"), max_tries=2)
        assert canary not in fetched.said
    assert canary not in caplog.text


def test_two_streams_may_be_read_at_once_over_one_transport() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        type = request.url.path.rsplit("/", 1)[1]
        page = int(request.url.params.get("page", "1"))
        rows = [{"resourceType": type, "id": f"{type}-{page}"}]
        return ok(searchset(rows, next=f"?page={page + 1}" if page < 20 else None, total=20))

    transport, _ = transport_to(handler)
    types = ["Observation", "Condition", "Procedure", "Patient"]

    def ids(type: str) -> list[str]:
        pages = fetch_stream(transport, StreamPlan(type, "search", ""), 1, 50)
        return [record.id for page in pages for record in page.records]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ids, types)) == [[f"{type}-{n}" for n in range(1, 21)] for type in types]
