"""Transition parsers in the training of parsers: settings, lifted trees."""

import dynet as dy
import numpy as np
import pytest

from dynotes.corpora.treebank import GoldTrees
from dynotes.corpora.trees import is_projective, is_tree
from dynotes.training.parameters import named_parameters
from dynotes.training.parser.config import resolve
from dynotes.training.parser.models import MODELS
from dynotes.training.parser.transition_model import lifted
from dynotes.training.settings import ConfigError
from tests.parsing.small_treebank import batch, symbols
from tests.reference.dependency_trees import all_trees


def test_lifting_makes_every_tree_projective_and_leaves_projective_ones_alone():
    for tree in all_trees(5):
        found = lifted(np.array(tree))
        assert is_tree(found)
        assert is_projective(found)
        if is_projective(tree):
            assert found.tolist() == list(tree)


def test_lifting_takes_the_shortest_arc_to_the_head_of_its_head():
    # 1 -> 4 and 3 -> 1 cross the root's arc over 2: the shorter one, 3 -> 1, is lifted first
    assert lifted(np.array([3, 0, 2, 1])).tolist() == [2, 0, 2, 2]


@pytest.mark.parametrize("algorithm", ["arc-standard", "arc-hybrid", "swap"])
def test_a_preset_leaves_out_what_an_algorithm_has_no_use_for(algorithm):
    config = resolve("toy", {}, {"algorithm": algorithm})
    assert config.hidden == 64
    with pytest.raises(ConfigError, match="arc_size: only with algorithm biaffine"):
        resolve("toy", {}, {"algorithm": algorithm, "arc_size": 7})


def test_exploration_is_for_arc_hybrid_alone():
    with pytest.raises(ConfigError, match="explore: only with algorithm arc-hybrid"):
        resolve(None, {}, {"algorithm": "swap", "explore": 0.5})


@pytest.mark.parametrize("algorithm", ["arc-standard", "arc-hybrid", "swap"])
def test_every_parameter_of_a_model_is_trained_by_its_loss(algorithm):
    config = resolve("toy", {}, {"algorithm": algorithm})
    table = symbols()
    sentences, heads, labels = batch(table=table)
    gold = GoldTrees(heads, labels)
    pc = dy.ParameterCollection()
    model = MODELS[algorithm](pc, MODELS[algorithm].new_spec(config, table))
    dy.renew_cg()
    model.loss(sentences, gold, config, np.random.default_rng(71)).backward()
    for name, p in named_parameters(pc).items():
        assert np.abs(p.grad_as_array()).max() > 0, name
