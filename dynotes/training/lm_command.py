"""What ``scripts/lm.py train`` settles before the engine starts: files, folder, config.json."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dynotes.corpora import datasets
from dynotes.corpora.errors import InputError, existing_file
from dynotes.training.lm_config import ConfigError, LmConfig
from dynotes.training.lm_data import LmFiles, fingerprint
from dynotes.training.run_folder import RunFolder


def find_files(options: Mapping[str, Any]) -> LmFiles:
    """The texts that the options train, dev, test, vocabulary, corpus and data_dir name.

    Raises:
        ConfigError: options that contradict each other.
        InputError: a file or corpus that is not there.
    """
    own = {name: options[name] for name in ("train", "dev", "test", "vocabulary")}
    if own["train"] is not None:
        if options["corpus"] is not None:
            raise ConfigError("--corpus: not together with --train")
        if own["dev"] is None:
            raise ConfigError("--dev: needed with --train, since it chooses the model")
        return _existing(LmFiles(**own))
    for name, value in own.items():
        if value is not None:
            raise ConfigError(f"--{name}: only together with --train")
    if options["corpus"] in (None, "toy"):
        return toy_files()
    found = datasets.lm_files(options["corpus"], datasets.data_dir(options["data_dir"]))
    return LmFiles(found["train"], found["valid"], found["test"])


def toy_files() -> LmFiles:
    """The bundled toy language with its complete word list."""
    from dynotes.corpora.toy_data import toy_dir

    folder = toy_dir()
    return _existing(
        LmFiles(
            folder / "train.txt", folder / "dev.txt", folder / "test.txt", folder / "vocabulary.txt"
        )
    )


def _existing(files: LmFiles) -> LmFiles:
    for path in filter(None, (files.train, files.dev, files.test, files.vocabulary)):
        existing_file(path)
    return files


def prepare(
    folder: RunFolder, config: LmConfig, files: LmFiles, versions: Mapping[str, str]
) -> None:
    """Make the run folder and its config.json.

    Raises:
        InputError: the folder holds a run already or cannot be made, or a file cannot be read.
    """
    sums = fingerprint(files)
    folder.create()
    settings = dataclasses.asdict(config)
    folder.write_config(
        {"settings": settings, "files": files.named(), "sha256": sums, "versions": dict(versions)}
    )


def resumed(path: Path) -> tuple[LmConfig, LmFiles]:
    """Settings and files of the run in a folder, which must be as they were.

    Raises:
        InputError: no run there, or a text that changed since.
    """
    folder = RunFolder(path)
    saved = folder.read_config()
    try:
        config = LmConfig(**saved["settings"]).checked()
        files = LmFiles.from_named(saved["files"])
        sums = dict(saved["sha256"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(folder.config, f"damaged or of another version ({error})") from None
    for name, digest in fingerprint(_existing(files)).items():
        if sums.get(name) != digest:
            raise InputError(getattr(files, name), "changed since the run began")
    return config, files
