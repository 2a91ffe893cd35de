"""Inputs of a parser: parts, what is dropped and how survivors are scaled, characters, vectors."""

import dynet as dy
import numpy as np
import pytest

from dynotes.graph.arrays import parameter_array, read
from dynotes.parsing.parser_inputs import ParserInputs
from dynotes.training.parameters import named_parameters
from tests.helpers import assert_gradients, asymmetric
from tests.parsing.small_treebank import batch, inputs_spec, symbols
from tests.reference.lstm import lstm_run


def make(pc, table=None, **sizes):
    return ParserInputs(pc, **inputs_spec(table or symbols(), **sizes))


def test_words_and_tags_are_rows_of_the_tables():
    inputs, (b, _, _) = make(dy.ParameterCollection(), char_size=0), batch()
    word, tag = map(read, inputs(b))
    np.testing.assert_array_equal(word.T, parameter_array(inputs.words)[b.words.ravel()])
    np.testing.assert_array_equal(tag.T, parameter_array(inputs.tags)[b.tags.ravel()])


def test_characters_are_the_last_states_of_both_directions():
    inputs, (b, _, _) = make(dy.ParameterCollection(), word_size=0, tag_size=0), batch()
    (found,) = map(read, inputs(b))
    C = parameter_array(inputs.characters)
    starts = np.cumsum(b.spelling.lengths) - b.spelling.lengths
    for place, form in enumerate(b.forms.ravel()):
        x = C[b.spelling.characters[starts[form] :][: b.spelling.lengths[form]]]
        expected = []
        for lstm, turn in zip(inputs.readers, (1, -1)):
            weights = [tuple(p.as_array() for p in lstm.parameters())]
            zero, ones = [np.zeros(2)], [np.ones(3)]
            out, _, _ = lstm_run(x[::turn], zero, zero, weights, 1.0, ones, [np.ones(2)])
            expected += list(out[-1])
        np.testing.assert_allclose(found[:, place], expected, rtol=1e-4, atol=1e-6)


def test_parts_are_dropped_by_themselves_and_the_others_scaled():
    """Every place is 3 / (parts left) or 0; of 20 batches a third is dropped, +-0.05, seed 0."""
    pc = dy.ParameterCollection()
    inputs, (b, _, _) = make(pc), batch()
    plain = [read(e) for e in inputs(b)]
    rng, dropped, count = np.random.default_rng(0), 0, 0
    for _ in range(20):
        dy.renew_cg()
        found = [read(e) for e in inputs(b, p=1 / 3, rng=rng)]
        factors = np.array([f[0] / x[0] for f, x in zip(found, plain)])
        for f, x, factor in zip(found, plain, factors):
            np.testing.assert_allclose(f, x * factor, rtol=1e-4, atol=1e-6)
        left = (factors > 0).sum(axis=0)
        expected = (factors > 0) * (3 / np.maximum(left, 1))
        np.testing.assert_allclose(factors, expected, rtol=1e-4)
        dropped, count = dropped + (factors == 0).sum(), count + factors.size
    assert abs(dropped / count - 1 / 3) < 0.05


def test_a_tag_that_is_not_in_the_table_is_a_part_that_is_dropped():
    inputs, (b, _, _) = make(dy.ParameterCollection()), batch()
    plain = [read(e) for e in inputs(b)]
    dy.renew_cg()
    tags = b.tags.copy()
    tags[1, 0] = -1
    word, tag, _ = map(read, inputs(b._replace(tags=tags)))
    place = len(b.lengths)  # row 1, column 0
    assert not tag[:, place].any()
    np.testing.assert_allclose(word[:, place], plain[0][:, place] * 1.5, rtol=1e-5)
    np.testing.assert_array_equal(word[:, place + 1], plain[0][:, place + 1])


def test_fixed_vectors_are_added_where_there_are_any_and_never_learn():
    table = symbols(vectors=["dog", "cats"])
    pc = dy.ParameterCollection()
    inputs, (b, _, _) = make(pc, table, n_fixed=2, char_size=0), batch(table=table)
    plain = read(inputs(b)[0])
    inputs.set_fixed(np.arange(12.0).reshape(2, 6))
    dy.renew_cg()
    parts = inputs(b)
    fixed = np.vstack([np.arange(12.0).reshape(2, 6), np.zeros(6)])[b.fixed.ravel()]
    np.testing.assert_allclose(read(parts[0]), plain + fixed.T, rtol=1e-5)
    assert (b.fixed >= 0).sum() >= 3
    asymmetric(parts[0]).backward()
    assert not parameter_array(inputs.fixed, gradient=True).any()
    assert parameter_array(inputs.words, gradient=True).any()


def test_gradients_match_finite_differences():
    pc = dy.ParameterCollection()
    inputs, (b, _, _) = make(pc), batch()
    params = list(named_parameters(pc).values())
    assert_gradients(lambda: asymmetric(dy.concatenate(inputs(b))), params, entries=5)


def test_bad_input_is_refused():
    pc = dy.ParameterCollection()
    inputs, (b, _, _) = make(pc), batch()
    with pytest.raises(ValueError, match="p: needs an rng"):
        inputs(b, p=0.5)
    with pytest.raises(ValueError, match="words: ids must be 0 to"):
        inputs(b._replace(words=b.words + 50))
    with pytest.raises(ValueError, match="expected at least one part"):
        make(pc, word_size=0, tag_size=0, char_size=0)
    with pytest.raises(ValueError, match="fixed vectors: expected"):
        inputs.set_fixed(np.zeros((2, 6)))
