"""All parameter values by name: snapshots, exact restoring, and views on DyNet's own memory.

    theta* = snapshot(pc);   ...;   restore(pc, theta*)        bit for bit

``as_array()`` and ``set_value()`` go through Python lists (30-60 ns a number).  Views on the memory
itself cost nothing and also show the gradients; they exist only where this process can prove where
the values lie (CPU, one layout of the engine's C++ objects), otherwise the lists are used.

Note: Tips in Training / Tuning on the Development Set (T28)
Differs: the notes save the best model to disk with DyNet's text format; that one is not atomic,
    reads a truncated file without an error and turns a NaN into zeros.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple, Union

import dynet as dy
import numpy as np

from dynotes.training.process_memory import WORD, OwnMemory

Parameter = Union[dy.Parameters, dy.LookupParameters]
STORAGE_BYTES = 512  # how far into a C++ parameter object its pointers are looked for


class Views(NamedTuple):
    """float32 views on one parameter: a (d1, ..., dk) array, or (V, d1, ..., dk) for a table."""

    value: np.ndarray
    gradient: np.ndarray


class _Layout(NamedTuple):
    """Byte offsets: Python object -> C++ object -> values and gradients."""

    handle: int
    value: int
    gradient: int


def named_parameters(pc: dy.ParameterCollection) -> dict[str, Parameter]:
    """Every parameter and lookup table of a collection and its sub-collections, by DyNet's name.

    Names are stable if the model is built in the same order.

    Raises:
        TypeError: if ``pc`` is no collection (DyNet would crash on None).
        ValueError: if two parameters have the same name.
    """
    if not isinstance(pc, dy.ParameterCollection):
        raise TypeError(f"expected a ParameterCollection, found {type(pc).__name__}")
    found = [*pc.parameters_list(), *pc.lookup_parameters_list()]
    named = {p.name(): p for p in found}
    if len(named) != len(found):
        raise ValueError(f"{len(found)} parameters share {len(named)} names")
    return named


def snapshot(
    pc: dy.ParameterCollection, views: Mapping[str, Views] | None = None
) -> dict[str, np.ndarray]:
    """float32 copies of all values: (d1, ..., dk), a lookup table (V, d1, ..., dk).

    In C order: safetensors writes an array of another order wrongly, without an error.

    Args:
        pc: the collection, without weight decay.
        views: ``memory_views(pc)``, which makes it as fast as a copy; None reads through lists.

    Raises:
        ValueError: weight decay (the stored numbers would not be the model's), or views of other
            parameters.
    """
    named = _without_decay(pc)
    if views is None:
        values = {name: p.as_array() for name, p in named.items()}
        return {name: np.array(v, dtype=np.float32, order="C") for name, v in values.items()}
    _check_views(named, views)
    return {name: views[name].value.copy(order="C") for name in named}


def restore(
    pc: dy.ParameterCollection,
    arrays: Mapping[str, np.ndarray],
    views: Mapping[str, Views] | None = None,
) -> None:
    """Set all values to those of a snapshot; nothing is touched unless everything fits.

    Args:
        pc: the collection, without weight decay.
        arrays: float32 arrays of exactly the names and shapes of ``pc``, all finite.
        views: ``memory_views(pc)`` or None, as in ``snapshot``.

    Raises:
        ValueError: naming every parameter that is missing, unknown, of another shape or type, or
            not finite.
    """
    named = _without_decay(pc)
    problems = [f"{name}: missing" for name in named if name not in arrays]
    problems += [f"{name}: not in this model" for name in arrays if name not in named]
    for name in (n for n in named if n in arrays):
        problems += _problems(name, arrays[name], named[name].shape())
    if problems:
        raise ValueError("parameters do not fit: " + "; ".join(problems))
    if views is not None:
        _check_views(named, views)
    for name, p in named.items():
        if views is not None:
            views[name].value[...] = arrays[name]
        else:
            set_value(p, arrays[name])


def set_value(p: Parameter, value: np.ndarray) -> None:
    """Set one parameter from a float32 array of its shape, through DyNet's interface.

    Raises:
        ValueError: another shape or type, or a number that is not finite.
    """
    problems = _problems(p.name(), value, p.shape())
    if problems:
        raise ValueError("; ".join(problems))
    if not isinstance(p, dy.LookupParameters):
        p.set_value(value)
    elif value.ndim <= 2:
        p.init_from_array(value)
    else:  # init_from_array knows only rows that are vectors
        for i, row in enumerate(value):
            p.init_row(i, row.ravel(order="F").tolist())


def memory_views(pc: dy.ParameterCollection) -> dict[str, Views] | None:
    """Writable views on the memory of every value and gradient, or None where that is impossible.

    Where the numbers lie is found once a process with parameters of known values and gradients
    (that first call renews the graph and draws nothing random); then every view is compared bit
    for bit with ``as_array()`` and ``grad_as_array()``, which costs about one slow snapshot: ask
    once, after the model is built, and keep the answer.  The views stay valid over updates, new
    graphs, new parameters and ``os.fork``, and keep ``pc`` alive (of a sub-collection keep the root
    yourself).  Rows written into a lookup table's gradient are seen by dense updates only: DyNet
    keeps its own list of touched rows.

    Returns:
        {name: Views} of all parameters, or None: no table of mappings, a GPU, another layout.
    """
    named = named_parameters(pc)
    memory = OwnMemory()
    found: dict[str, Views] = {}
    for name, p in named.items():
        layout = _layout(isinstance(p, dy.LookupParameters))
        views = None if layout is None else _view(memory, p, layout, pc)
        if views is None or not _same(views, p):
            return None
        found[name] = views
    return found


def _without_decay(pc: dy.ParameterCollection) -> dict[str, Parameter]:
    named = named_parameters(pc)
    decay = pc.get_weight_decay()
    if decay != 0:
        raise ValueError(f"weight decay must be 0, found {decay}: DyNet stores unscaled values")
    return named


def _problems(name: str, value: Any, shape: tuple[int, ...]) -> list[str]:
    """What keeps an array from becoming the value of a parameter; empty if nothing does."""
    if not isinstance(value, np.ndarray) or value.dtype != np.float32:
        return [f"{name}: expected float32, found {getattr(value, 'dtype', type(value).__name__)}"]
    if value.shape != tuple(shape):
        return [f"{name}: expected shape {tuple(shape)}, found {value.shape}"]
    return [] if np.isfinite(value).all() else [f"{name}: not finite"]


def _check_views(named: Mapping[str, Parameter], views: Mapping[str, Views]) -> None:
    expected = {name: tuple(p.shape()) for name, p in named.items()}
    found = {name: v.value.shape for name, v in views.items()}
    if found != expected:
        raise ValueError(f"views of other parameters: expected {expected}, found {found}")


def _same(views: Views, p: Parameter) -> bool:
    """Whether the views show what DyNet's interface says, to the bit."""
    pairs = ((views.value, p.as_array()), (views.gradient, p.grad_as_array()))
    return all(
        np.asarray(said, dtype=np.float32).tobytes() == view.tobytes() for view, said in pairs
    )


def _view(memory: OwnMemory, p: Parameter, layout: _Layout, owner: Any) -> Views | None:
    """The views that a layout gives for a parameter; None if there is no memory at a pointer."""
    storage = memory.word(id(p) + layout.handle)
    if storage is None:
        return None
    shape = tuple(p.shape())
    numbers = [
        memory.floats(memory.word(storage + offset), int(np.prod(shape)), owner)
        for offset in (layout.value, layout.gradient)
    ]
    if numbers[0] is None or numbers[1] is None:
        return None
    if not isinstance(p, dy.LookupParameters):
        return Views(*(n.reshape(shape, order="F") for n in numbers if n is not None))
    rows_last = (*shape[1:], shape[0])  # DyNet: one column-major block, a row of the table after
    return Views(  # the other
        *(np.moveaxis(n.reshape(rows_last, order="F"), -1, 0) for n in numbers if n is not None)
    )


@cache
def _layout(table: bool) -> _Layout | None:
    """The layout that explains two parameters of different sizes, or None.  Once a process."""
    memory_of = [_candidates(*_probe(table, n)) for n in (3, 7)]
    common = memory_of[0] & memory_of[1]
    return min(common) if common else None


def _probe(table: bool, n: int) -> tuple[dy.ParameterCollection, Parameter]:
    """A parameter of (n, n + 1) distinct values and distinct gradients."""
    pc = dy.ParameterCollection()
    count = n * (n + 1)
    value = (0.5 + np.arange(count) / 7.0).reshape(n, n + 1)
    slope = (-3.0 - np.arange(count) / 11.0).tolist()
    dy.renew_cg()
    if table:
        p = pc.lookup_parameters_from_numpy(value)
        weights = dy.inputTensorTranspose(slope, dim=(n + 1,), batch_size=n)
        loss = dy.sum_batches(dy.dot_product(dy.lookup_batch(p, list(range(n))), weights))
    else:
        p = pc.parameters_from_numpy(value)
        weights = dy.inputTensorTranspose(slope, dim=(n, n + 1))
        loss = dy.sum_elems(dy.cmult(p.expr(update=True), weights))
    loss.backward()
    dy.renew_cg()
    return pc, p


def _candidates(pc: dy.ParameterCollection, p: Parameter) -> set[_Layout]:
    """All layouts that give the values and the gradients of a parameter."""
    memory = OwnMemory()
    found = set()
    for handle, storage in memory.fields(p):
        pointers = [
            offset
            for offset in range(0, STORAGE_BYTES, WORD)
            if memory.floats(memory.word(storage + offset), p.as_array().size) is not None
        ]
        for value in pointers:
            for gradient in pointers:
                layout = _Layout(handle, value, gradient)
                views = _view(memory, p, layout, pc)
                if views is not None and _same(views, p):
                    found.add(layout)
    return found
