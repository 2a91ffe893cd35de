"""T63: words composed of characters: by loops, mirrored, padded, composed once."""

import dynet as dy
import numpy as np
import pytest

from dynotes.corpora.spelling import Spelling
from dynotes.embeddings.c2w import C2w
from dynotes.graph.arrays import read
from dynotes.training.parameters import named_parameters
from tests.helpers import assert_gradients, asymmetric, set_value
from tests.reference.lstm import lstm_run

CHARS, D, E, H = 6, 3, 2, 4
WORDS = [[0, 3, 3], [5], [1, 2, 0, 4, 2, 2, 1], [2], [4, 0]]


def model(seed=0):
    pc = dy.ParameterCollection()
    some = C2w(pc, n_chars=CHARS, n_embed=D, n_char_embed=E, n_hidden=H)
    rng = np.random.default_rng(seed)
    for p in named_parameters(pc).values():
        set_value(p, rng.normal(0, 0.6, p.shape()).astype(np.float32))
    return pc, some


def spelled(words):
    return Spelling(np.concatenate(words), np.array([len(w) for w in words]))


def composed(some, words):
    return read(some.embed(spelled(words))).T


def value(p):
    return np.array(p.as_array(), float)


def last_state(lstm, xs):
    weights = [[value(p) for p in lstm.parameters()]]
    zero, ones = [np.zeros(H)], ([np.ones(E)], [np.ones(H)])
    return lstm_run(xs, zero, zero, weights, 1.0, *ones)[0][-1]


def by_loops(some, word):
    xs = value(some.C)[word]
    forward, backward = last_state(some.lstms[0], xs), last_state(some.lstms[1], xs[::-1])
    return value(some.Df) @ forward + value(some.Db) @ backward + value(some.bd)


def test_every_word_is_its_definition():
    pc, some = model()
    expected = [by_loops(some, word) for word in WORDS]
    np.testing.assert_allclose(composed(some, WORDS), expected, atol=1e-6)
    assert pc.parameter_count()


def test_both_directions_of_a_word_of_one_character_read_just_that():
    pc, some = model()
    (found,) = composed(some, [[5]])
    np.testing.assert_allclose(found, by_loops(some, [5]), atol=1e-6)
    xs = value(some.C)[[5]]
    sides = [matrix @ last_state(lstm, xs) for matrix, lstm in zip(
        (value(some.Df), value(some.Db)), some.lstms)]  # fmt: skip
    np.testing.assert_allclose(found, sum(sides) + value(some.bd), atol=1e-6)
    assert pc.parameter_count()


def test_a_word_read_from_its_end_is_the_word_with_swapped_directions():
    pc, some = model()
    other, mirrored = model()
    for one, two in zip(some.lstms, reversed(mirrored.lstms)):
        for p, q in zip(one.parameters(), two.parameters()):
            set_value(q, value(p))
    set_value(mirrored.Df, value(some.Db))
    set_value(mirrored.Db, value(some.Df))
    dy.renew_cg()
    found = composed(mirrored, [word[::-1] for word in WORDS])
    np.testing.assert_allclose(found, composed(some, WORDS), atol=1e-6)
    assert np.abs(composed(some, [WORDS[2][::-1]]) - composed(some, [WORDS[2]])).max() > 1e-3
    assert pc.parameter_count()
    assert other.parameter_count()


def test_longer_words_beside_a_word_change_nothing():
    pc, some = model()
    alone = composed(some, [[4, 0]])
    np.testing.assert_allclose(composed(some, [[1] * 30, [4, 0]])[1:], alone, atol=1e-6)
    assert pc.parameter_count()


def test_a_word_composed_once_and_used_often_is_the_word_composed_every_time():
    """Values, and gradients of all parameters."""
    pc, some = model()
    text = [2, 0, 2, 1, 2]  # words of the tokens
    params, found = list(named_parameters(pc).values()), []
    for once in (True, False):
        dy.renew_cg()
        if once:
            every = dy.pick_batch_elems(some.embed(spelled(WORDS[:3])), text)
        else:
            every = some.embed(spelled([WORDS[w] for w in text]))
        values = read(every)
        asymmetric(every).backward()
        found.append([values, *(np.array(p.grad_as_array()) for p in params)])
        for p in params:
            p.scale_gradient(0.0)
    for cached, plain in zip(*found):
        np.testing.assert_allclose(cached, plain, rtol=1e-5, atol=1e-6)
    assert pc.parameter_count()


def test_gradients_are_those_of_finite_differences():
    pc, some = model()
    spelling = spelled(WORDS)
    assert_gradients(lambda: asymmetric(some.embed(spelling)), list(named_parameters(pc).values()))


@pytest.mark.parametrize(
    ("characters", "lengths", "message"),
    [
        ([0, CHARS], [2], f"characters: ids must be 0 to {CHARS - 1}"),
        ([0, 1], [2, 0], "lengths: expected at least 1, found 0"),
        ([0, 1], [1], "lengths: expected a sum of 2, found 1"),
        ([], [], "characters: no ids"),
    ],
)
def test_bad_spellings_are_refused(characters, lengths, message):
    pc, some = model()
    with pytest.raises(ValueError, match=message):
        some.embed(Spelling(np.array(characters, int), np.array(lengths, int)))
    assert pc.parameter_count()


@pytest.mark.parametrize("name", ["n_chars", "n_embed", "n_char_embed", "n_hidden"])
def test_impossible_sizes_are_refused(name):
    spec = {"n_chars": CHARS, "n_embed": D, "n_char_embed": E, "n_hidden": H, name: 0}
    with pytest.raises(ValueError, match="0"):
        C2w(dy.ParameterCollection(), **spec)
