"""Numbers as they are printed: rounded half up, as the eye expects, and only at the very end.

Python's own rounding is to even (12.5 gives 12); abstracts print half up.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

_GUARD_DIGITS = 10  # a float is a product of many; what lies beyond is noise and must not decide a rounding


def half_up(value: float | Fraction | Decimal, digits: int) -> str:
    """`value` with `digits` decimals, rounded half up away from zero."""
    if isinstance(value, Fraction):
        exact = Decimal(value.numerator) / Decimal(value.denominator)
    else:
        exact = value if isinstance(value, Decimal) else Decimal(repr(round(value, _GUARD_DIGITS)))
    return str(exact.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP))


def plain(value: float | Fraction | Decimal, digits: int) -> str:
    """As `half_up`, but a whole number is printed as one: `14`, not `14.0`."""
    text = half_up(value, digits)
    whole, _, decimals = text.partition(".")
    return text if decimals.strip("0") else whole


def percent(part: int, of: int, digits: int) -> str:
    """`part` of `of` as a percentage, computed exactly: `91.7%`."""
    return f"{plain(Fraction(100 * part, of), digits)}%"
