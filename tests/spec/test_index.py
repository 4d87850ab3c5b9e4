"""The anchors of a patient's time line: which infusion, and which collection made its product."""

from __future__ import annotations

from spec.people import anchors, patient

from fhir_adapter.cohort.finding import Span


def collected(table: str, **parameters: object) -> str | None:
    """The index apheresis."""
    found = anchors(patient(table), **parameters).apheresis
    return found.iso if found else None


def infused(table: str) -> str:
    return anchors(patient(table)).infusion.iso


def test_a_collection_over_consecutive_days_counts_from_its_first_day() -> None:
    assert (
        collected("""
        2024-03-04 | apheresis
        2024-03-05 | apheresis
        2024-04-01 | infusion
    """)
        == "2024-03-04"
    )


def test_collections_3_days_apart_are_one_episode() -> None:
    table = """
        2024-03-04 | apheresis
        2024-03-07 | apheresis
        2024-04-01 | infusion
    """
    assert collected(table) == "2024-03-04"


def test_collections_4_days_apart_are_two_and_the_last_counts() -> None:
    table = """
        2024-03-04 | apheresis
        2024-03-08 | apheresis
        2024-04-01 | infusion
    """
    assert collected(table) == "2024-03-08"
    assert collected(table, episode_gap_days=4) == "2024-03-04"


def test_a_failed_collection_is_not_the_index_the_good_one_after_it_is() -> None:
    table = """
        2024-02-01 | apheresis | failed
        2024-03-04 | apheresis
        2024-04-01 | infusion
    """
    assert collected(table) == "2024-03-04"


def test_a_failed_first_day_of_an_episode_is_not_the_index() -> None:
    table = """
        2024-03-03 | apheresis | failed
        2024-03-04 | apheresis
        2024-04-01 | infusion
    """
    assert collected(table) == "2024-03-04"


def test_a_collection_that_failed_after_the_good_one_changes_nothing() -> None:
    table = """
        2024-03-04 | apheresis
        2024-03-15 | apheresis | failed
        2024-04-01 | infusion
    """
    assert collected(table) == "2024-03-04"


def test_by_intention_to_treat_the_first_collection_counts_even_when_it_failed() -> None:
    table = """
        2024-02-01 | apheresis | failed
        2024-03-04 | apheresis
        2024-04-01 | infusion
    """
    assert collected(table, index_apheresis="first") == "2024-02-01"


def test_only_failed_collections_leave_the_index_unknown() -> None:
    assert (
        collected("""
        2024-02-01 | apheresis | failed
        2024-04-01 | infusion
    """)
        is None
    )


def test_a_collection_after_the_infusion_is_not_the_index() -> None:
    assert (
        collected("""
        2024-03-04 | apheresis
        2024-04-01 | infusion
        2024-09-01 | apheresis
    """)
        == "2024-03-04"
    )


def test_a_collection_of_an_earlier_car_t_is_not_the_index() -> None:
    """The first CAR-T came before the bispecific antibody; for the second no collection is recorded."""
    table = """
        2022-01-10 | apheresis
        2022-02-10 | infusion
        2023-06-01 | glofitamab
        2024-04-01 | infusion
    """
    assert infused(table) == "2024-04-01"
    assert collected(table) is None


def test_the_index_is_the_first_infusion_after_a_bispecific_antibody() -> None:
    table = """
        2022-01-10 | apheresis
        2022-02-10 | infusion
        2023-06-01 | glofitamab
        2024-03-04 | apheresis
        2024-04-01 | infusion
        2024-11-01 | infusion
    """
    assert infused(table) == "2024-04-01"
    assert collected(table) == "2024-03-04"


def test_bridging_with_a_bispecific_antibody_does_not_make_an_earlier_car_t_the_index() -> None:
    table = """
        2022-01-10 | apheresis
        2022-02-01 | glofitamab
        2022-02-25 | infusion
        2023-06-01 | glofitamab
        2024-03-04 | apheresis
        2024-04-01 | infusion
    """
    assert infused(table) == "2024-04-01"


def test_two_bags_on_two_days_are_one_infusion_on_the_first() -> None:
    table = """
        2024-01-08 | glofitamab
        2024-03-04 | apheresis
        2024-04-01 | infusion
        2024-04-02 | infusion
    """
    assert infused(table) == "2024-04-01"
    assert anchors(patient(table)).next_therapy is None


def test_a_second_infusion_later_is_the_next_therapy() -> None:
    found = anchors(
        patient("""
            2024-01-08 | glofitamab
            2024-03-04 | apheresis
            2024-04-01 | infusion
            2024-11-01 | infusion relmacabtagene-autoleucel
        """)
    )
    assert found.next_therapy is not None
    assert found.next_therapy.iso == "2024-11-01"


def test_the_time_from_vein_to_vein_is_counted_in_days() -> None:
    found = anchors(
        patient("""
            2024-03-04 | apheresis
            2024-04-01 | infusion
        """)
    )
    assert found.vein_to_vein == Span(shortest=28, longest=28)


def test_a_collection_in_the_month_of_the_infusion_came_before_it() -> None:
    found = anchors(
        patient("""
            2024-03    | apheresis
            2024-03-20 | infusion
        """)
    )
    assert found.vein_to_vein == Span(shortest=0, longest=19)


def test_records_that_name_different_products_leave_the_product_open() -> None:
    found = anchors(
        patient("""
            2024-04-01 | infusion cd19-cart-investigational
            2024-04-01 | infusion cd19-cd22-cart-investigational
        """)
    )
    assert (found.product, found.targets) == ("", ())


def test_a_record_without_a_named_product_gives_way_to_one_with_it() -> None:
    found = anchors(
        patient("""
            2024-04-01 | infusion car-t-unspecified
            2024-04-01 | infusion cd19-cd22-cart-investigational
        """)
    )
    assert found.targets == ("CD19", "CD22")


def test_lymphodepletion_starts_with_its_first_day() -> None:
    found = anchors(
        patient("""
            2024-03-04 | apheresis
            2024-03-27 | fludarabine
            2024-03-28 | fludarabine
            2024-03-28 | cyclophosphamide
            2024-04-01 | infusion
        """)
    )
    assert found.lymphodepletion is not None
    assert found.lymphodepletion.iso == "2024-03-27"


def test_cyclophosphamide_a_month_before_is_not_lymphodepletion() -> None:
    found = anchors(
        patient("""
            2024-03-01 | cyclophosphamide
            2024-04-01 | infusion
        """)
    )
    assert found.lymphodepletion is None


def test_a_collection_known_to_the_month_beside_another_leaves_the_index_open() -> None:
    """On 2 to 4 March it is the same episode, from 5 March on one of its own: the index is 1 March or later."""
    found = anchors(
        patient("""
            2024-03-01 | apheresis
            2024-03    | apheresis
            2024-04-01 | infusion
        """)
    ).apheresis
    assert found is not None
    assert (found.earliest.isoformat(), found.latest.isoformat()) == ("2024-03-01", "2024-03-31")
