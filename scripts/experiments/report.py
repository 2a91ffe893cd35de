"""What the experiments share: a folder of their own, and tables, results and plots in it.

Rows are dicts.  Every file appears whole or not at all.  Imports neither numpy nor dynet, so that
``--help`` answers at once.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

import click

from dynotes.command_line import FILE
from dynotes.corpora.atomic import atomic_write
from dynotes.corpora.errors import InputError
from dynotes.training.run_folder import finite

RESULT, TSV, MARKDOWN = "result.json", "table.tsv", "table.md"


class Curve(NamedTuple):
    """A line of a plot; ``error`` holds half the height of the bar at every point."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    error: Optional[Sequence[float]] = None


def out_option(default: str) -> Callable[[Any], Any]:
    """The option --out of an experiment."""
    return click.option(
        "--out",
        type=FILE,
        default=Path(default),
        show_default=True,
        metavar="DIR",
        help="Folder of the result; it must not hold one already.",
    )


def plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a command as values for JSON."""
    return {k: str(v) if isinstance(v, Path) else v for k, v in options.items()}


def claim(folder: str | os.PathLike[str]) -> Path:
    """Make the folder of an experiment; call it before anything that takes time.

    Raises:
        InputError: it holds a result already, is no folder, or cannot be written into.
    """
    path = Path(folder)
    if os.path.lexists(path) and not path.is_dir():
        raise InputError(path, "not a folder")
    if any(os.path.lexists(path / name) for name in (RESULT, TSV, MARKDOWN)):
        raise InputError(path, "holds a result already; use another folder")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(path, f"cannot make the folder ({error.strerror})") from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise InputError(path, "cannot write into the folder")
    return path


def write_rows(
    folder: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None
) -> None:
    """Write table.tsv (six digits) and table.md (four digits).

    Args:
        folder: of :func:`claim`.
        rows: dicts of numbers and texts; a missing key or None is an empty cell.
        columns: keys to show, in this order; None means those of the first row.
    """
    names = list(columns if columns is not None else rows[0])
    lines = ["\t".join(names), *("\t".join(_cells(row, names, 6)) for row in rows)]
    atomic_write(folder / TSV, ("\n".join(lines) + "\n").encode())
    atomic_write(folder / MARKDOWN, (markdown(rows, names) + "\n").encode())


def markdown(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """The rows as a Markdown table with four digits, without a newline at the end."""
    body = [[cell.replace("|", r"\|") for cell in _cells(row, columns, 4)] for row in rows]
    lines = [list(columns), ["---"] * len(columns), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def write_json(folder: Path, value: Mapping[str, Any], name: str = RESULT) -> None:
    """Write result.json; nan and infinities become null."""
    atomic_write(folder / name, (json.dumps(finite(value), indent=2) + "\n").encode())


def plot(
    path: Path,
    panels: Mapping[str, Sequence[Curve]],
    *,
    x_label: str,
    y_label: str,
    x_log: bool = False,
    y_log: bool = False,
    level: tuple[str, float] | None = None,
) -> bool:
    """Draw panels side by side over one y axis, as a PNG.

    Args:
        path: the file to write.
        panels: curves by the title of their panel; one panel may have the title "".
        x_label, y_label: what the axes show, with units.
        x_log, y_log: logarithmic axes.
        level: (label, y) of a horizontal line in every panel.

    Returns:
        False, with nothing written, where matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot

    size = (1.5 + 4.0 * len(panels), 4.0)
    figure, grid = pyplot.subplots(1, len(panels), figsize=size, sharey=True, squeeze=False)
    for axes, (title, curves) in zip(grid[0], panels.items()):
        for curve in curves:
            axes.errorbar(*curve[1:], marker="o", markersize=3, capsize=2, label=curve.label)
        if level is not None:
            axes.axhline(level[1], linestyle="--", color="gray", label=level[0])
        axes.set_xscale("log" if x_log else "linear")
        axes.set_yscale("log" if y_log else "linear")
        axes.set(title=title, xlabel=x_label)
    grid[0][0].set_ylabel(y_label)
    grid[0][-1].legend(fontsize="small")
    figure.tight_layout()
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=120)
    pyplot.close(figure)
    atomic_write(path, image.getvalue())
    return True


def short(value: float, digits: int) -> str:
    """A number with so many significant digits, and never fewer before the point."""
    return f"{value:.0f}" if abs(value) >= 10**digits else f"{value:.{digits}g}"


def mean_and_error(values: Iterable[float]) -> tuple[float, float]:
    """Mean over seeds and its standard error, which is nan for a single one."""
    found = [float(v) for v in values]
    error = statistics.stdev(found) / math.sqrt(len(found)) if len(found) > 1 else math.nan
    return statistics.fmean(found), error


@contextlib.contextmanager
def bar(total: int, unit: str) -> Iterator[Any]:
    """A tqdm bar on stderr, hidden where that is no terminal; call its ``update(1)``."""
    from tqdm import tqdm

    with tqdm(total=total, unit=f" {unit}", disable=None, leave=False, dynamic_ncols=True) as shown:
        yield shown


def _cells(row: Mapping[str, Any], columns: Sequence[str], digits: int) -> list[str]:
    return [_text(row.get(name), digits) for name in columns]


def _text(value: Any, digits: int) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return short(value, digits)
    return " ".join(str(value).split())
