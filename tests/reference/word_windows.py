"""Subsampling and windows word by word, in plain Python."""

import math


def keep_released(counts, threshold):
    """(sqrt(f/t) + 1) t/f as the released C code computes it, from counts."""
    total = sum(counts)
    ran = [(math.sqrt(n / (threshold * total)) + 1) * (threshold * total) / n for n in counts]
    return [min(1.0, p) for p in ran]


def keep_paper(counts, threshold):
    """1 - (1 - sqrt(t/f))."""
    total = sum(counts)
    return [min(1.0, math.sqrt(threshold / (n / total))) for n in counts]


def pairs(words, sentences, windows):
    """(centre, neighbour) of a text whose word i is in a sentence and has a window."""
    found = []
    for i, centre in enumerate(words):
        for j, other in enumerate(words):
            if i != j and sentences[i] == sentences[j] and abs(i - j) <= windows[i]:
                found.append((centre, other))
    return found
