"""Models and checkpoints as safetensors files: arrays by name, everything else as JSON.

Opening a file runs no code, and other tools can read it.  A file appears whole or not at all.

Note: Tips in Training / Tuning on the Development Set (T28)
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, Optional

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from dynotes.corpora.atomic import atomic_write
from dynotes.corpora.errors import InputError

FORMAT = "dynotes 1"
HEADER = "dynotes"


def write_arrays(path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray], meta: Any) -> None:
    """Write arrays and a JSON value atomically.

    Raises:
        OSError: the folder is missing, the disk is full, ...; an existing file stays as it was.
    """
    header = {HEADER: json.dumps({"format": FORMAT, "meta": meta})}
    contiguous = {name: np.ascontiguousarray(a) for name, a in arrays.items()}
    atomic_write(path, save(contiguous, metadata=header))


def read_arrays(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], Any]:
    """(arrays by name, the JSON value) of a file of :func:`write_arrays`.

    Raises:
        InputError: missing, truncated or corrupt, or made by another program.
    """
    try:
        with safe_open(os.fspath(path), framework="numpy") as file:
            meta = _meta(path, (file.metadata() or {}).get(HEADER))
            names = file.keys()
            return {name: file.get_tensor(name) for name in names}, meta
    except FileNotFoundError:
        raise InputError(path, "no such file") from None
    except (OSError, SafetensorError, TypeError) as error:
        raise InputError(path, f"not a complete safetensors file ({error})") from None


def _meta(path: str | os.PathLike[str], header: Optional[str]) -> Any:
    """The JSON value in a header of :func:`write_arrays`; InputError for any other header."""
    if header is None:
        raise InputError(path, "a safetensors file, but not one of dynotes")
    try:
        value = json.loads(header)
    except ValueError as error:
        raise InputError(path, f"a damaged header ({error})") from None
    if not isinstance(value, dict) or set(value) != {"format", "meta"}:
        raise InputError(path, "a damaged header (expected format and meta)")
    if value["format"] != FORMAT:
        raise InputError(path, f"expected format {FORMAT!r}, found {value['format']!r}")
    return value["meta"]
