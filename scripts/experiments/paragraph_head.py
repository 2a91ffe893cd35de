"""How well a logistic regression on features tells classes apart, by scikit-learn.

Without a split of its own a set is cut into ten folds, stratified and shuffled, the same for all
features.  The strength of the regulariser is chosen on a tenth of what is there to train on, which
is then trained on altogether; what is tested on is read once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

STRENGTHS = (0.003, 0.03, 0.3, 3.0)
FOLDS = 10


def accuracy(X: Any, labels: Sequence[int], n_test: int) -> float:
    """Share of right answers: on the last n_test rows, or the mean of ten folds if that is 0.

    Args:
        X: (N, D) features, an array or a sparse matrix; each is scaled to unit variance.
        labels: N classes.
        n_test: rows at the end that are for testing.
    """
    y = np.asarray(labels)
    rows = np.arange(len(y))
    if n_test:
        splits = [(rows[:-n_test], rows[-n_test:])]
    else:
        splits = list(StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(rows, y))
    return float(np.mean([_fold(X, y, train, test) for train, test in splits]))


def _fold(X: Any, y: np.ndarray, train: np.ndarray, test: np.ndarray) -> float:
    fit, dev = train_test_split(train, test_size=0.1, random_state=0, stratify=y[train])
    scores = [_model(c).fit(X[fit], y[fit]).score(X[dev], y[dev]) for c in STRENGTHS]
    best = STRENGTHS[int(np.argmax(scores))]
    return _model(best).fit(X[train], y[train]).score(X[test], y[test])


def _model(c: float) -> Any:
    # no centring: sparse features stay sparse, and the intercept takes care of the mean
    return make_pipeline(StandardScaler(with_mean=False), LogisticRegression(C=c, max_iter=2000))


def bags_of_words(lines: Sequence[str], least: int) -> Any:
    """(N, V) 0 or 1: which words each line holds, of those that occur in ``least`` lines."""
    vectorizer = CountVectorizer(binary=True, token_pattern=r"\S+", min_df=least)
    return vectorizer.fit_transform(lines).astype(np.float64)


def averages(lines: Sequence[str], words: Sequence[str], matrix: np.ndarray) -> np.ndarray:
    """(N, D): the mean of the vectors of each line's known words, 0 without any."""
    rows = {word: i for i, word in enumerate(words)}
    found = np.zeros((len(lines), matrix.shape[1]), np.float32)
    for mean, line in zip(found, lines):
        known = [rows[word] for word in line.split() if word in rows]
        if known:
            mean[:] = matrix[known].mean(axis=0)
    return found
