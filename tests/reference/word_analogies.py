"""Analogies and rank correlation, question by question and pair by pair, in double precision."""

import numpy as np


def cosine(x, y):
    return float(x @ y / (np.linalg.norm(x) * np.linalg.norm(y)))


def answer(words, matrix, a, b, c, method):
    """The best word for a : b = c : ?, the first of equals; words in the order of their rows."""
    rows = {word: np.asarray(row, np.float64) for word, row in zip(words, matrix)}
    best, best_score = None, None
    for word, row in rows.items():
        if word in (a, b, c):
            continue
        to_a, to_b, to_c = (cosine(row, rows[other]) for other in (a, b, c))
        if method == "add":
            score = to_b - to_a + to_c
        else:
            score = (to_b + 1) / 2 * (to_c + 1) / 2 / ((to_a + 1) / 2 + 0.001)
        if best_score is None or score > best_score:
            best, best_score = word, score
    return best


def accuracy(words, matrix, questions, method):
    """(right, answered, skipped) of questions with single words."""
    right = answered = skipped = 0
    for question in questions:
        if any(word not in words for word in question):
            skipped += 1
            continue
        answered += 1
        right += answer(words, matrix, *question[:3], method) == question[3]
    return right, answered, skipped
