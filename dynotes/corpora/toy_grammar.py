"""The rules of the toy language: a probabilistic grammar that is read from left to right.

    sentence  -> open_e subject predicate [late relative clause] close_e
    subject, object -> pronoun | article [adjective] noun [relative clause]
    predicate -> verb [adverb] [prepositional phrase] [object | that clause]
    relative  -> relative pronoun (predicate | subject verb [adverb] [prepositional phrase])

Every choice shows in the very next word (the grammar is LL(1)), so a sentence has one derivation
at most.  What later words depend on is kept in the name of the nonterminal, a tuple: evidential e,
class c (gender) and number n of the subject, topics, depth.  Depth counts clauses in clauses up to
``max_depth``, so no nonterminal is its own descendant and every expectation is a finite sum.

The evidential particle governs the tense of every verb and must be echoed at the end; verbs agree
in number with a subject that a relative clause may separate from them; a late relative clause
stands behind the verb, which its arc crosses.

Topics go from word to word along the tree: from an adjective to its noun, from a subject to its
verb and to the verb of a relative clause that it is the subject of, from a verb to its adverb and
to the adjective or noun of its object and of its prepositional phrase.  So the stem of a word shows
in its company apart from its inflection: articles agree in number only, adjectives in gender only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Union

from dynotes.corpora.toy_lexicon import NO_TOPIC, Cell, Lexicon, ToySizes, normalised

MAIN, EMBEDDED, GAP = "main", "embedded", "gap"  # GAP: a relative clause on its object
CASE = {"subj": 0, "obj": 1, "obl": 2}
LABEL = {"subj": "nsubj", "obj": "obj", "obl": "obl"}


class Word(NamedTuple):
    """A terminal: a form of ``cell``, governed by the topic ``context``.

    Words of a clause know each other by name: ``head`` is the name of the head, ``name`` the own
    one if anything depends on it.  The verb has no ``label``: it hangs where its clause does.
    """

    cell: Cell
    context: int
    head: str
    label: str
    name: str


class Clause(NamedTuple):
    """A nonterminal that opens a clause; its verb depends on ``anchor`` of the outer clause."""

    symbol: tuple
    anchor: str
    label: str


Symbol = Union[Word, Clause, tuple]
Choice = tuple[float, Sequence[Symbol]]


class Rule(NamedTuple):
    """P(rule | nonterminal) and what the nonterminal is rewritten to."""

    probability: float
    symbols: tuple[Symbol, ...]


def prefer(n: int, favourite: int, bond: float) -> list[float]:
    """``bond`` for the favourite (modulo n), the rest shared equally by the n - 1 others."""
    if n == 1:
        return [1.0]
    return [bond if i == favourite % n else (1 - bond) / (n - 1) for i in range(n)]


def fixed(name: str, inflection: tuple, head: str, label: str) -> Word:
    """A function word: its cell has one form."""
    return Word(Cell((name,), NO_TOPIC, inflection), NO_TOPIC, head, label, "")


class ToyGrammar:
    """``rules(nonterminal)``; the sentence is ``START``.

    The method ``_x(a, b)`` yields (probability, symbols) for the nonterminal ("x", a, b).
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
        n = self.sizes.n_evidentials
        for e in range(n):
            opening, closing = (fixed(x, (e,), "verb", "discourse") for x in ("OPEN", "CLOSE"))
            subject = ("nominal", ("subj", MAIN, e, 0, 0), 0, NO_TOPIC)
            yield 1 / n, (opening, subject, closing)

    def _nominal(self, slot: tuple, selector: int, topic: int) -> Iterator[Choice]:
        """What a class is selected by and the topic of the governing word.

        slot: (role, kind of clause, evidential, depth, class of the clause's object if GAP).
        """
        s, role = self.sizes, slot[0]
        for n, p in enumerate((1 - s.p_plural, s.p_plural)):
            for c, p_class in enumerate(self._classes(role, selector)):
                cell = Cell(("PRON",), NO_TOPIC, (c, n, CASE[role]))
                pronoun = Word(cell, NO_TOPIC, "verb", LABEL[role], role)
                verb = self._verb_of(slot, c, n, NO_TOPIC)
                yield p * p_class * s.p_pronoun, (pronoun, *verb)
            article = fixed("DET", (n, CASE[role]), role, "det")
            yield p * (1 - s.p_pronoun), (article, ("phrase", slot, n, selector, topic))

    def _phrase(self, slot: tuple, n: int, selector: int, topic: int) -> Iterator[Choice]:
        """What stands behind an article: its next word shows the class."""
        p = self.sizes.p_adjective
        for c, p_class in enumerate(self._classes(slot[0], selector)):
            for p_noun, symbols in self._noun(slot, c, n, topic):
                yield (1 - p) * p_class * p_noun, symbols
            for own, p_topic in self.lexicon.topics(("A",), topic):
                adjective = Word(Cell(("A",), own, (c,)), topic, slot[0], "amod", "")
                yield p * p_class * p_topic, (adjective, ("noun", slot, c, n, own))

    def _noun(self, slot: tuple, c: int, n: int, topic: int) -> Iterator[Choice]:
        """A noun and what follows it: its relative clause; after a subject, the verb."""
        role = slot[0]
        for own, p in self.lexicon.topics(("N", c), topic):
            noun = Word(Cell(("N", c), own, (n,)), topic, "verb", LABEL[role], role)
            yield p, (noun, ("after", slot, c, n, own))

    def _after(self, slot: tuple, c: int, n: int, topic: int) -> Iterator[Choice]:
        role, kind, e, depth, _ = slot
        nested = role != "obl" and depth < self.sizes.max_depth
        p = self.sizes.p_relative if nested else 0.0
        relative = Clause(("relative", "REL", e, depth + 1, c, n, topic), role, "acl:relcl")
        verb = self._verb_of(slot, c, n, topic)
        late = [("late", e, c, n, topic)] if role == "subj" and kind == MAIN and nested else []
        yield p, [relative, *verb]
        yield 1 - p, [*verb, *late]

    def _verb_of(self, slot: tuple, c: int, n: int, topic: int) -> list[Symbol]:
        """The verb of a subject; nothing for other nominals."""
        return [("verb", *slot[1:], c, n, topic)] if slot[0] == "subj" else []

    def _relative(
        self, marker: str, e: int, depth: int, c: int, n: int, topic: int
    ) -> Iterator[Choice]:
        as_subject, as_object = (
            fixed(marker, (n, k), "verb", label) for k, label in enumerate(("nsubj", "obj"))
        )
        p = self.sizes.p_gap_object
        yield 1 - p, (as_subject, ("verb", EMBEDDED, e, depth, 0, c, n, topic))
        yield p, (as_object, ("nominal", ("subj", GAP, e, depth, c), 0, NO_TOPIC))

    def _late(self, e: int, c: int, n: int, topic: int) -> Iterator[Choice]:
        p = self.sizes.p_late
        yield p, [Clause(("relative", "LATE", e, 1, c, n, topic), "subj", "acl:relcl")]
        yield 1 - p, []

    def _verb(
        self, kind: str, e: int, depth: int, gap: int, c: int, n: int, topic: int
    ) -> Iterator[Choice]:
        """Verb and all behind it; gap: class of the object that the clause hangs on, if GAP."""
        families = self._gap_families(c, gap) if kind == GAP else self._families(c, depth)
        for tense, p_tense in enumerate((1 - self.sizes.p_past[e], self.sizes.p_past[e])):
            for family, p_family in families:
                for own, p_topic in self.lexicon.topics(family, topic):
                    verb = Word(Cell(family, own, (tense, n)), topic, "", "", "verb")
                    rest: list[Symbol] = [("adverb", tense, own), ("adjunct", family[1], own)]
                    if family[0] == "VT" and kind != GAP:
                        slot = ("obj", EMBEDDED, e, depth, 0)
                        rest.append(("nominal", slot, family[1], own))
                    if family[0] == "VS":
                        rest.append(Clause(("content", e, depth + 1), "verb", "ccomp"))
                    yield p_tense * p_family * p_topic, (verb, *rest)

    def _content(self, e: int, depth: int) -> Iterator[Choice]:
        that = fixed("THAT", (), "verb", "mark")
        yield 1.0, (that, ("nominal", ("subj", EMBEDDED, e, depth, 0), 0, NO_TOPIC))

    def _adverb(self, tense: int, topic: int) -> Iterator[Choice]:
        p, p_time = self.sizes.p_adverb, self.sizes.p_time
        time, manner = (Cell(family, NO_TOPIC, ()) for family in (("TIME", tense), ("MANNER",)))
        yield p * p_time, [Word(time, NO_TOPIC, "verb", "advmod", "")]
        yield p * (1 - p_time), [Word(manner, topic, "verb", "advmod", "")]
        yield 1 - p, []

    def _adjunct(self, selector: int, topic: int) -> Iterator[Choice]:
        p = self.sizes.p_adjunct
        liked = prefer(self.sizes.n_prepositions, selector, self.sizes.class_bond)
        for i, p_preposition in enumerate(liked):
            preposition = fixed("ADP", (i,), "obl", "case")
            phrase = ("nominal", ("obl", EMBEDDED, 0, 0, 0), i, topic)
            yield p * p_preposition, (preposition, phrase)
        yield 1 - p, []

    def _classes(self, role: str, selector: int) -> list[float]:
        """P(class): a subject is mostly a person; verbs and prepositions select."""
        n = self.sizes.n_classes
        if role == "subj":
            return normalised([1 / (c + 1) for c in range(n)])
        return prefer(n, selector, self.sizes.class_bond)

    def _families(self, c: int, depth: int) -> list[tuple[tuple[str, int], float]]:
        """(verb family, probability) for a subject of class c."""
        s = self.sizes
        saying = s.p_saying if c < 2 and depth < s.max_depth else 0.0
        transitive = prefer(s.n_classes, c + 1, s.subject_bond)
        return [
            (("VS", 0), saying),
            (("VI", 0), (1 - saying) * (1 - s.p_transitive)),
            *((("VT", j), (1 - saying) * s.p_transitive * p) for j, p in enumerate(transitive)),
        ]

    def _gap_families(self, c: int, c_object: int) -> list[tuple[tuple[str, int], float]]:
        """P(verb class j | classes of subject and object) ~ P(j | subject) P(object | j)."""
        s, n = self.sizes, self.sizes.n_classes
        wanted = [prefer(n, j, s.class_bond)[c_object] for j in range(n)]
        liked = prefer(n, c + 1, s.subject_bond)
        posterior = normalised([p * q for p, q in zip(liked, wanted)])
        return [(("VT", j), p) for j, p in enumerate(posterior)]
