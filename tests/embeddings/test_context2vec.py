"""T59: context2vec: by loops, no leakage of the word itself, the limit in which it is CBOW."""

import dynet as dy
import numpy as np
import pytest

from dynotes.embeddings.cbow import Cbow
from dynotes.embeddings.context2vec import Context2vec
from dynotes.embeddings.output_losses.negative_sampling import NegativeSamplingLoss
from dynotes.embeddings.pairs import id_bags
from dynotes.embeddings.slots import id_slots
from dynotes.graph.arrays import read
from dynotes.training.parameters import named_parameters
from tests.embeddings.tables import arrays, encoder, gradients, output
from tests.helpers import assert_gradients, asymmetric, set_value
from tests.reference.lstm import lstm_run

V, E, H, M, OUT = 7, 3, 4, 6, 5
SENTENCES = [[2, 0, 5, 5], [1], [6, 2], [3, 0, 1, 6, 4, 2]]


def model(seed=0, **sizes):
    pc = dy.ParameterCollection()
    spec = {"n_words": V, "n_embed": E, "n_hidden": H, "n_middle": M, "n_out": OUT, **sizes}
    made = Context2vec(pc, **spec)
    rng = np.random.default_rng(seed)
    for p in named_parameters(pc).values():
        set_value(p, rng.normal(0, 0.6, p.shape()).astype(np.float32))
    return pc, made


def value(p):
    return np.array(p.as_array(), float)


def last_state(lstm, xs):
    weights = [[value(p) for p in lstm.parameters()]]
    zero, ones = [np.zeros(H)], ([np.ones(E)], [np.ones(H)])
    return lstm_run(np.array(xs), zero, zero, weights, 1.0, *ones)[0][-1]


def by_loops(some, sentence, i):
    """c_i from the definition, in float64: a new pair of LSTMs for every place."""
    tables, edges = [value(t) for t in some.tables], [value(e) for e in some.edges]
    left = [edges[0], *(tables[0][w] for w in sentence[:i])]
    right = [edges[1], *(tables[1][w] for w in reversed(sentence[i + 1 :]))]
    sides = [last_state(lstm, xs) for lstm, xs in zip(some.lstms, (left, right))]
    middle = np.maximum(0, value(some.W1) @ np.concatenate(sides) + value(some.b1))
    return value(some.W2) @ middle + value(some.b2)


def contexts(some, *arguments):
    return read(some.hidden(id_slots(*arguments)))[..., 0].T


def test_every_context_is_its_definition():
    pc, some = model()
    expected = [by_loops(some, s, i) for s in SENTENCES for i in range(len(s))]
    np.testing.assert_allclose(contexts(some, SENTENCES), expected, atol=2e-6)
    assert pc.parameter_count()


def test_a_batch_is_its_sentences_one_by_one():
    pc, some = model()
    together = contexts(some, SENTENCES)
    singles = np.concatenate([contexts(some, [s]) for s in SENTENCES])
    np.testing.assert_allclose(together, singles, atol=1e-6)
    assert pc.parameter_count()


def test_padding_by_longer_sentences_changes_nothing():
    pc, some = model()
    alone = contexts(some, [[6, 2]])
    beside = contexts(some, [[6, 2], [1] * 40])[:2]
    np.testing.assert_allclose(alone, beside, atol=1e-6)
    assert pc.parameter_count()


def test_the_word_itself_is_not_read():
    """The largest change of c_i over all words in its place is below 1e-7."""
    pc, some = model()
    for i in range(6):
        sentences = [[*SENTENCES[3][:i], w, *SENTENCES[3][i + 1 :]] for w in range(V)]
        found = np.array([contexts(some, [sentence], [i])[0] for sentence in sentences])
        assert np.abs(found - found[0]).max() < 1e-7
    assert pc.parameter_count()


@pytest.mark.parametrize("i", range(6))
def test_every_other_word_of_the_sentence_is_read(i):
    pc, some = model()
    before = contexts(some, [SENTENCES[3]], [i])
    for j in set(range(6)) - {i}:
        changed = list(SENTENCES[3])
        changed[j] = (changed[j] + 1) % V
        assert np.abs(contexts(some, [changed], [i]) - before).max() > 1e-5, j
    assert pc.parameter_count()


def test_the_order_of_the_words_matters():
    pc, some = model()
    assert np.abs(contexts(some, [[0, 1, 2]], [2]) - contexts(some, [[1, 0, 2]], [2])).max() > 1e-3
    assert pc.parameter_count()


def test_at_the_ends_of_a_sentence_only_the_marks_are_read():
    pc, some = model()
    whole, (alone,) = contexts(some, [[4, 1]]), contexts(some, [[3]])
    for edge, which in zip(some.edges, ([0], [1])):
        kept = value(edge)
        set_value(edge, kept + 1)
        dy.renew_cg()
        moved = contexts(some, [[4, 1]])
        assert np.abs(moved - whole)[which].max() > 1e-3
        assert np.abs(contexts(some, [[3]])[0] - alone).max() > 1e-3
        set_value(edge, kept)
        dy.renew_cg()
    assert pc.parameter_count()


def test_one_context_is_that_of_the_batch():
    pc, some = model()
    found = read(some.embed_context(SENTENCES[3], 2))
    assert found.shape == (OUT, 1)
    np.testing.assert_allclose(found[:, 0], contexts(some, SENTENCES)[9], atol=1e-6)
    assert pc.parameter_count()


def test_gradients_are_those_of_finite_differences():
    pc, some = model()
    slots = id_slots(SENTENCES)
    assert_gradients(lambda: asymmetric(some.hidden(slots)), list(named_parameters(pc).values()))


def adding_up(v, scale):
    """The limit: gates wide open and tanh in its linear part, so that each LSTM adds up, and a
    first layer of (+1, -1) times both sides, of which the ReLU takes the positive one."""
    size, eps = v.shape[1], 1e-3
    pc, some = model(n_words=len(v), n_embed=size, n_hidden=size, n_middle=2 * size, n_out=size)
    for table in some.tables:
        set_value(table, v)
    eye, zero = np.eye(size), np.zeros((size, size))
    for edge, lstm in zip(some.edges, some.lstms):
        set_value(edge, np.zeros(size))
        wx, wh, b = lstm.parameters()
        set_value(wx, np.concatenate([zero, zero, zero, eps * eye]))
        set_value(wh, np.zeros((4 * size, size)))
        set_value(b, np.repeat([30.0, 30.0, 30.0, 0.0], size))
    both = np.concatenate([eye, eye], axis=1) * scale / eps
    set_value(some.W1, np.concatenate([both, -both]))
    set_value(some.W2, np.concatenate([eye, -eye], axis=1))
    for bias in (some.b1, some.b2):
        set_value(bias, np.zeros(bias.shape()))
    return pc, some


@pytest.mark.parametrize("mean", [False, True])
def test_in_the_limit_of_lstms_that_add_up_it_is_cbow_with_negative_sampling(mean):
    """Losses, and gradients of the word vectors: those of both sides together are CBOW's."""
    v, u = arrays(3)
    text, width = [2, 0, 5, 5, 1, 6, 2, 4], 2
    places = range(width, len(text) - width) if mean else range(len(text))  # whole windows
    cut = [(text[max(0, i - width) : i], text[i], text[i + 1 : i + 1 + width]) for i in places]
    targets = [word for _, word, _ in cut]
    noise = np.random.default_rng(0).integers(0, V, (3, len(cut)))
    pc, cbow = encoder(Cbow, v, mean=mean)
    other, some = adding_up(v, 1 / (2 * width) if mean else 1.0)
    third, loss = output(NegativeSamplingLoss, u, negatives=3)
    bags = id_bags([left + right for left, _, right in cut], targets)
    whole = [[*left, word, *right] for left, word, right in cut]
    slots = id_slots(whole, [len(left) for left, *_ in cut])
    assert slots.predictions.words.tolist() == targets
    found = []
    for model, examples in ((cbow, bags), (some, slots)):
        losses = loss.losses(model.hidden(examples), examples.predictions, noise)
        tables = gradients([*model.tables, loss.outputs], asymmetric(losses))
        found.append([read(losses)[0], sum(tables[:-1]), tables[-1]])
    for expected, value in zip(*found):
        np.testing.assert_allclose(value, expected, rtol=1e-3, atol=1e-5)
    assert third.parameter_count()
    assert pc.parameter_count()
    assert other.parameter_count()


def test_factors_scale_the_gradient_of_each_row_and_not_the_value():
    pc, some = model()
    slots = id_slots(SENTENCES)
    factors = [np.linspace(0.1, 1, V, dtype=np.float32), np.linspace(2, 1, V, dtype=np.float32)]
    plain, scaled = some.hidden(slots), some.hidden(slots, factors)
    np.testing.assert_allclose(read(plain), read(scaled), atol=1e-6)
    before = gradients(some.tables, asymmetric(plain))
    after = gradients(some.tables, asymmetric(scaled))
    for one, other, factor in zip(before, after, factors):
        np.testing.assert_allclose(other, one * factor[:, None], rtol=1e-4, atol=1e-6)
    assert pc.parameter_count()


def test_a_word_is_held_by_the_losses_of_the_places_that_read_it():
    """By loops over all pairs of a place and a word of its sentence."""
    pc, some = model()
    slots = id_slots(SENTENCES)._replace(places=np.array([0, 2, 3, 4, 9, 12]))
    losses = np.array([1.0, 2, 4, 8, 16, 32])
    expected, start = np.zeros((2, V)), 0
    for sentence in SENTENCES:
        for place, loss in zip(slots.places - start, losses):
            if 0 <= place < len(sentence):
                for j, word in enumerate(sentence):
                    expected[0, word] += loss * (j < place)
                    expected[1, word] += loss * (j > place)
        start += len(sentence)
    for ((rows, masses),), wanted in zip(some.masses(slots, losses), expected):
        np.testing.assert_allclose(masses, wanted[rows])
        assert not np.delete(wanted, rows).any()
    assert some.n_hidden(slots) == 6
    assert pc.parameter_count()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.hidden(id_slots([[V]])), f"words: ids must be 0 to {V - 1}"),
        (lambda m: m.embed_context([1, 2], 2), "ids must be 0 to 1"),
        (lambda m: m.embed_context([], 0), "no ids"),
    ],
)
def test_bad_input_is_refused_before_the_engine_sees_it(call, message):
    pc, some = model()
    with pytest.raises(ValueError, match=message):
        call(some)
    assert pc.parameter_count()


@pytest.mark.parametrize("name", ["n_words", "n_embed", "n_hidden", "n_middle", "n_out"])
def test_impossible_sizes_are_refused(name):
    with pytest.raises(ValueError, match="0"):
        model(**{name: 0})
