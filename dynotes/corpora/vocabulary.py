"""Words and their ids.

Note: Tips in Training / Truncated Backprop (T16)

Ids follow frequency, the most frequent word being 0, the unknown word and the end of sentence
included: what a sampler or an adaptive softmax expects.  Equally frequent words stand in
alphabetical order, so that the order of the lines does not matter.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np

from dynotes.corpora.atomic import atomic_write
from dynotes.corpora.errors import InputError, PathLike, whole_number

FORMAT = "dynotes-vocabulary-1"
KEYS = {"format", "words", "unk", "eos", "counts"}


class Vocabulary:
    """A one-to-one table of words and ids 0 .. V-1; immutable.  Made by build, from_words or load.

    Args:
        words: the words in the order of their ids; no word twice.
        unk: the word that stands for unknown ones, or None if unknown words are an error.
        eos: the word that ends a sentence, or None.
        counts: how often each was seen in training, or None.
    """

    def __init__(
        self,
        words: Iterable[str],
        *,
        unk: Optional[str] = None,
        eos: Optional[str] = None,
        counts: Optional[Sequence[int]] = None,
    ) -> None:
        self._words = _check_words(words)
        self._ids = {word: i for i, word in enumerate(self._words)}
        _check_specials(unk, eos)
        for name, word in (("unk", unk), ("eos", eos)):
            if word is not None and word not in self._ids:
                raise ValueError(f"{name}: {word!r} is not among the words")
        self.unk, self.eos = unk, eos
        self._counts = None if counts is None else _check_counts(counts, len(self._words))

    @classmethod
    def from_words(
        cls, words: Iterable[str], *, unk: Optional[str] = None, eos: Optional[str] = None
    ) -> Vocabulary:
        """A vocabulary of just these words in this order, ``unk`` and ``eos`` among them."""
        return cls(words, unk=unk, eos=eos)

    @classmethod
    def build(
        cls,
        text: Union[Mapping[str, int], Iterable[Sequence[str]]],
        *,
        min_count: int = 1,
        max_size: Optional[int] = None,
        unk: Optional[str] = "<unk>",
        eos: Optional[str] = "<eos>",
        specials: Sequence[str] = (),
    ) -> Vocabulary:
        """The words of a text by descending count, ties alphabetical.

        Args:
            text: sentences (each one ``eos``), or how often each word occurs, ``eos`` included.
            min_count: rarer words are left out.
            max_size: keep only the most frequent words, this many entries in all, the special
                ones included; None keeps all.
            unk, eos, specials: always kept, even if the text lacks them; None for no such word.
                A literal ``<unk>`` in the text (PTB, WikiText) is that entry.

        Returns:
            The vocabulary; the count of ``unk`` includes the words left out.

        Raises:
            ValueError: no word at all, min_count < 1, max_size too small for the special words.
        """
        kept = [word for word in (unk, eos, *specials) if word is not None]
        _check_specials(*kept)
        whole_number("min_count", min_count)
        counts = Counter(text) if isinstance(text, Mapping) else _count_sentences(text, eos)
        if not counts:
            raise ValueError("no words to build a vocabulary from")
        if max_size is not None:
            whole_number("max_size", max_size, low=max(1, len(kept)))
        room = None if max_size is None else max_size - len(kept)
        frequent = (word for word, n in counts.items() if n >= min_count and word not in kept)
        chosen = {*kept, *sorted(frequent, key=lambda word: (-counts[word], word))[:room]}
        if unk is not None:
            counts[unk] += sum(n for word, n in counts.items() if word not in chosen)
        words = sorted(chosen, key=lambda word: (-counts[word], word))
        return cls(words, unk=unk, eos=eos, counts=[counts[word] for word in words])

    @property
    def words(self) -> tuple[str, ...]:
        """All words in the order of their ids."""
        return self._words

    @property
    def counts(self) -> Optional[np.ndarray]:
        """How often each word occurred in the training text, (V,) int64, or None."""
        return None if self._counts is None else self._counts.copy()

    @property
    def unk_id(self) -> Optional[int]:
        """Id of the unknown word, or None."""
        return None if self.unk is None else self._ids[self.unk]

    @property
    def eos_id(self) -> Optional[int]:
        """Id of the end of a sentence, or None."""
        return None if self.eos is None else self._ids[self.eos]

    def __len__(self) -> int:
        return len(self._words)

    def __contains__(self, word: object) -> bool:
        return word in self._ids

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.to_json() == other.to_json()

    def __repr__(self) -> str:
        return f"Vocabulary({len(self)} words, unk={self.unk!r}, eos={self.eos!r})"

    def lookup(self, tokens: Iterable[str]) -> np.ndarray:
        """Ids of ``tokens``, (N,) int32, with -1 for every token that is not in the vocabulary."""
        if isinstance(tokens, str):
            raise ValueError(f"expected a list of tokens, found the text {tokens[:40]!r}")
        tokens = tokens if isinstance(tokens, (list, tuple)) else list(tokens)
        return np.fromiter(map(self._ids.get, tokens, repeat(-1)), np.int32, len(tokens))

    def encode(self, tokens: Iterable[str]) -> np.ndarray:
        """Ids of ``tokens``, (N,) int32; unknown ones become ``unk_id``.

        Raises:
            ValueError: a token is unknown and the vocabulary has no unknown word.
        """
        tokens = tokens if isinstance(tokens, str) else list(tokens)
        ids = self.lookup(tokens)
        unknown = ids < 0
        if self.unk_id is not None:
            ids[unknown] = self.unk_id
        elif unknown.any():
            word = tokens[int(unknown.argmax())]
            raise ValueError(f"{word!r} is not in the vocabulary, which has no unknown word")
        return ids

    def decode(self, ids: Any) -> list[str]:
        """Words of the ids (N,).

        Raises:
            ValueError: no whole numbers, or outside 0 .. V-1.
        """
        array = np.asarray(ids)
        if array.size == 0:
            return []
        if array.dtype.kind not in "iu" or array.ndim != 1:
            raise ValueError(f"expected (N,) integers, found {array.shape} {array.dtype}")
        if array.min() < 0 or array.max() >= len(self):
            found = f"{array.min()} to {array.max()}"
            raise ValueError(f"ids must be 0 to {len(self) - 1}, found {found}")
        return [self._words[i] for i in array.tolist()]

    def to_json(self) -> dict[str, Any]:
        """Plain values that `from_json` turns into an equal vocabulary."""
        counts = None if self._counts is None else self._counts.tolist()
        values = (FORMAT, list(self._words), self.unk, self.eos, counts)
        return dict(zip(("format", "words", "unk", "eos", "counts"), values))

    @classmethod
    def from_json(cls, value: Any) -> Vocabulary:
        """The vocabulary that gave `to_json`.

        Raises:
            ValueError: missing or unknown keys, another format, wrong types, a word twice.
        """
        if not isinstance(value, dict) or set(value) != KEYS or value["format"] != FORMAT:
            found = sorted(value) if isinstance(value, dict) else type(value).__name__
            raise ValueError(f"expected a {FORMAT} with the keys {sorted(KEYS)}, found {found}")
        for key in ("words", "counts"):
            if not isinstance(value[key], list) and not (key == "counts" and value[key] is None):
                raise ValueError(f"{key}: expected a list, found {type(value[key]).__name__}")
        return cls(value["words"], unk=value["unk"], eos=value["eos"], counts=value["counts"])

    def save(self, path: PathLike) -> None:
        """Write `to_json` to a file, which is replaced as a whole or not at all."""
        atomic_write(path, json.dumps(self.to_json(), ensure_ascii=False).encode() + b"\n")

    @classmethod
    def load(cls, path: PathLike) -> Vocabulary:
        """Read what `save` wrote.

        Raises:
            InputError: unreadable, no JSON, or no vocabulary.
        """
        try:
            return cls.from_json(json.loads(Path(path).read_bytes()))
        except OSError as e:
            raise InputError(path, e.strerror or str(e)) from None
        except json.JSONDecodeError as e:
            raise InputError(path, f"not JSON: {e.msg}", e.lineno) from None
        except RecursionError:
            raise InputError(path, "not a vocabulary: nested too deeply") from None
        except ValueError as e:
            raise InputError(path, f"not a vocabulary: {e}") from None


def _count_sentences(sentences: Iterable[Sequence[str]], eos: Optional[str]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for sentence in sentences:
        if isinstance(sentence, str):
            raise ValueError(f"expected lists of tokens, found the text {sentence[:40]!r}")
        counts.update(sentence)
        if eos is not None:
            counts[eos] += 1
    return counts


def _check_words(words: Iterable[str]) -> tuple[str, ...]:
    if isinstance(words, str):
        raise ValueError(f"expected a list of words, found the text {words[:40]!r}")
    words = tuple(words)
    for i, word in enumerate(words):
        if not isinstance(word, str) or not word:
            raise ValueError(f"word {i}: expected a text that is not empty, found {word!r}")
    if not words:
        raise ValueError("a vocabulary needs at least one word")
    if len(set(words)) < len(words):
        twice = Counter(words).most_common(1)[0][0]
        raise ValueError(f"the word {twice!r} is there more than once")
    return words


def _check_specials(*specials: Optional[str]) -> None:
    names = [word for word in specials if word is not None]
    for word in names:
        if not isinstance(word, str):
            raise ValueError(f"special word: expected a text, found {word!r}")
    if len(set(names)) < len(names):
        raise ValueError(f"the special words must differ, found {names}")


def _check_counts(counts: Sequence[int], size: int) -> np.ndarray:
    if len(counts) != size:
        raise ValueError(f"counts: expected one for each of the {size} words, found {len(counts)}")
    return np.array([whole_number("counts", n, 0, 2**63 - 1) for n in counts], np.int64)
