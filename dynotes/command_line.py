"""What the scripts share: DyNet's flags, options made from settings, config files, error lines.

Imports neither numpy nor dynet, so that ``--help`` answers at once.
"""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Optional, TypeVar

import click

from dynotes.corpora.errors import InputError

F = TypeVar("F", bound=Callable[..., Any])
FILE = click.Path(path_type=Path)
METAVARS = {int: "N", float: "X", str: "TEXT"}


class Failure(click.ClickException):
    """One line on stderr, exit status 1."""

    def show(self, file: Any = None) -> None:
        click.echo(f"error: {self.format_message()}", file=file or sys.stderr)


def dynet_options(command: F) -> F:
    """DyNet's own flags with their documented names."""
    for option in reversed(
        [
            click.option("--dynet-mem", default="64", show_default=True, metavar="MB",
                         help="Memory: MB, or forward,backward,parameters,scratch; it grows."),
            click.option("--dynet-seed", type=int, default=None, metavar="N",
                         help="DyNet's seed.  [default: the seed of the run]"),
            click.option("--dynet-devices", default=None, metavar="LIST",
                         help="CPU, or CPU,GPU:0 on a CUDA build.  [default: CPU]"),
            click.option("--dynet-gpus", type=int, default=0, show_default=True, metavar="N",
                         help="Number of GPUs, on a CUDA build."),
            click.option("--dynet-autobatch", is_flag=True, show_default=True,
                         help="Batch the nodes of a graph automatically."),
            click.option("--dynet-weight-decay", type=float, default=0.0, show_default=True,
                         metavar="X", help="Weight decay; runs that save a model need 0."),
        ]
    ):  # fmt: skip
        command = option(command)
    return command


def start_engine(options: Mapping[str, Any], seed: int, *, shared: bool = False) -> Any:
    """Import DyNet with the flags of :func:`dynet_options`; Failure on a bad one.

    Args:
        options: of the command.
        seed: DyNet's, unless the options name one.
        shared: parameters lie in memory that forked processes share.
    """
    from dynotes import runtime

    if options["dynet_weight_decay"]:
        raise Failure(
            "--dynet-weight-decay: DyNet stores unscaled values under weight decay, "
            "so the model could not be saved; use 0"
        )
    try:
        return runtime.start(
            mem=options["dynet_mem"],
            seed=options["dynet_seed"] if options["dynet_seed"] is not None else seed,
            devices=options["dynet_devices"],
            gpus=options["dynet_gpus"],
            autobatch=options["dynet_autobatch"],
            shared=shared,
        )
    except runtime.RuntimeSettingError as error:
        raise Failure(str(error)) from None


def settings_options(settings: type) -> Callable[[F], F]:
    """A click option for every field of a settings dataclass; not given means not in kwargs."""

    def decorate(command: F) -> F:
        for f in reversed(dataclasses.fields(settings)):
            command = _option(f)(command)
        return command

    return decorate


def _option(f: dataclasses.Field[Any]) -> Callable[[F], F]:
    name, kind = f.name.replace("_", "-"), type(f.default)
    text = f"{f.metadata['help'][0].upper()}{f.metadata['help'][1:]}.  [default: {f.default}]"
    if kind is bool:
        return click.option(f"--{name}/--no-{name}", f.name, default=None, help=text)
    choices = f.metadata["choices"]
    value: Any = click.Choice(choices) if choices else kind
    metavar = "|".join(choices) if choices else METAVARS[kind]
    return click.option(f"--{name}", f.name, type=value, default=None, metavar=metavar, help=text)


DATA_DIR = click.option(
    "--data-dir",
    type=FILE,
    metavar="DIR",
    help="Folder of the real corpora.  [default: $DYNOTES_DATA, else ../shared/data]",
)


def run_options(out: str, corpora: Sequence[str]) -> Callable[[F], F]:
    """--out, --resume, --corpus and --data-dir of a command that trains.

    Args:
        out: the default folder.
        corpora: names of the known corpora.
    """
    return _all_of(
        click.option(
            "--out",
            type=FILE,
            default=Path(out),
            show_default=True,
            metavar="DIR",
            help="Folder of the run; it must not hold one already.",
        ),
        click.option(
            "--resume",
            type=FILE,
            metavar="DIR",
            help="Continue the run in DIR from its checkpoint; takes no other setting.",
        ),
        click.option(
            "--corpus",
            type=click.Choice(corpora),
            default=None,
            metavar="|".join(corpora),
            help="A known corpus.  [default: toy, unless --train is given]",
        ),
        DATA_DIR,
    )


def preset_options(presets: Iterable[str], more: str = "") -> Callable[[F], F]:
    """--preset and --config of a command that trains.

    Args:
        presets: their names.
        more: help text about some of them.
    """
    names = list(presets)
    return _all_of(
        click.option(
            "--preset",
            type=click.Choice(names),
            metavar="|".join(names),
            help=f"Settings to start from{more}.",
        ),
        click.option("--config", type=FILE, metavar="FILE", help="Settings as JSON or TOML."),
    )


def _all_of(*options: Callable[[F], F]) -> Callable[[F], F]:
    """A decorator that adds options in this order."""

    def decorate(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def given(options: Mapping[str, Any], settings: type) -> dict[str, Any]:
    """The settings that the command line named."""
    names = {f.name for f in dataclasses.fields(settings)}
    return {k: v for k, v in options.items() if k in names and v is not None}


def refuse_settings(options: Mapping[str, Any], *also: str) -> None:
    """Failure if a command that resumes a run, which has its settings already, was given more.

    Args:
        options: all of the command; --resume and DyNet's own may be there.
        also: further ones that may.
    """
    context = click.get_current_context()
    allowed = {"resume", *also, *(name for name in options if name.startswith("dynet_"))}
    for name in options:
        source = context.get_parameter_source(name)
        if name not in allowed and source is click.core.ParameterSource.COMMANDLINE:
            raise Failure(f"--{name.replace('_', '-')}: not together with --resume")


def read_config_file(
    path: Optional[Path], check: Callable[[dict[str, Any]], None]
) -> dict[str, Any]:
    """Settings from a JSON or TOML file.

    Args:
        path: None gives no settings.
        check: raises ValueError for settings that are not to be.

    Raises:
        InputError: missing, not readable as its kind, no table of settings, or not right.
    """
    if path is None:
        return {}
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(path, f"cannot read it ({getattr(error, 'strerror', error)})") from None
    value = _toml(path, text) if path.suffix == ".toml" else _json(path, text)
    if not isinstance(value, dict):
        raise InputError(path, "expected a table of settings")
    settings = {key.replace("-", "_"): v for key, v in value.items()}
    try:
        check(settings)
    except ValueError as error:
        raise InputError(path, str(error)) from None
    return settings


def _json(path: Path, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        raise InputError(path, f"not JSON ({getattr(error, 'msg', error)})", line) from None


def _toml(path: Path, text: str) -> Any:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(path, f"not TOML ({error})") from None


@contextmanager
def clear_errors() -> Iterator[None]:
    """Turn the errors a user can cause into one line and status 1."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        raise SystemExit(130) from None
    except ValueError as error:  # InputError and ConfigError among them
        raise Failure(" ".join(str(error).split())) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        what = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
        raise Failure(f"{where}{what}") from None
    except (RuntimeError, MemoryError) as error:
        raise Failure(" ".join(str(error).split()) or type(error).__name__) from None


def print_result(result: Mapping[str, Any]) -> None:
    """The last line of stdout: one JSON object."""
    click.echo(json.dumps(result))


def print_training(result: Optional[Mapping[str, Any]], out: Path) -> None:
    """The summary of a training in the folder ``out``; None, after Ctrl-C, exits with 130."""
    if result is None:
        click.echo(f"interrupted; continue with --resume {out}", err=True)
        raise SystemExit(130)
    print_result(result)
