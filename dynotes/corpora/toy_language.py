"""The toy language: sentences whose probability, tree and entropy are known exactly.

    log P(words) = sum over the rules of their one derivation of log P(rule | nonterminal)
                   + sum over the words of log P(word | cell, context)
    H(sentence)  = h(START),  h(A) = sum_r P(r | A) (-log P(r | A) + sum_{B in r} h(B))

An <eos> behind the closing particle is certain.  Each sentence counted with its <eos> as a token,
the lowest perplexity that a model can reach is exp(H / E[length + 1]) on average over texts, and
the truth has exp(-sum log P / sum (length + 1)) on a given one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Optional

import numpy as np

from dynotes.corpora.toy_derivation import (
    NotInLanguage,
    Predictions,
    Reader,
    Sentence,
    Speaker,
    derive,
)
from dynotes.corpora.toy_grammar import Clause, Rule, Symbol, ToyGrammar, Word
from dynotes.corpora.toy_lexicon import Lexicon, ToySizes

SEED = 1


class ToyLanguage:
    """An invented language with a known truth.

    Args:
        seed: draws the stems, that is how the words look; the grammar does not depend on it.
        sizes: numbers of stems and probabilities of choices.
    """

    def __init__(self, seed: int = SEED, sizes: Optional[ToySizes] = None):
        self.sizes = sizes or ToySizes()
        self.lexicon = Lexicon(self.sizes, seed)
        self.grammar = ToyGrammar(self.sizes, self.lexicon)
        self._predictions = Predictions(self.grammar)
        self._expectations: dict[str, float] = {}

    @property
    def vocabulary(self) -> list[str]:
        """All word types, sorted; <eos> is none of them."""
        return sorted(self.lexicon.entries)

    def sample(self, rng: np.random.Generator) -> Sentence:
        """A sentence drawn from the language; ``rng.random()`` is all that is used of rng."""
        return derive(self.grammar, Speaker(rng))

    def parse(self, words: Sequence[str]) -> Optional[Sentence]:
        """The one reading of the words: tree and probability; None outside the language."""
        reader = Reader(self.grammar, self._predictions, words)
        try:
            sentence = derive(self.grammar, reader)
        except NotInLanguage:
            return None
        return sentence if reader.at_end() else None

    def log_prob(self, words: Sequence[str]) -> float:
        """log P(words, <eos>) in nats, found by parsing; -inf outside the language."""
        sentence = self.parse(words)
        return -math.inf if sentence is None else sentence.log_prob

    def optimum_perplexity(self, sentences: Iterable[Sequence[str]]) -> float:
        """Perplexity of the truth on a text, exp(-sum log P / sum (length + 1)).

        Raises:
            ValueError: no sentence.
        """
        log_prob, tokens = 0.0, 0
        for words in sentences:
            log_prob += self.log_prob(words)
            tokens += len(words) + 1
        if tokens == 0:
            raise ValueError("sentences: expected at least one, found none")
        return math.exp(-log_prob / tokens)

    def entropy(self) -> float:
        """H(sentence) in nats, in closed form."""

        def of_word(word: Word) -> float:
            p = self.lexicon.emission(word.cell, word.context).probabilities.values()
            return -math.fsum(x * math.log(x) for x in p)

        return self._expected("entropy", lambda _, rule: -math.log(rule.probability), of_word)

    def expected_length(self) -> float:
        """E[number of words of a sentence], <eos> not counted, in closed form."""
        return self._expected("length", lambda *_: 0.0, lambda _: 1.0)

    def expected_perplexity(self) -> float:
        """exp(H / E[length + 1]): the lowest perplexity reachable on a long text."""
        return math.exp(self.entropy() / (self.expected_length() + 1))

    def nonprojective_share(self) -> float:
        """P(a sentence has crossing arcs), in closed form: it has a late relative clause."""
        return self._expected(
            "crossing",
            lambda symbol, rule: float(symbol[0] == "late" and bool(rule.symbols)),
            lambda _: 0.0,
        )

    def _expected(
        self, name: str, of_rule: Callable[[tuple, Rule], float], of_word: Callable[[Word], float]
    ) -> float:
        """E[sum of of_rule over the rules used and of of_word over the words]; once a name."""
        known: dict[tuple, float] = {}

        def value(symbol: Symbol) -> float:
            key = symbol.symbol if isinstance(symbol, Clause) else symbol
            if key not in known:
                known[key] = (
                    of_word(key)
                    if isinstance(key, Word)
                    else math.fsum(
                        r.probability * (of_rule(key, r) + math.fsum(map(value, r.symbols)))
                        for r in self.grammar.rules(key)
                    )
                )
            return known[key]

        if name not in self._expectations:
            self._expectations[name] = value(self.grammar.START)
        return self._expectations[name]
