"""Character n-grams by slicing, lossy counting one item at a time, and every segmentation."""

import itertools
from collections import Counter


def ngrams(lines, n):
    """How often each n-gram occurs inside the lines."""
    return Counter(line[i : i + n] for line in lines for i in range(len(line) - n + 1))


def lossy(items, width):
    """Manku & Motwani's table {item: count} after a stream; a bucket is `width` items."""
    table, bucket = {}, 1
    for number, item in enumerate(items, start=1):
        count, error = table.get(item, (0, bucket - 1))
        table[item] = (count + 1, error)
        if number % width == 0:
            table = {k: (f, e) for k, (f, e) in table.items() if f + e > bucket}
            bucket += 1
    return {item: count for item, (count, _) in table.items()}


def segmentations(line):
    """Every way to cut a line into units, as lists of places (begin, end)."""
    inner = range(1, len(line))
    for r in range(len(line)):
        for cuts in itertools.combinations(inner, r):
            bounds = [0, *cuts, len(line)]
            yield list(zip(bounds, bounds[1:]))


def side_by_side(line, inventory):
    """(left unit, right unit) of all places that are neighbours in some segmentation."""
    places = set()
    for units in segmentations(line):
        places.update(zip(units, units[1:]))
    return Counter(
        (line[a:b], line[b:c])
        for (a, b), (_, c) in places
        if line[a:b] in inventory and line[b:c] in inventory
    )
