"""How much of the toy language can be known from its training text: the plug-in perplexity.

The true grammar is kept, and only the weights of the words are estimated:

    q(w) = (count(w) + delta) / sum_v (count(v) + delta)     v: same family, same inflection
    P(w | topic t) = q(w) (1 - bond + bond [left_w = t] / sum_{v: left_v = t} q(v))

A model that had to learn nothing but word frequencies would reach about this perplexity.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from dynotes.corpora.toy_language import ToyLanguage
from dynotes.corpora.toy_lexicon import NO_TOPIC, Entry


class PlugIn:
    """Word weights estimated from a text.

    Args:
        language: the truth.
        sentences: the training text.
        delta: added to every count.
    """

    def __init__(
        self, language: ToyLanguage, sentences: Iterable[Sequence[str]], delta: float = 0.5
    ):
        self._language = language
        counts = Counter(word for words in sentences for word in words)
        mates: dict[tuple, list[Entry]] = defaultdict(list)
        for entry in language.lexicon.entries.values():
            mates[entry.cell.family, entry.cell.inflection].append(entry)
        self._q: dict[str, float] = {}
        self._mass: dict[tuple, float] = defaultdict(float)  # of a left topic among the mates
        for key, entries in mates.items():
            total = sum(counts[e.form] + delta for e in entries)
            for e in entries:
                self._q[e.form] = (counts[e.form] + delta) / total
                left = language.lexicon.families[key[0]].left[e.rank]
                self._mass[key, left] += self._q[e.form]

    def perplexity(self, sentences: Sequence[Sequence[str]]) -> float:
        """exp(-sum log P / sum (length + 1)) of the estimate; every sentence in the language."""
        total = math.fsum(self.log_prob(words) for words in sentences)
        return math.exp(-total / sum(len(words) + 1 for words in sentences))

    def log_prob(self, words: Sequence[str]) -> float:
        """log of the estimated P(words, <eos>) in nats; words of the language."""
        sentence = self._language.parse(words)
        if sentence is None:
            raise ValueError(f"words: expected a sentence of the language, found {words!r}")
        entries = (self._language.lexicon.entries[word] for word in words)
        return sentence.log_prob + math.fsum(map(self._correction, entries, sentence.contexts))

    def _correction(self, entry: Entry, topic: int) -> float:
        """log (estimated / true probability) of a word that is drawn by ``topic``."""
        lexicon, cell = self._language.lexicon, entry.cell
        left = lexicon.families[cell.family].left
        if len(left) == 1:
            return 0.0
        bond = lexicon.sizes.bond if topic in left and topic != NO_TOPIC else 0.0
        matched = bond / self._mass[(cell.family, cell.inflection), topic] if bond else 0.0
        factor = 1 - bond + (matched if left[entry.rank] == topic else 0.0)
        return math.log(
            self._q[entry.form] * factor / lexicon.weights(cell.family, topic)[entry.rank]
        )
