"""T60, T61: runs of paragraph vectors: what a line learns, and bits that interruptions keep."""

import os
import signal

import numpy as np
import pytest

from dynotes.training.progress import Interrupted
from dynotes.training.settings import ConfigError
from tests.reference import paragraphs as ref
from tests.training.word2vec import small_word2vec
from tests.training.word2vec.small_paragraphs import MODELS, config, lines, trained

every_model = pytest.mark.parametrize("settings", MODELS.values(), ids=MODELS)


@every_model
def test_lines_and_words_have_a_vector_each_and_lines_of_the_same_words_similar_ones(
    tmp_path, settings
):
    texts = lines()
    texts[7] = [*texts[3]]
    run = trained(tmp_path, config(**settings), texts)
    documents, words = run.documents(), run.vectors()
    assert documents.shape == (60, 12)
    assert words.shape == (len(run.text.vocabulary), 12)
    unit = documents / np.linalg.norm(documents, axis=1, keepdims=True)
    cosines = unit @ unit[3]
    assert cosines[7] > 0.8
    assert (np.delete(cosines, [3, 7]) < cosines[7]).all()


@every_model
@pytest.mark.parametrize("loss", ["nce", "hierarchical", "softmax"])
def test_every_output_loss_trains_every_model(tmp_path, settings, loss):
    run = trained(tmp_path, config(**settings, loss=loss, epochs=20), lines(20))
    losses = [entry["loss"] for entry in run.at.history]
    assert losses[-1] < 0.95 * losses[0]


def test_a_line_without_a_word_has_the_vector_0(tmp_path):
    texts = [["a", "b", "a", "b"], [], ["rare"], ["b", "a", "b", "a"]]
    run = trained(tmp_path, config(model="pv-dbow", min_count=2, epochs=2, negatives=2), texts)
    assert np.abs(run.documents()).max(axis=1).astype(bool).tolist() == [True, False, False, True]


def test_words_that_do_not_predict_have_their_output_vectors_unless_they_are_leaves(tmp_path):
    run = trained(tmp_path / "a", config(model="pv-dbow", epochs=1), lines(5))
    np.testing.assert_array_equal(run.vectors(), run.parameters()["/negative-sampling/U"])
    run = trained(tmp_path / "b", config(model="pv-dbow", epochs=1, loss="hierarchical"), lines(5))
    assert run.vectors() is None


def test_every_word_of_a_line_is_predicted_once_a_pass(tmp_path):
    texts = lines(20, words=9)
    for settings in ({"model": "pv-dbow"}, {"model": "pv-dm", "window": 1}):
        run = trained(tmp_path / settings["model"], config(**settings, epochs=2), texts)
        assert [entry["predictions"] for entry in run.at.history] == [180, 180]


def test_with_the_full_softmax_lines_learn_their_distribution_of_words(tmp_path):
    """Mean KL(line || model) after 300 passes of damped steps, D = 12 of 40 words: below 0.1."""
    texts = lines(20)
    settings = config(model="pv-dbow", loss="softmax", epochs=300, lr=0.05)
    run = trained(tmp_path, settings, texts)
    scores = run.documents() @ run.vectors().T
    log_p = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    gaps = []
    for row, words in zip(log_p, texts):
        p = ref.word_shares(run.text.vocabulary.lookup(words), len(row))
        gaps.append((p[p > 0] * (np.log(p[p > 0]) - row[p > 0])).sum())
    assert np.mean(gaps) < 0.1


@every_model
@pytest.mark.parametrize("stop_at", [1, 9])
def test_interrupted_and_resumed_it_ends_with_the_same_bits(tmp_path, stop_at, settings):
    settings = small_word2vec.config(**settings)
    whole = small_word2vec.run(tmp_path / "whole", settings)
    whole.train()
    part = small_word2vec.run(tmp_path / "part", settings)
    step, steps = part.stepper.step, []

    def counted(*args):
        steps.append(1)
        if len(steps) == stop_at:
            os.kill(os.getpid(), signal.SIGINT)
        return step(*args)

    part.stepper.step = counted
    with pytest.raises(Interrupted):
        part.train()
    rest = small_word2vec.run(tmp_path / "part", settings)
    rest.train(resume=True)
    for name, values in whole.parameters().items():
        np.testing.assert_array_equal(values, rest.parameters()[name])
    np.testing.assert_array_equal(whole.documents(), rest.documents())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "cbow", "mode": "sum"}, "mode: only with model pv-dm"),
        ({"model": "pv-dbow", "around": True}, "around: only with model pv-dm"),
        ({"model": "pv-dm", "dbow_words": True}, "dbow_words: only with model pv-dbow"),
        ({"model": "pv-dm", "mode": "sum", "divided": False}, "divided: only with mode mean"),
        ({"model": "pv-dm", "mode": "max"}, "mode: expected one of concat, mean, sum"),
    ],
)
def test_settings_of_another_model_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        config(**settings)


def test_the_rate_of_paragraphs_is_their_own_unless_it_is_named():
    assert config(model="pv-dbow").first_rate == 0.1
    assert config(model="pv-dm", mode="mean").first_rate == 0.1
    assert config(model="pv-dm", mode="mean", divided=False).first_rate == 0.03
    assert config(model="pv-dm", lr=0.2).first_rate == 0.2
