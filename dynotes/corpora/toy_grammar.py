"""The rules of the toy language: a probabilistic grammar that is read from left to right.

Every choice of the grammar shows in the very next word (the grammar is LL(1)), so a sentence has
one derivation at most.  Whatever a later word depends on (number, gender, semantic class, topic) is
kept in the nonterminal, whose name is a tuple; nesting counts up to ``max_depth``, so that
no nonterminal is its own descendant and every expectation is a finite sum.

    sentence -> open_e clause close_e                        (e is remembered over all the clause)
    clause   -> subject predicate [late relative clause]     (extraposed: crosses the verb)
    subject, object -> pronoun | article [adjective] noun [relative clause]
    predicate -> verb [adverb] [preposition phrase] [object | that clause]

Note: none (the embedded default corpus of the scripts)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple, Union

from dynotes.corpora.toy_lexicon import NO_TOPIC, Cell, Lexicon, normalised

NO_CLASS = -1
MAIN, EMBEDDED, GAP = "main", "embedded", "gap"  # GAP: relative clause on its object
CASE = {"subj": 0, "obj": 1, "obl": 1}
LABEL = {"subj": "nsubj", "obj": "obj", "obl": "obl"}


@dataclass(frozen=True)
class ToySizes:
    """Numbers of stems and probabilities of choices; a choice of probability 0 is no rule."""

    n_classes: int = 5
    n_paired: int = 2  # classes whose nouns inflect for gender
    n_topics: int = 7
    n_paired_nouns: int = 40
    n_nouns: int = 24  # stems of a gender
    n_adjectives: int = 14  # a class
    n_transitive: int = 20  # a class
    n_intransitive: int = 14  # a class
    n_saying: int = 12
    n_time: int = 20  # a tense
    n_manner: int = 30
    n_prepositions: int = 6
    n_evidentials: int = 2
    max_depth: int = 2
    zipf: float = 1.2
    bond: float = 0.6
    p_definite: float = 0.6
    p_feminine: float = 0.45
    p_plural: float = 0.35
    p_pronoun: float = 0.2
    p_adjective: float = 0.35
    p_adverb: float = 0.25
    p_adjunct: float = 0.2
    p_relative: float = 0.15
    p_late: float = 0.12
    p_gap_object: float = 0.4
    p_saying: float = 0.25
    p_transitive: float = 0.6
    p_time: float = 0.5  # of the adverbs
    class_bond: float = 0.8
    adjective_bond: float = 6.0
    p_past: tuple[float, ...] = (0.9, 0.15)  # by evidential


class Word(NamedTuple):
    """A terminal: a form of ``cell``, in the topic ``context`` of the word before.

    ``sets`` names the word within its clause, ``head`` is the name of its head; head "" is the
    anchor of the clause, with the clause's own label.
    """

    cell: Cell
    context: int
    head: str
    label: str
    sets: str


class Clause(NamedTuple):
    """A nonterminal that opens a clause; its verb depends on ``anchor`` of the outer clause."""

    symbol: tuple
    anchor: str
    label: str


Symbol = Union[Word, Clause, tuple]


class Rule(NamedTuple):
    """P(rule | nonterminal) and what it is rewritten to."""

    probability: float
    symbols: tuple[Symbol, ...]


Choice = tuple[float, Sequence[Symbol]]


def prefer(n: int, favourite: int, bond: float) -> list[float]:
    """``bond`` for the favourite, the rest shared equally by the n - 1 others."""
    if n == 1:
        return [1.0]
    return [bond if i == favourite % n else (1 - bond) / (n - 1) for i in range(n)]


def fixed(name: str, inflection: tuple, head: str, label: str) -> Word:
    """A function word: its cell has one form."""
    return Word(Cell((name,), NO_TOPIC, inflection), NO_TOPIC, head, label, "")


class ToyGrammar:
    """``rules(nonterminal)`` of the language; ``START`` is the sentence.

    The method ``_x(a, b)`` yields the (probability, symbols) of the nonterminal ("x", a, b).
    """

    START = Clause(("sentence",), "", "root")

    def __init__(self, sizes: ToySizes, lexicon: Lexicon):
        self.sizes, self.lexicon = sizes, lexicon
        self._rules: dict[tuple, tuple[Rule, ...]] = {}

    def rules(self, symbol: tuple) -> tuple[Rule, ...]:
        """The rules of a nonterminal; their probabilities sum to 1."""
        if symbol not in self._rules:
            choices = getattr(self, "_" + symbol[0])(*symbol[1:])
            self._rules[symbol] = tuple(Rule(p, tuple(right)) for p, right in choices if p > 0)
        return self._rules[symbol]

    def _sentence(self) -> Iterator[Choice]:
        for e in range(self.sizes.n_evidentials):
            opening = fixed("OPEN", (e,), "verb", "discourse")
            closing = fixed("CLOSE", (e,), "verb", "discourse")
            clause = ("nominal", ("subj", (MAIN, e), 0))
            yield 1 / self.sizes.n_evidentials, (opening, clause, closing)

    def _nominal(self, slot: tuple) -> Iterator[Choice]:
        """slot: ("subj", kind of clause, depth), ("obj", verb class, depth) or ("obl", adp)."""
        s, (role, kind, depth) = self.sizes, slot
        p_pronoun = 0.0 if role == "obl" else s.p_pronoun
        for g, n in product((0, 1), (0, 1)):
            p = (1 - s.p_feminine, s.p_feminine)[g] * (1 - s.p_plural, s.p_plural)[n]
            pronoun = Word(Cell(("PRON",), NO_TOPIC, (g, n, CASE[role])), NO_TOPIC, "verb",
                           LABEL[role], role)
            after = [("predicate", kind, depth, g, n, 0, NO_TOPIC, False)] if role == "subj" else []
            yield p * p_pronoun, [pronoun, *after]
            for d, p_article in enumerate((s.p_definite, 1 - s.p_definite)):
                article = fixed("DET", (d, g, n), role, "det")
                yield p * (1 - p_pronoun) * p_article, (article, ("bar", slot, g, n))

    def _bar(self, slot: tuple, g: int, n: int) -> Iterator[Choice]:
        yield 1 - self.sizes.p_adjective, [("noun", slot, g, n, NO_CLASS, NO_TOPIC)]
        for a, p_class in enumerate(self._classes(slot, NO_CLASS)):
            for topic, p_topic in self.lexicon.topics(("A", a)):
                adjective = Word(Cell(("A", a), topic, (g, n)), NO_TOPIC, slot[0], "amod", "")
                p = self.sizes.p_adjective * p_class * p_topic
                yield p, (adjective, ("noun", slot, g, n, a, topic))

    def _noun(self, slot: tuple, g: int, n: int, a: int, context: int) -> Iterator[Choice]:
        for c, p in enumerate(self._classes(slot, a)):
            yield p, [("stem", slot, g, n, c, context)]

    def _stem(self, slot: tuple, g: int, n: int, c: int, context: int) -> Iterator[Choice]:
        family, role = ("N", c, g), slot[0]
        for topic, p in self.lexicon.topics(family, context):
            cell = Cell(family, topic, (n,))
            noun = Word(cell, context, "verb", LABEL[role], role)
            yield p, [noun, ("after", slot, g, n, c, topic)]

    def _after(self, slot: tuple, *noun: int) -> Iterator[Choice]:
        """What follows a noun (gender, number, class, topic): a relative clause, the predicate."""
        role, kind, depth = slot
        nested = role != "obl" and depth < self.sizes.max_depth
        p = self.sizes.p_relative if nested else 0.0
        relative = Clause(("relative", "REL", kind[0 if role == "obj" else 1], depth + 1, *noun), role, "acl:relcl")
        if role == "subj":
            yield p, [relative, ("predicate", kind, depth, *noun, False)]
            yield 1 - p, [("predicate", kind, depth, *noun, nested and kind[0] == MAIN)]
        else:
            yield p, [relative]
            yield 1 - p, []

    def _relative(self, marker: str, e: int, depth: int, g: int, n: int, c: int, topic: int):
        p_object = self.sizes.p_gap_object
        subject, thing = (fixed(marker, (n, k), "verb", ("nsubj", "obj")[k]) for k in (0, 1))
        yield 1 - p_object, (subject, ("verb", (EMBEDDED, e), depth, n, c, topic))
        yield p_object, (thing, ("nominal", ("subj", (GAP, e, c), depth)))

    def _late(self, e: int, *noun: int) -> Iterator[Choice]:
        yield self.sizes.p_late, [Clause(("relative", "LATE", e, 1, *noun), "subj", "acl:relcl")]
        yield 1 - self.sizes.p_late, []

    def _predicate(self, kind: tuple, depth: int, g: int, n: int, c: int, topic: int, open_: bool):
        late = [("late", kind[1], g, n, c, topic)] if open_ else []
        yield 1.0, [("verb", kind, depth, n, c, topic), *late]

    def _verb(self, kind: tuple, depth: int, n: int, c: int, topic: int) -> Iterator[Choice]:
        past = self.sizes.p_past[kind[1]]
        for tense, p_tense in enumerate((1 - past, past)):
            for family, p in self._verb_families(kind, c, depth):
                right: list[Symbol] = [Word(Cell(family, NO_TOPIC, (tense, n)), topic, "", "", "verb"),
                                       ("adverb", tense), ("adjunct",)]
                if family[0] == "VT" and kind[0] != GAP:
                    right.append(("nominal", ("obj", (kind[1], family[1]), depth)))
                if family[0] == "VS":
                    right.append(Clause(("content", kind[1], depth + 1), "verb", "ccomp"))
                yield p_tense * p, right

    def _content(self, e: int, depth: int) -> Iterator[Choice]:
        that = fixed("THAT", (), "verb", "mark")
        yield 1.0, [that, ("nominal", ("subj", (EMBEDDED, e), depth))]

    def _adverb(self, tense: int) -> Iterator[Choice]:
        p, p_time = self.sizes.p_adverb, self.sizes.p_time
        yield p * p_time, [Word(Cell(("TIME", tense), NO_TOPIC, ()), NO_TOPIC, "verb", "advmod", "")]
        yield p * (1 - p_time), [Word(Cell(("MANNER",), NO_TOPIC, ()), NO_TOPIC, "verb", "advmod", "")]
        yield 1 - p, []

    def _adjunct(self) -> Iterator[Choice]:
        p, n = self.sizes.p_adjunct, self.sizes.n_prepositions
        for i in range(n):
            yield p / n, [fixed("P", (i,), "obl", "case"), ("nominal", ("obl", (0, i), 0))]
        yield 1 - p, []

    def _classes(self, slot: tuple, a: int) -> list[float]:
        """P(semantic class of a noun | its slot, class a of its adjective)."""
        n, bond = self.sizes.n_classes, self.sizes.class_bond
        role, selector, _ = slot
        if role == "subj":
            p = normalised([1 / (c + 1) for c in range(n)])
        else:  # selected by the verb's class or by the preposition
            p = prefer(n, selector[1], bond)
        if a == NO_CLASS:
            return p
        return normalised([q * (self.sizes.adjective_bond if c == a else 1.0) for c, q in enumerate(p)])

    def _verb_families(self, kind: tuple, c: int, depth: int) -> list[tuple[tuple, float]]:
        """(family, P(family | class c of the subject))."""
        s = self.sizes
        transitive = prefer(s.n_classes, c + 1, s.class_bond)
        if kind[0] == GAP:  # the class of the object is known: Bayes' rule
            wanted = [self._classes(("obj", (0, j), depth), NO_CLASS)[kind[2]] for j in range(s.n_classes)]
            posterior = normalised([p * q for p, q in zip(transitive, wanted)])
            return [(("VT", j), p) for j, p in enumerate(posterior)]
        saying = s.p_saying if c == 0 and depth < s.max_depth else 0.0
        p_transitive = (1 - saying) * s.p_transitive
        p_intransitive = (1 - saying) * (1 - s.p_transitive)
        return [
            (("VS", 0), saying),
            *((("VT", j), p_transitive * p) for j, p in enumerate(transitive)),
            *((("VI", j), p_intransitive * p)
              for j, p in enumerate(prefer(s.n_classes, c, s.class_bond))),
        ]
