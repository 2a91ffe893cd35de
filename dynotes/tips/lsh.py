"""Hyperplane LSH: an index of points by the sides of random hyperplanes they lie on.

    code of x: bits [r_i . x > 0]       candidates: the nearest codes, or equal buckets
    answer: the candidates with the largest cosine, or inner product, computed exactly

Two ways to candidates.  ``query`` compares the query's code with all codes (an xor and a popcount
each) and takes the ``rerank`` nearest.  ``lookup`` reads only the buckets of the query in L sorted
tables of K bits; it is sublinear, and finds a point with probability 1 - (1 - p^K)^L.

Note: Tips in Training / Locality Sensitive Hashing (T24)
Paper: Charikar 2002, section 3; Indyk & Motwani 1998; Vijayanarasimhan et al. 2014 (output layers).
Differs: the notes' "rank ~23 of 10k points" names neither bits nor re-ranking, which decide it:
    see ``scripts/experiments/lsh_rank.py``.  Probing is by Hamming radius.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional

import numpy as np

from dynotes.corpora.errors import whole_number
from dynotes.tips.lsh_codes import (
    buckets,
    extend_points,
    extend_queries,
    flips,
    n_words,
    nearest,
    pack,
)
from dynotes.tips.lsh_vectors import blocks, check_vectors, lengths_of

MAX_BITS = 2**16  # a table
ARRAYS = ("settings", "planes", "points", "codes")


class Neighbours(NamedTuple):
    """Answers to Q queries, best first; where there were fewer than k candidates -1 and -inf."""

    ids: np.ndarray  # (Q, k) int64, rows of the points in the order they were added
    scores: np.ndarray  # (Q, k) float64, exact cosines or inner products
    candidates: np.ndarray  # (Q,) int64, points whose similarity was computed


class HyperplaneLSH:
    """An index for the nearest points by cosine, or by inner product.

    Same arguments, same hyperplanes, same codes.  Points are kept as they come (float32 stays
    float32); products are computed in float64.

    Args:
        dim: D, size of a vector.
        bits: K, hyperplanes of a table.
        seed: of the hyperplanes.
        tables: L.  ``query`` uses all K L bits as one code, ``lookup`` L codes of K bits.
        inner_product: rank by x . q: hash x' = (x, sqrt(M^2 - |x|^2)) and q' = (q, 0), where M is
            the largest length; a longer point added later re-codes all others.

    Raises:
        ValueError: sizes below 1 or too large.
    """

    _points: np.ndarray  # (N, D)
    _lengths: np.ndarray  # (N,)
    _words: np.ndarray  # (L W, N): word-major, so that a scan reads memory in order
    _orders: Optional[list[np.ndarray]]  # of the points of each table by code, once needed

    def __init__(
        self, dim: int, bits: int, seed: int, *, tables: int = 1, inner_product: bool = False
    ) -> None:
        self.dim = whole_number("dim", dim)
        self.bits = whole_number("bits", bits, 1, MAX_BITS)
        self.tables = whole_number("tables", tables)
        self.seed = whole_number("seed", seed, 0, 2**63 - 1)
        self.inner_product = bool(inner_product)
        rows, columns = self.dim + self.inner_product, self.bits * self.tables
        whole_number("dim x bits x tables", rows * columns)
        self._planes = np.random.default_rng(self.seed).standard_normal((rows, columns))
        self._points, self._lengths, self._orders = np.empty((0, self.dim)), np.empty(0), None
        self._words = np.empty((self.tables * n_words(self.bits), 0), np.uint64)

    def __len__(self) -> int:
        return len(self._points)

    @property
    def codes(self) -> np.ndarray:
        """(N, L, W) uint64 codes of the points; bit i of word w is hyperplane 64 w + i."""
        return self._words.T.reshape(len(self), self.tables, n_words(self.bits)).copy()

    def build(self, points: Any) -> None:
        """Index these points, (N, D), and no others; see ``add``."""
        found, lengths = self._measured(points)
        self._store(found.copy(), lengths, 0)

    def add(self, points: Any) -> np.ndarray:
        """Index more points; all arrays are copied, so better many at once.

        Args:
            points: (N, D) numbers; rows of length 0 have no cosine and are refused there.

        Returns:
            (N,) int64, their ids.

        Raises:
            ValueError: another size, a NaN or infinity, a zero row (for inner products: nothing
                but zeros), and nothing is added.
        """
        found, new = self._measured(points)
        old = len(self)
        together = np.concatenate([self._points, found]) if old else found.copy()
        longer = self.inner_product and new.max() > self._lengths.max(initial=0.0)
        self._store(together, np.concatenate([self._lengths, new]), 0 if longer else old)
        return np.arange(old, len(self))

    def encode(self, queries: Any) -> np.ndarray:
        """Codes of queries, not of points: (Q, D) -> (Q, L, W) uint64."""
        found = self._check_queries(queries)
        words = self._encode(found, None)
        return words.T.reshape(len(found), self.tables, n_words(self.bits))

    def nearest_codes(self, queries: Any, depth: int) -> tuple[np.ndarray, np.ndarray]:
        """The points whose codes differ least from the query's, in all K L bits.

        Args:
            queries: (Q, D), no zero rows.
            depth: how many.

        Returns:
            (Q, depth) int64 ids and int32 Hamming distances, nearest first; among equally near
            ones the lower id comes first.

        Raises:
            ValueError: an empty index, another size, or a depth outside 1..N.
        """
        found = self._check_queries(queries)
        depth = whole_number("depth", depth, 1, self._occupied())
        return nearest(self._encode(found, None).T, self._words.T, depth)

    def query(self, queries: Any, k: int, *, rerank: Optional[int] = None) -> Neighbours:
        """The k best of the ``rerank`` points with the nearest codes, by exact similarity.

        Args:
            queries: (Q, D), no zero rows.
            k: answers a query.
            rerank: depth, k to N; None is k, so that k = 1 takes the nearest code unseen, and N
                is an exhaustive search.

        Raises:
            ValueError: an empty index, another size, k > rerank or rerank > N.
        """
        k = whole_number("k", k, 1, self._occupied())
        depth = whole_number("rerank", k if rerank is None else rerank, k, len(self))
        return self.best(queries, list(self.nearest_codes(queries, depth)[0]), k)

    def candidates(
        self, queries: Any, *, radius: int = 0, tables: Optional[int] = None
    ) -> list[np.ndarray]:
        """Points in the buckets of the query, of any table.

        Args:
            queries: (Q, D), no zero rows.
            radius: 0 is the query's own bucket; r also those with up to r other bits.
            tables: use only the first so many; None is all.

        Returns:
            Q arrays of ids, ascending; see ``candidate_probability``.

        Raises:
            ValueError: an empty index, another size, more than 64 bits a table, or too many
                buckets.
        """
        found = self._check_queries(queries)
        self._occupied()
        used = whole_number("tables", self.tables if tables is None else tables, 1, self.tables)
        codes, masks = self._encode(found, None)[:used], flips(self.bits, radius)
        hits: list[list[np.ndarray]] = [[] for _ in found]
        for part in blocks(len(found), len(masks)):
            for keys, order, own in zip(self._words, self._sorted(), codes[:, part, None]):
                for q, ids in buckets(keys, order, own ^ masks):
                    hits[part.start + q].append(ids)
        return [np.unique(np.concatenate(h)) if h else np.empty(0, np.int64) for h in hits]

    def lookup(
        self, queries: Any, k: int, *, radius: int = 0, tables: Optional[int] = None
    ) -> Neighbours:
        """The k best of ``candidates``, by exact similarity; same arguments and errors."""
        k = whole_number("k", k, 1, self._occupied())
        return self.best(queries, self.candidates(queries, radius=radius, tables=tables), k)

    def best(self, queries: Any, ids: Sequence[np.ndarray], k: int) -> Neighbours:
        """The k most similar of given points, exactly; among equals the lower id comes first.

        Args:
            queries: (Q, D), no zero rows.
            ids: Q arrays of distinct ids.
            k: answers a query.

        Raises:
            ValueError: another size, not Q arrays, or an id that is not there.
        """
        found = self._check_queries(queries)
        k = whole_number("k", k, 1, self._occupied())
        if len(ids) != len(found):
            raise ValueError(f"ids: expected {len(found)} arrays, one a query, found {len(ids)}")
        answer = Neighbours(
            np.full((len(found), k), -1, np.int64),
            np.full((len(found), k), -np.inf),
            np.array([len(one) for one in ids], np.int64),
        )
        for row, (query, one) in enumerate(zip(found, ids)):
            chosen = self._check_ids(one)
            scores = self._similarities(query, chosen)
            order = np.argsort(-scores, kind="stable")[:k]
            answer.ids[row, : len(order)] = chosen[order]
            answer.scores[row, : len(order)] = scores[order]
        return answer

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Copies of everything as plain arrays, for ``np.savez`` or a safetensors file."""
        settings = [self.dim, self.bits, self.tables, self.seed, int(self.inner_product)]
        kept = (self._planes.copy(), self._points.copy(), self.codes)
        return dict(zip(ARRAYS, (np.array(settings, np.int64), *kept)))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> HyperplaneLSH:
        """The index of ``to_arrays``, bit for bit.

        Raises:
            ValueError: arrays are missing, or do not fit together.
        """
        if sorted(arrays) != sorted(ARRAYS) or np.shape(arrays["settings"]) != (5,):
            raise ValueError(f"arrays: expected {', '.join(ARRAYS)}, found {sorted(arrays)}")
        dim, bits, tables, seed, inner = (int(n) for n in arrays["settings"])
        index = cls(dim, bits, seed, tables=tables, inner_product=bool(inner))
        planes, codes = np.asarray(arrays["planes"]), np.asarray(arrays["codes"])
        points = np.asarray(arrays["points"])
        shape = (len(points), tables, n_words(bits))
        fits = planes.shape == index._planes.shape and codes.shape == shape
        if not fits or codes.dtype != np.uint64 or not np.isfinite(planes).all():
            raise ValueError(
                f"arrays: expected planes {index._planes.shape} and uint64 codes {shape}, "
                f"found {planes.shape} and {codes.dtype} {codes.shape}"
            )
        index._planes = planes.astype(np.float64)
        if len(points):
            found, index._lengths = index._measured(points)
            index._points = found.copy()
            index._words = np.ascontiguousarray(codes.reshape(len(points), -1).T)
        return index

    def _measured(self, points: Any) -> tuple[np.ndarray, np.ndarray]:
        """Checked points and their lengths."""
        found = check_vectors("points", points, self.dim)
        return found, lengths_of("points", found, zeros=self.inner_product)

    def _store(self, points: np.ndarray, lengths: np.ndarray, coded: int) -> None:
        """Take these points, the first ``coded`` of which have their codes already."""
        longest = lengths.max()
        if not longest > 0.0:
            raise ValueError("points: all are zero")
        words = self._encode(points[coded:], longest)
        words = np.concatenate([self._words[:, :coded], words], axis=1)
        self._points, self._lengths, self._words, self._orders = points, lengths, words, None

    def _occupied(self) -> int:
        if not len(self):
            raise ValueError("the index is empty: add points first")
        return len(self)

    def _encode(self, vectors: np.ndarray, longest: Optional[float]) -> np.ndarray:
        """(L W, N) words; ``longest`` is M for points, None for queries."""
        words = np.empty((len(self._words), len(vectors)), np.uint64)
        for part in blocks(len(vectors), sum(self._planes.shape)):
            x = vectors[part].astype(np.float64)
            if self.inner_product:
                x = extend_queries(x) if longest is None else extend_points(x, longest)
            sides = (x @ self._planes > 0.0).reshape(len(x), self.tables, self.bits)
            words[:, part] = pack(sides).reshape(len(x), -1).T
        return words

    def _sorted(self) -> list[np.ndarray]:
        """The points of each table in the order of their codes (one word a code)."""
        if self._orders is None:
            self._orders = [np.argsort(keys, kind="stable") for keys in self._words]
        return self._orders

    def _similarities(self, query: np.ndarray, ids: np.ndarray) -> np.ndarray:
        q = query.astype(np.float64)
        inner = np.einsum("nd,d->n", self._points[ids].astype(np.float64), q)
        return inner if self.inner_product else inner / (self._lengths[ids] * np.sqrt(q @ q))

    def _check_queries(self, queries: Any) -> np.ndarray:
        found = check_vectors("queries", queries, self.dim)
        lengths_of("queries", found)
        return found

    def _check_ids(self, ids: Any) -> np.ndarray:
        """Distinct ids in ascending order."""
        found = np.sort(np.asarray(ids), axis=None)
        if found.size and found.dtype.kind not in "iu":
            raise ValueError(f"ids: expected whole numbers, found {found.dtype}")
        if found.size and not 0 <= found[0] <= found[-1] < len(self):
            raise ValueError(f"ids: expected 0 to {len(self) - 1}, found {found[0]} to {found[-1]}")
        if (found[1:] == found[:-1]).any():
            raise ValueError("ids: one is there twice")
        return found.astype(np.int64, copy=False)
