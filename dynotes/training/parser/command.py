"""What ``scripts/parser.py train`` settles before the engine starts: files, folder, config."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Optional

from dynotes.corpora import datasets
from dynotes.corpora.conllu import ConlluSentence, read_conllu
from dynotes.corpora.download import digest_of
from dynotes.corpora.errors import InputError, existing_file
from dynotes.corpora.toy_data import toy_dir
from dynotes.corpora.treebank import EncodedSentences, GoldTrees, Symbols, encode, gold_trees
from dynotes.corpora.word_vectors import WordVectors, read_vectors
from dynotes.training.parser.config import ParserConfig
from dynotes.training.run_folder import RunFolder
from dynotes.training.settings import ConfigError

TOY = "toy"
PARTS = ("train", "dev", "test")


class TreebankFiles(NamedTuple):
    """Files in CoNLL-U, and of fixed word vectors."""

    train: Path
    dev: Path
    test: Optional[Path]
    vectors: Optional[Path]
    multi_root: bool = False


class RunData(NamedTuple):
    """What a run learns from and is chosen by."""

    symbols: Symbols
    train: EncodedSentences
    gold: GoldTrees
    dev: list[ConlluSentence]
    vectors: Optional[WordVectors]


def find_files(options: Mapping[str, Any]) -> TreebankFiles:
    """The files that the options train, dev, test, vectors, corpus and data_dir name.

    Raises:
        ConfigError: options that contradict each other.
        InputError: a file or corpus that is not there.
    """
    named, corpus = options["train"], options["corpus"]
    vectors, multi_root = _existing(options["vectors"]), bool(options["multi_root"])
    if named is not None:
        if corpus is not None:
            raise ConfigError("--corpus: not together with --train")
        if options["dev"] is None:
            raise ConfigError("--train: needs --dev, by which the best model is chosen")
        train, dev = existing_file(named), existing_file(options["dev"])
        return TreebankFiles(train, dev, _existing(options["test"]), vectors, multi_root)
    for name in ("dev", "test"):
        if options[name] is not None:
            raise ConfigError(f"--{name}: only together with --train")
    if corpus in (None, TOY):
        folder = toy_dir(options["out"] / TOY)
        train, dev, test = (folder / f"{part}.conllu" for part in PARTS)
        return TreebankFiles(train, dev, test, vectors, multi_root)
    found = corpus_parts(corpus, datasets.data_dir(options["data_dir"]))
    return TreebankFiles(*found, vectors, multi_root)


def corpus_parts(name: str, folder: Optional[Path]) -> tuple[Path, Path, Optional[Path]]:
    """Train, dev and test file of the treebank in a folder of the data folder.

    Raises:
        InputError: no data folder, or no such files.
    """
    if folder is None:
        raise InputError(name, "no data folder: name it by --data-dir or DYNOTES_DATA")
    found = {part: sorted((folder / name).glob(f"*-{part}.conllu*")) for part in PARTS}
    for part in PARTS[:2]:
        if not found[part]:
            raise InputError(folder / name, f"no file *-{part}.conllu")
    test = found["test"][0] if found["test"] else None
    return found["train"][0], found["dev"][0], test


def _existing(path: Optional[Path]) -> Optional[Path]:
    return None if path is None else existing_file(path)


@contextlib.contextmanager
def new_run(out: Path) -> Iterator[RunFolder]:
    """The folder of a new run; a block that fails leaves no folder.

    Raises:
        InputError: the folder holds a run already or cannot be made.
    """
    folder, existed = RunFolder(out), out.exists()
    folder.create()
    try:
        yield folder
    except BaseException:
        if not existed:
            shutil.rmtree(out, ignore_errors=True)
        raise


def data_of(files: TreebankFiles, config: ParserConfig) -> RunData:
    """The treebanks of a run.

    Raises:
        InputError: a file that cannot be used.
        ConfigError: vectors of another size.
    """
    vectors = None if files.vectors is None else read_vectors(files.vectors)
    if vectors is not None and vectors.matrix.shape[1] != config.word_size:
        size = vectors.matrix.shape[1]
        raise ConfigError(
            f"word_size: expected {size}, that of {files.vectors}, found {config.word_size}"
        )
    train, dev = (
        list(read_conllu(path, multi_root=files.multi_root)) for path in (files.train, files.dev)
    )
    symbols = Symbols.collect(
        train,
        min_count=config.min_count,
        tag_column=config.tag_column,
        lower=config.lower,
        vectors=None if vectors is None else vectors.words,
    )
    return RunData(symbols, encode(train, symbols), gold_trees(train, symbols), dev, vectors)


def write_config(
    folder: RunFolder, config: ParserConfig, files: TreebankFiles, versions: Mapping[str, str]
) -> None:
    """config.json of a run."""
    paths = {name: path for name, path in files._asdict().items() if isinstance(path, Path)}
    folder.write_config(
        {
            "settings": dataclasses.asdict(config),
            "files": {name: str(path.resolve()) for name, path in paths.items()},
            "multi_root": files.multi_root,
            "sha256": {name: digest_of(path) for name, path in paths.items()},
            "versions": dict(versions),
        }
    )


def files_of(folder: RunFolder) -> tuple[ParserConfig, TreebankFiles, dict[str, str]]:
    """Settings, files and their checksums of the run in a folder.

    Raises:
        InputError: no run there, or a damaged one.
    """
    saved = folder.read_config()
    try:
        config = ParserConfig(**saved["settings"]).checked()
        paths = {name: Path(path) for name, path in saved["files"].items()}
        digests = {name: str(saved["sha256"][name]) for name in paths}
        optional = {name: paths.get(name) for name in ("test", "vectors")}
        multi_root = bool(saved["multi_root"])
        files = TreebankFiles(paths["train"], paths["dev"], **optional, multi_root=multi_root)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(folder.config, f"damaged or of another version ({error})") from None
    return config, files, digests


def resumed(out: Path) -> tuple[ParserConfig, TreebankFiles]:
    """Settings and files of the run in a folder, which must be as they were.

    Raises:
        InputError: no run there, or a file that changed since.
    """
    config, files, digests = files_of(RunFolder(out))
    for name, digest in digests.items():
        path = getattr(files, name)
        if digest_of(existing_file(path)) != digest:
            raise InputError(path, "changed since the run began")
    return config, files
