"""The table of word2vec settings: bounds, presets, what goes together."""

import dataclasses

import pytest

from dynotes.training.settings import ConfigError
from dynotes.training.word2vec.config import PRESETS, Word2vecConfig, check_settings, resolve


def test_the_defaults_are_right():
    assert Word2vecConfig().checked() == Word2vecConfig()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "glove"}, "model: expected one of skipgram, .*, found 'glove'"),
        ({"window": 0}, "window: expected 1 to 1000, found 0"),
        ({"negatives": 0}, "negatives: expected 1 to"),
        ({"dim": 0}, "dim: expected 1 to"),
        ({"epochs": 0}, "epochs: expected 1 to"),
        ({"subsample": 1.5}, "subsample: expected 0 to 1"),
        ({"lr": float("nan")}, "lr: expected 0 to"),
        ({"min_count": 2.5}, "min_count: expected int"),
        ({"loss": "softmax", "negatives": 7}, "negatives: only with loss negative-sampling"),
        ({"mean": False}, "mean: only with model cbow"),
        ({"model": "context2vec", "subsample": 0.1}, "subsample: only with model skipgram or cbow"),
        ({"model": "context2vec", "window": 3}, "window: only with model skipgram or cbow"),
        ({"model": "c2w", "damping": 0.0}, "damping: only with model skipgram or cbow"),
        ({"model": "c2w", "processes": 2}, "processes: only with model skipgram or cbow"),
        ({"model": "context2vec", "char_dim": 3}, "char_dim: only with model c2w"),
        ({"hidden": 3}, "hidden: only with model context2vec or c2w"),
        ({"model": "context2vec", "loss": "hierarchical"}, "loss: hierarchical has no vector"),
    ],
)
def test_wrong_settings_are_refused_by_name(settings, message):
    with pytest.raises(ConfigError, match=message):
        Word2vecConfig(**settings).checked()


def test_an_unknown_setting_is_refused():
    with pytest.raises(ConfigError, match="unknown setting 'windows'"):
        check_settings({"windows": 3})


@pytest.mark.parametrize(
    ("settings", "words", "message"),
    [
        ({"negatives": 8}, 7, r"negatives: expected 1 to 7 \(the vocabulary\), found 8"),
        ({}, 1, r"1 word\(s\) left"),
        ({"loss": "softmax"}, 50_001, "at most 50000 words, found 50001"),
    ],
)
def test_settings_that_do_not_fit_the_vocabulary_are_refused(settings, words, message):
    with pytest.raises(ConfigError, match=message):
        Word2vecConfig(**settings).check_vocabulary(words)


def test_as_many_negatives_as_words_are_allowed():
    assert Word2vecConfig(negatives=7).check_vocabulary(7) is None  # and 6 words are refused


def test_the_command_line_is_above_the_file_and_the_file_above_the_preset():
    found = resolve("toy", {"dim": 7, "window": 3}, {"window": 4})
    assert (found.dim, found.window) == (7, 4)
    assert found.min_count == PRESETS["toy"]["min_count"]


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_settings(name):
    assert dataclasses.asdict(resolve(name, {}, {})).items() >= PRESETS[name].items()


def test_the_learning_rate_is_that_of_the_model_unless_it_is_named():
    assert Word2vecConfig().first_rate == 0.05
    assert Word2vecConfig(model="cbow").first_rate == 0.3
    assert Word2vecConfig(model="cbow", mean=False).first_rate == 0.05
    assert Word2vecConfig(model="cbow", lr=0.2).first_rate == 0.2
    assert Word2vecConfig(model="cwindow").first_rate == 0.2
    assert Word2vecConfig(model="cwindow", loss="softmax").first_rate == 0.05
    assert Word2vecConfig(model="context2vec").first_rate == 0.001
    assert Word2vecConfig(model="c2w", lr=0.2).first_rate == 0.2


def test_whole_sentences_keep_their_words_and_reach_and_take_plain_steps():
    for model in ("context2vec", "c2w"):
        found = Word2vecConfig(model=model)
        assert (found.thinning, found.reach, found.beta) == (0.0, 1000, 0.0)
    windows = Word2vecConfig(window=3)
    assert (windows.thinning, windows.reach, windows.beta) == (1e-3, 3, 0.1)


@pytest.mark.parametrize("model", ["structured-skipgram", "cwindow"])
def test_models_with_slots_have_whole_windows_unless_drawn_ones_are_asked_for(model):
    assert resolve(None, {}, {}).dynamic
    assert not resolve(None, {}, {"model": model}).dynamic
    assert not resolve("toy", {"model": model}, {}).dynamic
    assert resolve(None, {"dynamic": True}, {"model": model}).dynamic
    assert resolve(None, {"model": model}, {"model": "cbow"}).dynamic


def test_damping_counts_the_losses_of_all_processes():
    assert Word2vecConfig(damping=0.1, processes=3).beta == pytest.approx(0.3)
