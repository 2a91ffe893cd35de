"""The fastText classifier as loops over words, from its definitions."""

import numpy as np

M64 = 2**64


def signed(h):
    """A 32-bit number read as a signed one."""
    return h - 2**32 if h >= 2**31 else h


def hash_of(word):
    """FNV-1a with signed bytes."""
    h = 2166136261
    for byte in word.encode():
        h = ((h ^ (byte if byte < 128 else byte + 2**32 - 256)) * 16777619) % 2**32
    return h


def ngram_buckets(words, n, buckets):
    """Buckets of the n-grams of 2 to n words of a line, starting at each word in turn."""
    found = []
    for i in range(len(words)):
        h = signed(hash_of(words[i])) % M64
        for word in words[i + 1 : i + n]:
            h = (h * 116049371 + signed(hash_of(word))) % M64
            found.append(h % buckets)
    return found


def hidden(A, bag):
    """The mean of the rows of a bag."""
    total = np.zeros(A.shape[1])
    for row in bag:
        total += A[row]
    return total / len(bag)


def softmax_loss(A, B, bag, label):
    s = B @ hidden(A, bag)
    return float(np.log(np.exp(s).sum()) - s[label])


def one_vs_all_loss(A, B, bag, labels):
    s = B @ hidden(A, bag)
    return sum(float(np.logaddexp(0, -x if y in labels else x)) for y, x in enumerate(s))
