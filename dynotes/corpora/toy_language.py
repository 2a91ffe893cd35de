"""The toy language: sentences whose probability, tree and entropy are known exactly.

    log P(words) = sum over the rules of their one derivation of log P(rule | nonterminal)
                   + sum over the words of log P(word | cell, context)
    H(sentence)  = h(START),  h(A) = sum_r P(r | A) (-log P(r | A) + sum_{B in r} h(B))

An <eos> behind the closing particle is certain.  Each sentence counted with its <eos> as a token,
the lowest perplexity that a model can reach is exp(H / E[length + 1]) on average over texts, and
the truth has exp(-sum log P / sum (length + 1)) on a given one.

Note: none (the default corpus of the scripts)
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Optional, Union

import numpy as np

from dynotes.corpora.errors import InputError, PathLike
from dynotes.corpora.lines import read_lines
from dynotes.corpora.toy_grammar import Clause, Rule, Symbol, ToyGrammar, Word
from dynotes.corpora.toy_lexicon import Cell, Emission, Lexicon, ToySizes

SEED = 1


class Sentence(NamedTuple):
    """A sentence and all that is true of it.

    ``heads`` count words from 1, the root has head 0.  ``token_log_probs[t]`` is
    log P(word t | words before it) in nats, with log P(<eos> | all words) = 0 as the last.
    """

    words: tuple[str, ...]
    lemmas: tuple[str, ...]
    tags: tuple[str, ...]
    features: tuple[str, ...]
    heads: tuple[int, ...]
    labels: tuple[str, ...]
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


class _NotInLanguage(Exception):
    """No derivation has this word here."""


class _Speaker:
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


class _Reader:
    """Follows given words: the cell of the next word names the rule."""

    def __init__(self, language: ToyLanguage, words: Sequence[str]):
        self._language = language
        self._words = words
        self._position = 0

    def _next_cell(self) -> Optional[Cell]:
        """Cell of the next word; None at the end and for an unknown word, as for an empty rule."""
        if self._position == len(self._words):
            return None
        entry = self._language.lexicon.entries.get(self._words[self._position])
        return entry.cell if entry else None

    def rule(self, symbol: tuple, rules: Sequence[Rule]) -> Rule:
        table = self._language.predictions(symbol)
        rule = table.get(self._next_cell(), table.get(None))
        if rule is None:
            raise _NotInLanguage
        return rule

    def form(self, cell: Cell, emission: Emission) -> str:
        if self._next_cell() != cell:
            raise _NotInLanguage
        self._position += 1
        return self._words[self._position - 1]

    def at_end(self) -> bool:
        return self._position == len(self._words)


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
        self._first: dict[tuple, frozenset[Optional[Cell]]] = {}
        self._predictions: dict[tuple, dict[Optional[Cell], Rule]] = {}

    @property
    def vocabulary(self) -> list[str]:
        """All word types, sorted; <eos> is none of them."""
        return sorted(self.lexicon.entries)

    def sample(self, rng: np.random.Generator) -> Sentence:
        """A sentence drawn from the language; ``rng.random()`` is all that is used of rng."""
        return self._derive(_Speaker(rng))

    def parse(self, words: Sequence[str]) -> Optional[Sentence]:
        """The one reading of the words: tree and probability; None outside the language."""
        reader = _Reader(self, words)
        try:
            sentence = self._derive(reader)
        except _NotInLanguage:
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

        return self._expected(lambda _, rule: -math.log(rule.probability), of_word)

    def expected_length(self) -> float:
        """E[number of words of a sentence], <eos> not counted, in closed form."""
        return self._expected(lambda *_: 0.0, lambda _: 1.0)

    def expected_perplexity(self) -> float:
        """exp(H / E[length + 1]): the lowest perplexity reachable on a long text."""
        return math.exp(self.entropy() / (self.expected_length() + 1))

    def nonprojective_share(self) -> float:
        """P(a sentence has crossing arcs), in closed form: it has a late relative clause."""
        return self._expected(
            lambda symbol, rule: float(symbol[0] == "late" and bool(rule.symbols)), lambda _: 0.0
        )

    def _expected(
        self, of_rule: Callable[[tuple, Rule], float], of_word: Callable[[Word], float]
    ) -> float:
        """E[sum of of_rule over the rules used and of of_word over the words]."""
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

        return value(self.grammar.START)

    def predictions(self, symbol: tuple) -> dict[Optional[Cell], Rule]:
        """The rule of a nonterminal that each next cell calls for; None: the empty rule, if any."""
        if symbol not in self._predictions:
            rules = self.grammar.rules(symbol)
            self._predictions[symbol] = {c: r for r in rules for c in self._first_of(r.symbols)}
        return self._predictions[symbol]

    def _first_of(self, symbols: Sequence[Symbol]) -> frozenset[Optional[Cell]]:
        """Cells that a word sequence derived from the symbols can begin with; None: it is empty."""
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
            rules = self.grammar.rules(key)
            self._first[key] = frozenset().union(*(self._first_of(r.symbols) for r in rules))
        return self._first[key]

    def _derive(self, source: Union[_Speaker, _Reader]) -> Sentence:
        """Leftmost derivation with the rules and forms that the source names."""
        tokens: list[tuple[str, Word, _Frame]] = []
        log_probs, pending = [], 0.0  # of choices that the next word shows
        top = _Frame({"": 0}, {}, "", "")
        stack: list[tuple[Symbol, _Frame]] = [(self.grammar.START, top)]
        while stack:
            symbol, frame = stack.pop()
            if isinstance(symbol, Word):
                emission = self.lexicon.emission(symbol.cell, symbol.context)
                form = source.form(symbol.cell, emission)
                log_probs.append(pending + math.log(emission.probabilities[form]))
                pending = 0.0
                tokens.append((form, symbol, frame))
                frame.positions[symbol.name] = len(tokens)
                continue
            if isinstance(symbol, Clause):
                frame = _Frame({}, frame.positions, symbol.anchor, symbol.label)
                symbol = symbol.symbol
            rule = source.rule(symbol, self.grammar.rules(symbol))
            pending += math.log(rule.probability)
            stack.extend((child, frame) for child in reversed(rule.symbols))
        return self._sentence(tokens, [*log_probs, pending])

    def _sentence(
        self, tokens: Sequence[tuple[str, Word, _Frame]], log_probs: Sequence[float]
    ) -> Sentence:
        """Look up every head by its name, now that all positions are known."""
        entries = [self.lexicon.entries[form] for form, _, _ in tokens]
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
            tuple(log_probs),
        )


def read_toy_text(path: PathLike) -> Iterator[list[str]]:
    """Sentences of a text file, a line each."""
    for _, line in read_lines(path):
        yield line.split()


def toy_optimum(path: PathLike) -> float:
    """Lowest reachable perplexity on a text of the bundled language, an <eos> a line counted.

    Raises:
        InputError: unreadable or empty file, or a line that is no sentence of the language.
    """
    language, sentences = ToyLanguage(), []
    for number, line in read_lines(path):
        sentences.append(line.split())
        if language.log_prob(sentences[-1]) == -math.inf:
            raise InputError(path, f"no sentence of the toy language: {line[:60]!r}", number)
    if not sentences:
        raise InputError(path, "no sentence")
    return language.optimum_perplexity(sentences)


def toy_dir(folder: Optional[PathLike] = None) -> Path:
    """The folder of the toy data: ``data/toy`` of a checkout, else ``folder``, made if need be.

    Raises:
        InputError: no checkout around the package, and no folder named.
    """
    bundled = Path(__file__).resolve().parents[2] / "data" / "toy"
    if (bundled / "SHA256SUMS").is_file():
        return bundled
    if folder is None:
        hint = "make them with: python -m dynotes.corpora.make_toy --out FOLDER"
        raise InputError(bundled, f"the toy data are not here ({hint})")
    if not (Path(folder) / "SHA256SUMS").is_file():
        from dynotes.corpora.make_toy import write_toy  # which imports this module

        write_toy(folder)
    return Path(folder)
