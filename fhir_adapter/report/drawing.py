"""How figures of the report look, and how they are saved: as SVG for files and for the page, and as PNG.

Colours are those of Okabe and Ito, which colour-blind eyes can tell apart; every series also differs by shape or line.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from fhir_adapter.analysis.disclosure import is_small

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, QUIET, FAINT, LINE, WASH, PAPER = "#1d2126", "#5b636d", "#8a949e", "#dfe3e8", "#eef1f4", "#ffffff"
BLUE, VERMILLION, GREEN, ORANGE, SKY, PURPLE = "#0072b2", "#d55e00", "#009e73", "#e69f00", "#56b4e9", "#cc79a7"
GRADES = ("#e3e8ec", "#fee3c4", "#fdbe85", "#f3853a", "#c8480c", "#6e2306")
# Inside the page each colour becomes a variable of the style sheet, which is another one on a dark screen.
_VARIABLES = {
    **{INK: "ink", QUIET: "quiet", FAINT: "faint", LINE: "line", WASH: "wash", PAPER: "paper"},
    **{BLUE: "blue", VERMILLION: "vermillion", GREEN: "green", ORANGE: "orange", SKY: "sky", PURPLE: "purple"},
}
# matplotlib types every key of its settings one by one.
STYLE: Any = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Arial", "Helvetica"],
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": QUIET,
    "text.color": INK,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "hatch.linewidth": 0.6,
}
_UNDATED: dict[str, None] = {"Date": None, "Creator": None, "Format": None, "Type": None}
_DPI = 150
_TAG = re.compile(r"<[A-Za-z][^<>]*>")
_ID = re.compile(r'(\bid="|href="#|url\(#)')
_STYLED = re.compile(r' style="([^"]*)"')
_COLOUR = re.compile(r"#[0-9a-f]{6}\b")
_FONT = re.compile(r"font: (?:(bold|\d+) )?([\d.]+)px[^;]*")
# What XML cannot hold, and what would turn the direction of the text around it.
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure by its file name without ending: `title` and `description` say in words what it shows."""

    name: str
    title: str
    description: str
    svg: bytes
    png: bytes

    @property
    def inline(self) -> str:
        """The SVG as an element of the page: no style attribute, colours as variables, ids of its own."""
        text = self.svg.decode("utf-8")
        body = text[text.index("<svg") :].strip()
        body = re.sub(r"<style.*?</style>|<metadata.*?</metadata>", "", body, flags=re.S)
        return _TAG.sub(lambda tag: _COLOUR.sub(_variable, _STYLED.sub(_attributes, tag[0])), body)


def picture(
    name: str, title: str, description: str, size: tuple[float, float], draw: Callable[[Figure], None]
) -> Picture:
    """Draw on an empty figure of `size` (inches) and save it. Equal input gives equal bytes."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({**STYLE, "svg.hashsalt": name}), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a letter that the font lacks is no news: a browser has other fonts
        figure = Figure(figsize=size)
        draw(figure)
        svg, png = io.BytesIO(), io.BytesIO()
        figure.savefig(svg, format="svg", metadata=_UNDATED)
        figure.savefig(png, format="png", dpi=_DPI, facecolor=PAPER, metadata={"Software": None})
    return Picture(name, title, description, _described(svg.getvalue(), name, title, description), png.getvalue())


def sized_axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at a place given in inches from the upper left corner."""
    across, down = figure.get_size_inches()
    return figure.add_axes((left / across, 1 - (top + height) / down, width / across, height / down))


def shown(text: str, longest: int) -> str:
    """A text of the records as a figure can show it: in one line, printable, not longer than `longest`."""
    clean = " ".join(UNPRINTABLE.sub(" ", text).split())
    return clean if len(clean) <= longest else f"{clean[: longest - 1]}…"


def ticks_to(last: float, most: int = 9) -> list[int]:
    """Whole months from 0 to the end of the follow-up, at most `most` steps of them."""
    step = next(width for width in (1, 2, 3, 6, 12, 24, 60, 120, 1200) if last / width <= most)
    return list(range(0, int(last) + step + 1, step))


def unless_small(number: int, least: int) -> str:
    """A number of people in a figure; below the least that the study tells, only that."""
    return f"<{least}" if is_small(number, least) else str(number)


def _described(svg: bytes, name: str, title: str, description: str) -> bytes:
    """The SVG with ids of its own and its text alternative."""
    prefix = re.sub(r"[^a-z0-9]", "", name.lower())
    text = _TAG.sub(lambda tag: _ID.sub(rf"\g<1>{prefix}-", tag[0]), svg.decode("utf-8"))
    role = f'role="img" aria-labelledby="{prefix}-title" aria-describedby="{prefix}-words" '
    text = text.replace("<svg ", f"<svg {role}", 1)
    words = (
        f'<title id="{prefix}-title">{escape(UNPRINTABLE.sub(" ", title))}</title>'
        f'<desc id="{prefix}-words">{escape(UNPRINTABLE.sub(" ", description))}</desc>'
    )
    opening = text.index(">", text.index("<svg ")) + 1
    return f"{text[:opening]}\n {words}{text[opening:]}".encode()


def _variable(colour: re.Match[str]) -> str:
    name = _VARIABLES.get(colour[0])
    return f"var(--{name})" if name else colour[0]


def _attributes(style: re.Match[str]) -> str:
    """A style attribute as the attributes that it stands for: the page allows no style but its own."""
    told = _FONT.sub(lambda font: f"font-size: {font[2]}px; font-weight: {font[1] or 400}", style[1])
    pairs = (part.partition(":") for part in told.split(";") if part.strip())
    return "".join(f' {key.strip()}="{value.strip()}"' for key, _, value in pairs)
