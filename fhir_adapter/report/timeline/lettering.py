"""How much room words take in the figure: nobody measures them before the page is opened, so they are estimated."""

from __future__ import annotations

import unicodedata

# Shares of the size of the type, after the broadest sans serif in use (DejaVu); rather too much than too little.
_SHARES = ((0.29, "iljI'"), (0.41, " .,:;/|!()[]tfr-−·"), (0.84, "w#+<=>~&≥≤"), (1.0, "mMW@%—…"))
_BY_SIGN = {sign: share for share, signs in _SHARES for sign in signs}
_USUAL, _CAPITAL, _FULL, _BOLD = 0.64, 0.79, 1.0, 1.16


def width(text: str, size: float, bold: bool = False) -> float:
    """The width of a text in pixels."""
    return size * sum(_share(sign) for sign in text) * (_BOLD if bold else 1)


def fitted(text: str, size: float, room: float, bold: bool = False) -> str:
    """The text, or as much of it as fits, with an ellipsis; empty when nothing fits."""
    if width(text, size, bold) <= room:
        return text
    kept = text
    while kept and width(f"{kept}…", size, bold) > room:
        kept = kept[:-1]
    return f"{kept.rstrip()}…" if kept.strip() else ""


class Rows:
    """Puts things side by side, and under one another where they would overlap."""

    def __init__(self, gap: float) -> None:
        self._gap = gap
        self._ends: list[float] = []

    def place(self, left: float, right: float) -> int:
        """The number of the first row with room from `left` to `right`, which is then taken."""
        for number, end in enumerate(self._ends):
            if left >= end + self._gap:
                self._ends[number] = right
                return number
        self._ends.append(right)
        return len(self._ends) - 1

    def __len__(self) -> int:
        return max(len(self._ends), 1)


def _share(sign: str) -> float:
    if unicodedata.east_asian_width(sign) in "WF":
        return _FULL
    return _BY_SIGN.get(sign, _CAPITAL if sign.isupper() else _USUAL)
