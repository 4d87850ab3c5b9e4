"""Numbers as people write them."""

from __future__ import annotations

import re

# Three digits behind a comma may be thousands: those are left as they are, and then no number.
_DECIMAL_COMMA = re.compile(r"(?<=\d),(?=\d{1,2}(?!\d))")


def with_decimal_point(text: str) -> str:
    """The text with a point for every comma that can only be a decimal one (`11,8`, but not `1,500`)."""
    return _DECIMAL_COMMA.sub(".", text)
