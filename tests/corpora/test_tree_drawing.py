"""The drawing is read back: arcs followed character by character give the tree."""

import numpy as np
import pytest

from dynotes.corpora.tree_drawing import LINES, draw_tree
from tests.reference.dependency_trees import all_trees

UP, DOWN = 1, 2


def columns_of(drawing):
    """For each line, the characters of its arcs."""
    return [line[: max(line.find(">"), line.find("─ "))] for line in drawing.splitlines()]


def vertical_lines(rows):
    """(top, bottom) of every unbroken vertical line."""
    found = []
    width = max(map(len, rows))
    for x in range(width):
        start = None
        for y, row in enumerate(rows):
            cell = LINES.index(row[x]) if x < len(row) else 0
            if cell & UP:
                assert start is not None
                if not cell & DOWN:
                    found.append((start, y))
                    start = None
            elif cell & DOWN:
                start = y
    return sorted(found)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_the_vertical_lines_are_the_arcs(n):
    for heads in all_trees(n, multi_root=True):
        drawing = draw_tree(["w"] * n, heads, ["l"] * n)
        arcs = sorted(tuple(sorted((h, d))) for d, h in enumerate(heads, start=1))
        assert vertical_lines(columns_of(drawing)) == arcs


def test_a_sentence_with_crossing_arcs():
    words = ["A", "hearing", "is", "set", "on", "it", "."]
    labels = ["det", "nsubj", "aux", "root", "case", "nmod", "punct"]
    assert draw_tree(words, [2, 4, 4, 0, 6, 2, 4], labels) == (
        " ┌──── ROOT\n"
        " │  ┌> A        det\n"
        "┌┼─┬┴> hearing  nsubj\n"
        "││ │┌> is       aux\n"
        "│└┬┴┴> set      root\n"
        "│ │ ┌> on       case\n"
        "└─┼─┴> it       nmod\n"
        "  └──> .        punct\n"
    )


def test_wide_letters_and_accents_keep_the_labels_in_line():
    drawing = draw_tree(["日本", "e\u0301a", "abcd"], [2, 0, 2], ["x", "y", "z"])
    ends = [line.split()[-1] for line in drawing.splitlines()]
    assert ends == ["ROOT", "x", "y", "z"]
    assert drawing.splitlines()[1].endswith("日本  x")
    assert drawing.splitlines()[2].endswith("e\u0301a    y")


def test_no_tree_and_unequal_numbers_are_refused():
    with pytest.raises(ValueError, match="cycle"):
        draw_tree(["a", "b", "c"], [0, 3, 2], ["x"] * 3)
    with pytest.raises(ValueError, match="found 1, 2 and 2"):
        draw_tree(["a"], np.array([0, 1]), ["x", "y"])
