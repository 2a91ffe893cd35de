"""The toy language: sentences whose exact probability, tree and entropy are known.

    log P(sentence) = sum over the rules of its one derivation of log P(rule | nonterminal)
                      + sum over its words of log P(word | cell, context)
    H(sentence)     = h(sentence),  h(A) = sum_r P(r | A) (-log P(r | A) + sum_{B in r} h(B))

The closing particle ends every sentence, so <eos> after it is certain: with one <eos> a sentence as
a token, the lowest reachable perplexity is exp(H / E[length + 1]) on average and
exp(-sum log P / sum (length + 1)) on a given text.

Note: none (the embedded default corpus of the scripts)
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Optional

import numpy as np

from dynotes.corpora.toy_grammar import Clause, Rule, ToyGrammar, Word
from dynotes.corpora.toy_lexicon import NO_TOPIC, Cell, Emission, Lexicon, ToySizes


class Sentence(NamedTuple):
    """A sentence and all that is true of it; heads count from 1, 0 is the root."""

    words: tuple[str, ...]
    lemmas: tuple[str, ...]
    tags: tuple[str, ...]
    features: tuple[str, ...]
    heads: tuple[int, ...]
    labels: tuple[str, ...]
    token_log_probs: tuple[float, ...]
    log_prob: float


class _Frame(NamedTuple):
    """A clause in the making: positions of its named words, and where it hangs."""

    outer: dict[str, int]
    anchor: str
    label: str
    positions: dict[str, int]


class _NotInLanguage(Exception):
    """The reader found a word that no derivation has here."""


class _Speaker:
    """Draws rules and words."""

    def __init__(self, rng: np.random.Generator):
        self._rng = rng

    def rule(self, symbol: tuple, rules: Sequence[Rule]) -> Rule:
        u, total = self._rng.random(), 0.0
        for rule in rules:
            total += rule.probability
            if u < total:
                return rule
        return rules[-1]

    def word(self, cell: Cell, emission: Emission) -> str:
        if len(emission.forms) == 1:
            return emission.forms[0]
        index = bisect_right(emission.cumulated, self._rng.random())
        return emission.forms[min(index, len(emission.forms) - 1)]


class _Reader:
    """Follows given words: the cell of the next word names the rule."""

    def __init__(self, language: ToyLanguage, words: Sequence[str]):
        self._language, self._words, self._next = language, words, 0

    def _cell(self) -> Optional[Cell]:
        if self._next == len(self._words):
            return None
        entry = self._language.lexicon.entries.get(self._words[self._next])
        return entry.cell if entry else None

    def rule(self, symbol: tuple, rules: Sequence[Rule]) -> Rule:
        table = self._language.predictions(symbol)
        rule = table.get(self._cell(), table.get(None))
        if rule is None:
            raise _NotInLanguage
        return rule

    def word(self, cell: Cell, emission: Emission) -> str:
        if self._cell() != cell:
            raise _NotInLanguage
        self._next += 1
        return self._words[self._next - 1]

    @property
    def done(self) -> bool:
        return self._next == len(self._words)


class ToyLanguage:
    def __init__(self, seed: int = 1, sizes: ToySizes = ToySizes()):
        self.sizes = sizes
        self.lexicon = Lexicon(sizes, seed)
        self.grammar = ToyGrammar(sizes, self.lexicon)
        self._first = {}
        self._predictions = {}

    def sample(self, rng):
        return self._walk(_Speaker(rng))

    def parse(self, words):
        reader = _Reader(self, words)
        try:
            s = self._walk(reader)
        except _NotInLanguage:
            return None
        return s if reader.done else None

    def log_prob(self, words):
        s = self.parse(words)
        return -math.inf if s is None else s.log_prob

    def _walk(self, source):
        tokens = []
        terms = []
        per_token = []
        pending = 0.0
        stack = [(self.grammar.START, None)]
        while stack:
            symbol, frame = stack.pop()
            if isinstance(symbol, Word):
                emission = self.lexicon.emission(symbol.cell, symbol.context)
                form = source.word(symbol.cell, emission)
                pending += math.log(emission.probabilities[form])
                per_token.append(pending); pending = 0.0
                tokens.append((form, symbol, frame))
                if symbol.name:
                    frame.positions[symbol.name] = len(tokens)
                continue
            if isinstance(symbol, Clause):
                frame = _Frame(frame.positions if frame else {"": 0}, symbol.anchor, symbol.label, {})
                symbol = symbol.symbol
            rule = source.rule(symbol, self.grammar.rules(symbol))
            pending += math.log(rule.probability)
            stack.extend((s, frame) for s in reversed(rule.symbols))
        per_token.append(pending)
        heads, labels = [], []
        for form, w, frame in tokens:
            if w.label:
                heads.append(frame.positions[w.head]); labels.append(w.label)
            else:
                heads.append(frame.outer[frame.anchor]); labels.append(frame.label)
        es = [self.lexicon.entries[t[0]] for t in tokens]
        return Sentence(tuple(e.form for e in es), tuple(e.lemma for e in es), tuple(e.tag for e in es), tuple(e.features for e in es), tuple(heads), tuple(labels), tuple(per_token), math.fsum(per_token))

    def first(self, symbol):
        if isinstance(symbol, Word): return frozenset([symbol.cell])
        if isinstance(symbol, Clause): symbol = symbol.symbol
        if symbol not in self._first:
            cells = set()
            for rule in self.grammar.rules(symbol):
                for s in rule.symbols:
                    f = self.first(s)
                    cells |= f - {None}
                    if None not in f: break
                else: cells.add(None)
            self._first[symbol] = frozenset(cells)
        return self._first[symbol]

    def predictions(self, symbol):
        if symbol not in self._predictions:
            table = {}
            for rule in self.grammar.rules(symbol):
                for s in rule.symbols:
                    f = self.first(s)
                    for c in f - {None}:
                        assert c not in table
                        table[c] = rule
                    if None not in f: break
                else:
                    assert None not in table
                    table[None] = rule
            self._predictions[symbol] = table
        return self._predictions[symbol]

    def expect(self, of_rule, of_word):
        memo = {}
        def value(symbol):
            if isinstance(symbol, Clause): symbol = symbol.symbol
            if symbol not in memo:
                if isinstance(symbol, Word):
                    memo[symbol] = of_word(symbol)
                else:
                    memo[symbol] = math.fsum(r.probability * (of_rule(symbol, r) + sum(value(s) for s in r.symbols)) for r in self.grammar.rules(symbol))
            return memo[symbol]
        v = value(self.grammar.START)
        self.n_states = len(memo)
        return v

    def entropy(self):
        def h(w):
            return -math.fsum(p*math.log(p) for p in self.lexicon.emission(w.cell, w.context).probabilities.values())
        return self.expect(lambda s, r: -math.log(r.probability), h)
    def length(self):
        return self.expect(lambda s, r: 0.0, lambda w: 1.0)
    def nonproj(self):
        return self.expect(lambda s, r: 1.0 if s[0]=="late" and r.symbols else 0.0, lambda w: 0.0)
