"""Paragraph vectors position by position, in plain loops over float64 numbers."""

import numpy as np


def window_words(ids, sentences, centre, offsets, width):
    """The word in each slot of a centre, None where there is none."""
    found = []
    for offset in offsets:
        at = centre + offset
        there = 0 <= at < len(ids) and sentences[at] == sentences[centre]
        found.append(int(ids[at]) if there and abs(offset) <= width else None)
    return found


def dm_hidden(mode, d, words, table, padding=None):
    """h of one position from its document's vector and the words in its slots."""
    if mode == "concat":
        return np.concatenate([d, *(padding if w is None else table[w] for w in words)])
    total, count = d.copy(), 1
    for w in words:
        if w is not None:
            total, count = total + table[w], count + 1
    return total / count if mode == "mean" else total


def word_shares(document, n_words):
    """The distribution of the words of one document."""
    counts = np.zeros(n_words)
    for w in document:
        counts[w] += 1
    return counts / counts.sum()
