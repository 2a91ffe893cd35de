"""The state of a word2vec run on disk: the place of every worker, parameters, trainer.

Note: Tips in Training / Tuning on the Development Set (T28)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dynotes.corpora.errors import InputError
from dynotes.training.model_file import read_arrays, write_arrays
from dynotes.training.run_folder import RunFolder

OPTIMIZER = "optimizer"  # beside the parameters, whose names begin with a slash


@dataclass
class Position:
    """Where a run is, as plain JSON values."""

    epoch: int = 0  # finished epochs
    places: list[int] = field(default_factory=list)  # of each worker: the next token
    nats: list[float] = field(default_factory=list)  # of each worker, of this epoch so far
    losses: list[int] = field(default_factory=list)
    train_seconds: float = 0.0
    finished: bool = False
    history: list[dict[str, Any]] = field(default_factory=list)


def write_checkpoint(
    folder: RunFolder, at: Position, parameters: dict[str, np.ndarray], moments: bytes = b""
) -> None:
    """Write the checkpoint, then the log that belongs to it.

    Args:
        folder, at, parameters: of the run.
        moments: of its trainer, see `optimizer_state.save_state`; none if it has no memory.
    """
    arrays = dict(parameters)
    if moments:
        arrays[OPTIMIZER] = np.frombuffer(moments, np.uint8)
    write_arrays(folder.checkpoint, arrays, {"position": vars(at)})
    folder.write_log(at.history)


def read_checkpoint(folder: RunFolder) -> tuple[Position, dict[str, np.ndarray], bytes]:
    """The checkpoint of a run: place, parameters, state of the trainer.

    Raises:
        InputError: missing, damaged, or no checkpoint of word2vec.
    """
    arrays, meta = read_arrays(folder.checkpoint)
    try:
        moments = arrays.pop(OPTIMIZER, np.zeros(0, np.uint8)).tobytes()
        return Position(**meta["position"]), arrays, moments
    except (KeyError, TypeError) as error:
        raise InputError(folder.checkpoint, f"damaged ({error})") from None
