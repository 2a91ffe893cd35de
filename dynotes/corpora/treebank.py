"""Treebanks as numbers: tables of words, tags, characters and labels, and batches of sentences.

    column b of a batch: the root, the words of sentence b, padding

Sentences of about the same length share a batch, so little is padded.

Note: Topic: Dependency Parsing / Deep Biaffine Attention by T. Dozat & Manning (T74)
Paper: Dozat & Manning 2017, arXiv:1611.01734 (words seen once are the unknown word)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Optional

import numpy as np

from dynotes.corpora.conllu import ConlluSentence
from dynotes.corpora.errors import whole_number
from dynotes.corpora.spelling import Spelling, character_table, spell
from dynotes.corpora.vocabulary import Vocabulary

ROOT = "<root>"
UNKNOWN = "<unk>"
NO_TAG = "_"  # of a word without a tag: never in the table


class Symbols:
    """The tables of a treebank; immutable.  Made by `collect` or `from_json`.

    Args:
        words: with the unknown word and the root.
        tags: with the root.
        characters: with the unknown one.
        labels: of the arcs, those of roots included.
        roots: (n_labels,) bool, labels that were seen on arcs from the root.
        inner: (n_labels,) bool, labels that were seen on other arcs.
        tag_column: which column of CoNLL-U the tags are from.
        lower: the table of words ignores case.
        vectors: words that have a fixed vector, in the order of the vectors; none by default.
    """

    def __init__(
        self,
        *,
        words: Vocabulary,
        tags: Vocabulary,
        characters: Vocabulary,
        labels: Vocabulary,
        roots: Sequence[bool],
        inner: Sequence[bool],
        tag_column: str = "UPOS",
        lower: bool = True,
        vectors: Optional[Vocabulary] = None,
    ) -> None:
        self.words, self.tags, self.characters, self.labels = words, tags, characters, labels
        self.roots, self.inner = np.array(roots, np.bool_), np.array(inner, np.bool_)
        self.tag_column, self.lower, self.vectors = tag_column, lower, vectors
        for name, table, word in (("words", words, ROOT), ("tags", tags, ROOT)):
            if word not in table:
                raise ValueError(f"{name}: {word} is not among them")
        if words.unk is None or characters.unk is None:
            raise ValueError("words and characters: expected tables with an unknown one")
        sizes = (self.roots.shape, self.inner.shape)
        if sizes != ((len(labels),),) * 2 or not self.roots.any():
            raise ValueError(f"roots, inner: expected ({len(labels)},), some a root, found {sizes}")

    @classmethod
    def collect(
        cls,
        sentences: Iterable[ConlluSentence],
        *,
        min_count: int = 2,
        tag_column: str = "UPOS",
        lower: bool = True,
        vectors: Optional[Sequence[str]] = None,
    ) -> Symbols:
        """The tables of a training treebank.

        Args:
            sentences: with trees.
            min_count: rarer words are the unknown one.
            tag_column, lower: see the class.
            vectors: words that have a fixed vector.

        Raises:
            ValueError: no sentence.
        """
        whole_number("min_count", min_count)
        forms: Counter[str] = Counter()
        tags: Counter[str] = Counter({ROOT: 0})
        labels: Counter[tuple[bool, str]] = Counter()
        for sentence in sentences:
            forms.update(sentence.forms)
            tags.update(sentence.column(tag_column))
            heads = [] if sentence.heads is None else (sentence.heads == 0).tolist()
            labels.update(zip(heads, sentence.labels))
        if not labels:
            raise ValueError("expected sentences with trees, found none")
        words: Counter[str] = Counter()
        for form, count in forms.items():
            words[form.lower() if lower else form] += count
        every: Counter[str] = Counter()
        for (_, label), count in labels.items():
            every[label] += count
        del tags[NO_TAG]
        table = Vocabulary.build(every, unk=None, eos=None)
        seen = [[(root, label) in labels for label in table.words] for root in (True, False)]
        return cls(
            words=Vocabulary.build(
                words, min_count=min_count, unk=UNKNOWN, eos=None, specials=[ROOT]
            ),
            tags=Vocabulary.build(tags, unk=None, eos=None, specials=[ROOT]),
            characters=character_table([ROOT, *forms], min_count=min(min_count, 2)),
            labels=table,
            roots=seen[0],
            inner=seen[1],
            tag_column=tag_column,
            lower=lower,
            vectors=None if vectors is None else Vocabulary.from_words(vectors),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values that `from_json` turns into equal tables."""
        tables = {name: getattr(self, name).to_json() for name in TABLES}
        return {
            **tables,
            "roots": self.roots.tolist(),
            "inner": self.inner.tolist(),
            "tag_column": self.tag_column,
            "lower": self.lower,
            "vectors": None if self.vectors is None else list(self.vectors.words),
        }

    @classmethod
    def from_json(cls, value: Any) -> Symbols:
        """The tables that gave `to_json`; ValueError for anything else."""
        try:
            plain = dict(value)
            tables: dict[str, Any] = {
                name: Vocabulary.from_json(plain.pop(name)) for name in TABLES
            }
            vectors = plain.pop("vectors")
            known = None if vectors is None else Vocabulary.from_words(vectors)
            return cls(**tables, **plain, vectors=known)
        except (KeyError, TypeError) as error:
            raise ValueError(f"expected tables of a treebank ({error})") from None


TABLES = ("words", "tags", "characters", "labels")


class EncodedSentences(NamedTuple):
    """N words of S sentences, one sentence after another, as ids; and their u spellings.

    words: (N,) of the table of words.
    tags: (N,), -1 for a tag that the table lacks.
    fixed: (N,) of the table of fixed vectors, -1 for none; all -1 without such a table.
    forms: (N,) of the spellings; spelling 0 is the root's.
    spelling: of the u different forms.
    lengths: (S,) numbers of words.
    """

    words: np.ndarray
    tags: np.ndarray
    fixed: np.ndarray
    forms: np.ndarray
    spelling: Spelling
    lengths: np.ndarray


class GoldTrees(NamedTuple):
    """Heads (N,) within the sentences, 0 for roots, and label ids (N,)."""

    heads: np.ndarray
    labels: np.ndarray


class SentenceBatch(NamedTuple):
    """B sentences as columns of T = longest + 1 rows, of which row 0 is the root.

    words, tags, fixed: (T, B) as in `EncodedSentences`; any valid id at padding.
    forms: (T, B) of the spellings of the batch.
    spelling: of the different forms of the batch.
    lengths: (B,) numbers of words.
    """

    words: np.ndarray
    tags: np.ndarray
    fixed: np.ndarray
    forms: np.ndarray
    spelling: Spelling
    lengths: np.ndarray

    @property
    def keep(self) -> np.ndarray:
        """(T, B) bool, True for the root and the words."""
        return np.arange(len(self.words))[:, None] <= self.lengths


def encode(sentences: Sequence[ConlluSentence], symbols: Symbols) -> EncodedSentences:
    """Sentences as ids of the tables.

    Raises:
        ValueError: no sentence.
    """
    if not sentences:
        raise ValueError("expected at least one sentence, found none")
    forms = [form for sentence in sentences for form in sentence.forms]
    tags = [tag for sentence in sentences for tag in sentence.column(symbols.tag_column)]
    places: dict[str, int] = {ROOT: 0}
    rows = np.array([places.setdefault(form, len(places)) for form in forms], np.int64)
    distinct = list(places)
    cased = [form.lower() for form in distinct] if symbols.lower else distinct
    known = np.full(len(distinct), -1, np.int32)
    if symbols.vectors is not None:
        known = symbols.vectors.lookup(distinct)
        known = np.where(known < 0, symbols.vectors.lookup(cased), known)
    return EncodedSentences(
        words=symbols.words.encode(cased)[rows],
        tags=symbols.tags.lookup(tags),
        fixed=known[rows],
        forms=rows,
        spelling=spell(distinct, symbols.characters),
        lengths=np.array([len(sentence) for sentence in sentences]),
    )


def gold_trees(sentences: Sequence[ConlluSentence], symbols: Symbols) -> GoldTrees:
    """The trees of a training treebank; ValueError without heads or for an unknown label."""
    heads = [sentence.heads for sentence in sentences if sentence.heads is not None]
    if len(heads) != len(sentences) or not heads:
        raise ValueError(f"expected trees of {len(sentences)} sentences, found {len(heads)}")
    labels = [label for sentence in sentences for label in sentence.labels]
    return GoldTrees(np.concatenate(heads), symbols.labels.encode(labels).astype(np.int64))


def word_places(lengths: np.ndarray, which: np.ndarray) -> np.ndarray:
    """Where the words of some sentences are, one sentence after another."""
    sizes = lengths[which]
    starts = (np.cumsum(lengths) - lengths)[which]
    before = np.cumsum(sizes) - sizes
    return np.arange(int(sizes.sum())) + np.repeat(starts - before, sizes)


def batch_of(text: EncodedSentences, which: Any, symbols: Symbols) -> SentenceBatch:
    """The columns of some sentences, in the order of ``which``."""
    which = np.asarray(which)
    lengths = text.lengths[which]
    starts = (np.cumsum(text.lengths) - text.lengths)[which]
    places = starts + np.minimum(np.arange(lengths.max())[:, None], lengths - 1)
    root = {
        "words": int(symbols.words.encode([ROOT])[0]),
        "tags": int(symbols.tags.encode([ROOT])[0]),
        "fixed": -1,
        "forms": 0,
    }
    columns = {
        name: np.vstack([np.full(len(which), first), getattr(text, name)[places]])
        for name, first in root.items()
    }
    forms, rows = np.unique(columns.pop("forms"), return_inverse=True)
    return SentenceBatch(
        **columns,
        forms=rows.reshape(places.shape[0] + 1, -1),
        spelling=text.spelling.of(forms),
        lengths=lengths,
    )


def length_batches(
    lengths: np.ndarray, size: int, rng: Optional[np.random.Generator] = None
) -> list[np.ndarray]:
    """Sentences of like length together, at most ``size`` places a batch.

    Args:
        lengths: (S,).
        size: places of a batch, padding and roots counted; a longer sentence is a batch of its own.
        rng: shuffles sentences of a length and then the batches; None: by length, in their order.

    Returns:
        Arrays of sentences; each sentence is in one of them.
    """
    whole_number("size", size)
    order = np.arange(len(lengths)) if rng is None else rng.permutation(len(lengths))
    order = order[np.argsort(lengths[order], kind="stable")]
    batches, first = [], 0
    rows = lengths[order] + 1
    for place in range(1, len(order)):
        if int(rows[place]) * (place + 1 - first) > size:
            batches.append(order[first:place])
            first = place
    batches.append(order[first:])
    if rng is None:
        return batches
    return [batches[i] for i in rng.permutation(len(batches)).tolist()]
