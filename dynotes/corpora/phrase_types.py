"""The grammatical type of a phrase, such as ADJ-NOUN, from a list or from a tagged text.

    list, a phrase a line       strong <tab> tea <tab> Adj-N
    CoNLL-U, a word a line      type(a, b) = tag(a)-tag(b),    tag(w) the most frequent UPOS of w

Note: Topic: Embeddings / Tensor Indexing Model by Y. Zhao & Zhiyuan Liu (T64)
Paper: Zhao, Liu & Sun 2015, AAAI: parameters of a composition belong to a type of phrase
"""

from __future__ import annotations

from collections import Counter, defaultdict

from dynotes.corpora.errors import InputError, PathLike
from dynotes.corpora.lines import read_lines

OTHER = "other"  # of a phrase that nobody gave a type
CONLLU_COLUMNS = 10


class PhraseTypes:
    """Types by pair of words, or by their tags.

    Args:
        pairs: the type of (first, second).
        tags: the tag of a word; of two tagged words that are no known pair the type is "A-B".
    """

    def __init__(self, pairs: dict[tuple[str, str], str], tags: dict[str, str]) -> None:
        self.pairs, self.tags = pairs, tags

    def of(self, first: str, second: str) -> str:
        """The type of a phrase; OTHER if it is not known."""
        known = self.pairs.get((first, second))
        if known is not None:
            return known
        if first in self.tags and second in self.tags:
            return f"{self.tags[first]}-{self.tags[second]}"
        return OTHER


def read_phrase_types(path: PathLike, *, lower: bool = False) -> PhraseTypes:
    """Read a list of typed phrases, or a tagged text in CoNLL-U; the columns tell which.

    Args:
        path: plain or gzip; blank lines and lines that begin with # are passed over.
        lower: words in lower case, as the text that the phrases come from.

    Raises:
        InputError: unreadable, nothing in it, or a line of other columns than the first; with its
            number.
    """
    pairs: dict[tuple[str, str], str] = {}
    tags: defaultdict[str, Counter[str]] = defaultdict(Counter)
    columns = 0
    for number, line in read_lines(path):
        if not line.strip() or line.startswith("#"):
            continue
        parts = line.split("\t")
        columns = columns or len(parts)
        if len(parts) != columns or columns not in (3, CONLLU_COLUMNS) or not all(parts):
            expected = "first, second and type, or the 10 columns of CoNLL-U, with tabs between"
            raise InputError(path, f"expected {expected}, found {line[:60]!r}", number)
        if columns == 3:
            first, second, kind = (part.strip() for part in parts)
            if lower:
                first, second = first.lower(), second.lower()
            pairs[first, second] = kind
        elif parts[0].isdigit():  # neither the span of a contraction nor an empty node
            tags[parts[1].lower() if lower else parts[1]][parts[3]] += 1
    if not columns:
        raise InputError(path, "no phrase types")
    # of equally frequent tags the first of the alphabet, whatever the order of the text
    best = {w: min(seen, key=lambda tag: (-seen[tag], tag)) for w, seen in tags.items()}
    return PhraseTypes(pairs, best)


def pooled(kinds: list[str], least: int) -> list[str]:
    """The types with those that fewer than ``least`` phrases have replaced by OTHER."""
    often = Counter(kinds)
    return [kind if often[kind] >= least else OTHER for kind in kinds]
