"""The state of a run on disk: its position, parameters, optimizer statistics and LSTM states.

Note: Tips in Training / Tuning on the Development Set (T28, T29)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from dynotes.corpora.errors import InputError
from dynotes.training.model_file import read_arrays, write_arrays
from dynotes.training.run_folder import RunFolder

PARAMETER = "parameter "


@dataclass
class Position:
    """Where a run is, as plain JSON values."""

    epoch: int = 0  # finished epochs
    window: int = 0  # finished windows of the current one
    update: int = 0  # updates since the start
    epochs: int = 0  # planned
    fitted: bool = False  # whether that number came from the speed of this machine
    rate: float = 0.0  # the schedule's base rate
    nats: float = 0.0  # of this epoch so far, this worker's columns
    tokens: int = 0
    negative: int = 0  # of these, losses below 0 (T36)
    train_seconds: float = 0.0
    run_seconds: float = 0.0
    trained_tokens: int = 0  # of all workers, all epochs
    best: float = math.inf
    best_epoch: int = 0
    finished: bool = False
    history: list[dict[str, Any]] = field(default_factory=list)


class Checkpoint(NamedTuple):
    """Everything a run resumes from."""

    position: Position
    schedule: dict[str, Any]  # state_dict of the learning-rate schedule
    stopping: dict[str, Any]  # state_dict of early stopping
    parameters: dict[str, np.ndarray]
    states: np.ndarray  # (2 layers, H, B), the carried state of all columns
    moments: bytes  # optimizer statistics; empty for SGD


def write_checkpoint(folder: RunFolder, checkpoint: Checkpoint) -> None:
    """Write the checkpoint, then the log that belongs to it."""
    arrays = {PARAMETER + name: a for name, a in checkpoint.parameters.items()}
    arrays["state"] = checkpoint.states
    arrays["optimizer"] = as_bytes_array(checkpoint.moments)
    meta = {
        "position": vars(checkpoint.position),
        "schedule": checkpoint.schedule,
        "stopping": checkpoint.stopping,
    }
    write_arrays(folder.checkpoint, arrays, meta)
    folder.write_log(checkpoint.position.history)


def read_checkpoint(folder: RunFolder) -> Checkpoint:
    """The checkpoint of a run.

    Raises:
        InputError: missing, damaged, or no checkpoint of a language model.
    """
    arrays, meta = read_arrays(folder.checkpoint)
    try:
        return Checkpoint(
            Position(**meta["position"]),
            dict(meta["schedule"]),
            dict(meta["stopping"]),
            {n[len(PARAMETER) :]: a for n, a in arrays.items() if n.startswith(PARAMETER)},
            arrays["state"],
            arrays["optimizer"].tobytes(),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(folder.checkpoint, f"damaged ({error})") from None


def as_bytes_array(data: bytes) -> np.ndarray:
    """Bytes as the array that a safetensors file can hold."""
    return np.frombuffer(data, np.uint8)
