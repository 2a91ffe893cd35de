"""T58: a trained classifier: labels of texts, precision and recall, its file."""

import numpy as np
import pytest

from dynotes.corpora.errors import InputError
from dynotes.corpora.labelled_text import LabelledText
from dynotes.corpora.toy_labels import subject_label
from dynotes.corpora.toy_language import ToyLanguage
from dynotes.training.classify import classifier as module
from dynotes.training.classify.classifier import (
    Classifier,
    Scores,
    read_classifier,
    write_classifier,
)
from dynotes.training.classify.command import TextFiles, data_of
from dynotes.training.classify.run import ClassifyRun
from dynotes.training.model_file import read_arrays, write_arrays
from dynotes.training.run_folder import RunFolder
from tests.reference import fasttext as ref
from tests.training.classify.small_classify import config, lines, run

OUTPUTS = ["softmax", "hierarchical-softmax", "one-vs-all"]


def trained(folder, **settings):
    """(classifier, what owns its parameters)."""
    r = run(folder, config(**{"epochs": 12, "lr": 0.5, **settings}), both=False)
    r.train()
    x = r.examples
    return Classifier(r.model, x.features, x.labels, r.config.style), r


def texts(count=30, seed=2):
    for i, line in enumerate(lines(count, seed)):
        label, *words = line.split()
        yield LabelledText(i, [label[len("__label__") :]], words)


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("settings", [{"word_ngrams": 1}, {}, {"minn": 2, "maxn": 3}], ids=str)
def test_separable_texts_are_all_right(tmp_path, output, settings):
    found, r = trained(tmp_path, output=output, **settings)
    scores = found.score(texts())
    assert (scores.examples, scores.right) == (30, 30)
    assert scores.precision == scores.recall == 1
    assert r.pc.parameter_count()


def test_trigrams_tell_nearly_all_toy_sentences_apart_and_words_do_not(tmp_path):
    language, rng = ToyLanguage(), np.random.default_rng(1)
    sentences = [language.sample(rng) for _ in range(1500)]
    some = [LabelledText(i, [subject_label(s)], list(s.words)) for i, s in enumerate(sentences)]
    right = []
    for n in (1, 3):
        folder = tmp_path / str(n)
        folder.mkdir()
        lines = (f"__label__{t.labels[0]} {' '.join(t.words)}\n" for t in some)
        (folder / "texts.txt").write_text("".join(lines))
        r = toy_run(folder, config(dim=10, epochs=8, lr=0.5, batch=16, word_ngrams=n, bucket=99999))
        found = Classifier(r.model, r.examples.features, r.examples.labels, r.config.style)
        right.append(found.score(some).precision)
    words, trigrams = right
    assert trigrams > 0.99
    assert words < 0.985


def toy_run(folder, settings):
    data = data_of(RunFolder(folder), TextFiles(folder / "texts.txt", None, None), settings)
    r = ClassifyRun(settings, data, RunFolder(folder), say=lambda _: None)
    r.train()
    return r


def test_the_probabilities_are_those_of_averaging_and_a_linear_layer(tmp_path):
    found, r = trained(tmp_path)
    arrays = r.parameters()
    A, B = (arrays[f"/fasttext-classifier/{name}"].astype(float) for name in "AB")
    words = ["the", "cat", "on", "zebra", "saw"]
    bag = found.features.bag([words]).rows.tolist()
    scores = B @ ref.hidden(A, bag)
    p = np.exp(scores) / np.exp(scores).sum()
    (prediction,) = found.predict([words], k=0)
    assert prediction.labels == found.labels.decode(np.argsort(-p))
    np.testing.assert_allclose(prediction.probabilities, np.sort(p)[::-1], rtol=1e-4)


@pytest.mark.parametrize("output", OUTPUTS)
def test_the_labels_of_a_text_do_not_depend_on_its_batch(tmp_path, monkeypatch, output):
    found, r = trained(tmp_path, output=output)
    words = [text.words for text in texts()]
    together = list(found.predict(words, k=2))
    monkeypatch.setattr(module, "TEXTS", 4)
    monkeypatch.setattr(module, "WORDS", 13)
    for one, other in zip(together, found.predict(iter(words), k=2)):
        assert one.labels == other.labels
        np.testing.assert_allclose(one.probabilities, other.probabilities, rtol=1e-5)
    assert r.pc.parameter_count()


def test_texts_are_taken_a_batch_at_a_time(tmp_path):
    found, r = trained(tmp_path)
    taken = []

    def endless():
        while True:
            taken.append(1)
            yield ["cat"]

    assert next(found.predict(endless())).labels == ["animals"]
    assert len(taken) <= module.TEXTS + 1
    assert r.pc.parameter_count()


def test_k_and_the_threshold_limit_the_labels(tmp_path):
    found, r = trained(tmp_path)
    counts = [len(next(found.predict([["cat"]], k=k)).labels) for k in (0, 1, 2, 9)]
    assert counts == [3, 1, 2, 3]
    (best,) = found.predict([["cat"]], k=0, threshold=0.5)
    assert best.labels == ["animals"]
    assert next(found.predict([["cat"]], threshold=1.0)).labels == []
    assert r.pc.parameter_count()


def test_a_text_without_known_words_has_labels_too(tmp_path):
    found, r = trained(tmp_path)
    assert [len(p.labels) for p in found.predict([[], ["zebra"]], k=0)] == [3, 3]
    assert r.pc.parameter_count()


def test_precision_and_recall_count_all_predictions_and_all_gold_labels(tmp_path):
    found, r = trained(tmp_path)
    some = [
        LabelledText(1, ["animals", "unknown"], ["cat", "dog"]),
        LabelledText(2, ["tools"], ["fig", "lime"]),
        LabelledText(3, ["unknown"], ["pear"]),
    ]
    assert found.score(some) == Scores(3, 1, 3, 4)
    assert found.score(some, k=0) == Scores(3, 2, 9, 4)
    assert found.score([]) == Scores(0, 0, 0, 0)
    assert Scores(0, 0, 0, 0).precision == Scores(0, 0, 0, 0).recall == 0.0
    assert r.pc.parameter_count()


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_file_holds_all_that_the_labels_need(tmp_path, output):
    found, r = trained(tmp_path, output=output, minn=2, maxn=3, lower=True, label_prefix="__label_")
    write_classifier(tmp_path / "model.safetensors", found, r.parameters())
    again, pc = read_classifier(tmp_path)
    words = [text.words for text in texts()]
    assert list(found.predict(words, k=0)) == list(again.predict(words, k=0))
    assert again.style == found.style
    assert pc.parameter_count() == r.pc.parameter_count()


@pytest.mark.parametrize("damage", ["missing", "cut", "other model", "no buckets", "rows"])
def test_a_file_that_is_none_is_refused(tmp_path, damage):
    found, r = trained(tmp_path)
    path = tmp_path / "model.safetensors"
    write_classifier(path, found, r.parameters())
    arrays, meta = read_arrays(path)
    if damage == "missing":
        path.unlink()
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-9])
    if damage == "other model":
        write_arrays(path, arrays, {**meta, "model": "skipgram"})
    if damage == "no buckets":
        write_arrays(path, {k: v for k, v in arrays.items() if k != "buckets"}, meta)
    if damage == "rows":
        write_arrays(path, {**arrays, "buckets": arrays["buckets"][:-1]}, meta)
    with pytest.raises(InputError, match=r"model\.safetensors: "):
        read_classifier(path)
