"""Scores of parses: attachment and labels, over all words or without punctuation.

    UAS = words with the right head / words       LAS = with the right head and label / words
    label accuracy = words with the right label / words

in percent.  With universal labels (the part before ":") over all words, UAS and LAS are those of
the official evaluator of the CoNLL 2018 shared task, given the same words.

Note: Topic: Dependency Parsing / Task Description (T68)
Paper: Buchholz & Marsi 2006 (the metrics); Zeman et al. 2018 (the official evaluator).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple, Optional

import numpy as np

from dynotes.corpora.conllu import ConlluSentence, read_conllu
from dynotes.corpora.errors import InputError, PathLike


class ParseScores(NamedTuple):
    """How many words were scored, and how many of them are right; sums of two are added up."""

    words: int = 0
    heads: int = 0
    labels: int = 0
    both: int = 0

    def plus(self, other: ParseScores) -> ParseScores:
        """The counts of both."""
        return ParseScores(*(a + b for a, b in zip(self, other)))

    @property
    def uas(self) -> float:
        """Words with the right head, in percent; 0 without words."""
        return 100 * self.heads / max(self.words, 1)

    @property
    def las(self) -> float:
        """Words with the right head and label, in percent; 0 without words."""
        return 100 * self.both / max(self.words, 1)

    @property
    def label_accuracy(self) -> float:
        """Words with the right label, in percent; 0 without words."""
        return 100 * self.labels / max(self.words, 1)


def score_arcs(
    gold_heads: Any, gold_labels: Any, heads: Any, labels: Any, keep: Optional[Any] = None
) -> ParseScores:
    """Scores of any number of words at once.

    Args:
        gold_heads, heads: (N,) integers.
        gold_labels, labels: (N,) ids or texts.
        keep: (N,) bool, which words to score; None for all.

    Raises:
        ValueError: unequal sizes.
    """
    columns = [np.asarray(x) for x in (gold_heads, gold_labels, heads, labels)]
    kept = np.ones(columns[0].shape, np.bool_) if keep is None else np.asarray(keep)
    shapes = [x.shape for x in (*columns, kept)]
    if len(set(shapes)) > 1 or kept.ndim != 1 or kept.dtype != np.bool_:
        raise ValueError(f"expected five columns (N,), keep of bool, found {shapes}, {kept.dtype}")
    right_head = kept & (columns[0] == columns[2])
    right_label = kept & (columns[1] == columns[3])
    right = right_head & right_label
    return ParseScores(*(int(x.sum()) for x in (kept, right_head, right_label, right)))


def universal(label: str) -> str:
    """The label without the subtype of its treebank: ``acl`` of ``acl:relcl``."""
    return label.split(":", 1)[0]


def is_punctuation(form: str, tag: str) -> bool:
    """The universal tag says PUNCT; without a tag, every character of the form is punctuation."""
    if tag != "_":
        return tag == "PUNCT"
    return all(unicodedata.category(c).startswith("P") for c in form)


def score_sentence(
    gold: ConlluSentence,
    parsed: ConlluSentence,
    *,
    punctuation: bool = True,
    subtypes: bool = False,
) -> ParseScores:
    """Scores of one sentence.

    Args:
        gold, parsed: the same words with heads.
        punctuation: score punctuation too (what the gold tags say it is).
        subtypes: compare whole labels, not their universal part.

    Raises:
        ValueError: other words, or no heads.
    """
    if gold.heads is None or parsed.heads is None:
        raise ValueError("expected two sentences with heads, found one without")
    forms = gold.forms
    if forms != parsed.forms:
        raise ValueError(_first_difference(forms, parsed.forms))
    keep = None
    if not punctuation:
        keep = [not is_punctuation(*word) for word in zip(forms, gold.column("UPOS"))]
    texts = (gold.labels, parsed.labels)
    first, second = (x if subtypes else [universal(label) for label in x] for x in texts)
    return score_arcs(gold.heads, first, parsed.heads, second, keep)


def _first_difference(gold: Sequence[str], parsed: Sequence[str]) -> str:
    pairs = enumerate(zip_longest(gold, parsed), start=1)
    place, (a, b) = next((i, pair) for i, pair in pairs if pair[0] != pair[1])
    nothing = "the end of the sentence"
    expected, found = (nothing if word is None else repr(word) for word in (a, b))
    return f"not the gold words: expected {expected} as word {place}, found {found}"


def score_files(
    gold: PathLike,
    parsed: PathLike,
    *,
    punctuation: bool = True,
    subtypes: bool = False,
    multi_root: bool = False,
) -> ParseScores:
    """Scores of a parsed file against the gold one, both of any size.

    Args:
        gold, parsed: CoNLL-U with the same sentences in the same order.
        punctuation, subtypes: see `score_sentence`.
        multi_root: trees may have several roots.

    Raises:
        InputError: another number of sentences, other words (with the line of the sentence in
            the parsed file), or what `read_conllu` raises.
    """
    total = ParseScores()
    for right, tree in _pairs(gold, parsed, multi_root):
        try:
            one = score_sentence(right, tree, punctuation=punctuation, subtypes=subtypes)
        except ValueError as e:
            raise InputError(parsed, str(e), tree.number) from None
        total = total.plus(one)
    return total


def _pairs(
    gold: PathLike, parsed: PathLike, multi_root: bool
) -> Iterator[tuple[ConlluSentence, ConlluSentence]]:
    streams = (read_conllu(path, multi_root=multi_root) for path in (gold, parsed))
    for count, (a, b) in enumerate(zip_longest(*streams)):
        if a is None or b is None:
            path, longer = (gold, parsed) if a is None else (parsed, gold)
            raise InputError(path, f"only {count} sentences, fewer than in {longer}")
        yield a, b
