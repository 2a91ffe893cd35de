"""A text file as one stream of word ids, for language models and word vectors.

Note: Tips in Training / Truncated Backprop (T16)
Paper: Mikolov et al. 2011 (PTB, 10,000 words); Merity et al. 2017 (WikiText-2, 33,278 words)

Every line, a blank one too, gives its tokens and one ``<eos>``: so PTB has 929,589 / 73,760 /
82,430 and WikiText-2 2,088,628 / 217,646 / 245,569 ids, which is what a perplexity is divided by.
The text itself is never held in memory, and the ids need not be (``store``).
"""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Callable, NamedTuple, Optional

import numpy as np

from dynotes.corpora.atomic import atomic_open
from dynotes.corpora.errors import InputError, PathLike, whole_number
from dynotes.corpora.lines import read_tokens
from dynotes.corpora.vocabulary import Vocabulary

CHUNK = 1 << 16  # tokens that are Python objects at the same time
NUMBER = "NNUMB"
_NUMBER = re.compile(r"[+-]?[.,]?\d+(?:[.,]\d+)*")


class LmText(NamedTuple):
    """A text as ids.

    ids: (N,) int32, all lines one after the other.
    sentence_ends: (S,) int64; line s is ids[sentence_ends[s-1] : sentence_ends[s]], its last id
        being ``eos_id`` if the vocabulary has one.
    unknown: how many tokens the vocabulary lacked (a literal ``<unk>`` is not counted).
    """

    ids: np.ndarray
    sentence_ends: np.ndarray
    unknown: int


def normalise(tokens: Sequence[str], *, lower: bool = False, numbers: bool = False) -> list[str]:
    """The tokens, changed only where asked for; by default nothing is lost.

    Args:
        tokens: words of a sentence.
        lower: in lower case.
        numbers: every number, such as 7, -0.5 or 1,000.25, becomes ``NNUMB``.
    """
    words = [word.lower() for word in tokens] if lower else list(tokens)
    return [NUMBER if _NUMBER.fullmatch(word) else word for word in words] if numbers else words


def build_vocabulary(
    path: PathLike,
    *,
    min_count: int = 1,
    max_size: Optional[int] = None,
    unk: Optional[str] = "<unk>",
    eos: Optional[str] = "<eos>",
    specials: Sequence[str] = (),
    lower: bool = False,
    numbers: bool = False,
) -> Vocabulary:
    """The vocabulary of a text file, in one pass: see `Vocabulary.build` and `normalise`.

    Raises:
        InputError: the file is no text, or empty: see `read_tokens`.
    """
    counts: Counter[str] = Counter()
    n_lines = 0
    for tokens in read_tokens(path):
        n_lines += 1
        counts.update(normalise(tokens, lower=lower, numbers=numbers))
    if eos is not None:
        counts[eos] += n_lines
    return Vocabulary.build(
        counts, min_count=min_count, max_size=max_size, unk=unk, eos=eos, specials=specials
    )


def encode_chunks(
    path: PathLike,
    vocabulary: Vocabulary,
    *,
    lower: bool = False,
    numbers: bool = False,
    size: int = CHUNK,
) -> Iterator[LmText]:
    """A text file as a sequence of `LmText` of whole lines, for files larger than memory.

    Args:
        path: plain or gzip text, tokens separated by white space.
        vocabulary: gives the ids; with ``eos`` each line ends in ``eos_id``.
        lower, numbers: as they were when the vocabulary was built, see `normalise`.
        size: a chunk is given out when it has at least this many tokens.

    Raises:
        InputError: no text, or an unknown token and no ``unk`` in the vocabulary.
    """
    whole_number("size", size)
    return _chunks(path, vocabulary, lower, numbers, size)


def _chunks(
    path: PathLike, vocabulary: Vocabulary, lower: bool, numbers: bool, size: int
) -> Iterator[LmText]:
    end = [] if vocabulary.eos is None else [vocabulary.eos]
    tokens: list[str] = []
    ends: list[int] = []
    first = 1
    for line in read_tokens(path):
        tokens += normalise(line, lower=lower, numbers=numbers) if lower or numbers else line
        tokens += end
        ends.append(len(tokens))
        if len(tokens) >= size:
            yield _encode(path, vocabulary, tokens, ends, first)
            first += len(ends)
            tokens, ends = [], []
    if ends:
        yield _encode(path, vocabulary, tokens, ends, first)


def _encode(
    path: PathLike, vocabulary: Vocabulary, tokens: list[str], ends: list[int], first: int
) -> LmText:
    ids = vocabulary.lookup(tokens)
    sentence_ends = np.array(ends, np.int64)
    unknown = np.flatnonzero(ids < 0)
    if vocabulary.unk_id is not None:
        ids[unknown] = vocabulary.unk_id
    elif unknown.size:
        where = int(unknown[0])
        line = first + int(np.searchsorted(sentence_ends, where, side="right"))
        raise InputError(path, f"{tokens[where]!r} is not in the vocabulary", line)
    return LmText(ids, sentence_ends, len(unknown))


def read_lm_text(
    path: PathLike,
    vocabulary: Vocabulary,
    *,
    lower: bool = False,
    numbers: bool = False,
    store: Optional[PathLike] = None,
) -> LmText:
    """A whole text file as ids, with the ends of its lines.

    Args:
        path, vocabulary, lower, numbers: see `encode_chunks`.
        store: None keeps the ids in memory (4 bytes each); a path writes them there (raw int32,
            replaced as a whole) and gives a read-only memory map.

    Raises:
        InputError: no text, or an unknown token and no ``unk`` in the vocabulary.
    """
    chunks = encode_chunks(path, vocabulary, lower=lower, numbers=numbers)
    if store is None:
        memory = bytearray()
        ends, unknown = _gather(chunks, memory.extend)
        return LmText(np.frombuffer(memory, np.int32), ends, unknown)
    with atomic_open(store) as file:
        ends, unknown = _gather(chunks, file.write)
    return LmText(np.memmap(store, np.int32, mode="r"), ends, unknown)


def encode_file(
    path: PathLike, vocabulary: Vocabulary, *, lower: bool = False, numbers: bool = False
) -> np.ndarray:
    """Just the ids of `read_lm_text`, (N,) int32."""
    return read_lm_text(path, vocabulary, lower=lower, numbers=numbers).ids


def _gather(
    chunks: Iterable[LmText], append: Callable[[memoryview], Any]
) -> tuple[np.ndarray, int]:
    """Append the ids of each chunk; return the ends counted from the start, and the unknown."""
    ends, n_ids, unknown = array("q"), 0, 0
    for chunk in chunks:
        append(chunk.ids.data)
        ends.frombytes((chunk.sentence_ends + n_ids).tobytes())
        n_ids += len(chunk.ids)
        unknown += chunk.unknown
    return np.frombuffer(ends, np.int64), unknown
