"""What ``scripts/word2vec.py train`` settles before the engine starts: files, folder, config."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dynotes.corpora import datasets
from dynotes.corpora.download import digest_of
from dynotes.corpora.errors import InputError, existing_file
from dynotes.corpora.toy_data import toy_dir
from dynotes.training.run_folder import RunFolder
from dynotes.training.settings import ConfigError
from dynotes.training.word2vec.config import Word2vecConfig
from dynotes.training.word2vec.texts import Text, store_text

CORPORA = {  # name: places in the data folder, the first that is there
    "brown": ("embed_corpus/brown_tokens.txt", "embed_corpus/brown_tokens.txt.gz"),
    "wikitext2": ("wikitext2/train.txt", "wikitext2/train.txt.gz"),
}
TOKENS = "tokens"  # folder of the ids in that of the run


def find_text(options: Mapping[str, Any]) -> Path:
    """The text that the options train, corpus and data_dir name.

    Raises:
        ConfigError: options that contradict each other.
        InputError: a file or corpus that is not there.
    """
    named, corpus = options["train"], options["corpus"]
    if named is not None:
        if corpus is not None:
            raise ConfigError("--corpus: not together with --train")
        return existing_file(named)
    if corpus in (None, "toy"):
        return existing_file(toy_dir() / "train.txt")
    folder = datasets.data_dir(options["data_dir"])
    if folder is None:
        raise InputError(corpus, "no data folder: name it by --data-dir or DYNOTES_DATA")
    places = [folder / place for place in CORPORA[corpus]]
    return next((p for p in places if p.is_file()), None) or existing_file(places[0])


@contextlib.contextmanager
def new_run(out: Path, path: Path, config: Word2vecConfig) -> Iterator[tuple[RunFolder, Text]]:
    """The folder of a new run and the text as ids; a block that fails leaves no folder.

    Raises:
        InputError: the folder holds a run already or cannot be made, or the text cannot be used.
    """
    folder, existed = RunFolder(out), out.exists()
    folder.create()
    try:
        yield folder, tokens_of(folder, path, config)
    except BaseException:
        shutil.rmtree(out / TOKENS if existed else out, ignore_errors=True)
        raise


def tokens_of(folder: RunFolder, path: Path, config: Word2vecConfig) -> Text:
    """The text of a run as ids, kept in its folder; InputError if there is no text."""
    return store_text(path, folder.path / TOKENS, config)


def write_config(
    folder: RunFolder,
    config: Word2vecConfig,
    path: Path,
    text: Text,
    versions: Mapping[str, str],
) -> None:
    """config.json of a run."""
    folder.write_config(
        {
            "settings": dataclasses.asdict(config),
            "files": {"train": str(path.resolve())},
            "sha256": {"train": text.digest},
            "versions": dict(versions),
        }
    )


def resumed(out: Path) -> tuple[Word2vecConfig, Path]:
    """Settings and text of the run in a folder, which must be as they were.

    Raises:
        InputError: no run there, or a text that changed since.
    """
    folder = RunFolder(out)
    saved = folder.read_config()
    try:
        config = Word2vecConfig(**saved["settings"]).checked()
        path, digest = Path(saved["files"]["train"]), saved["sha256"]["train"]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(folder.config, f"damaged or of another version ({error})") from None
    if digest_of(existing_file(path)) != digest:
        raise InputError(path, "changed since the run began")
    return config, path
