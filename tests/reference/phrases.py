"""Word2phrase word by word, in plain Python."""

from collections import Counter


def scores(sentences, discount):
    """{(a, b): (count, score)} of all neighbours."""
    words = Counter(w for s in sentences for w in s)
    pairs = Counter(p for s in sentences for p in zip(s, s[1:]))
    total = sum(words.values())
    return {
        (a, b): (n, (n - discount) / (words[a] * words[b]) * total) for (a, b), n in pairs.items()
    }


def phrases(sentences, threshold, discount, min_count):
    """{(a, b): (count, score)} of the phrases."""
    words = Counter(w for s in sentences for w in s)
    return {
        (a, b): (n, score)
        for (a, b), (n, score) in scores(sentences, discount).items()
        if score > threshold and min(n, words[a], words[b]) >= min_count
    }


def joined(sentence, known):
    """The sentence with the pairs in `known` joined from left to right."""
    found, i = [], 0
    while i < len(sentence):
        if tuple(sentence[i : i + 2]) in known:
            found.append("_".join(sentence[i : i + 2]))
            i += 2
        else:
            found.append(sentence[i])
            i += 1
    return found
