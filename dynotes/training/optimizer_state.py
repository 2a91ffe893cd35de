"""The optimizer's statistics through a rollback: restore them, reset them, or keep them.

    1 restore:  o <- o*  (saved with the best model)      2 reset:  o <- 0      3 keep:  o <- o

DyNet's C++ trainers can write and read their moments and their update counter, but its Python
interface cannot; the exported C++ functions are called here, and only on a pointer proved to be
that trainer: the object it points to must begin with the address of that class's exported table of
virtual functions.  Everything that would make the C++ side throw is checked first, because nothing
could catch it.

Note: Tips in Training / Tuning on the Development Set (T29)
Renamed: the notes' "optimizer statistics" o are momentum, moments and the update counter.
Differs: reset is a new trainer: DyNet's ``restart()`` keeps the update counter, so Adam would go on
    without its bias correction.  A new trainer allocates new moments from a pool that is never
    freed: tens of resets are fine, thousands are not.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import re
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import dynet as dy

from dynotes.tips.dev_tuning import ROLLBACK_STRATEGIES
from dynotes.training.process_memory import OwnMemory

MAGIC = b"dynotes optimizer state 1 "
MOMENTS = {  # class: statistics per parameter
    "SimpleSGDTrainer": 0,
    "MomentumSGDTrainer": 1,
    "AdagradTrainer": 1,
    "AdadeltaTrainer": 2,
    "RMSPropTrainer": 1,
    "AdamTrainer": 2,
}
REFUSED = {
    "AmsgradTrainer": "its populate() skips the second moments of lookup tables",
    "CyclicalSGDTrainer": "its save() leaves out the position in the cycle",
}
STREAM_BYTES = 2048  # a libstdc++ file stream has about 520
OPEN_FOR = {"ifstream": 8, "ofstream": 16}  # std::ios_base::in, out


class OptimizerStateUnavailable(RuntimeError):
    """This trainer or this build of DyNet cannot save its statistics; "reset" and "keep" work."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f'optimizer statistics are not available: {reason}; use strategy "reset" or "keep"'
        )


class StateInfo(NamedTuple):
    """What a saved state says about itself."""

    trainer: str
    learning_rate: float
    clip_threshold: float
    updates: int | None  # None for SimpleSGD, which has no use for it


class _Layout(NamedTuple):
    """Sizes of the statistics, in the order of DyNet's text; and the updates made."""

    dense: tuple[int, ...]
    tables: tuple[int, ...]
    updates: int


def save_state(trainer: dy.Trainer) -> bytes:
    """Everything that a trainer knows besides the parameters, to continue bit for bit.

    Momentum and moments, the update counter, the learning rate and the clip threshold; not
    ``set_sparse_updates``, which DyNet does not tell.  About 16 bytes a statistic.

    Raises:
        OptimizerStateUnavailable: Amsgrad, Cyclical, or a build of DyNet that cannot be read.
        ValueError: a statistic is nan or infinite (DyNet could not read it back).
        OSError: the temporary file could not be written.
    """
    name = _class_name(trainer)
    text = _write(trainer, name) if MOMENTS[name] else b""
    updates = _parse(text, name).updates if text else None
    info = StateInfo(name, trainer.learning_rate, trainer.get_clip_threshold(), updates)
    body = json.dumps(info._asdict()).encode() + b"\n" + text
    return MAGIC + hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def load_state(trainer: dy.Trainer, state: bytes, *, keep_rate: bool = False) -> None:
    """Make a trainer continue from a saved state; it is untouched unless everything fits.

    Args:
        trainer: of the same class, over a collection of the same sizes in the same order.
        state: from ``save_state``.
        keep_rate: leave the learning rate as it is (a rollback that decays it), else restore it.

    Raises:
        OptimizerStateUnavailable: as in ``save_state``.
        ValueError: a damaged state, another trainer class or other sizes; found and expected.
    """
    name = _class_name(trainer)
    info, text = _open(state)
    if info.trainer != name:
        raise ValueError(f"state of {info.trainer}, but the trainer is {name}")
    rate = trainer.learning_rate if keep_rate else info.learning_rate
    if MOMENTS[name]:
        _check_sizes(_parse(text, name), trainer, name)
        _read(trainer, name, text)
    trainer.learning_rate = rate
    trainer.set_clip_threshold(info.clip_threshold)


def describe_state(state: bytes) -> StateInfo:
    """Trainer, learning rate, clip threshold and updates of a state; ValueError if damaged."""
    return _open(state)[0]


def roll_back(
    strategy: str,
    trainer: dy.Trainer,
    *,
    state: bytes | None = None,
    new_trainer: Callable[[], dy.Trainer] | None = None,
) -> dy.Trainer:
    """The trainer to go on with after the parameters went back to the best model.

    The learning rate and the clip threshold of ``trainer`` are kept: they are no statistics.
    DyNet's velocity (MomentumSGD) is in units of the old rate: with a rate that decays, "restore"
    goes on with steps too long, and may walk away from the best model; prefer "reset" there.

    Args:
        strategy: one of ``ROLLBACK_STRATEGIES``.
        trainer: the trainer used until now.
        state: for "restore", ``save_state`` at the best model.
        new_trainer: for "reset", makes a fresh trainer of the same collection.

    Returns:
        ``trainer``, or for "reset" the new one (drop the old one).

    Raises:
        ValueError: an unknown strategy, or one without what it needs.
    """
    if strategy not in ROLLBACK_STRATEGIES:
        raise ValueError(f"strategy: expected one of {ROLLBACK_STRATEGIES}, found {strategy!r}")
    rate, threshold = trainer.learning_rate, trainer.get_clip_threshold()
    if strategy == "restore":
        if state is None:
            raise ValueError('strategy "restore" needs the state saved with the best model')
        load_state(trainer, state)
    elif strategy == "reset":
        if new_trainer is None:
            raise ValueError('strategy "reset" needs new_trainer')
        trainer = new_trainer()
    trainer.learning_rate = rate
    trainer.set_clip_threshold(threshold)
    return trainer


def _class_name(trainer: Any) -> str:
    if not isinstance(trainer, dy.Trainer):
        raise TypeError(f"expected a DyNet trainer, found {type(trainer).__name__}")
    names = [c.__name__ for c in type(trainer).__mro__ if c.__module__ == dy.Trainer.__module__]
    if names[0] not in MOMENTS:
        raise OptimizerStateUnavailable(f"{names[0]}, {REFUSED.get(names[0], 'unknown')}")
    return names[0]


def _open(state: bytes) -> tuple[StateInfo, bytes]:
    """Header and DyNet's text of a state whose checksum is right."""
    head, _, body = bytes(state).partition(b"\n")
    if not head.startswith(MAGIC):
        raise ValueError(f"no optimizer state: expected {MAGIC!r}, found {head[: len(MAGIC)]!r}")
    if head[len(MAGIC) :] != hashlib.sha256(body).hexdigest().encode():
        raise ValueError("damaged optimizer state: the checksum does not fit, is it truncated?")
    header, _, text = body.partition(b"\n")
    return StateInfo(**json.loads(header)), text


def _parse(text: bytes, name: str) -> _Layout:
    """The layout of DyNet's text; ValueError unless every line is as it must be."""
    if re.search(rb"nan|inf", text):
        raise ValueError(f"{name}: a statistic is nan or infinite")
    n_moments = MOMENTS[name]
    lines = text.split(b"\n")
    counts = re.fullmatch(rb"#Trainer# (\d+) (\d+)", lines[0])
    if counts is None:
        raise ValueError(f"{name}: unknown text of the statistics: {lines[0][:60]!r}")
    n_dense, n_tables = (n_moments * int(n) for n in counts.groups())
    start, end = 4, 4 + n_dense + n_tables
    scalars = lines[1].split()
    header = b"#%s# %s %s" % (name.encode(), *counts.groups())
    if len(lines) != end + 2 or len(scalars) < 4 or lines[3] != header:
        raise ValueError(f"{name}: {len(lines)} lines of statistics, expected {end + 2}")
    if not re.fullmatch(rb"\[E?MA:FALSE\]", lines[2]):
        raise ValueError(f"{name}: averages of the parameters cannot be restored")
    dense = [_size(line, b"#Parameter#") for line in lines[start : start + n_dense]]
    tables = [_size(line, b"#LookupParameter#") for line in lines[start + n_dense : end]]
    return _Layout(tuple(dense), tuple(tables), int(float(scalars[3])))


def _size(line: bytes, tag: bytes) -> int:
    """The number of values in a line ``tag n v_1 ... v_n``, checked against n."""
    found, size = line.split(b" ", 2)[:2]
    if found != tag or line.count(b" ") != int(size) + 2:
        raise ValueError(f"damaged line of statistics: {line[:60]!r}")
    return int(size)


def _check_sizes(wanted: _Layout, trainer: dy.Trainer, name: str) -> None:
    """ValueError unless the trainer's own statistics have the sizes of ``wanted``."""
    if not wanted.dense + wanted.tables:
        return  # saved before the first update: zeros for any model
    text = _write(trainer, name)
    if text.startswith(b"#Trainer# 0 0\n"):  # no update yet: reading its own text allocates them
        _read(trainer, name, text)
        text = _write(trainer, name)
    found = _parse(re.sub(rb"[+-](nan|inf)", b"+0", text), name)
    if found[:2] != wanted[:2]:
        raise ValueError(
            f"statistics of another model: expected sizes {found[:2]}, found {wanted[:2]}"
        )


@cache
def _library() -> ctypes.CDLL:
    """The loaded engine with all it depends on, libstdc++ included."""
    return ctypes.CDLL(sys.modules[dy.Trainer.__module__].__file__)


def _symbol(name: str) -> Any:
    try:
        return getattr(_library(), name)
    except (AttributeError, OSError) as error:
        raise OptimizerStateUnavailable(f"this build of DyNet lacks {name}") from error


def _pointer(trainer: dy.Trainer, name: str) -> ctypes.c_void_p:
    """The C++ trainer inside a Python trainer, proved by its table of virtual functions."""
    table = f"_ZTVN5dynet{len(name)}{name}E"
    expected = ctypes.cast(_symbol(table), ctypes.c_void_p).value
    memory = OwnMemory()
    for _, word in memory.fields(trainer):
        if expected is not None and memory.word(word) == expected + 16:
            return ctypes.c_void_p(word)
    raise OptimizerStateUnavailable(f"no C++ {name} found in the Python object")


def _call(trainer: dy.Trainer, name: str, method: str, stream: str, path: Path) -> None:
    """trainer->method(std::stream(path)), with libstdc++'s exported constructors."""
    this = _pointer(trainer, name)
    std = f"NSt14basic_{stream}IcSt11char_traitsIcEE"
    construct = _symbol(f"_Z{std}C1EPKcSt13_Ios_Openmode")
    is_open = _symbol(f"_ZNK{std[1:]}7is_openEv")
    destroy = _symbol(f"_Z{std}D1Ev")
    argument = {"ofstream": "So", "ifstream": "Si"}[stream]
    call = _symbol(f"_ZN5dynet{len(name)}{name}{len(method)}{method}ER{argument}")
    is_open.restype = ctypes.c_bool
    memory = ctypes.create_string_buffer(STREAM_BYTES)
    file = ctypes.c_void_p((ctypes.addressof(memory) + 63) // 64 * 64)
    construct(file, str(path).encode(), ctypes.c_int(OPEN_FOR[stream]))
    try:
        if not is_open(file):
            raise OSError(f"cannot open the temporary file {path}")
        call(this, file)
    finally:
        destroy(file)


def _write(trainer: dy.Trainer, name: str) -> bytes:
    """DyNet's text of a trainer."""
    with tempfile.TemporaryDirectory(prefix="dynotes-") as folder:
        path = Path(folder) / "state"
        _call(trainer, name, "save", "ofstream", path)
        return path.read_bytes()


def _read(trainer: dy.Trainer, name: str, text: bytes) -> None:
    """Give DyNet's text to a trainer whose sizes are known to fit."""
    with tempfile.TemporaryDirectory(prefix="dynotes-") as folder:
        path = Path(folder) / "state"
        path.write_bytes(text)
        _call(trainer, name, "populate", "ifstream", path)
