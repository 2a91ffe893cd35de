"""T59, T63: what a chunk of text gives the models that read whole sentences."""

import dynet as dy
import numpy as np
import pytest

from dynotes.corpora.token_stream import chunks
from dynotes.embeddings.left_reader import SpelledSlots
from dynotes.embeddings.slots import id_slots
from dynotes.graph.arrays import read
from tests.training.word2vec.small_word2vec import config, run

SETTINGS = {
    "context2vec": {"model": "context2vec", "subsample": 1e-3},
    "c2w": {"model": "c2w", "subsample": 1e-3, "char_dim": 3, "char_hidden": 4},
}
models = pytest.mark.parametrize("name", SETTINGS)


def pieces(r, size):
    """The examples of a text cut into chunks of so many words."""
    stream = chunks(
        r.text.ids, r.text.sentence_ends, keep=r.keep, window=r.config.reach, size=size, seed=1
    )
    return [r.model.examples(chunk) for chunk in stream]


def hidden(r, inputs):
    dy.renew_cg()
    return read(r.model.encoder.hidden(inputs))[..., 0]


@models
@pytest.mark.parametrize("size", [7, 50, 5000])
def test_every_word_is_predicted_once_from_its_whole_sentence_however_the_text_is_cut(
    tmp_path, name, size
):
    r = run(tmp_path, config(**SETTINGS[name]))
    made = pieces(r, size)
    found = np.concatenate([hidden(r, each.inputs) for each in made], axis=1)
    words = np.concatenate([each.predictions.words for each in made])
    np.testing.assert_array_equal(words, r.text.ids)
    ends = np.array(r.text.sentence_ends)
    sentences = [s for s in np.split(np.array(r.text.ids), ends[:-1]) if len(s)]
    slots = id_slots(sentences)
    if name == "c2w":
        spelling = made[0].inputs.spelling
        assert len(spelling.lengths) == len(made[0].inputs.slots.words)
        (whole,) = pieces(r, 10**6)
        slots = SpelledSlots(slots, whole.inputs.spelling)
    np.testing.assert_allclose(found, hidden(r, slots), atol=1e-5)


def test_sizes_keep_the_proportions_of_the_papers(tmp_path):
    r = run(tmp_path / "a", config(**SETTINGS["context2vec"], dim=7))
    found = r.model.encoder.spec
    assert found == {"n_words": 12, "n_embed": 4, "n_hidden": 7, "n_middle": 14, "n_out": 7}
    r = run(tmp_path / "b", config(**SETTINGS["c2w"], dim=7, hidden=9))
    found = r.model.encoder.spec
    assert found == {
        "n_chars": 13, "n_embed": 7, "n_char_embed": 3, "n_char_hidden": 4, "n_hidden": 9,
    }  # fmt: skip
    assert r.model.output.spec["n_embed"] == 9
