"""A dependency tree as text, a word a line, with its arcs at the left.

Note: Topic: Dependency Parsing / Task Description (T68)
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np

from dynotes.corpora.trees import check_tree

UP, DOWN, LEFT, RIGHT = 1, 2, 4, 8
# the character of a cell by the sum of the sides that its lines leave it on
LINES = " ╵╷│╴┘┐┤╶└┌├─┴┬┼"


def draw_tree(words: Sequence[str], heads: Any, labels: Sequence[str]) -> str:
    """The tree of a sentence, from the root's line downwards in the order of the words.

    An arc leaves the line of its head, runs up or down in a column of its own, and ends in an
    arrow at its dependent.  Short arcs are next to the words; arcs that share a line never share
    a column, so that every line can be followed, crossing ones too.

    Args:
        words, labels: n texts.
        heads: (n,) integers, a tree with any number of roots.

    Returns:
        n + 1 lines, each with its line end.

    Raises:
        ValueError: no tree, or unequal numbers.
    """
    up = check_tree(heads, multi_root=True)
    if not len(words) == len(labels) == up.size:
        raise ValueError(
            f"expected as many words and labels as heads, found {len(words)}, {len(labels)} "
            f"and {up.size}"
        )
    columns = _columns(up)
    width = int(columns.max()) + 1
    grid = np.zeros((up.size + 1, width), dtype=np.int64)
    for place, (head, column) in enumerate(zip(up.tolist(), columns.tolist()), start=1):
        top, bottom = min(place, head), max(place, head)
        x = width - 1 - column
        grid[top, x] |= DOWN
        grid[bottom, x] |= UP
        grid[top + 1 : bottom, x] |= UP | DOWN
        for row in (top, bottom):
            grid[row, x] |= RIGHT
            grid[row, x + 1 :] |= LEFT | RIGHT
    texts = ["ROOT", *words]
    room = max(map(_text_width, texts))
    lines = []
    for row, (cells, word) in enumerate(zip(grid.tolist(), texts)):
        arcs = "".join(LINES[cell] for cell in cells) + ("> " if row else "─ ")
        padding = " " * (room - _text_width(word))
        lines.append(f"{arcs}{word}{padding}  {labels[row - 1] if row else ''}".rstrip() + "\n")
    return "".join(lines)


def _columns(heads: np.ndarray) -> np.ndarray:
    """Column of each arc, from 0 beside the words: the first that no arc over its lines has."""
    words = np.arange(1, heads.size + 1)
    low, high = np.minimum(heads, words), np.maximum(heads, words)
    taken: list[np.ndarray] = []  # of each column, which lines have an arc there
    columns = np.zeros(heads.size, dtype=np.int64)
    for i in np.argsort(high - low, kind="stable").tolist():
        lines = slice(low[i], high[i] + 1)
        above = [column for column, used in enumerate(taken) if used[lines].any()]
        columns[i] = above[-1] + 1 if above else 0
        if columns[i] == len(taken):
            taken.append(np.zeros(heads.size + 1, dtype=np.bool_))
        taken[columns[i]][lines] = True
    return columns


def _text_width(text: str) -> int:
    """Columns of a terminal: wide letters take two, combining marks none."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) > 0 for c in text)
