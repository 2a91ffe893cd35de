"""Word relations of the toy language that are known from its making: analogies, similarities.

An analogy a : b :: c : d pairs two stems in the same two inflections.  It is asked only if the
grammar gives none of its words the distribution of another one: each is alone in its cell (of
content words that is the core of a family, see ``toy_lexicon``), and its inflection shows in other
words (so no objects among the pronouns: nothing agrees with their number).  The similarity of two
different content words is

    0                                                     if their parts of speech differ, else
    2 + 3 [same family] + 2 [same topic] + 3 (share of equal features)

where the family is the semantic class (of a verb: what it selects), the topic is the one that ties
the word to its neighbours, and features are gender, number and tense (1 if there are none).  These
are the four things by which the grammar chooses the company of a word: its place, the classes that
it selects or that select it, the stems drawn by its topic, and the forms that agree with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import permutations

from dynotes.corpora.toy_lexicon import Entry, Lexicon

MIN_COUNT = 20
PAIRS_A_SECTION = 14
PAIRS_A_SCORE = 30
CONTENT = ("NOUN", "ADJ", "VERB", "ADV")

SUBJECT = "Case=Nom|Number="

# section: (tag, features of the first word, features of the second one)
SECTIONS: Mapping[str, tuple[str, str, str]] = {
    "noun-singular-plural": ("NOUN", "Number=Sing", "Number=Plur"),
    "noun-masculine-feminine": ("NOUN", "Gender=Masc", "Gender=Fem"),
    "pronoun-singular-plural": (
        "PRON",
        SUBJECT + "Sing|PronType=Prs",
        SUBJECT + "Plur|PronType=Prs",
    ),
    "adjective-masculine-feminine": ("ADJ", "Gender=Masc", "Gender=Fem"),
    "adjective-masculine-neuter": ("ADJ", "Gender=Masc", "Gender=Neut"),
    "verb-present-past": ("VERB", "Tense=Pres", "Tense=Past"),
    "verb-singular-plural": ("VERB", "Number=Sing", "Number=Plur"),
}


def analogies(
    lexicon: Lexicon, counts: Mapping[str, int]
) -> dict[str, list[tuple[str, str, str, str]]]:
    """section -> questions (a, b, c, d), from the most frequent pairs of the training text.

    Args:
        lexicon: all words.
        counts: how often each was seen; both words of a pair at least MIN_COUNT times.
    """
    found = {}
    for section, (tag, first, second) in SECTIONS.items():
        pairs = [
            pair
            for pair in inflected_pairs(lexicon, tag, first, second)
            if all(_alone(lexicon, word) for word in pair)
        ]
        rarer = {pair: min(counts.get(word, 0) for word in pair) for pair in pairs}
        best = sorted((p for p in pairs if rarer[p] >= MIN_COUNT), key=lambda p: (-rarer[p], p))
        found[section] = [a + b for a, b in permutations(best[:PAIRS_A_SECTION], 2)]
    return found


def inflected_pairs(lexicon: Lexicon, tag: str, first: str, second: str) -> list[tuple[str, str]]:
    """Pairs of forms of one stem whose features differ in nothing but first -> second."""
    old, new = set(first.split("|")), set(second.split("|"))
    entries = [e for e in lexicon.entries.values() if e.tag == tag]
    forms = {(_stem(e), frozenset(e.features.split("|"))): e.form for e in entries}
    pairs = []
    for entry in entries:
        feats = frozenset(entry.features.split("|"))
        mate = forms.get((_stem(entry), feats - old | new))
        if old <= feats and mate:
            pairs.append((entry.form, mate))
    return pairs


def _alone(lexicon: Lexicon, word: str) -> bool:
    """No other word has its family, topic and inflection."""
    return lexicon.emission(lexicon.entries[word].cell).forms == (word,)


def _stem(entry: Entry) -> str:
    """What all forms share; the nouns of the two genders of persons differ in their lemma."""
    return entry.lemma[:-1] if entry.tag == "NOUN" else entry.lemma


def similarity(lexicon: Lexicon, a: str, b: str) -> float:
    """Gold similarity of two different words in [0, 10], see the head of this file."""
    x, y = lexicon.entries[a], lexicon.entries[b]
    if x.tag != y.tag:
        return 0.0
    same_topic = _topic(lexicon, x) == _topic(lexicon, y)
    same_family = x.cell.family == y.cell.family
    pairs = [
        (u, v)
        for u, v in zip(x.features.split("|"), y.features.split("|"))
        if not u.startswith("VerbForm")
    ]
    share = sum(u == v for u, v in pairs) / len(pairs)
    return 2.0 + 3.0 * same_family + 2.0 * same_topic + 3.0 * share


def _topic(lexicon: Lexicon, entry: Entry) -> int:
    """The topic of a word, whether it receives one (noun, adverb) or gives it (adjective, verb)."""
    family = lexicon.families[entry.cell.family]
    return max(family.left[entry.rank], family.right[entry.rank])


def rated_pairs(
    lexicon: Lexicon, counts: Mapping[str, int], uniform: Callable[[], float]
) -> list[tuple[str, str, float]]:
    """(word, word, similarity) of frequent content words, at most PAIRS_A_SCORE a rounded score.

    Args:
        lexicon: all words.
        counts: how often each was seen in training.
        uniform: draws a number in [0, 1).
    """
    words = sorted(
        w for w, e in lexicon.entries.items() if e.tag in CONTENT and counts.get(w, 0) >= MIN_COUNT
    )
    taken: dict[tuple[str, str], float] = {}
    filled: dict[int, int] = {}
    for _ in range(40_000):
        a, b = sorted(words[int(uniform() * len(words))] for _ in range(2))
        score = similarity(lexicon, a, b)
        level = int(score)
        if a != b and (a, b) not in taken and filled.get(level, 0) < PAIRS_A_SCORE:
            taken[a, b] = score
            filled[level] = filled.get(level, 0) + 1
    return [(a, b, score) for (a, b), score in sorted(taken.items(), key=lambda x: (-x[1], x[0]))]
