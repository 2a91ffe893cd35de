"""Tables of settings: dataclass fields with help text and bounds, and the check of their values."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Optional

MAX_WHOLE, MAX_FLOAT = 2**31 - 1, 1e30  # what numpy's and DyNet's 32-bit numbers hold


class ConfigError(ValueError):
    """A setting that is unknown, of the wrong type or out of bounds."""


def setting(
    default: Any,
    text: str,
    *,
    low: float = -math.inf,
    high: Optional[float] = None,
    choices: tuple[str, ...] = (),
    only: Optional[Mapping[str, tuple[Any, ...]]] = None,
) -> Any:
    """A field of a dataclass of settings.

    Args:
        default: its value, whose type it keeps.
        text: help text.
        low, high: bounds of a number.
        choices: what a text may be.
        only: other settings and those of their values with which this one has a meaning; with
            others it must keep its default.
    """
    if high is None:
        high = MAX_WHOLE if isinstance(default, int) else MAX_FLOAT
    meta = {"help": text, "low": low, "high": high, "choices": choices, "only": only or {}}
    return dataclasses.field(default=default, metadata=meta)


def check_values(table: type, values: Mapping[str, Any]) -> None:
    """ConfigError for the first value that is unknown, of a wrong type or out of bounds."""
    known = {f.name: f for f in dataclasses.fields(table)}
    for name, value in values.items():
        if name not in known:
            raise ConfigError(f"unknown setting {name!r}")
        check_value(known[name], value)


def check_value(f: dataclasses.Field[Any], value: Any) -> None:
    """ConfigError if the value of one field is of a wrong type or out of bounds."""
    kind, meta = type(f.default), f.metadata
    whole = isinstance(value, int) and not isinstance(value, bool)
    fits = {
        bool: isinstance(value, bool),
        int: whole,
        float: whole or isinstance(value, float),
        str: isinstance(value, str),
    }[kind]
    if not fits:
        raise ConfigError(f"{f.name}: expected {kind.__name__}, found {value!r}")
    if meta["choices"] and value not in meta["choices"]:
        raise ConfigError(
            f"{f.name}: expected one of {', '.join(meta['choices'])}, found {value!r}"
        )
    if kind in (int, float) and not meta["low"] <= value <= meta["high"]:
        form = "" if kind is int else "g"
        low, high = format(meta["low"], form), format(meta["high"], form)
        raise ConfigError(f"{f.name}: expected {low} to {high}, found {value!r}")


def check_companions(table: Any) -> None:
    """ConfigError for the first setting that was changed although others give it no meaning.

    Args:
        table: a dataclass of settings.
    """
    for f in dataclasses.fields(table):
        if getattr(table, f.name) == f.default:
            continue
        for other, values in f.metadata["only"].items():
            if getattr(table, other) not in values:
                raise ConfigError(f"{f.name}: only with {other} {' or '.join(map(str, values))}")
