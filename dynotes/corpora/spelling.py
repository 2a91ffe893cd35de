"""Words as sequences of characters.

Note: Topic: Embeddings / C2W (character to word) by W. Ling et al (T63)
Paper: Ling et al. 2015, arXiv:1508.02096
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from dynotes.corpora.errors import whole_number
from dynotes.corpora.vocabulary import Vocabulary

UNKNOWN = "<unk>"  # stands for every character that the table lacks


class Spelling(NamedTuple):
    """The characters of some words, one word after another.

    characters: (n,) ids.
    lengths: (u,), how many of them each word has.
    """

    characters: np.ndarray
    lengths: np.ndarray

    def of(self, rows: np.ndarray) -> Spelling:
        """The spelling of some of the words, in the order of ``rows``."""
        lengths = self.lengths[rows]
        starts = (np.cumsum(self.lengths) - self.lengths)[rows]
        before = np.cumsum(lengths) - lengths
        places = np.arange(int(lengths.sum())) + np.repeat(starts - before, lengths)
        return Spelling(self.characters[places], lengths)


def character_table(words: Iterable[str], *, min_count: int = 1) -> Vocabulary:
    """The characters of different words, the most frequent one first, and an unknown one.

    Args:
        words: each counts once, however often it occurs in the text.
        min_count: characters of fewer words are the unknown one, which learns from them.

    Raises:
        ValueError: no word.
    """
    whole_number("min_count", min_count)
    counts = Counter(character for word in words for character in word)
    if not counts:
        raise ValueError("no words to take characters from")
    return Vocabulary.build(counts, min_count=min_count, unk=UNKNOWN, eos=None)


def spell(words: Sequence[str], characters: Vocabulary) -> Spelling:
    """The ids of the characters of words.

    Args:
        words: not empty, none of them the empty one.
        characters: from `character_table`.

    Raises:
        ValueError: no word, or an empty one.
    """
    lengths = np.array([len(word) for word in words], np.int64)
    if not lengths.size or not lengths.all():
        raise ValueError("words: expected at least one, and none of them empty")
    return Spelling(characters.encode([c for word in words for c in word]), lengths)
