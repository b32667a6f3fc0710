"""The confusion matrix as SVG, drawn deterministically in plain Python."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

CLASSES_MOST = 60  # more would be unreadable; the most confused classes are drawn
LABEL_MOST = 24  # characters of a label; the tooltip shows the full one
CELL_LARGE, CELL_SMALL = 34, 16  # px
SIDE_MOST = 900  # px of the matrix, above which cells shrink
COUNTS_FROM = 16  # px of a cell that is large enough for its count
RIGHT = (8, 81, 156)  # blue for correct and orange for wrong: distinguishable with colour blindness
WRONG = (217, 95, 2)
INK, FAINT, PAPER = "#1a1a1a", "#d9d9d9", "#ffffff"
GRID = 5  # classes between two grid lines
MARGIN = 16
TITLE_HEIGHT = 58
FONT = 12


def confusion_svg(
    labels: Sequence[str], counts: Sequence[Sequence[int]], *, title: str, classes: int | None = None
) -> str:
    """Draw a square matrix of counts; row i counts the predictions of supports of class i.

    The shade of a cell is its share of its row. `classes` is the total number if not all are given.
    """
    total = len(labels) if classes is None else classes
    shown = _most_confused(counts)
    labels = [labels[place] for place in shown]
    counts = [[counts[row][column] for column in shown] for row in shown]
    return "\n".join(_lines(labels, counts, title, total)) + "\n"


def _most_confused(counts: Sequence[Sequence[int]]) -> list[int]:
    """Return the indices of at most 60 classes, in order: those with the most off-diagonal cells."""
    n = len(counts)
    wrong = [sum(counts[k]) + sum(row[k] for row in counts) - 2 * counts[k][k] for k in range(n)]
    return sorted(sorted(range(n), key=lambda place: -wrong[place])[:CLASSES_MOST])


@dataclass(frozen=True, slots=True)
class _Grid:
    """Position and size of the cells, and the font size of the labels, in px."""

    left: int
    top: int
    cell: int
    font: int


def _lines(labels: Sequence[str], counts: Sequence[Sequence[int]], title: str, classes: int) -> list[str]:
    n = len(labels)
    cell = max(min(CELL_LARGE, SIDE_MOST // max(n, 1)), CELL_SMALL)
    font = min(FONT, cell - 3)
    names = [_cut(label) for label in labels]
    room = max((_width(name, font) for name in names), default=0)
    left, top = MARGIN + 22 + room + 6, MARGIN + TITLE_HEIGHT + room + 6
    grid = _Grid(left, top, cell, font)
    notes = _notes(n, classes)
    width = max(left + n * cell + MARGIN, _width(title, FONT + 3) + 2 * MARGIN, 430)
    height = top + n * cell + MARGIN + 8
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="system-ui, sans-serif" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="{PAPER}"/>',
        _text(MARGIN, MARGIN + 12, title, FONT + 3, weight="600"),
        *(_text(MARGIN, MARGIN + 30 + 16 * k, note, FONT - 1) for k, note in enumerate(notes)),
        *(_row_label(k, grid, labels[k], names[k]) for k in range(n)),
        *(_column_label(k, grid, labels[k], names[k]) for k in range(n)),
        *(_frame(grid, n) if n else ()),
        *(line for k in range(n) for line in _row(k, grid, labels, counts[k])),
        "</svg>",
    ]


def _notes(shown: int, classes: int) -> list[str]:
    if shown == 0:
        return ["There is nothing to judge yet."]
    notes = ["Rows: true class. Columns: predicted class. Shade: share of the row."]
    if shown < classes:
        notes.append(f"Of {classes} classes the {shown} most confused are drawn.")
    return notes


def _row(row: int, grid: _Grid, labels: Sequence[str], counts: Sequence[int]) -> list[str]:
    total, cell = sum(counts), grid.cell
    found = []
    for column, count in enumerate(counts):
        if count == 0:
            continue
        x, y = grid.left + column * cell, grid.top + row * cell
        share = count / total
        colour, ink = _shade(RIGHT if row == column else WRONG, share)
        caption = f"{labels[row]} taken for {labels[column]}: {count} of {total}"
        number = ""
        if cell >= COUNTS_FROM and _width(str(count), _number_font(cell)) <= cell:
            number = _text(
                x + cell / 2, y + cell / 2 + _number_font(cell) * 0.36, str(count), _number_font(cell),
                colour=ink, anchor="middle",
            )  # fmt: skip
        found.append(
            f'<g><title>{escape(caption)}</title><rect x="{x}" y="{y}" width="{cell}" height="{cell}" '
            f'fill="{colour}"/>{number}</g>'
        )
    return found


def _frame(grid: _Grid, n: int) -> list[str]:
    left, top, cell = grid.left, grid.top, grid.cell
    side = n * cell
    steps = range(GRID * cell, side, GRID * cell)
    lines = "".join(f"M{left + at} {top}v{side}M{left} {top + at}h{side}" for at in steps)
    return [
        f'<rect x="{left}" y="{top}" width="{side}" height="{side}" fill="none" stroke="{FAINT}"/>',
        f'<path d="M{left} {top}l{side} {side}{lines}" fill="none" stroke="{FAINT}" stroke-opacity="0.6"/>',
    ]


def _row_label(k: int, grid: _Grid, label: str, name: str) -> str:
    y = grid.top + (k + 0.5) * grid.cell + grid.font * 0.36
    return f"<g><title>{escape(label)}</title>{_text(grid.left - 6, y, name, grid.font, anchor='end')}</g>"


def _column_label(k: int, grid: _Grid, label: str, name: str) -> str:
    x, y = grid.left + (k + 0.5) * grid.cell + grid.font * 0.36, grid.top - 6
    turned = f' transform="rotate(-90 {x:g} {y:g})"'
    return f"<g><title>{escape(label)}</title>{_text(x, y, name, grid.font, more=turned)}</g>"


def _text(
    x: float,
    y: float,
    text: str,
    font: int,
    *,
    colour: str = INK,
    anchor: str = "start",
    weight: str = "400",
    more: str = "",
) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{font}" font-weight="{weight}" fill="{colour}" '
        f'text-anchor="{anchor}"{more}>{escape(text)}</text>'
    )


def _number_font(cell: int) -> int:
    return max(cell * 2 // 5, 8)


def _shade(full: tuple[int, int, int], share: float) -> tuple[str, str]:
    """Return the colour of a cell, from paper at share 0 to `full` at 1, and of the text on it."""
    strength = 0.12 + 0.88 * share  # a single error must be visible
    red, green, blue = (round(255 + (part - 255) * strength) for part in full)
    return f"#{red:02x}{green:02x}{blue:02x}", PAPER if strength > 0.55 else INK


def _cut(label: str) -> str:
    """Shorten a label in its middle, since only the end may distinguish two labels."""
    half = LABEL_MOST // 2
    return label if len(label) <= LABEL_MOST else f"{label[:half]}…{label[1 - half :]}"


def _width(text: str, font: int) -> int:
    """Return the approximate width of a text in px."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return round(font * (0.6 * (len(text) - wide) + wide))
