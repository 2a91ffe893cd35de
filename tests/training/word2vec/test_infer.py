"""T62: vectors of new paragraphs: what stays as it was, what falls, and what they depend on."""

import numpy as np
import pytest

from dynotes.training.settings import ConfigError
from dynotes.training.word2vec import infer
from dynotes.training.word2vec.infer import ParagraphInference
from tests.training.word2vec.small_paragraphs import MODELS, config, lines, ranks, trained

TEXTS = lines()
NEW = lines(12, seed=9)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """(settings, vocabulary, tables, vectors of the lines) of a run of every model."""
    found = {}
    for name, settings in MODELS.items():
        run = trained(tmp_path_factory.mktemp("run"), config(**settings), TEXTS)
        tables = run.parameters()
        found[name] = (run.config, run.text.vocabulary, tables, run.documents())
    return found


every_model = pytest.mark.parametrize("name", MODELS)


def opened(run, **options):
    return ParagraphInference(*run[:3], **options)


def ids_of(inference, texts):
    return [inference.ids(words) for words in texts]


@every_model
def test_nothing_but_the_new_vectors_changes(runs, name):
    inference = opened(runs[name])
    found = inference.vectors(ids_of(inference, NEW))
    assert found.shape == (12, 12)
    assert np.abs(found).max(axis=1).min() > 0.1
    for table in inference.model.tables:
        expected = runs[name][2][table.name()]
        np.testing.assert_array_equal(np.asarray(table.as_array(), np.float32), expected)
        assert not np.asarray(table.grad_as_array()).any()


@every_model
def test_a_line_of_the_training_text_finds_its_own_vector_again(runs, name):
    """Rank 1 by cosine among 60 lines for more than 9 of 10."""
    inference = opened(runs[name])
    found = inference.vectors(ids_of(inference, TEXTS))
    assert (ranks(found, runs[name][3]) == 1).mean() > 0.9


@every_model
def test_a_vector_depends_on_the_seed_and_the_words_and_not_on_the_others(runs, name):
    inference = opened(runs[name])
    ids = ids_of(inference, NEW)
    together = inference.vectors(ids)
    np.testing.assert_array_equal(together, inference.vectors(ids))
    np.testing.assert_array_equal(together, opened(runs[name]).vectors(ids))
    alone = np.concatenate([inference.vectors([one]) for one in ids])
    np.testing.assert_allclose(alone, together, atol=1e-5)
    backwards = inference.vectors([*ids[::-1], ids[0]])
    np.testing.assert_allclose(backwards[-2::-1], together, atol=1e-5)
    np.testing.assert_allclose(backwards[-1], together[0], atol=1e-5)
    other = opened(runs[name], seed=2).vectors(ids)
    assert np.abs(other - together).max(axis=1).min() > 1e-3


def test_the_objective_falls_with_the_steps(tmp_path):
    """-log P(line | d) under the full softmax, in numpy: of every new line."""
    run = trained(tmp_path, config(model="pv-dbow", loss="softmax"), TEXTS)
    tables = run.parameters()
    u, reached = tables["/softmax/U"].astype(float), []
    for steps in (1, 4, 16, 64):
        inference = ParagraphInference(run.config, run.text.vocabulary, tables, steps=steps, lr=0.1)
        ids = ids_of(inference, NEW)
        scores = inference.vectors(ids).astype(float) @ u.T
        log_p = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        reached.append([-row[words].sum() for row, words in zip(log_p, ids)])
    start = [len(words) * np.log(len(u)) for words in NEW]  # a vector of about 0 is uniform
    falls = np.diff([start, *reached], axis=0)
    assert (falls < 0).all()


def test_a_step_is_a_damped_one_of_gradient_descent(tmp_path):
    """One step of the full softmax from the small start, by its definition in numpy."""
    run = trained(tmp_path, config(model="pv-dbow", loss="softmax", damping=0.5), TEXTS)
    tables = run.parameters()
    inference = ParagraphInference(run.config, run.text.vocabulary, tables, steps=1, lr=0.1)
    ids = inference.ids(NEW[0])
    u = tables["/softmax/U"].astype(float)
    start = np.random.default_rng([1, *ids.tolist()]).uniform(-0.5 / 12, 0.5 / 12, 12)
    p = np.exp(u @ start) / np.exp(u @ start).sum()
    slope = len(ids) * p @ u - u[ids].sum(axis=0)
    expected = start - 0.1 / (1 + 0.1 * 0.5 * len(ids)) * slope
    np.testing.assert_allclose(inference.vectors([ids])[0], expected, atol=1e-5)


@every_model
def test_graphs_of_few_paragraphs_and_pieces_of_long_ones_give_each_its_own(
    runs, name, monkeypatch
):
    ids = ids_of(opened(runs[name]), NEW)
    long = np.concatenate(ids[:4])
    monkeypatch.setattr(infer, "ROOM", 5)
    monkeypatch.setattr(infer, "TOKENS", 70)  # two lines of 30 words; a long one in two pieces
    inference = opened(runs[name])
    together = inference.vectors([ids[0], long, *ids[1:]])
    alone = [inference.vectors([one])[0] for one in (ids[0], long, *ids[1:])]
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert (np.abs(together).max(axis=1) > 0.1).all()


def test_a_piece_of_a_paragraph_knows_its_neighbours_on_both_sides():
    n = 10
    kept = infer._Thinned(
        np.arange(n), np.zeros(n, int), np.full(n, 2), np.arange(2 * n).reshape(2, n)
    )
    chunk, noise = kept.piece(4, 7, 2)
    assert chunk.ids.tolist() == [2, 3, 4, 5, 6, 7, 8]
    assert chunk.centres.tolist() == [4, 5, 6]
    assert noise.tolist() == [[4, 5, 6], [14, 15, 16]]
    assert kept.piece(0, 2, 3)[0].centres.tolist() == [0, 1]


@every_model
def test_the_vector_of_a_paragraph_without_a_known_word_is_0(runs, name):
    inference = opened(runs[name])
    ids = ids_of(inference, [["never", "seen"], NEW[0], []])
    found = inference.vectors(ids)
    assert not found[[0, 2]].any()
    np.testing.assert_allclose(found[1], inference.vectors([ids[1]])[0], atol=1e-5)
    assert not inference.vectors([ids[0]]).any()
    assert inference.vectors([]).shape == (0, 12)


def test_thinned_words_and_one_word_paragraphs_are_no_trouble(tmp_path):
    run = trained(tmp_path, config(model="pv-dbow", subsample=1e-3), TEXTS)
    inference = ParagraphInference(run.config, run.text.vocabulary, run.parameters())
    found = inference.vectors([inference.ids([word]) for word in ("w1", "w2", "w3")])
    assert np.isfinite(found).all()


def test_a_model_of_words_alone_is_refused(runs):
    _, vocabulary, tables, _ = runs["dbow"]
    with pytest.raises(ConfigError, match="model cbow: only pv-dm and pv-dbow have vectors"):
        ParagraphInference(config(model="cbow"), vocabulary, tables)


def test_tables_of_other_settings_are_refused(runs):
    _, vocabulary, tables, _ = runs["dbow"]
    with pytest.raises(ValueError, match="parameters do not fit"):
        ParagraphInference(config(model="pv-dbow", dim=7), vocabulary, tables)
