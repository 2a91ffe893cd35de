"""T59, T63: an LSTM over sequences of unequal lengths is the LSTM over each of them."""

import dynet as dy
import numpy as np
import pytest

from dynotes.corpora import rectangles
from dynotes.graph.arrays import feed, read
from dynotes.tips.lstm_sequence import LayerWeights
from dynotes.tips.ragged_lstm import ragged_lstm
from dynotes.tips.variational_lstm import VariationalLSTM
from tests.helpers import assert_gradients, asymmetric
from tests.reference.lstm import lstm_run

N_IN, SIZE = 3, 4
READS, LENGTHS = [0, 2, 1, 1, 4, 3, 0, 0, 2, 1, 4], [2, 1, 5, 1, 2]
X = np.random.default_rng(1).normal(size=(N_IN, 5)).astype(np.float32)


def made():
    pc = dy.ParameterCollection()
    lstm = VariationalLSTM(pc, layers=1, n_in=N_IN, n_hidden=SIZE)
    rng = np.random.default_rng(11)
    for p in lstm.parameters():
        p.set_value(rng.normal(0, 0.6, p.shape()))
    return pc, lstm, LayerWeights(*lstm.parameters())


def states(weights, at, reads=READS, lengths=LENGTHS):
    return ragged_lstm(feed(X, batched=True), reads, lengths, weights, at=at)


def by_loops(weights):
    """The state after every token, (n, H), each sequence by itself in float64."""
    arrays = [[np.array(p.as_array(), float) for p in weights]]
    zero, ones = [np.zeros(SIZE)], ([np.ones(N_IN)], [np.ones(SIZE)])
    found, start = [], 0
    for length in LENGTHS:
        xs = X.T[READS[start : start + length]].astype(float)
        found.append(lstm_run(xs, zero, zero, arrays, 1.0, *ones)[0])
        start += length
    return np.concatenate(found)


@pytest.mark.parametrize("step_columns", [0, 2, 1000])
def test_states_are_those_of_each_sequence_by_itself(monkeypatch, step_columns):
    monkeypatch.setattr(rectangles.rectangles, "__kwdefaults__", {"step_columns": step_columns})
    pc, _, weights = made()
    at = [10, 0, 4, 4, 7, 2]
    np.testing.assert_allclose(read(states(weights, at)).T, by_loops(weights)[at], atol=1e-6)
    assert pc.parameter_count()


def test_states_are_those_of_dynets_own_builder():
    pc, lstm, weights = made()
    found = read(states(weights, range(11)))
    state, x = lstm.start(1), feed(X, batched=True)
    for row in READS[3:8]:
        state = state.add_input(dy.pick_batch_elem(x, row))
    np.testing.assert_allclose(found[:, 7], read(state.output())[:, 0], atol=1e-6)
    assert pc.parameter_count()


def test_gradients_are_those_of_finite_differences():
    pc, _, weights = made()
    table = pc.add_lookup_parameters((5, N_IN))
    table.init_from_array(X.T)

    def loss():
        x = dy.lookup_batch(table, list(range(5)))
        return asymmetric(ragged_lstm(x, READS, LENGTHS, weights, at=[9, 1, 6, 6]))

    assert_gradients(loss, [*weights, table])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reads": [0, 5], "lengths": [2]}, "reads: ids must be 0 to 4"),
        ({"lengths": [11, 1]}, "lengths: expected a sum of 11, found 12"),
        ({"lengths": [11, 0]}, "lengths: expected at least 1"),
        ({"at": [11]}, "at: ids must be 0 to 10"),
        ({"at": []}, "at: no ids"),
    ],
)
def test_bad_input_is_refused(change, message):
    _pc, _, weights = made()
    with pytest.raises(ValueError, match=message):
        states(weights, **{"at": [0], **change})
