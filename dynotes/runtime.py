"""DyNet settings, applied once and before the engine is imported.

DyNet reads its settings at import, aborts the process on a bad value and zeroes the whole memory
pool at once; ``start`` checks everything first and only then imports it.

Note: Implementation Details / About DyNet (T34)
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from types import ModuleType
from typing import Any, Optional

MAX_SEED = 2**32 - 1
_PARSED_BY_DYNET = ("--dynet-", "--dynet_")


class RuntimeSettingError(ValueError):
    """A DyNet setting that the engine would answer with an abort or silently ignore."""


def parse_memory(text: Any) -> str:
    """Check DyNet's memory setting: ``"512"`` or ``"forward,backward,parameters,scratch"`` in MB.

    Returns:
        The text DyNet expects.

    Raises:
        RuntimeSettingError: not 1 or 4 whole numbers >= 1, or more than the machine has.
    """
    found = str(text).strip()
    if not re.fullmatch(r"[0-9]{1,9}(,[0-9]{1,9}){3}|[0-9]{1,9}", found):
        raise RuntimeSettingError(
            f"dynet memory: expected MB as N or N,N,N,N (whole numbers), found {found!r}"
        )
    sizes = [int(part) for part in found.split(",")]
    if min(sizes) < 1 or (len(sizes) == 1 and sizes[0] < 4):
        raise RuntimeSettingError(f"dynet memory: every pool needs at least 1 MB, found {found!r}")
    available = _physical_memory_mb()
    if available is not None and sum(sizes) > available:
        raise RuntimeSettingError(
            f"dynet memory: {sum(sizes)} MB asked for, the machine has {available} MB"
        )
    return ",".join(str(n) for n in sizes)


def parse_seed(seed: Any) -> int:
    """A seed DyNet takes literally: 1 to 2^32 - 1 (0 would mean "random" and is never printed)."""
    if isinstance(seed, bool) or not isinstance(seed, int) or not 1 <= seed <= MAX_SEED:
        raise RuntimeSettingError(f"dynet seed: expected 1 to {MAX_SEED}, found {seed!r}")
    return seed


def parse_devices(devices: Optional[str], gpus: int) -> tuple[int, Optional[list[int]]]:
    """Number of GPUs and the mask for a ``CPU,GPU:0`` text; (0, None) stays on the CPU."""
    if isinstance(gpus, bool) or not isinstance(gpus, int) or not 0 <= gpus <= 256:
        raise RuntimeSettingError(f"dynet gpus: expected 0 to 256, found {gpus!r}")
    if not devices:
        return gpus, None
    if gpus:
        raise RuntimeSettingError("give --dynet-devices or --dynet-gpus, not both")
    mask = [0] * 256
    for name in str(devices).split(","):
        match = re.fullmatch(r"GPU:([0-9]{1,3})", name.strip())
        if match and int(match.group(1)) < 256:
            mask[int(match.group(1))] = 1
        elif name.strip() != "CPU":
            raise RuntimeSettingError(
                f"dynet devices: expected CPU or GPU:0 to GPU:255, found {name!r}"
            )
    return sum(mask), mask if sum(mask) else None


def start(
    *,
    mem: Any = "64",
    seed: int = 1,
    autobatch: bool = False,
    devices: Optional[str] = None,
    gpus: int = 0,
    weight_decay: float = 0.0,
    profiling: int = 0,
    shared: bool = False,
) -> ModuleType:
    """Import and configure DyNet; the first thing a program does with it.

    Args:
        mem: MB of the pools, see :func:`parse_memory`.  Zeroed at start: about a second per GB.
        seed: 1 to 2^32 - 1.
        autobatch: batch the nodes of every graph automatically.
        devices: ``CPU`` or ``CPU,GPU:0``; needs a CUDA build.
        gpus: number of GPUs, instead of ``devices``.
        weight_decay: 0 <= lambda < 1 a step.  Saving is refused while it is on (dynotes.training).
        profiling: DyNet's profiling level, 0 to 2.
        shared: parameters and gradients lie in memory that forked processes share.

    Returns:
        The ``dynet`` module.

    Raises:
        RuntimeSettingError: a value the engine would abort on, a GPU request on a CPU build, an
            engine that was imported before, or no engine at all.
    """
    mem, seed = parse_memory(mem), parse_seed(seed)
    requested, mask = parse_devices(devices, gpus)
    if not isinstance(weight_decay, (int, float)) or not 0 <= weight_decay < 1:
        raise RuntimeSettingError(f"weight decay: expected 0 <= lambda < 1, found {weight_decay!r}")
    if profiling not in (0, 1, 2):
        raise RuntimeSettingError(f"dynet profiling: expected 0, 1 or 2, found {profiling!r}")
    if "_dynet" in sys.modules:
        raise RuntimeSettingError("dynet was imported before dynotes.runtime.start()")
    _settle_numpy()
    with _hidden_arguments(), _without_banner():
        try:
            import dynet_config
        except ImportError as error:
            raise RuntimeSettingError(
                "no DyNet: install dynotes[cpu], or build dyNET for this machine"
            ) from error
        dynet_config.set(
            mem=mem,
            random_seed=seed,
            autobatch=int(bool(autobatch)),
            profiling=int(profiling),
            weight_decay=float(weight_decay),
            shared_parameters=int(bool(shared)),
            requested_gpus=requested,
            gpu_mask=mask,
        )
        import dynet as dy
    if requested and not getattr(dy, "HAVE_CUDA", False):
        raise RuntimeSettingError("a GPU was asked for, but this DyNet is a CPU build")
    dy.renew_cg()  # some of the engine's builders crash before the first graph
    return dy


def engine_versions() -> dict[str, str]:
    """Versions of the engine and of what runs it, for config.json (the engine must be running)."""
    import platform

    import dynet as dy
    import numpy as np

    from dynotes import __version__

    return {
        "dynotes": __version__,
        "dynet": f"{getattr(dy, '__version__', '?')} {getattr(dy, '__gitversion__', '')}".strip(),
        "cuda": str(bool(getattr(dy, "HAVE_CUDA", False))),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
    }


def _settle_numpy() -> None:
    """Cache numpy's float limits: the engine flushes denormals to zero, numpy would warn later."""
    import numpy as np

    np.finfo(np.float32)
    np.finfo(np.float64)


@contextlib.contextmanager
def _without_banner() -> Iterator[None]:
    """Drop the lines that some builds of the engine print on stderr at import; keep the rest."""
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            caught.seek(0)
            kept = [line for line in caught if not line.startswith(b"[dynet]")]
            os.write(2, b"".join(kept))


@contextlib.contextmanager
def _hidden_arguments() -> Iterator[None]:
    """DyNet looks at sys.argv at import even when configured; show it none of its flags."""
    saved = sys.argv
    sys.argv = [a for a in saved if not a.startswith(_PARSED_BY_DYNET)]
    try:
        yield
    finally:
        sys.argv = saved


def _physical_memory_mb() -> Optional[int]:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    except (AttributeError, OSError, ValueError):
        return None
