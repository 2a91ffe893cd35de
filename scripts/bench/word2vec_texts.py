"""The large text of the word2vec benchmarks: 100 novels, Brown and WikiText-2, about 17 M words."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

from dynotes.corpora.datasets import data_dir
from dynotes.corpora.errors import InputError, existing_file
from dynotes.corpora.lines import read_lines

PARTS = (
    "embed_corpus/novels100_norm.txt.gz",
    "embed_corpus/brown_tokens.txt.gz",
    "wikitext2/train.txt.gz",
)


def write_large_text(folder: Path, data: Optional[Path], share: float = 1.0) -> Path:
    """All parts in lower case in one plain file of the folder, a sentence a line.

    Args:
        folder: where it goes.
        data: folder of the real corpora, None for the usual one.
        share: of every part, the lines that are kept: one in 1/share.

    Raises:
        InputError: no data folder, or a part that is not in it.
    """
    found = data_dir(data)
    if found is None:
        raise InputError("large", "no data folder: name it by --data-dir or DYNOTES_DATA")
    target = folder / f"large-{share:g}.txt"
    with target.open("w", encoding="utf-8") as out:
        for part in PARTS:
            out.writelines(_lines(existing_file(found / part), round(1 / share)))
    return target


def _lines(path: Path, every: int) -> Iterator[str]:
    for _, line in itertools.islice(read_lines(path), 0, None, every):
        if line.strip():
            yield line.lower() + "\n"
