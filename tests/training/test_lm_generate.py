import dynet as dy
import numpy as np
import pytest

from dynotes.graph.arrays import read
from dynotes.training.lm_generate import generate
from dynotes.training.lm_model import own
from dynotes.training.parameters import named_parameters, set_value

V, EOS = 6, 0


@pytest.fixture
def owned():
    owned = own({"n_words": V, "n_embed": 3, "n_hidden": 4})
    rng = np.random.default_rng(3)
    for p in named_parameters(owned.pc).values():
        set_value(p, rng.normal(0, 1.2, p.shape()).astype(np.float32))
    return owned


@pytest.fixture
def model(owned):
    return owned.model  # the other fixture keeps its parameters alive


def next_probabilities(model, read_words):
    """P(next word) after these, <eos> first."""
    dy.renew_cg()
    segment = model.segment(np.array([EOS, *read_words])[:, None])
    return np.exp(read(model.log_probs(segment))[:, -1].astype(np.float64))


def draw(model, seed=1, **options):
    return generate(model, eos_id=EOS, rng=np.random.default_rng(seed), **options)


def assert_frequencies(counts, probabilities):
    """|z| < 5 for every word."""
    n = counts.sum()
    sd = np.sqrt(n * probabilities * (1 - probabilities))
    possible = probabilities > 1e-9
    assert counts[~possible].sum() == 0
    z = (counts - n * probabilities)[possible] / np.maximum(sd[possible], 1e-9)
    assert np.abs(z).max() < 5


@pytest.mark.parametrize("temperature", [1.0, 0.5, 2.0])
def test_first_words_are_drawn_with_the_probabilities_of_the_model(model, temperature):
    p = next_probabilities(model, []) ** (1 / temperature)
    sentences = draw(model, sentences=4000, max_words=1, temperature=temperature)
    first = [words[0] if words else EOS for words in sentences]
    assert_frequencies(np.bincount(first, minlength=V), p / p.sum())


def test_second_words_depend_on_the_first(model):
    sentences = draw(model, sentences=6000, max_words=2)
    for word in range(1, V):
        second = [words[1] if len(words) > 1 else EOS for words in sentences if words[:1] == [word]]
        if len(second) > 200:
            counts = np.bincount(second, minlength=V)
            assert_frequencies(counts, next_probabilities(model, [word]))


def test_a_prompt_is_read_before_the_first_draw(model):
    sentences = draw(model, sentences=3000, prompt=[2, 5], max_words=3)
    assert all(words[:2] == [2, 5] for words in sentences)
    third = [words[2] if len(words) > 2 else EOS for words in sentences]
    assert_frequencies(np.bincount(third, minlength=V), next_probabilities(model, [2, 5]))


def test_a_low_temperature_takes_the_most_probable_words(model):
    expected = []
    while len(expected) < 10:
        word = int(next_probabilities(model, expected).argmax())
        if word == EOS:
            break
        expected.append(word)
    for options in ({"temperature": 1e-4}, {"top_k": 1}):
        assert draw(model, sentences=5, max_words=10, **options) == [expected] * 5


def test_only_the_k_most_probable_words_are_drawn(model):
    p = next_probabilities(model, [])
    best = np.argsort(p)[-3:]
    kept = np.zeros(V)
    kept[best] = p[best] / p[best].sum()
    first = [w[0] if w else EOS for w in draw(model, sentences=3000, max_words=1, top_k=3)]
    assert_frequencies(np.bincount(first, minlength=V), kept)


def test_banned_words_are_never_drawn_and_the_others_share_their_probability(model):
    p = next_probabilities(model, [])
    p[[1, 4]] = 0
    sentences = draw(model, sentences=3000, max_words=20, banned=[1, 4])
    assert not {1, 4} & {word for words in sentences for word in words}
    first = [words[0] if words else EOS for words in sentences]
    assert_frequencies(np.bincount(first, minlength=V), p / p.sum())


def test_sentences_end_at_eos_or_at_the_limit(model):
    sentences = draw(model, sentences=500, max_words=4)
    lengths = {len(words) for words in sentences}
    assert max(lengths) == 4
    assert len(lengths) > 2
    assert all(EOS not in words for words in sentences)


def test_a_sentence_goes_on_undisturbed_when_others_have_ended(model):
    sentences = draw(model, sentences=6000, max_words=3)
    for start in ([1, 2], [3, 4], [5, 5]):
        third = [words[2] if len(words) > 2 else EOS for words in sentences if words[:2] == start]
        if len(third) > 100:
            assert_frequencies(np.bincount(third, minlength=V), next_probabilities(model, start))


def test_a_prompt_as_long_as_the_limit_is_given_back(model):
    assert draw(model, sentences=2, prompt=[1, 2, 3], max_words=3) == [[1, 2, 3]] * 2


def test_the_same_seed_draws_the_same_and_another_seed_others(model):
    found = [draw(model, seed=seed, sentences=20, max_words=10) for seed in (1, 1, 2)]
    assert found[0] == found[1] != found[2]


def test_the_engines_own_generator_plays_no_part(model):
    dy.reset_random_seed(7)
    first = draw(model, sentences=20)
    dy.reset_random_seed(8)
    assert draw(model, sentences=20) == first


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sentences": 0}, "sentences: expected 1"),
        ({"max_words": 0}, "max_words: expected 1"),
        ({"prompt": [V]}, "prompt: ids must be 0 to 5, found 6"),
        ({"prompt": [-1]}, "prompt: ids must be"),
        ({"banned": [V]}, "banned: ids must be 0 to 5, found 6"),
        ({"banned": [-1]}, "banned: ids must be"),
        ({"banned": range(V)}, "banned: expected to leave a word, found all 6"),
        ({"temperature": 0.0}, "temperature: expected a positive number"),
        ({"temperature": float("nan")}, "temperature"),
        ({"top_k": 0}, "top_k: expected 1 to 6, found 0"),
        ({"top_k": V + 1}, "top_k: expected 1 to 6, found 7"),
    ],
)
def test_wrong_arguments_are_refused(model, options, message):
    with pytest.raises(ValueError, match=message):
        draw(model, **options)


def test_an_end_of_sentence_outside_the_vocabulary_is_refused(model):
    with pytest.raises(ValueError, match="ids must be 0 to 5"):
        generate(model, eos_id=V, rng=np.random.default_rng(0))
