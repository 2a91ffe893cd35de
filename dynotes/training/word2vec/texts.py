"""The text of a run as ids, in the units of its model: words, phrases as words, or characters.

Note: Topic: Embeddings / Tensor Indexing Model by Y. Zhao & Zhiyuan Liu (T64)
Note: Topic: Embeddings / sembei (segmentation-free word embeddings) by T. Oshikiri (T67)
Paper: Mikolov et al. 2013b, arXiv:1310.4546, section 4
"""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from typing import Any, Optional, Union

from dynotes.corpora.atomic import atomic_write
from dynotes.corpora.download import digest_of
from dynotes.corpora.errors import InputError, existing_file
from dynotes.corpora.ngram_store import NgramText, store_ngrams
from dynotes.corpora.phrase_text import write_phrase_list, write_phrases
from dynotes.corpora.phrase_types import read_phrase_types
from dynotes.corpora.token_store import TokenText, store_tokens
from dynotes.training.word2vec.config import Word2vecConfig

JOINED, PHRASES, ABOUT = "joined.txt", "phrases.tsv", "phrases.json"  # beside the ids
BEST = 10  # phrases that a summary shows

Text = Union[TokenText, NgramText]


def store_text(path: Path, folder: Path, config: Word2vecConfig) -> Text:
    """The text of a run, from a folder if it is there, made otherwise.

    Args:
        path: the text.
        folder: of the ids; with the model tim also of the joined text and its phrases.
        config: the settings.

    Raises:
        InputError: no text, or nothing in it that is frequent enough.
    """
    if config.model == "sembei":
        return store_ngrams(
            path,
            folder,
            sizes=config.ngram_sizes,
            min_count=config.min_count,
            epsilon=config.epsilon or None,
            lower=config.lower,
            spaces=config.spaces,
        )
    if config.model != "tim":
        return _words(path, folder, config)
    _join(path, folder, config)
    # the joined text is in lower case already, if it is to be
    return _words(folder / JOINED, folder, config)._replace(digest=digest_of(path))


def _words(path: Path, folder: Path, config: Word2vecConfig) -> TokenText:
    return store_tokens(
        path,
        folder,
        min_count=config.min_count,
        max_size=config.max_vocabulary or None,
        lower=config.lower,
    )


def _join(path: Path, folder: Path, config: Word2vecConfig) -> None:
    """The joined text and its phrases in the folder, unless those of these settings are there."""
    names = ("threshold", "discount", "min_count", "passes", "lower")
    settings = {name: getattr(config, name) for name in names}
    about = {"sha256": digest_of(path), "types": config.phrase_types, **settings}
    with contextlib.suppress(OSError, ValueError):
        if json.loads((folder / ABOUT).read_bytes()) == about:
            return
    types = None
    if config.phrase_types:
        types = read_phrase_types(config.phrase_types, lower=config.lower)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ABOUT).unlink(missing_ok=True)
    except OSError as error:
        raise InputError(folder, error.strerror or str(error)) from None
    found = write_phrases(path, folder / JOINED, types=types, **settings)
    write_phrase_list(folder / PHRASES, found)
    atomic_write(folder / ABOUT, json.dumps(about).encode() + b"\n")


def run_phrases(text: Path, out: Path, listed: Optional[Path], **options: Any) -> dict[str, Any]:
    """Write a text with its phrases joined, and perhaps a list of them; the summary.

    Args:
        text, out, options: see `write_phrases`.
        listed: a file for the list, or None.
    """
    began = time.perf_counter()
    found = write_phrases(existing_file(text), out, **options)
    if listed is not None:
        write_phrase_list(listed, found)
    return {
        "task": "word2vec",
        "text": str(text),
        "phrases": len(found),
        "best": [[p.text, p.together, round(p.score, 2)] for p in found[:BEST]],
        **options,
        "written": str(out),
        "seconds": round(time.perf_counter() - began, 2),
    }
