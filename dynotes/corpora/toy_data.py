"""Where the files of the toy language are, and the best perplexity on one of its texts."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Optional

from dynotes.corpora.errors import InputError, PathLike
from dynotes.corpora.lines import read_lines
from dynotes.corpora.make_toy import write_toy
from dynotes.corpora.toy_language import ToyLanguage


def toy_optimum(path: PathLike) -> float:
    """Lowest reachable perplexity on a text of the bundled language, an <eos> a line counted.

    Raises:
        InputError: unreadable or empty file, or a line that is no sentence of the language.
    """
    language, total, tokens = ToyLanguage(), 0.0, 0
    for number, line in read_lines(path):
        words = line.split()
        log_prob = language.log_prob(words)
        if log_prob == -math.inf:
            raise InputError(path, f"no sentence of the toy language: {line[:60]!r}", number)
        total += log_prob
        tokens += len(words) + 1
    if tokens == 0:
        raise InputError(path, "expected a sentence a line, found none")
    return math.exp(-total / tokens)


def toy_dir(folder: Optional[PathLike] = None) -> Path:
    """The folder of the toy data: ``data/toy`` of a checkout, else ``folder``, made if need be.

    Raises:
        InputError: no checkout around the package, and no folder named.
    """
    bundled = Path(__file__).resolve().parents[2] / "data" / "toy"
    if (bundled / "SHA256SUMS").is_file():
        return bundled
    if folder is None:
        hint = "make them with: python -m dynotes.corpora.make_toy --out FOLDER"
        raise InputError(bundled, f"the toy data are not here ({hint})")
    if not (Path(folder) / "SHA256SUMS").is_file():
        write_toy(folder)
    return Path(folder)
