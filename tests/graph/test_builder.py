"""T34: a builder owns what it makes; saved and loaded it is the same, name clash or not."""

import dynet as dy
import numpy as np
import pytest

from dynotes.graph.arrays import feed, parameter_array, read
from dynotes.graph.builder import Builder


class Half(Builder):
    """A matrix."""

    NAME = "half"

    def __init__(self, pc, *, n_in, n_out):
        super().__init__(pc, n_in=n_in, n_out=n_out)
        self.W = self._pc.add_parameters((n_out, n_in))


class Whole(Builder):
    """A table and a child builder."""

    NAME = "whole"

    def __init__(self, pc, *, n_words, n_in, n_out):
        super().__init__(pc, n_words=n_words, n_in=n_in, n_out=n_out)
        self.table = self._pc.add_lookup_parameters((n_words, n_in))
        self.half = Half(self._pc, n_in=n_in, n_out=n_out)

    def __call__(self, word):
        return self.half.W * self.table[word]


SIZES = {"n_words": 4, "n_in": 3, "n_out": 2}


def test_spec_holds_exactly_the_keyword_arguments():
    pc = dy.ParameterCollection()
    assert Whole(pc, **SIZES).spec == SIZES


def test_every_parameter_lies_in_the_builders_own_collection():
    pc = dy.ParameterCollection()
    whole = Whole(pc, **SIZES)
    own = whole.param_collection()
    assert [p.name() for p in own.parameters_list()] == ["/whole/half/_0"]
    assert [p.name() for p in own.lookup_parameters_list()] == ["/whole/_0"]
    assert [p.name() for p in whole.half.param_collection().parameters_list()] == ["/whole/half/_0"]


def test_from_spec_makes_the_same_sizes_afresh():
    pc = dy.ParameterCollection()
    first = Whole(pc, **SIZES)
    second = Whole.from_spec(first.spec, pc)
    assert second.spec == first.spec
    assert second.half.W.shape() == first.half.W.shape()
    assert (parameter_array(second.half.W) != parameter_array(first.half.W)).any()


def test_a_saved_builder_is_loaded_bit_for_bit_despite_a_name_clash(tmp_path):
    pc = dy.ParameterCollection()
    Whole(pc, **SIZES)
    saved = Whole(pc, **SIZES)
    expected = read(saved(2))
    dy.save(str(tmp_path / "model"), [saved])
    dy.renew_cg()
    other = dy.ParameterCollection()
    Whole(other, **SIZES)
    (loaded,) = dy.load(str(tmp_path / "model"), other)
    assert isinstance(loaded, Whole)
    np.testing.assert_array_equal(read(loaded(2)), expected)


def test_two_graphs_in_a_row_give_equal_results():
    pc = dy.ParameterCollection()
    whole = Whole(pc, **SIZES)
    first = read(whole(1))
    dy.renew_cg()
    feed(np.ones(5))
    np.testing.assert_array_equal(read(whole(1)), first)


@pytest.mark.parametrize("name", ["with_underscore", "with/slash"])
def test_dynet_refuses_names_with_its_own_separators(name):
    class Misnamed(Builder):
        NAME = name

    with pytest.raises(RuntimeError):
        Misnamed(dy.ParameterCollection())
