"""A text file as memory-mapped ids of characters, and its inventory of n-grams, made once and kept.

Note: Topic: Embeddings / sembei (segmentation-free word embeddings) by T. Oshikiri (T67)
Paper: Oshikiri 2017, EMNLP, D17-1080
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

import numpy as np

from dynotes.corpora.atomic import atomic_write
from dynotes.corpora.errors import InputError, PathLike
from dynotes.corpora.ngram_inventory import NgramInventory
from dynotes.corpora.token_store import store_tokens
from dynotes.corpora.vocabulary import Vocabulary

INVENTORY = "ngrams.json"


class NgramText(NamedTuple):
    """A text as characters, with the n-grams that have a vector.

    inventory: where the n-grams occur.
    ids: (T,) int32 ids of characters, a read-only memory map.
    sentence_ends: (S,) int64, the place after each line.
    dropped: 0, every character is kept.
    digest: SHA-256 of the file.
    """

    inventory: NgramInventory
    ids: np.ndarray
    sentence_ends: np.ndarray
    dropped: int
    digest: str

    @property
    def vocabulary(self) -> Vocabulary:
        """The n-grams with their counts, the most frequent first."""
        return self.inventory.ngrams


def store_ngrams(
    path: PathLike,
    folder: PathLike,
    *,
    sizes: Sequence[int],
    min_count: int = 1,
    epsilon: Optional[float] = None,
    lower: bool = False,
    spaces: bool = False,
) -> NgramText:
    """The characters and the n-grams of a text, from the folder if they are there, made otherwise.

    Args:
        path: plain or gzip text; n-grams do not cross the end of a line.
        folder: made if need be; holds one text.
        sizes, min_count, epsilon: of the inventory, see `NgramInventory.build`.
        lower: in lower case.
        spaces: a mark, `token_store.SPACE`, ends every word; otherwise the words of a line are put
            together.

    Raises:
        InputError: as of `store_tokens`; no n-gram that is frequent enough.
    """
    folder = Path(folder)
    units = "spaced characters" if spaces else "characters"
    text = store_tokens(path, folder, min_count=1, lower=lower, units=units)
    settings = {"sizes": list(sizes), "min_count": min_count, "epsilon": epsilon, "units": units}
    about = {"sha256": text.digest, "lower": bool(lower), "settings": settings}
    inventory = _kept(folder / INVENTORY, about)
    if inventory is None:
        try:
            inventory = NgramInventory.build(
                text.ids,
                text.sentence_ends,
                text.vocabulary,
                sizes=sizes,
                min_count=min_count,
                epsilon=epsilon,
            )
        except ValueError as error:
            raise InputError(path, str(error)) from None
        value = {**about, "inventory": inventory.to_json()}
        atomic_write(folder / INVENTORY, json.dumps(value, ensure_ascii=False).encode() + b"\n")
    return NgramText(inventory, text.ids, text.sentence_ends, 0, text.digest)


def _kept(path: Path, about: dict[str, Any]) -> Optional[NgramInventory]:
    """The inventory in a file, if it is that of this text with these settings."""
    try:
        value = json.loads(path.read_bytes())
        inventory = value.pop("inventory")
        return NgramInventory.from_json(inventory) if value == about else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
