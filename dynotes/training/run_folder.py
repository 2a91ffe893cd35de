"""The folder of a run: config.json, log.jsonl, model and checkpoint files, curves.png.

Everything is written whole or not at all.  The log is rewritten from the history inside the
checkpoint, so that after a crash no line of it is ahead of the state that training resumes from.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional, Union

from dynotes.corpora.atomic import atomic_write
from dynotes.corpora.errors import InputError

PathLike = Union[str, "os.PathLike[str]"]
CONFIG, LOG, CURVES = "config.json", "log.jsonl", "curves.png"
MODEL, CHECKPOINT = "model.safetensors", "checkpoint.safetensors"
BEST_OPTIMIZER = "best-optimizer.safetensors"  # of the best model, for rollbacks (T29)


class RunFolder:
    """Names and files of one run."""

    def __init__(self, path: PathLike) -> None:
        self.path = Path(path)
        self.config, self.log = self.path / CONFIG, self.path / LOG
        self.model, self.checkpoint = self.path / MODEL, self.path / CHECKPOINT
        self.curves = self.path / CURVES
        self.best_optimizer = self.path / BEST_OPTIMIZER

    def check_free(self) -> None:
        """InputError if there is a file, or a run already: none is ever overwritten."""
        if os.path.lexists(self.path) and not self.path.is_dir():
            raise InputError(self.path, "not a folder")
        if any(os.path.lexists(path) for path in (self.config, self.checkpoint, self.model)):
            raise InputError(self.path, "holds a run already; use --resume or another folder")

    def create(self) -> None:
        """Make the folder.

        Raises:
            InputError: the folder holds a run already, or cannot be made.
        """
        self.check_free()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(self.path, f"cannot make the folder ({error.strerror})") from None

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Write config.json."""
        atomic_write(self.config, (json.dumps(config, indent=2, sort_keys=True) + "\n").encode())

    def read_config(self) -> dict[str, Any]:
        """The content of config.json; InputError if there is none or it is damaged."""
        try:
            value = json.loads(self.config.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(self.config, "no such file: not the folder of a run") from None
        except (OSError, ValueError) as error:
            raise InputError(self.config, f"not a JSON file ({error})") from None
        if not isinstance(value, dict):
            raise InputError(self.config, "expected a JSON object")
        return value

    def write_log(self, history: Sequence[Mapping[str, Any]]) -> None:
        """Write log.jsonl: a line an epoch."""
        lines = "".join(json.dumps(finite(entry)) + "\n" for entry in history)
        atomic_write(self.log, lines.encode())

    def remove_temporary(self) -> None:
        """Delete what a killed write left behind."""
        for path in self.path.glob("*.tmp"):
            with contextlib.suppress(OSError):
                path.unlink()

    def draw_curves(self, history: Sequence[Mapping[str, Any]], optimum: Optional[float]) -> bool:
        """curves.png of train and dev perplexity by epoch; False without matplotlib."""
        try:
            import matplotlib
        except ImportError:
            return False
        matplotlib.use("Agg")
        from matplotlib import pyplot

        epochs = [entry["epoch"] for entry in history]
        figure, axes = pyplot.subplots(figsize=(6, 4))
        for key, label in (("train_perplexity", "train"), ("dev_perplexity", "dev")):
            if all(key in entry for entry in history):
                axes.plot(epochs, [entry[key] for entry in history], marker="o", label=label)
        if optimum is not None:
            axes.axhline(optimum, linestyle="--", color="gray", label="optimum of the language")
        axes.set_xlabel("epoch")
        axes.set_ylabel("perplexity")
        axes.set_yscale("log")
        axes.legend()
        figure.tight_layout()
        temporary = self.curves.with_suffix(".part.png")
        figure.savefig(temporary, dpi=120)
        pyplot.close(figure)
        os.replace(temporary, self.curves)
        return True


class Stopwatch:
    """Seconds of training alone; evaluation and saving are not between start and stop."""

    def __init__(self, seconds: float = 0.0) -> None:
        self._before, self._since = seconds, 0.0
        self._running = False

    def start(self) -> None:
        """Begin to count."""
        self._since, self._running = time.perf_counter(), True

    def stop(self) -> None:
        """Cease to count."""
        if self._running:
            self._before, self._running = self.seconds, False

    @property
    def seconds(self) -> float:
        """Counted until now."""
        return self._before + (time.perf_counter() - self._since if self._running else 0.0)


def finite(value: Any) -> Any:
    """The same value with nan and infinities as None, which JSON can hold."""
    if isinstance(value, Mapping):
        return {key: finite(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def peak_memory_mb() -> float:
    """Largest resident size of this process so far, in MB."""
    import resource
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
