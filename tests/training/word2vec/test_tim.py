"""T64: the composition of a run: which phrases, what is measured, the model file, new phrases."""

import json

import numpy as np
import pytest

from dynotes.corpora.errors import InputError
from dynotes.corpora.phrase_text import Phrase
from dynotes.corpora.word_vectors import WordVectors, read_vectors, write_vectors
from dynotes.training.model_file import write_arrays
from dynotes.training.settings import ConfigError
from dynotes.training.word2vec.composition import cosines
from dynotes.training.word2vec.tim import (
    Composer,
    checked_phrases,
    heldout_metrics,
    learn_composition,
    phrase_rows,
    run_composition,
)
from tests.training.word2vec.small_word2vec import config

D = 4
SETTINGS = {"model": "tim", "dim": D, "rank": 2, "fit_epochs": 400}


def phrase(first, second, kind="other"):
    return Phrase(f"{first}_{second}", first, second, 9, 1.0, kind)


def language(types=1, seed=0, n=14):
    """(vectors, phrases): all pairs of n words, whose vectors are a x + b y by type, and noise."""
    rng = np.random.default_rng(seed)
    words = [f"w{i}" for i in range(n)]
    base = rng.normal(size=(n, D))
    phrases, rows = [], list(base)
    for i in range(n):
        for j in range(n):
            kind = (i + j) % types
            phrases.append(phrase(words[i], words[j], f"type{kind}"))
            z = (1.0 - kind) * base[i] + (0.2 + kind) * base[j][::-1]
            rows.append(z + 0.05 * rng.normal(size=D))
    names = [*words, *(p.text for p in phrases)]
    return WordVectors(names, np.array(rows, np.float32)), phrases


def test_phrases_need_vectors_of_their_own_and_of_both_words():
    phrases = [phrase("a", "b"), phrase("b", "x"), phrase("a", "a"), phrase("a", "b")]
    rows, names = phrase_rows(phrases, ["a", "b", "a_b", "b_x"])
    assert [column.tolist() for column in rows] == [[0], [1], [2], [0]]
    assert names == ["other"]


def test_rare_types_are_one():
    phrases = [phrase(f"{i}", "b", "often" if i < 6 else "rare") for i in range(9)]
    words = [*map(str, range(9)), "b", *(p.text for p in phrases)]
    rows, names = phrase_rows(phrases, words, least=5)
    assert names == ["often", "other"]
    assert rows.kinds.tolist() == [0] * 6 + [1] * 3


@pytest.fixture(scope="module")
def two_types():
    vectors, phrases = language(2)
    return vectors, learn_composition(config(**SETTINGS), vectors, phrases)


@pytest.mark.parametrize("types", [1, 2])
def test_held_out_phrases_are_composed_better_than_by_addition(types, two_types):
    _, found = two_types
    if types == 1:
        found = learn_composition(config(**SETTINGS), *language(1))
    means = found.cosines["all"]
    assert means["tim"] > 0.95 > means["additive"] > means["multiplicative"]
    assert means["linear"] > 0.95
    assert found.meta["types"] == [f"type{t}" for t in range(types)]
    assert sum(found.meta["phrases"].values()) == 14 * 14
    assert set(found.cosines) == {"all", *(found.meta["types"] if types > 1 else ())}
    assert heldout_metrics(found)["heldout_cosine_tim"] == means["tim"]
    assert "heldout_cosine_mean_phrase" in heldout_metrics(found)
    assert json.loads(json.dumps(found.meta)) == found.meta


def test_equal_seeds_learn_equal_bits():
    vectors, phrases = language()
    settings = config(**{**SETTINGS, "fit_epochs": 9})
    one, other = (learn_composition(settings, vectors, phrases) for _ in "ab")
    for name, array in one.arrays.items():
        np.testing.assert_array_equal(array, other.arrays[name])
    assert one.cosines == other.cosines


@pytest.fixture
def run(tmp_path, two_types):
    """(folder of a run with two types, its vectors, what it learned)."""
    vectors, learned = two_types
    meta = {"composition": learned.meta, "encoder": {"n_embed": D}}
    arrays = {**learned.arrays, "/skip-gram/V": vectors.matrix}
    write_arrays(tmp_path / "model.safetensors", arrays, meta)
    write_vectors(tmp_path / "vectors.bin", vectors, format="binary")
    return tmp_path, vectors, learned


def by_hand(learned, x, y, kind):
    """z_i = x^T (U_i^T V_i + diag(e_i)) y + (M x)_i + (N y)_i from the arrays of a file."""
    names = (f"/tensor-indexing/type{kind}/{letter}" for letter in "MNUV")
    M, N, U, V = (learned.arrays[name].astype(float) for name in names)
    form = [x @ U[2 * i : 2 * i + 2].T @ (V[2 * i : 2 * i + 2] @ y) for i in range(D)]
    return np.array(form) + x * y + M @ x + N @ y


def test_a_model_file_composes_new_phrases_by_type(run):
    folder, vectors, learned = run
    composer = Composer(folder / "model.safetensors")
    for kind in (0, 1):
        (found,) = composer(vectors, [("w3", "w5")], f"type{kind}")
        expected = by_hand(learned, *vectors.matrix[[3, 5]].astype(float), kind)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_neighbours_of_composed_phrases_are_told_and_their_vectors_written(run):
    folder, vectors, _ = run
    pairs = [("w3", "w5"), ("w1", "w2"), ("w3", "w5")]
    out = folder / "new.txt"
    found = run_composition(folder, pairs, kind="type0", top=3, write=out)
    assert list(found["phrases"]) == ["w3_w5", "w1_w2"]
    about = found["phrases"]["w3_w5"]
    assert len(about["neighbours"]) == 3
    assert about["cosine_with_its_own_vector"] == dict(about["neighbours"])["w3_w5"] > 0.9
    written = read_vectors(out)
    assert written.words == ["w3_w5", "w1_w2"]
    own = vectors.matrix[vectors.words.index("w3_w5")]
    cosine = float(cosines(written.matrix[:1], own[None])[0])
    assert cosine == pytest.approx(about["cosine_with_its_own_vector"], abs=1e-4)
    assert json.loads(json.dumps(found)) == found


def test_what_cannot_be_composed_is_refused(run):
    folder, _, _ = run
    with pytest.raises(InputError, match="name the type of the phrase: type0, type1"):
        run_composition(folder, [("w1", "w2")])
    with pytest.raises(InputError, match="no type 'verb'; it has type0, type1"):
        run_composition(folder, [("w1", "w2")], kind="verb")
    with pytest.raises(InputError, match="'tea' is not among its 210 words"):
        run_composition(folder, [("w1", "tea")], kind="type0")
    with pytest.raises(InputError, match="the name tells no format"):
        run_composition(folder, [("w1", "w2")], kind="type0", write=folder / "x.doc")
    write_arrays(folder / "model.safetensors", {"/skip-gram/V": np.ones((2, D))}, {"model": "x"})
    with pytest.raises(InputError, match="has no composition: train with --model tim"):
        run_composition(folder, [("w1", "w2")])


def test_a_damaged_composition_is_refused(run):
    folder, _, learned = run
    meta = {"composition": {**learned.meta, "spec": {**learned.meta["spec"], "rank": 3}}}
    write_arrays(folder / "model.safetensors", learned.arrays, meta)
    with pytest.raises(InputError, match="a damaged composition"):
        Composer(folder / "model.safetensors")


def test_a_text_with_too_few_phrases_is_told_before_it_is_trained_on(tmp_path):
    (tmp_path / "phrases.tsv").write_text("a_b\ta\tb\t9\t1.5\tother\n")
    with pytest.raises(InputError, match=r"text.txt: 1 phrases that are frequent enough"):
        checked_phrases(tmp_path / "text.txt", tmp_path, ["a", "b", "a_b"])


def test_the_settings_of_a_composition_belong_to_the_model_tim():
    with pytest.raises(ConfigError, match="rank: only with model tim"):
        config(rank=3)
