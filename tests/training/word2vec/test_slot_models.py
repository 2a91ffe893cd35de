"""T65, T66: runs of the models with slots: bits, vectors that come out, windows that are drawn."""

import dynet as dy
import numpy as np
import pytest

from dynotes.corpora.token_store import TokenText
from dynotes.corpora.token_stream import Chunk
from dynotes.corpora.vocabulary import Vocabulary
from dynotes.training.progress import Interrupted
from dynotes.training.word2vec.models import new_model
from tests.training.word2vec.small_word2vec import config, log, run

MODELS = ["structured-skipgram", "cwindow"]
LOSSES = ["negative-sampling", "nce", "hierarchical", "softmax"]
IDS = np.array([0, 3, 2, 1], np.int32)


def settings(model, loss="negative-sampling", **more):
    shared = {"shared": 8} if loss in ("negative-sampling", "nce") else {"shared": 128}
    return config(model=model, loss=loss, dynamic=False, window=2, **{**shared, **more})


def made(model, windows, **more):
    """(collection, model, examples of four words whose windows have these half widths)."""
    vocabulary = Vocabulary.build({"a": 9, "b": 8, "c": 7, "d": 6}, unk=None, eos=None)
    pc = dy.ParameterCollection()
    text = TokenText(vocabulary, IDS, np.array([4]), 0, "")
    found = new_model(settings(model, negatives=2, **more), pc, text)
    widths = np.array(windows, np.int32)
    return pc, found, found.examples(Chunk(IDS, np.zeros(4, np.int64), 0, widths, 0, 4))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("loss", LOSSES)
def test_interrupted_and_resumed_it_ends_with_the_same_bits(tmp_path, model, loss):
    whole = run(tmp_path / "whole", settings(model, loss))
    whole.train()
    part = run(tmp_path / "part", settings(model, loss))
    step, steps = part.stepper.step, []

    def stopped(*args):
        steps.append(1)
        part._stop[0] = len(steps) == 9
        return step(*args)

    part.stepper.step = stopped
    with pytest.raises(Interrupted):
        part.train()
    rest = run(tmp_path / "part", settings(model, loss))
    rest.train(resume=True)
    for name, array in whole.parameters().items():
        np.testing.assert_array_equal(array, rest.parameters()[name])
    assert log(tmp_path / "whole") == log(tmp_path / "part")


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("loss", LOSSES)
def test_the_loss_falls_and_every_word_has_a_vector_that_moved(tmp_path, model, loss):
    r = run(tmp_path / "run", settings(model, loss, epochs=4))
    before = r.vectors().copy()
    r.train()
    losses = [entry["loss"] for entry in log(tmp_path / "run")]
    assert losses[-1] < losses[0]
    words = len(r.text.vocabulary)
    assert r.vectors().shape == before.shape == (words, 6)
    assert (r.vectors() != before).any(axis=1).all()


def test_the_output_table_has_a_vector_a_word_and_slot_or_one_as_long_as_the_window(tmp_path):
    shapes = {}
    for model in MODELS:
        _, found, _ = made(model, [2] * 4)
        shapes[model] = [table.shape() for table in found.tables]
    assert shapes == {
        "structured-skipgram": [(4, 6), (4 * 4, 6)],
        "cwindow": [(5, 6), (4, 4 * 6)],
    }


def test_places_beyond_a_drawn_window_are_not_predicted_or_hold_padding():
    _, _, (_, predictions) = made("structured-skipgram", [1, 2, 1, 1])
    # around 0: 3; around 3: 0, 2, 1; around 2: 3, 1; around 1: 2
    np.testing.assert_array_equal(predictions.words, [3, 0, 2, 1, 3, 1, 2])
    np.testing.assert_array_equal(predictions.slots, [2, 1, 2, 3, 1, 2, 1])
    _, found, (windows, predictions) = made("cwindow", [1, 2, 1, 1])
    pad = found.encoder.padding
    np.testing.assert_array_equal(
        windows.words[windows.rows].T,
        [[pad, pad, 3, pad], [pad, 0, 2, 1], [pad, 3, 1, pad], [pad, 2, pad, pad]],
    )
    np.testing.assert_array_equal(predictions.words, IDS)


@pytest.mark.parametrize("model", MODELS)
def test_a_chunk_of_one_word_sentences_gives_nothing(model):
    _, found, _ = made(model, [2] * 4)
    chunk = Chunk(IDS, np.arange(4), 0, np.full(4, 2, np.int32), 0, 4)
    assert found.examples(chunk) is None
