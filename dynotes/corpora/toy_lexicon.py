"""The words of the toy language: families of stems, regular endings, Zipfian weights.

A family is a list of stems that fill the same places, e.g. the verbs that like an animal as
object.  Its frequencies fall as those of large corpora do, with two exponents: the stem of rank r
(from 1) has weight z_r ~ r^-zipf in the core, r <= n_core, and ~ r^-zipf_tail behind it.  Topics
tie a word to one before it, an adjective, noun or verb that hands on its own topic t:

    topic_r  = min(r, n_core + 1)
    P(r | t) = z_r (1 - bond + bond [topic_r = t] / sum_{s: topic_s = t} z_s)

which sums to 1, and is z_r again on average over topics as frequent as sum_{topic_s = t} z_s.
So every stem of the core has a topic of its own, in all its inflections: the company that it keeps
tells it from the rest of its family.  The stems of the tail share one more topic, and nothing but
their weights tells them apart.

A cell is what the grammar knows of a word: family, topic handed on, inflection.  No two cells
share a form, so a text determines its cells.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import accumulate, product
from typing import NamedTuple

import numpy as np

from dynotes.corpora.errors import whole_number

NO_TOPIC = -1
GENDERS = ("Masc", "Fem", "Com", "Neut")  # the semantic classes: a noun's gender is its meaning
NUMBERS, CASES, TENSES = ("Sing", "Plur"), ("Nom", "Acc", "Loc"), ("Pres", "Past")
CONSONANTS, VOWELS = "bdfgklmnprstvz", "aeiou"
GENDER_ENDINGS, NUMBER_ENDINGS, CASE_ENDINGS = "oaeu", ("", "r"), ("", "m", "s")
VERB_ENDINGS = (("is", "in"), ("as", "an"))  # [tense][number]
MOST = {"n_classes": 4, "n_evidentials": 5, "n_prepositions": 14, "max_depth": 20}


@dataclass(frozen=True)
class ToySizes:
    """Numbers of stems, and probabilities of choices; a choice of probability 0 does not exist."""

    n_classes: int = 4  # semantic classes = genders; the first two share their stems
    n_core: int = 8  # stems of a family before the tail, each with a topic of its own
    n_nouns: int = 80  # stems a class
    n_adjectives: int = 80
    n_transitive: int = 32  # stems a class
    n_intransitive: int = 80
    n_saying: int = 16
    n_time: int = 20  # adverbs a tense
    n_manner: int = 40
    n_prepositions: int = 4
    n_evidentials: int = 2
    max_depth: int = 2  # of clauses in clauses
    zipf: float = 1.2  # exponent of the n_core most frequent stems of a family
    zipf_tail: float = 5.0  # exponent of the others
    bond: float = 0.5  # of topics
    class_bond: float = 0.7  # P(the favourite class | verb, adposition; adposition | verb)
    subject_bond: float = 0.5  # P(the favourite verb family | class of the subject)
    p_past: tuple[float, ...] = (0.97, 0.03)  # by evidential
    p_plural: float = 0.35
    p_pronoun: float = 0.2
    p_adjective: float = 0.35
    p_adverb: float = 0.3
    p_time: float = 0.4  # of the adverbs
    p_adjunct: float = 0.2
    p_saying: float = 0.25  # of the verbs of persons
    p_transitive: float = 0.6  # of the other verbs
    p_relative: float = 0.15
    p_gap_object: float = 0.25  # of the relative clauses
    p_late: float = 0.12  # extraposed relative clause of a main subject without another

    def __post_init__(self) -> None:
        for name in (f.name for f in fields(self)):
            value = getattr(self, name)
            if name.startswith("n_") or name == "max_depth":
                whole_number(name, value, int(name != "max_depth"), MOST.get(name, 2000))
            elif name == "p_past":
                if len(value) != self.n_evidentials or not all(0 <= p <= 1 for p in value):
                    raise ValueError(
                        f"p_past: expected {self.n_evidentials} probabilities, found {value}"
                    )
            elif name.startswith("zipf"):
                if not 0 <= value <= 20:
                    raise ValueError(f"{name}: expected 0 to 20, found {value}")
            elif not 0 <= value <= 1 or (name.endswith("bond") and value == 1):
                raise ValueError(f"{name}: expected a probability (a bond < 1), found {value}")


class Cell(NamedTuple):
    """What a word shows besides its stem."""

    family: tuple
    topic: int
    inflection: tuple


class Entry(NamedTuple):
    """One word type."""

    form: str
    lemma: str
    tag: str
    features: str
    cell: Cell
    rank: int


class Family(NamedTuple):
    """Stems by falling weight; the topics that they are drawn by (left) and hand on (right)."""

    weights: tuple[float, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]


class Emission(NamedTuple):
    """P(form | cell, context): forms, probabilities by form, cumulated probabilities."""

    forms: tuple[str, ...]
    probabilities: dict[str, float]
    cumulated: tuple[float, ...]


def normalised(weights: Sequence[float]) -> list[float]:
    """The weights divided by their (exactly rounded) sum."""
    total = math.fsum(weights)
    return [w / total for w in weights]


def features(**values: str) -> str:
    """CoNLL-U FEATS, sorted by name; ``_`` if there are none."""
    return "|".join(f"{name}={values[name]}" for name in sorted(values)) or "_"


class Lexicon:
    """All word types of a toy language.

    Args:
        sizes: how many stems, how steep, how strongly tied.
        seed: draws the letters of the stems; nothing else depends on it.
    """

    def __init__(self, sizes: ToySizes, seed: int):
        self.sizes = sizes
        self.entries: dict[str, Entry] = {}
        self.families: dict[tuple, Family] = {}
        self._cells: dict[Cell, list[tuple[int, str]]] = {}
        self._emissions: dict[tuple[Cell, int], Emission] = {}
        self._weights: dict[tuple[tuple, int], list[float]] = {}
        self._topics: dict[tuple[tuple, int], list[tuple[int, float]]] = {}
        self._rng = np.random.Generator(np.random.PCG64(seed))
        self._stems: set[str] = set()
        self._add_function_words()
        self._add_nouns()
        self._add_adjectives()
        self._add_verbs()
        self._add_adverbs()

    def weights(self, family: tuple, context: int) -> list[float]:
        """P(rank | topic handed on by the governing word), see the head of this file."""
        key = (family, context)
        if key not in self._weights:
            z, left, _ = self.families[family]
            mass = math.fsum(w for w, own in zip(z, left) if own == context)
            bond = self.sizes.bond if mass > 0 else 0.0
            self._weights[key] = [
                w * (1 - bond + (bond / mass if bond and own == context else 0.0))
                for w, own in zip(z, left)
            ]
        return self._weights[key]

    def topics(self, family: tuple, context: int = NO_TOPIC) -> list[tuple[int, float]]:
        """(right topic, its probability in this context)."""
        key = (family, context)
        if key not in self._topics:
            right, weights = self.families[family].right, self.weights(family, context)
            self._topics[key] = [
                (topic, math.fsum(w for w, own in zip(weights, right) if own == topic))
                for topic in sorted(set(right))
            ]
        return self._topics[key]

    def emission(self, cell: Cell, context: int = NO_TOPIC) -> Emission:
        """P(form | cell, context)."""
        key = (cell, context)
        if key not in self._emissions:
            weights, ranked = self.weights(cell.family, context), self._cells[cell]
            forms = tuple(form for _, form in ranked)
            probs = normalised([weights[rank] for rank, _ in ranked])
            self._emissions[key] = Emission(
                forms, dict(zip(forms, probs)), tuple(accumulate(probs))
            )
        return self._emissions[key]

    def _add_family(
        self, family: tuple, count: int, *, left: bool = False, right: bool = False
    ) -> None:
        ranks, n = range(count), self.sizes.n_core
        self.families[family] = Family(
            tuple(normalised([self._zipf(r + 1) for r in ranks])),
            tuple(min(r, n) if left else NO_TOPIC for r in ranks),
            tuple(min(r, n) if right else NO_TOPIC for r in ranks),
        )

    def _zipf(self, rank: int) -> float:
        """rank^-zipf in the core; behind it steeper, and continuous."""
        core = min(rank, self.sizes.n_core)
        return core**-self.sizes.zipf * (rank / core) ** -self.sizes.zipf_tail

    def _new_stem(self) -> str:
        """A new CVCVC stem: equal lengths keep the endings apart, so forms never clash."""
        while True:
            letters = (CONSONANTS, VOWELS, CONSONANTS, VOWELS, CONSONANTS)
            stem = "".join(kind[int(self._rng.random() * len(kind))] for kind in letters)
            if stem not in self._stems:
                self._stems.add(stem)
                return stem

    def _add(
        self, family: tuple, rank: int, inflection: tuple, word: tuple[str, str, str], **feats: str
    ) -> None:
        """Add a word (form, lemma, tag)."""
        cell = Cell(family, self.families[family].right[rank], inflection)
        self.entries[word[0]] = Entry(*word, features(**feats), cell, rank)
        self._cells.setdefault(cell, []).append((rank, word[0]))

    def _add_function_word(
        self, name: str, form: str, tag: str, inflection: tuple = (), lemma: str = "", **feats: str
    ) -> None:
        """A word that is alone in its cell."""
        self.families.setdefault((name,), Family((1.0,), (NO_TOPIC,), (NO_TOPIC,)))
        self._add((name,), 0, inflection, (form, lemma or form, tag), **feats)

    def _add_function_words(self) -> None:
        add = self._add_function_word
        for e in range(self.sizes.n_evidentials):
            add("OPEN", "h" + VOWELS[e], "PART", (e,))
            add("CLOSE", "z" + VOWELS[e], "PART", (e,))
        add("THAT", "dat", "SCONJ")
        for p in range(self.sizes.n_prepositions):
            add("ADP", CONSONANTS[p] + "i", "ADP", (p,))
        for c, n in product(range(self.sizes.n_classes), (0, 1)):
            agree = {"Gender": GENDERS[c], "Number": NUMBERS[n]}
            end = GENDER_ENDINGS[c] + NUMBER_ENDINGS[n]
            for k in range(3):
                agree["Case"] = CASES[k]
                form = "y" + end + CASE_ENDINGS[k]
                add("PRON", form, "PRON", (c, n, k), "yo", PronType="Prs", **agree)
        for n, k in product((0, 1), range(3)):
            agree = {"Case": CASES[k], "Number": NUMBERS[n], "PronType": "Art"}
            add("DET", "le" + NUMBER_ENDINGS[n] + CASE_ENDINGS[k], "DET", (n, k), "le", **agree)
        for n, k in product((0, 1), (0, 1)):
            agree = {"Case": CASES[k], "Number": NUMBERS[n], "PronType": "Rel"}
            for name, letters in (("REL", "ki"), ("LATE", "vi")):
                form = letters + NUMBER_ENDINGS[n] + CASE_ENDINGS[k]
                add(name, form, "PRON", (n, k), letters, **agree)

    def _add_nouns(self) -> None:
        people = [self._new_stem() for _ in range(self.sizes.n_nouns)]
        for c in range(self.sizes.n_classes):
            self._add_family(("N", c), self.sizes.n_nouns, left=True, right=True)
            stems = people if c < 2 else [self._new_stem() for _ in people]
            for (rank, stem), n in product(enumerate(stems), (0, 1)):
                lemma = stem + GENDER_ENDINGS[c]
                word = (lemma + NUMBER_ENDINGS[n], lemma, "NOUN")
                self._add(("N", c), rank, (n,), word, Gender=GENDERS[c], Number=NUMBERS[n])

    def _add_adjectives(self) -> None:
        n_classes, count = self.sizes.n_classes, self.sizes.n_adjectives
        self._add_family(("A",), count, left=True, right=True)
        for rank in range(count):
            stem = self._new_stem() + "il"
            for c in range(n_classes):
                word = (stem + GENDER_ENDINGS[c], stem + GENDER_ENDINGS[0], "ADJ")
                self._add(("A",), rank, (c,), word, Gender=GENDERS[c])

    def _add_verbs(self) -> None:
        s = self.sizes
        counts = {("VT", j): s.n_transitive for j in range(s.n_classes)}
        counts.update({("VI", 0): s.n_intransitive, ("VS", 0): s.n_saying})
        for family, count in counts.items():
            self._add_family(family, count, left=True, right=True)
            for rank in range(count):
                stem = self._new_stem()
                for t, n in product((0, 1), (0, 1)):
                    word = (stem + VERB_ENDINGS[t][n], stem + VERB_ENDINGS[0][0], "VERB")
                    feats = {"Number": NUMBERS[n], "Tense": TENSES[t], "VerbForm": "Fin"}
                    self._add(family, rank, (t, n), word, **feats)

    def _add_adverbs(self) -> None:
        s = self.sizes
        counts = {("TIME", 0): s.n_time, ("TIME", 1): s.n_time, ("MANNER",): s.n_manner}
        for family, count in counts.items():
            self._add_family(family, count, left=family == ("MANNER",))
            for rank in range(count):
                form = self._new_stem() + "ey"
                self._add(family, rank, (), (form, form, "ADV"))
