"""The page about the makers of servers says what the field notes say."""

from __future__ import annotations

from vendors_page import PAGE, page


def test_the_page_is_made_of_the_field_notes() -> None:
    """`python tests/docs/vendors_page.py` writes it again."""
    assert PAGE.read_text(encoding="utf-8") == page()
