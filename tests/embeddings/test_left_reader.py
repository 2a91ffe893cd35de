"""T63: a language model's reading of sentences, with C2W or a table as its word vectors."""

import dynet as dy
import numpy as np
import pytest

from dynotes.corpora.spelling import Spelling
from dynotes.embeddings.left_reader import C2wReader, LeftReader, SpelledSlots
from dynotes.embeddings.slots import id_slots
from dynotes.graph.arrays import feed, read
from dynotes.training.parameters import named_parameters
from tests.embeddings.tables import gradients
from tests.helpers import assert_gradients, asymmetric, set_value
from tests.reference.lstm import lstm_run

E, H = 3, 4
SENTENCES = [[2, 0, 5, 5], [1], [3, 0, 1, 6, 4, 2]]
SPELLINGS = [[1], [0, 2], [2, 2, 1], [0], [3, 1], [2, 0, 0, 1], [1, 3]]  # of the words 0 .. 6


def randomised(pc, some):
    rng = np.random.default_rng(0)
    for p in named_parameters(pc).values():
        set_value(p, rng.normal(0, 0.6, p.shape()).astype(np.float32))
    return pc, some


def left_reader():
    pc = dy.ParameterCollection()
    return randomised(pc, LeftReader(pc, n_embed=E, n_hidden=H))


def c2w_reader():
    pc = dy.ParameterCollection()
    sizes = {"n_chars": 4, "n_embed": E, "n_char_embed": 2, "n_char_hidden": 3, "n_hidden": H}
    return randomised(pc, C2wReader(pc, **sizes))


def vectors(n=7):
    return np.random.default_rng(4).normal(size=(E, n)).astype(np.float32)


def spelled(sentences, spellings=SPELLINGS):
    slots = id_slots(sentences)
    words = [spellings[w] for w in slots.words]
    return SpelledSlots(slots, Spelling(np.concatenate(words), np.array([len(w) for w in words])))


def test_states_are_those_of_the_words_before_by_loops():
    pc, some = left_reader()
    slots, x = id_slots(SENTENCES), vectors().astype(float)
    found = read(some.hidden(feed(vectors()[:, slots.words], batched=True), slots))[..., 0].T
    weights = [[np.array(p.as_array(), float) for p in some.lstm.parameters()]]
    zero, ones = [np.zeros(H)], ([np.ones(E)], [np.ones(H)])
    expected = []
    for sentence in SENTENCES:
        xs = np.array([some.bos.as_array(), *(x[:, w] for w in sentence[:-1])], float)
        expected.append(lstm_run(xs, zero, zero, weights, 1.0, *ones)[0])
    np.testing.assert_allclose(found, np.concatenate(expected), atol=1e-6)
    assert pc.parameter_count()


def test_the_word_itself_and_those_behind_it_are_not_read():
    pc, some = c2w_reader()
    found = read(some.hidden(spelled([[3, 0, 1, 6], [3, 0, 2, 5]])))[..., 0]
    assert np.abs(found[:, :3] - found[:, 4:7]).max() < 1e-7
    assert np.abs(found[:, 3] - found[:, 7]).max() > 1e-3
    assert pc.parameter_count()


def test_with_composed_words_it_reads_their_vectors():
    pc, some = c2w_reader()
    examples = spelled(SENTENCES)
    given = feed(read(some.words.embed(examples.spelling)), batched=True)
    expected = read(some.reader.hidden(given, examples.slots))
    np.testing.assert_allclose(read(some.hidden(examples)), expected, atol=1e-6)
    assert pc.parameter_count()


def test_only_the_spelling_of_a_word_counts():
    pc, some = c2w_reader()
    renamed = [[6 - w for w in sentence] for sentence in SENTENCES]
    found = read(some.hidden(spelled(renamed, SPELLINGS[::-1])))
    np.testing.assert_allclose(found, read(some.hidden(spelled(SENTENCES))), atol=1e-6)
    assert pc.parameter_count()


def test_a_batch_is_its_sentences_one_by_one():
    pc, some = c2w_reader()
    together = read(some.hidden(spelled(SENTENCES)))[..., 0]
    singles = [read(some.hidden(spelled([s])))[..., 0] for s in SENTENCES]
    np.testing.assert_allclose(together, np.concatenate(singles, axis=1), atol=1e-6)
    assert pc.parameter_count()


def test_gradients_are_those_of_finite_differences():
    pc, some = c2w_reader()
    examples = spelled(SENTENCES)
    assert_gradients(lambda: asymmetric(some.hidden(examples)), list(named_parameters(pc).values()))


def test_factors_scale_the_gradient_of_each_character_and_not_the_value():
    pc, some = c2w_reader()
    examples, factors = spelled(SENTENCES), np.linspace(0.1, 2, 4, dtype=np.float32)
    plain, scaled = some.hidden(examples), some.hidden(examples, [factors])
    np.testing.assert_allclose(read(plain), read(scaled), atol=1e-6)
    (before,) = gradients(some.tables, asymmetric(plain))
    (after,) = gradients(some.tables, asymmetric(scaled))
    np.testing.assert_allclose(after, before * factors[:, None], rtol=1e-4, atol=1e-6)
    assert pc.parameter_count()


def test_a_character_is_held_by_the_losses_behind_every_word_with_it():
    pc, some = c2w_reader()
    examples, losses = spelled(SENTENCES), np.arange(1.0, 12.0)
    expected, number = np.zeros(4), 0
    for sentence in SENTENCES:
        for i in range(len(sentence)):
            for word in sentence[:i]:
                for character in SPELLINGS[word]:
                    expected[character] += losses[number]
            number += 1
    (((rows, masses),),) = some.masses(examples, losses)
    np.testing.assert_allclose(masses, expected[rows])
    assert rows.tolist() == [0, 1, 2, 3]
    assert some.n_hidden(examples) == 11
    assert examples.predictions.words.tolist() == [w for s in SENTENCES for w in s]
    assert pc.parameter_count()


def test_vectors_of_another_number_of_words_are_refused():
    pc, some = left_reader()
    with pytest.raises(ValueError, match="words: expected"):
        some.hidden(feed(vectors(), batched=True), id_slots([[0, 1]]))
    assert pc.parameter_count()


@pytest.mark.parametrize(
    "name", ["n_chars", "n_embed", "n_char_embed", "n_char_hidden", "n_hidden"]
)
def test_impossible_sizes_are_refused(name):
    with pytest.raises(ValueError, match="0"):
        C2wReader(dy.ParameterCollection(), **{"n_chars": 4, name: 0})
