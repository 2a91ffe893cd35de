"""The real corpora: where they lie, what their bytes are, and how to get them.

    python -m dynotes.corpora.datasets --data-dir DIR

checks what is there, downloads what may be downloaded, and says how the rest is obtained.  A file
may be stored plain or as .gz; the SHA-256 in the table, see `known_corpora`, is that of the text.
Where the folder has a MANIFEST.tsv, everything that it lists is checked as well.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

import click
from tqdm import tqdm

from dynotes.corpora.download import digest_of, download
from dynotes.corpora.errors import InputError, PathLike
from dynotes.corpora.known_corpora import CORPORA
from dynotes.corpora.lines import read_lines, unpacked_digest

DEFAULT = Path("../shared/data")


def data_dir(option: Optional[PathLike] = None) -> Optional[Path]:
    """The folder of the real corpora: the option, else DYNOTES_DATA, else ../shared/data.

    Returns:
        An existing folder; None if nothing names one and ../shared/data is not there.

    Raises:
        InputError: the named folder does not exist.
    """
    named = option or os.environ.get("DYNOTES_DATA")
    if not named:
        return DEFAULT if DEFAULT.is_dir() else None
    if not Path(named).is_dir():
        raise InputError(named, "no such folder of corpora (--data-dir or DYNOTES_DATA)")
    return Path(named)


def lm_files(name: str, folder: Optional[PathLike]) -> dict[str, Path]:
    """Files of a corpus for language models: see `corpus_files`; roles train, valid, test."""
    known = [key for key, corpus in CORPORA.items() if corpus.kind == "lm"]
    if name not in known:
        raise ValueError(f"corpus: expected one of {', '.join(known)}, found {name!r}")
    return corpus_files(name, folder)


def corpus_files(name: str, folder: Optional[PathLike]) -> dict[str, Path]:
    """The files of a known corpus, by role, each plain or .gz.

    Args:
        name: a key of CORPORA.
        folder: the data folder, usually from `data_dir`; None if there is none.

    Raises:
        ValueError: no such corpus.
        InputError: no data folder, or a file is missing; the message says how to get it.
    """
    if name not in CORPORA:
        raise ValueError(f"corpus: expected one of {', '.join(CORPORA)}, found {name!r}")
    if folder is None:
        raise InputError(name, "no data folder: name it by --data-dir or DYNOTES_DATA")
    found = {}
    for role in CORPORA[name].digests:
        plain = _plain_path(name, role, folder)
        stored = _stored(plain)
        if stored is None:
            raise InputError(plain, f"missing; {how_to_get(name)}")
        found[role] = stored
    return found


def how_to_get(name: str) -> str:
    """What a user has to do for a corpus that is not there, in one line."""
    if CORPORA[name].address is None:
        return f"to be obtained by hand: {CORPORA[name].licence}"
    return "download it by: python -m dynotes.corpora.datasets --data-dir DIR"


def check_or_fetch(name: str, role: str, folder: PathLike) -> str:
    """Check one file of a corpus, or download it if it is missing and that is allowed.

    Returns:
        "ok", "downloaded", or "missing" for a file that has to be obtained by hand.

    Raises:
        InputError: other bytes than the table says, or the download failed.
    """
    corpus, plain = CORPORA[name], _plain_path(name, role, folder)
    stored = _stored(plain)
    if stored is not None:
        found = unpacked_digest(stored)
        if found != corpus.digests[role]:
            raise InputError(stored, f"text has SHA-256 {found}, not {corpus.digests[role]}")
        return "ok"
    if corpus.address is None:
        return "missing"
    _make_folder(plain.parent)
    url = f"{corpus.address}/{plain.name}"
    with tqdm(desc=plain.name, unit="B", unit_scale=True, leave=False, disable=None) as bar:

        def show(done: int, total: Optional[int]) -> None:
            bar.total = total
            bar.update(done - bar.n)

        download(url, plain, corpus.digests[role], retries=2, progress=show)
    return "downloaded"


def _plain_path(name: str, role: str, folder: PathLike) -> Path:
    return Path(folder) / name / CORPORA[name].pattern.format(role)


def _stored(plain: Path) -> Optional[Path]:
    """The file as it is, or packed; None if neither is there."""
    choices = (plain, plain.with_name(plain.name + ".gz"))
    return next((path for path in choices if path.is_file()), None)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise InputError(folder, e.strerror or str(e)) from None


def verify(folder: PathLike) -> dict[str, str]:
    """Compare a data folder with the SHA-256 of its MANIFEST.tsv.

    Returns:
        path below the folder -> "ok", "missing" or "differs".

    Raises:
        InputError: no manifest, or not of that form.
    """
    manifest = Path(folder) / "MANIFEST.tsv"
    states = {}
    for line, row in _manifest_rows(manifest):
        try:
            same = digest_of(Path(folder) / row["path"]) == row["stored_sha256"]
        except FileNotFoundError:
            states[row["path"]] = "missing"
        except OSError as e:
            raise InputError(manifest, f"{row['path']}: {e.strerror}", line) from None
        else:
            states[row["path"]] = "ok" if same else "differs"
    return states


def _manifest_rows(manifest: Path) -> Iterator[tuple[int, dict[str, str]]]:
    lines = read_lines(manifest)
    header = next(lines, (1, ""))[1].split("\t")
    for key in ("path", "stored_sha256"):
        if key not in header:
            raise InputError(manifest, f"expected a column {key!r}, found {header}", 1)
    for number, text in lines:
        fields = text.split("\t")
        if len(fields) != len(header):
            found = f"expected {len(header)} columns, found {len(fields)}"
            raise InputError(manifest, found, number)
        yield number, dict(zip(header, fields))


@click.command()
@click.option(
    "--data-dir",
    "option",
    envvar="DYNOTES_DATA",
    metavar="DIR",
    help="Folder of the corpora; made if missing.  [default: ../shared/data if it exists]",
)
@click.argument("names", metavar="[NAME]...", nargs=-1)
def main(option: Optional[str], names: tuple[str, ...]) -> None:
    """Check the corpora NAME... (all known ones by default) and download the missing ones.

    Those that must not be redistributed are named, with the way to obtain them.
    """
    unknown = [name for name in names if name not in CORPORA]
    if unknown:
        raise click.BadParameter(f"expected some of {', '.join(CORPORA)}, found {unknown[0]!r}")
    try:
        if option:
            _make_folder(Path(option))
        folder = data_dir(option)
        if folder is None:
            raise click.UsageError("no data folder: name it by --data-dir or DYNOTES_DATA")
        bad = _report_corpora(names or tuple(CORPORA), folder) + _report_manifest(folder)
    except InputError as e:
        raise click.ClickException(str(e)) from None
    if bad:
        raise click.ClickException(f"{bad} of the files could not be had or have other content")


def _report_corpora(names: tuple[str, ...], folder: Path) -> int:
    """One line a file; returns how many are wrong or could not be downloaded."""
    bad = 0
    for name in names:
        states = []
        for role in CORPORA[name].digests:
            try:
                states.append(check_or_fetch(name, role, folder))
                click.echo(f"{name} {role}: {states[-1]}")
            except InputError as e:
                click.echo(f"{name} {role}: {e}", err=True)
                bad += 1
        if "missing" in states:
            click.echo(f"{name}: {how_to_get(name)}: {folder / name}")
    return bad


def _report_manifest(folder: Path) -> int:
    """The state of everything in MANIFEST.tsv, if there is one; returns how many differ."""
    if not (folder / "MANIFEST.tsv").is_file():
        return 0
    states = verify(folder)
    for path, state in states.items():
        if state == "differs":
            click.echo(f"{folder / path}: differs from MANIFEST.tsv", err=True)
    counts = Counter(states.values())
    click.echo("MANIFEST.tsv: " + ", ".join(f"{n} {state}" for state, n in counts.items()))
    return counts["differs"]


if __name__ == "__main__":
    main()
