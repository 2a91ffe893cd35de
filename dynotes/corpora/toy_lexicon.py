"""The words of the toy language: families of stems, regular endings, Zipfian weights.

A family is a list of stems that the grammar treats alike, e.g. the transitive verbs that want a
person as object.  A stem of rank r (from 0) has weight z_r ~ (r + 1)^-zipf.  Two topic numbers tie
a word to its neighbours: the word before prefers stems whose ``left`` topic is its own ``right``
topic,

    P(r | context t) = z_r (1 - bond + bond [left_r = t] / sum_{left_s = t} z_s)

which sums to 1, and to z_r over contexts that are as frequent as the topics themselves.  A cell is
what a reader sees of a word besides its stem: family, right topic, inflection.  No two cells share
a form, so a text determines its cells.

Note: none (the embedded default corpus of the scripts)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate, product
from typing import NamedTuple

import numpy as np

NO_TOPIC = -1
GENDERS, NUMBERS, CASES, TENSES = ("Masc", "Fem"), ("Sing", "Plur"), ("Nom", "Acc"), ("Pres", "Past")
CONSONANTS, VOWELS = "bdfgklmnprstvz", "aeiou"
GENDER_ENDINGS, NUMBER_ENDINGS, CASE_ENDINGS = ("o", "a"), ("", "r"), ("", "em")
VERB_ENDINGS = (("is", "im"), ("us", "um"))  # [tense][number]


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
    """Stems by falling weight; ``left`` and ``right`` are their topics."""

    weights: tuple[float, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]


class Emission(NamedTuple):
    """P(form | cell, context): forms, probabilities, cumulated probabilities."""

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
    """All word types of a toy language, made from a seed.

    Args:
        sizes: a ``ToySizes``.
        seed: draws the stems; nothing else depends on it.
    """

    def __init__(self, sizes, seed: int):
        self.sizes = sizes
        self.entries: dict[str, Entry] = {}
        self.families: dict[tuple, Family] = {}
        self._cells: dict[Cell, list[tuple[int, str]]] = {}
        self._emissions: dict[tuple[Cell, int], Emission] = {}
        self._factors: dict[tuple[tuple, int], list[float]] = {}
        self._rng = np.random.Generator(np.random.PCG64(seed))
        self._stems: set[str] = set()
        self._add_function_words()
        self._add_nouns()
        self._add_adjectives()
        self._add_verbs()
        self._add_adverbs()

    def emission(self, cell: Cell, context: int = NO_TOPIC) -> Emission:
        """P(form | cell, context)."""
        key = (cell, context)
        if key not in self._emissions:
            weights = self._weights(cell.family, context)
            ranked = self._cells[cell]
            forms = tuple(form for _, form in ranked)
            probs = normalised([weights[rank] for rank, _ in ranked])
            self._emissions[key] = Emission(forms, dict(zip(forms, probs)), tuple(accumulate(probs)))
        return self._emissions[key]

    def topics(self, family: tuple, context: int = NO_TOPIC) -> list[tuple[int, float]]:
        """(right topic, its probability in this context), topics without stems left out."""
        right, weights = self.families[family].right, self._weights(family, context)
        return [
            (topic, math.fsum(w for w, own in zip(weights, right) if own == topic))
            for topic in sorted(set(right))
        ]

    def _weights(self, family: tuple, context: int) -> list[float]:
        key = (family, context)
        if key not in self._factors:
            z, left, _ = self.families[family]
            mass = math.fsum(w for w, own in zip(z, left) if own == context)
            bond = self.sizes.bond if mass > 0 else 0.0
            self._factors[key] = [
                w * (1 - bond + (bond / mass if bond and own == context else 0.0))
                for w, own in zip(z, left)
            ]
        return self._factors[key]

    def _add_family(self, family: tuple, count: int, *, left: bool, right: bool) -> None:
        ranks, n = range(count), self.sizes.n_topics
        self.families[family] = Family(
            tuple(normalised([(r + 1.0) ** -self.sizes.zipf for r in ranks])),
            tuple(r % n if left else NO_TOPIC for r in ranks),
            # shifted by one every n stems: n * n stems have different (left, right)
            tuple((r + (r // n if left else 0)) % n if right else NO_TOPIC for r in ranks),
        )

    def _add(self, form: str, lemma: str, tag: str, feats: str, cell: Cell, rank: int) -> None:
        self.entries[form] = Entry(form, lemma, tag, feats, cell, rank)
        self._cells.setdefault(cell, []).append((rank, form))

    def _add_word(self, family: tuple, form: str, tag: str, inflection: tuple, **feats: str) -> None:
        """A function word: a family of its own cells, one form each."""
        self.families.setdefault(family, Family((1.0,), (NO_TOPIC,), (NO_TOPIC,)))
        self._add(form, form, tag, features(**feats), Cell(family, NO_TOPIC, inflection), 0)

    def _new_stem(self) -> str:
        """A new CVCVC stem: its five letters keep endings apart, so forms never clash."""
        while True:
            stem = "".join(
                letters[int(self._rng.random() * len(letters))]
                for letters in (CONSONANTS, VOWELS, CONSONANTS, VOWELS, CONSONANTS)
            )
            if stem not in self._stems:
                self._stems.add(stem)
                return stem

    def _add_function_words(self) -> None:
        sizes = self.sizes
        for e in range(sizes.n_evidentials):
            self._add_word(("OPEN",), "h" + VOWELS[e], "PART", (e,))
            self._add_word(("CLOSE",), "z" + VOWELS[e], "PART", (e,))
        self._add_word(("THAT",), "dat", "SCONJ", ())
        for p in range(sizes.n_prepositions):
            self._add_word(("P",), CONSONANTS[p] + "in", "ADP", (p,))
        for g, n in product((0, 1), (0, 1)):
            end = GENDER_ENDINGS[g] + NUMBER_ENDINGS[n]
            agree = {"Gender": GENDERS[g], "Number": NUMBERS[n]}
            for d, (letter, name) in enumerate((("l", "Def"), ("m", "Ind"))):
                self._add_word(("DET",), letter + end, "DET", (d, g, n), Definite=name,
                               PronType="Art", **agree)
            for k in (0, 1):
                case = {"Case": CASES[k], "PronType": "Prs", **agree}
                self._add_word(("PRON",), "y" + end + CASE_ENDINGS[k], "PRON", (g, n, k), **case)
        for name, letters, n, k in product(("REL", "LATE"), ("ke",), (0, 1), (0, 1)):
            form = {"REL": "ke", "LATE": "ve"}[name] + NUMBER_ENDINGS[n] + CASE_ENDINGS[k]
            self._add_word((name,), form, "PRON", (n, k), PronType="Rel", Case=CASES[k], Number=NUMBERS[n])

    def _add_nouns(self) -> None:
        sizes = self.sizes
        for c in range(sizes.n_classes):
            paired = c < sizes.n_paired
            count = sizes.n_paired_nouns if paired else sizes.n_nouns
            shared = [self._new_stem() for _ in range(count)]
            for g in (0, 1):
                stems = shared if paired or g == 0 else [self._new_stem() for _ in range(count)]
                self._add_family(("N", c, g), count, left=True, right=True)
                for rank, stem in enumerate(stems):
                    self._inflect_noun(("N", c, g), rank, stem, stem + GENDER_ENDINGS[g])

    def _inflect_noun(self, family: tuple, rank: int, stem: str, lemma: str) -> None:
        g = family[2]
        for n in (0, 1):
            form = stem + GENDER_ENDINGS[g] + NUMBER_ENDINGS[n]
            feats = features(Gender=GENDERS[g], Number=NUMBERS[n])
            cell = Cell(family, self.families[family].right[rank], (n,))
            self._add(form, lemma, "NOUN", feats, cell, rank)

    def _add_adjectives(self) -> None:
        for a in range(self.sizes.n_classes):
            self._add_family(("A", a), self.sizes.n_adjectives, left=False, right=True)
            for rank in range(self.sizes.n_adjectives):
                stem = self._new_stem() + "il"
                for g, n in product((0, 1), (0, 1)):
                    form = stem + GENDER_ENDINGS[g] + NUMBER_ENDINGS[n]
                    feats = features(Gender=GENDERS[g], Number=NUMBERS[n])
                    cell = Cell(("A", a), self.families[("A", a)].right[rank], (g, n))
                    self._add(form, stem + "o", "ADJ", feats, cell, rank)

    def _add_verbs(self) -> None:
        sizes = self.sizes
        plan = [(("VT", j), sizes.n_transitive) for j in range(sizes.n_classes)]
        plan += [(("VI", j), sizes.n_intransitive) for j in range(sizes.n_classes)]
        for family, count in [*plan, (("VS", 0), sizes.n_saying)]:
            self._add_family(family, count, left=True, right=False)
            for rank in range(count):
                stem = self._new_stem()
                for t, n in product((0, 1), (0, 1)):
                    feats = features(Number=NUMBERS[n], Tense=TENSES[t], VerbForm="Fin")
                    cell = Cell(family, NO_TOPIC, (t, n))
                    self._add(stem + VERB_ENDINGS[t][n], stem + "is", "VERB", feats, cell, rank)

    def _add_adverbs(self) -> None:
        sizes = self.sizes
        plan = [(("TIME", t), sizes.n_time, {"Tense": TENSES[t]}) for t in (0, 1)]
        for family, count, feats in [*plan, (("MANNER",), sizes.n_manner, {})]:
            self._add_family(family, count, left=False, right=False)
            for rank in range(count):
                form = self._new_stem() + "ey"
                self._add(form, form, "ADV", features(**feats), Cell(family, NO_TOPIC, ()), rank)
