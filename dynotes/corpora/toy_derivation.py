"""Derivations of the toy language: drawn, or found back from the words.

A derivation is leftmost: it replaces the first open nonterminal by a rule, and a source names the
rules and the words.  ``Speaker`` draws them; ``Reader`` takes them from a given text, where the
next word alone decides (the grammar is LL(1)).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple, Optional, Union

import numpy as np

from dynotes.corpora.toy_grammar import Clause, Rule, Symbol, ToyGrammar, Word
from dynotes.corpora.toy_lexicon import Cell, Emission


class Sentence(NamedTuple):
    """A sentence and all that is true of it.

    ``heads`` count words from 1, the root has head 0.  ``token_log_probs[t]`` is
    log P(word t | words before it) in nats, with log P(<eos> | all words) = 0 as the last.
    ``contexts`` are the topics that the words were drawn by, NO_TOPIC if by none.
    """

    words: tuple[str, ...]
    lemmas: tuple[str, ...]
    tags: tuple[str, ...]
    features: tuple[str, ...]
    heads: tuple[int, ...]
    labels: tuple[str, ...]
    contexts: tuple[int, ...]
    token_log_probs: tuple[float, ...]

    @property
    def log_prob(self) -> float:
        """log P(sentence) in nats."""
        return math.fsum(self.token_log_probs)


class _Frame(NamedTuple):
    """A clause in the making: the positions of its named words, and where its verb hangs."""

    positions: dict[str, int]
    outer: dict[str, int]
    anchor: str
    label: str


class NotInLanguage(Exception):
    """No derivation has this word here."""


class Speaker:
    """Draws rules and words by inverting their cumulated probabilities."""

    def __init__(self, rng: np.random.Generator):
        self._rng = rng

    def rule(self, symbol: tuple, rules: Sequence[Rule]) -> Rule:
        if len(rules) == 1:
            return rules[0]
        u, total = self._rng.random(), 0.0
        for rule in rules:
            total += rule.probability
            if u < total:
                return rule
        return rules[-1]

    def form(self, cell: Cell, emission: Emission) -> str:
        if len(emission.forms) == 1:
            return emission.forms[0]
        index = bisect_right(emission.cumulated, self._rng.random())
        return emission.forms[min(index, len(emission.forms) - 1)]


class Predictions:
    """Which rule the next cell calls for; computed once a nonterminal, for all texts."""

    def __init__(self, grammar: ToyGrammar):
        self._grammar = grammar
        self._first: dict[tuple, frozenset[Optional[Cell]]] = {}
        self._tables: dict[tuple, dict[Optional[Cell], Rule]] = {}

    def table(self, symbol: tuple) -> dict[Optional[Cell], Rule]:
        """The rule of a nonterminal by the next cell; None: the empty rule, if there is one."""
        if symbol not in self._tables:
            rules = self._grammar.rules(symbol)
            self._tables[symbol] = {c: r for r in rules for c in self._first_of(r.symbols)}
        return self._tables[symbol]

    def _first_of(self, symbols: Sequence[Symbol]) -> frozenset[Optional[Cell]]:
        """Cells that what the symbols derive can begin with; None: it can be empty."""
        cells: frozenset[Optional[Cell]] = frozenset([None])
        for symbol in symbols:
            if None not in cells:
                break
            cells = (cells - {None}) | self._first_cells(symbol)
        return cells

    def _first_cells(self, symbol: Symbol) -> frozenset[Optional[Cell]]:
        if isinstance(symbol, Word):
            return frozenset([symbol.cell])
        key = symbol.symbol if isinstance(symbol, Clause) else symbol
        if key not in self._first:
            rules = self._grammar.rules(key)
            self._first[key] = frozenset(c for r in rules for c in self._first_of(r.symbols))
        return self._first[key]


class Reader:
    """Follows given words."""

    def __init__(self, grammar: ToyGrammar, predictions: Predictions, words: Sequence[str]):
        self._entries = grammar.lexicon.entries
        self._predictions = predictions
        self._words = words
        self._position = 0

    def _next_cell(self) -> Optional[Cell]:
        """Cell of the next word; None for an unknown word and at the end, as for an empty rule."""
        if self._position == len(self._words):
            return None
        entry = self._entries.get(self._words[self._position])
        return entry.cell if entry else None

    def rule(self, symbol: tuple, rules: Sequence[Rule]) -> Rule:
        table = self._predictions.table(symbol)
        rule = table.get(self._next_cell(), table.get(None))
        if rule is None:
            raise NotInLanguage
        return rule

    def form(self, cell: Cell, emission: Emission) -> str:
        if self._next_cell() != cell:
            raise NotInLanguage
        self._position += 1
        return self._words[self._position - 1]

    def at_end(self) -> bool:
        return self._position == len(self._words)


def derive(grammar: ToyGrammar, source: Union[Speaker, Reader]) -> Sentence:
    """The sentence whose rules and forms the source names.

    Raises:
        NotInLanguage: the words of a Reader have no derivation.
    """
    tokens: list[tuple[str, Word, _Frame]] = []
    log_probs, pending = [], 0.0  # of choices that the next word shows
    top = _Frame({"": 0}, {}, "", "")
    stack: list[tuple[Symbol, _Frame]] = [(grammar.START, top)]
    while stack:
        symbol, frame = stack.pop()
        if isinstance(symbol, Word):
            emission = grammar.lexicon.emission(symbol.cell, symbol.context)
            form = source.form(symbol.cell, emission)
            log_probs.append(pending + math.log(emission.probabilities[form]))
            pending = 0.0
            tokens.append((form, symbol, frame))
            if symbol.name:
                frame.positions[symbol.name] = len(tokens)
            continue
        if isinstance(symbol, Clause):
            frame = _Frame({}, frame.positions, symbol.anchor, symbol.label)
            symbol = symbol.symbol
        rule = source.rule(symbol, grammar.rules(symbol))
        pending += math.log(rule.probability)
        stack.extend((child, frame) for child in reversed(rule.symbols))
    return _sentence(grammar, tokens, [*log_probs, pending])


def _sentence(
    grammar: ToyGrammar, tokens: Sequence[tuple[str, Word, _Frame]], log_probs: Sequence[float]
) -> Sentence:
    """Look up every head by its name, now that all positions are known."""
    entries = [grammar.lexicon.entries[form] for form, _, _ in tokens]
    arcs = [
        (frame.positions[word.head], word.label)
        if word.label
        else (frame.outer[frame.anchor], frame.label)
        for _, word, frame in tokens
    ]
    return Sentence(
        tuple(e.form for e in entries),
        tuple(e.lemma for e in entries),
        tuple(e.tag for e in entries),
        tuple(e.features for e in entries),
        tuple(head for head, _ in arcs),
        tuple(label for _, label in arcs),
        tuple(word.context for _, word, _ in tokens),
        tuple(log_probs),
    )
