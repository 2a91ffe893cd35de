"""The toy language against a second writing of it, enumeration, and its own closed forms."""

import math
from collections import Counter

import numpy as np
import pytest

from dynotes.corpora.toy_grammar import Clause, Word
from dynotes.corpora.toy_language import ToyLanguage
from dynotes.corpora.toy_lexicon import ToySizes
from dynotes.corpora.toy_plug_in import PlugIn
from dynotes.corpora.trees import is_projective
from tests.reference.toy_language import Enumeration, ancestors, crossing, ll1_conflicts

ONE_OF_EACH = {
    "n_nouns": 1, "n_adjectives": 1, "n_transitive": 1, "n_intransitive": 1, "n_saying": 1,
    "n_time": 1, "n_manner": 1, "n_prepositions": 1, "n_classes": 1,
}  # fmt: skip
SMALL = {
    "flat": ToySizes(**ONE_OF_EACH, max_depth=0),
    "topics": ToySizes(
        **{**ONE_OF_EACH, "n_classes": 2, "n_nouns": 3, "n_adjectives": 2, "n_manner": 3,
           "n_intransitive": 3}, n_core=2,
        max_depth=0, p_plural=0, p_adjunct=0, p_transitive=0,
    ),
    "topics of objects": ToySizes(
        **{**ONE_OF_EACH, "n_nouns": 3, "n_adjectives": 2, "n_transitive": 2,
           "n_prepositions": 2}, n_core=1,
        n_evidentials=1, p_past=(0.0,), max_depth=0, p_plural=0, p_adverb=0, p_adjunct=0.3,
    ),
    "nested topics": ToySizes(
        **{**ONE_OF_EACH, "n_nouns": 2, "n_transitive": 2, "n_intransitive": 2}, n_core=1,
        n_evidentials=1, p_past=(1.0,), max_depth=1, p_adjective=0, p_adverb=0, p_adjunct=0,
        p_plural=0, p_saying=0,
    ),
    "classes": ToySizes(
        **{**ONE_OF_EACH, "n_classes": 3, "n_prepositions": 2}, max_depth=0, p_plural=0,
        p_adverb=0, p_adjective=0, p_adjunct=0.3,
    ),
    "nested": ToySizes(
        **ONE_OF_EACH, n_evidentials=1, p_past=(0.3,), max_depth=1, p_adjective=0, p_adverb=0,
        p_adjunct=0,
    ),
    "nested classes": ToySizes(
        **{**ONE_OF_EACH, "n_classes": 2}, n_evidentials=1, p_past=(1.0,), max_depth=1,
        p_adjective=0, p_adverb=0, p_adjunct=0, p_plural=0, p_saying=0,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def full():
    return ToyLanguage()


@pytest.fixture(scope="module")
def drawn(full):
    rng = np.random.Generator(np.random.PCG64(7))
    return [full.sample(rng) for _ in range(4000)]


@pytest.fixture(scope="module", params=SMALL)
def small(request):
    """A small language, its reference [(probability, words)], and its readings of these."""
    language = ToyLanguage(sizes=SMALL[request.param])
    listed = Enumeration(language.sizes, language.lexicon.entries).sentences()
    return language, listed, [language.parse(words) for _, words in listed]


# --- the truth -------------------------------------------------------------------------------


def test_small_languages_have_total_probability_one_and_no_string_twice(small):
    _, listed, _ = small
    assert len(listed) > 300
    assert math.fsum(p for p, _ in listed) == pytest.approx(1, abs=1e-12)
    assert len({words for _, words in listed}) == len(listed)


def test_parsed_probability_is_that_of_the_reference(small):
    language, listed, readings = small
    for (p, words), reading in zip(listed, readings):
        assert reading.words == words
        assert reading.log_prob == pytest.approx(math.log(p), abs=1e-9)
    assert math.fsum(math.exp(r.log_prob) for r in readings) == pytest.approx(1, abs=1e-9)
    assert language.log_prob(listed[5][1]) == readings[5].log_prob


def test_closed_forms_are_those_of_the_enumeration(small):
    language, listed, readings = small
    entropy = -math.fsum(p * math.log(p) for p, _ in listed)
    length = math.fsum(p * len(words) for p, words in listed)
    crossed = math.fsum(p for (p, _), r in zip(listed, readings) if crossing(r.heads))
    assert language.entropy() == pytest.approx(entropy, rel=1e-12)
    assert language.expected_length() == pytest.approx(length, rel=1e-12)
    assert language.nonprojective_share() == pytest.approx(crossed, rel=1e-12, abs=1e-15)
    perplexity = math.exp(entropy / (length + 1))
    assert language.expected_perplexity() == pytest.approx(perplexity, rel=1e-12)


def test_token_probabilities_are_the_conditionals_of_the_enumeration(small):
    _, listed, readings = small
    prefixes = Counter()
    for p, words in listed:
        for t in range(len(words) + 1):
            prefixes[words[:t]] += p
    for (p, words), reading in list(zip(listed, readings))[::17]:
        steps = [prefixes[words[: t + 1]] / prefixes[words[:t]] for t in range(len(words))]
        steps.append(p / prefixes[words])  # <eos>
        assert np.allclose(reading.token_log_probs, np.log(steps), atol=1e-9)
        assert math.fsum(np.log(steps)) == pytest.approx(reading.log_prob, abs=1e-9)


def test_changed_strings_are_in_the_language_only_if_listed(small):
    language, listed, _ = small
    known = {words for _, words in listed}
    rng = np.random.default_rng(0)
    vocabulary = language.vocabulary
    refused = 0
    for _ in range(1500):
        words = list(listed[rng.integers(len(listed))][1])
        i, j = rng.integers(len(words), size=2)
        words[i], words[j] = words[j], words[i]
        change = rng.integers(3)
        if change == 0:
            words[i] = vocabulary[rng.integers(len(vocabulary))]
        elif change == 1:
            del words[j]
        assert (language.log_prob(words) > -math.inf) == (tuple(words) in known)
        refused += tuple(words) not in known
    assert refused > 500


def test_full_grammar_is_ll1_so_unambiguous(full):
    grammar = full.grammar
    count, conflicts = ll1_conflicts(
        lambda a: [rule.symbols for rule in grammar.rules(a)],
        grammar.START.symbol,
        lambda x: isinstance(x, Word),
        lambda x: x.cell,
        lambda x: x.symbol if isinstance(x, Clause) else x,
    )
    assert count > 1000
    assert conflicts == []


def test_rules_of_every_nonterminal_sum_to_one(full):
    pending, seen = [full.grammar.START.symbol], set()
    while pending:
        rules = full.grammar.rules(pending.pop())
        assert math.fsum(r.probability for r in rules) == pytest.approx(1, abs=1e-12)
        symbols = {x for r in rules for x in r.symbols if not isinstance(x, Word)}
        symbols = {x.symbol if isinstance(x, Clause) else x for x in symbols} - seen
        seen |= symbols
        pending += symbols


def test_words_behind_a_topic_keep_their_zipf_weights_on_average(full):
    lexicon = full.lexicon
    for family in (("N", 0), ("N", 3), ("MANNER",)):
        z, left, _ = lexicon.families[family]
        rank = np.arange(1, len(z) + 1)
        law = np.where(rank <= 8, rank**-1.2, 8**-1.2 * (rank / 8) ** -5)
        assert np.allclose(z, law / law.sum())
        masses = Counter()
        for weight, topic in zip(z, left):
            masses[topic] += weight
        mean = sum(m * np.array(lexicon.weights(family, t)) for t, m in masses.items())
        assert np.allclose(mean, z, rtol=1e-12)
        assert max(abs(math.fsum(lexicon.weights(family, t)) - 1) for t in masses) < 1e-12


# --- samples ---------------------------------------------------------------------------------


def test_reading_a_sampled_sentence_gives_it_back_exactly(full, drawn):
    for sentence in drawn[:1500]:
        assert full.parse(sentence.words) == sentence
        assert full.log_prob(sentence.words) == sentence.log_prob
        assert sentence.token_log_probs[-1] == 0


def test_samples_have_the_entropy_length_and_crossing_share_of_the_closed_forms(full, drawn):
    for values, truth in (
        ([-s.log_prob for s in drawn], full.entropy()),
        ([len(s.words) for s in drawn], full.expected_length()),
        ([crossing(s.heads) for s in drawn], full.nonprojective_share()),
    ):
        z = (np.mean(values) - truth) / (np.std(values) / math.sqrt(len(values)))
        assert abs(z) < 5  # seed 7 gives 1.4 at most


def test_samples_of_a_small_language_are_distributed_as_listed():
    language = ToyLanguage(sizes=SMALL["topics"])
    listed = Enumeration(language.sizes, language.lexicon.entries).sentences()
    rng, draws = np.random.Generator(np.random.PCG64(3)), 20_000
    seen = Counter(language.sample(rng).words for _ in range(draws))
    assert set(seen) <= {words for _, words in listed}
    cells = [(p * draws, seen[words]) for p, words in listed if p * draws >= 5]
    chi2 = sum((found - want) ** 2 / want for want, found in cells)
    assert len(cells) > 100
    assert abs(chi2 - len(cells)) < 5 * math.sqrt(2 * len(cells))


def test_trees_have_one_root_no_circle_and_agree(drawn):
    for s in drawn:
        assert s.heads.count(0) == 1
        assert s.tags[s.heads.index(0)] == "VERB"
        assert s.labels[s.heads.index(0)] == "root"
        assert all(0 <= h <= len(s.words) for h in s.heads)
        assert all(ancestors(s.heads, d) is not None for d in range(1, len(s.words) + 1))
        for tag, label, feats, head in zip(s.tags, s.labels, s.features, s.heads):
            own = set(feats.split("|"))
            shared = {"DET": ("Number",), "ADJ": ("Gender",)}.get(tag, ())
            if label == "nsubj":
                shared = ("Number",)
            of_head = s.features[head - 1].split("|") if head else []
            assert {f for f in own if f.split("=")[0] in shared} <= set(of_head)


def test_arcs_cross_exactly_where_a_late_relative_clause_stands(drawn):
    for s in drawn[:2000]:
        assert crossing(s.heads) == any(w in ("vi", "vir", "vim", "virm") for w in s.words)
        assert is_projective(s.heads) != crossing(s.heads)
    assert {label for s in drawn for label in s.labels} == {
        "root", "discourse", "nsubj", "obj", "obl", "det", "amod", "case", "advmod", "mark",
        "ccomp", "acl:relcl",
    }  # fmt: skip


def with_change(s, position, old, new):
    """The words of s with one of them put into another inflection."""
    words = list(s.words)
    assert words[position].endswith(old)
    words[position] = words[position][: len(words[position]) - len(old)] + new
    return words


def test_agreement_violations_are_outside_the_language(full, drawn):
    broken = Counter()
    for s in drawn[:1500]:
        other = {"ha": "ze", "he": "za"}[s.words[0]]
        assert full.log_prob([*s.words[:-1], other]) == -math.inf
        for i, (word, tag, feats, head) in enumerate(zip(s.words, s.tags, s.features, s.heads)):
            if tag == "VERB" and "Number=Sing" in feats:
                broken["verb number"] += 1
                assert full.log_prob(with_change(s, i, "s", "n")) == -math.inf
            if tag == "NOUN" and "Number=Sing" in feats:
                broken["noun number"] += 1
                assert full.log_prob(with_change(s, i, "", "r")) == -math.inf
            if tag == "ADJ" and word.endswith("o"):
                broken["adjective gender"] += 1
                assert full.log_prob(with_change(s, i, "o", "a")) == -math.inf
            if tag == "DET" and "Case=Nom" in feats:
                broken["article case"] += 1
                assert full.log_prob(with_change(s, i, "", "m")) == -math.inf
            if word == "vi":
                broken["late relative"] += 1
                assert full.log_prob(with_change(s, i, "", "r")) == -math.inf
            if s.labels[i] == "nsubj" and tag == "NOUN" and head - i > 4:
                broken["verb far from its subject"] += 1
    assert min(broken.values()) > 30
    assert len(broken) == 6


def test_other_strings_are_outside_the_language(full, drawn):
    words = list(drawn[0].words)
    for wrong in ([], words[:-1], words[1:], words + words, ["xyz"], [*words, "xyz"], words[::-1]):
        assert full.log_prob(wrong) == -math.inf
        assert full.parse(wrong) is None
    assert full.optimum_perplexity([words, ["xyz"]]) == math.inf
    with pytest.raises(ValueError, match="at least one, found none"):
        full.optimum_perplexity([])


def test_optimum_perplexity_counts_one_end_a_sentence(full, drawn):
    total = math.fsum(s.log_prob for s in drawn[:50])
    tokens = sum(len(s.words) + 1 for s in drawn[:50])
    optimum = full.optimum_perplexity([s.words for s in drawn[:50]])
    assert optimum == pytest.approx(math.exp(-total / tokens), rel=1e-12)


def test_seed_decides_the_letters_and_nothing_else(full):
    again, other = ToyLanguage(), ToyLanguage(seed=2)
    rngs = [np.random.Generator(np.random.PCG64(5)) for _ in range(3)]
    for _ in range(50):
        a, b, c = (x.sample(rng) for x, rng in zip((full, again, other), rngs))
        assert a == b
        assert a.tags == c.tags
        assert a.heads == c.heads
        assert a.log_prob == c.log_prob
    assert full.vocabulary == again.vocabulary != other.vocabulary
    assert len(full.vocabulary) == len(other.vocabulary) == 1983


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_classes": 5}, "n_classes: expected a whole number from 1 to 4, found 5"),
        ({"n_nouns": 0}, "n_nouns: expected a whole number from 1 to 2000, found 0"),
        ({"max_depth": -1}, "max_depth: expected a whole number from 0 to 20, found -1"),
        ({"p_late": 1.5}, "p_late: expected a probability .*, found 1.5"),
        ({"bond": 1.0}, "bond: expected a probability .*, found 1.0"),
        ({"zipf": -1.0}, "zipf: expected 0 to 20, found -1.0"),
        ({"zipf_tail": 21}, "zipf_tail: expected 0 to 20, found 21"),
        ({"p_past": (0.5,)}, r"p_past: expected 2 probabilities, found \(0.5,\)"),
    ],
)
def test_impossible_sizes_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        ToySizes(**wrong)


def test_plug_in_estimate_is_a_distribution_over_sentences():
    language = ToyLanguage(sizes=SMALL["topics"])
    listed = Enumeration(language.sizes, language.lexicon.entries).sentences()
    rng = np.random.Generator(np.random.PCG64(3))
    estimate = PlugIn(language, [language.sample(rng).words for _ in range(40)])
    total = math.fsum(math.exp(estimate.log_prob(words)) for _, words in listed)
    assert total == pytest.approx(1, abs=1e-9)
    assert max(abs(estimate.log_prob(w) - math.log(p)) for p, w in listed) > 0.1
