"""How often keys occur in a stream of blocks, exactly, or forgetting what cannot be frequent.

Note: Topic: Embeddings / sembei (segmentation-free word embeddings) by T. Oshikiri (T67)
Note: Topic: Embeddings / Tensor Indexing Model by Y. Zhao & Zhiyuan Liu (T64)
Paper: Manku & Motwani 2002 (lossy counting)
"""

from __future__ import annotations

from typing import Any

import numpy as np


class KeyCounts:
    """Different keys, ascending, and how often each was seen.

    Args:
        dtype: of the keys: anything that numpy sorts.
    """

    def __init__(self, dtype: Any = np.int64) -> None:
        self.keys = np.zeros(0, dtype)
        self.counts = np.zeros(0, np.int64)
        self._since = np.zeros(0, np.int64)  # blocks before each key came
        self.blocks = 0

    def add(self, keys: np.ndarray) -> None:
        """One more block of keys, (n,)."""
        new, often = np.unique(keys, return_counts=True)
        rows = np.searchsorted(self.keys, new)
        known = is_at(self.keys, rows, new)
        self.counts[rows[known]] += often[known]
        at = rows[~known]
        self.keys = np.insert(self.keys, at, new[~known])
        self.counts = np.insert(self.counts, at, often[~known])
        self._since = np.insert(self._since, at, self.blocks)
        self.blocks += 1

    def forget(self) -> None:
        """Drop the keys that were seen less than once a block since they came, in the mean."""
        keep = self.counts + self._since > self.blocks
        self.keys, self.counts, self._since = (
            column[keep] for column in (self.keys, self.counts, self._since)
        )


def is_at(keys: np.ndarray, rows: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Whether each wanted key, (m,), is in its row of ascending keys, from searchsorted; (m,)."""
    inside = rows < len(keys)
    found = np.zeros(len(wanted), bool)
    found[inside] = keys[rows[inside]] == wanted[inside]
    return found
