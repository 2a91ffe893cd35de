"""A trained classifier: its file, the best labels of texts, precision and recall.

    P@k = right predictions / all predictions      R@k = right predictions / all gold labels

over the k best labels of every text.

Note: Topic: Embeddings / word2vec by Mikolov et al (T58)
Paper: Joulin et al. 2017, arXiv:1607.01759, section 3
Differs: the released code passes over gold labels that the model does not know, and over texts
    that have no other; here they are labels that were not found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import dynet as dy
import numpy as np

from dynotes.corpora.errors import InputError, PathLike
from dynotes.corpora.labelled_text import LabelledText, TextStyle
from dynotes.corpora.text_features import TextFeatures
from dynotes.corpora.vocabulary import Vocabulary
from dynotes.embeddings.fasttext_classifier import FastTextClassifier
from dynotes.embeddings.text_bags import text_bags
from dynotes.graph.arrays import read
from dynotes.training.model_file import read_arrays, write_arrays
from dynotes.training.parameters import restore

USED = "buckets"  # the array of the buckets that have a row
TEXTS, WORDS = 256, 20_000  # of a batch, at most; a longer text is a batch of its own


class Prediction(NamedTuple):
    """The k best labels of a text, the best first, with their probabilities."""

    labels: list[str]
    probabilities: list[float]


class Scores(NamedTuple):
    """Counts over some texts."""

    examples: int
    right: int
    predicted: int
    gold: int

    @property
    def precision(self) -> float:
        """P@k."""
        return self.right / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """R@k."""
        return self.right / self.gold if self.gold else 0.0


class Classifier:
    """A model with the words and labels that its numbers stand for."""

    def __init__(
        self,
        model: FastTextClassifier,
        features: TextFeatures,
        labels: Vocabulary,
        style: TextStyle,
    ) -> None:
        self.model, self.features, self.labels, self.style = model, features, labels, style

    def predict(
        self, texts: Iterable[Sequence[str]], *, k: int = 1, threshold: float = 0.0
    ) -> Iterator[Prediction]:
        """The best labels of each text, in constant memory.

        Args:
            texts: lists of words, any number of them.
            k: how many labels; 0: all.
            threshold: less probable ones are left out.
        """
        k = min(k or len(self.labels), len(self.labels))
        for batch in _batches(texts):
            bag = self.features.bag(batch)
            dy.renew_cg()
            scores = read(self.model.scores(text_bags(bag.rows, bag.ends)))
            log_p = self.model.log_probs(scores)
            # the more frequent label first where two are as likely
            best = np.argsort(-log_p, axis=0, kind="stable")[:k].T
            for i, ids in enumerate(best):
                p = np.exp(log_p[ids, i].astype(float))
                ids, p = ids[p >= threshold], p[p >= threshold]
                yield Prediction(self.labels.decode(ids), p.tolist())

    def score(self, texts: Iterable[LabelledText], *, k: int = 1, threshold: float = 0.0) -> Scores:
        """Counts of the k best labels of each text against its own labels."""
        gold: list[list[str]] = []

        def words() -> Iterator[list[str]]:
            for text in texts:
                gold.append(text.labels)
                yield text.words

        examples = right = predicted = n_gold = 0
        for found in self.predict(words(), k=k, threshold=threshold):
            wanted = gold.pop(0)
            examples += 1
            right += len(set(wanted).intersection(found.labels))
            predicted += len(found.labels)
            n_gold += len(wanted)
        return Scores(examples, right, predicted, n_gold)


def _batches(texts: Iterable[Sequence[str]]) -> Iterator[list[Sequence[str]]]:
    batch: list[Sequence[str]] = []
    words = 0
    for text in texts:
        if batch and (len(batch) == TEXTS or words + len(text) > WORDS):
            yield batch
            batch, words = [], 0
        batch.append(text)
        words += len(text)
    if batch:
        yield batch


def write_classifier(
    path: PathLike, classifier: Classifier, parameters: dict[str, np.ndarray]
) -> None:
    """A safetensors file with all that `read_classifier` needs."""
    features = classifier.features
    sizes = {"n": features.n, "minn": features.minn, "maxn": features.maxn}
    meta = {
        "model": FastTextClassifier.NAME,
        "spec": classifier.model.spec,
        "vocabulary": features.vocabulary.to_json(),
        "labels": classifier.labels.to_json(),
        "features": {**sizes, "buckets": features.buckets},
        "style": classifier.style._asdict(),
    }
    write_arrays(path, {**parameters, USED: features.used}, meta)


def read_classifier(path: PathLike) -> tuple[Classifier, dy.ParameterCollection]:
    """A classifier and the collection that owns its parameters, which must be kept.

    Args:
        path: a model file, or the folder of a run.

    Raises:
        InputError: no such file, a damaged one, or one of another model.
    """
    path = Path(path)
    path = path / "model.safetensors" if path.is_dir() else path
    arrays, meta = read_arrays(path)
    pc = dy.ParameterCollection()
    try:
        if meta["model"] != FastTextClassifier.NAME:
            raise ValueError(f"a model of {meta['model']}")
        used = arrays.pop(USED)
        vocabulary = Vocabulary.from_json(meta["vocabulary"])
        features = TextFeatures(vocabulary, used=used, **meta["features"])
        labels, style = Vocabulary.from_json(meta["labels"]), TextStyle(**meta["style"])
        model = FastTextClassifier(pc, **_checked(meta["spec"], features, labels))
        restore(pc, arrays)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(path, f"no classifier of this version ({error})") from None
    return Classifier(model, features, labels, style), pc


def _checked(spec: dict[str, Any], features: TextFeatures, labels: Vocabulary) -> dict[str, Any]:
    """The sizes of a model, if they fit what its numbers stand for."""
    expected, found = (features.n_rows, len(labels)), (spec["n_rows"], len(spec["counts"]))
    if found != expected:
        raise ValueError(f"expected {expected} rows and labels, found {found}")
    return spec
