"""What ``scripts/classify.py train`` settles before the engine starts: files, folder, config."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Optional

from dynotes.corpora import datasets
from dynotes.corpora.download import digest_of
from dynotes.corpora.errors import InputError, existing_file
from dynotes.corpora.labelled_store import LabelledExamples, store_examples
from dynotes.corpora.toy_labels import write_labelled_toy
from dynotes.corpora.word_vectors import WordVectors, read_vectors
from dynotes.training.classify.config import ClassifyConfig
from dynotes.training.run_folder import RunFolder
from dynotes.training.settings import ConfigError

CORPORA = {  # name: (training texts, dev texts): places in the data folder, the first that is there
    "cooking": (
        ("cooking_fasttext/cooking.train", "cooking_fasttext/cooking.train.gz"),
        ("cooking_fasttext/cooking.valid", "cooking_fasttext/cooking.valid.gz"),
    ),
}
EXAMPLES, TOY = "examples", "toy"  # folders in that of the run


class TextFiles(NamedTuple):
    """Files of labelled texts, and of word vectors to start from."""

    train: Path
    dev: Optional[Path]
    vectors: Optional[Path]


class RunData(NamedTuple):
    """What a run learns from."""

    examples: LabelledExamples
    vectors: Optional[WordVectors]


def find_files(options: Mapping[str, Any]) -> Optional[TextFiles]:
    """The files that the options train, dev, vectors, corpus and data_dir name; None: the toy's.

    Raises:
        ConfigError: options that contradict each other.
        InputError: a file or corpus that is not there.
    """
    corpus = options["corpus"]
    if options["train"] is None and options["dev"] is not None:
        raise ConfigError("--dev: only together with --train")
    if options["train"] is not None and corpus is not None:
        raise ConfigError("--corpus: not together with --train")
    vectors = _existing(options["vectors"])
    if options["train"] is not None:
        return TextFiles(existing_file(options["train"]), _existing(options["dev"]), vectors)
    if corpus in (None, "toy"):
        if vectors is not None:
            raise ConfigError("--vectors: only together with --train or another --corpus")
        return None
    folder = datasets.data_dir(options["data_dir"])
    if folder is None:
        raise InputError(corpus, "no data folder: name it by --data-dir or DYNOTES_DATA")
    train, dev = (_first(folder, places) for places in CORPORA[corpus])
    return TextFiles(train, dev, vectors)


def _existing(path: Optional[Path]) -> Optional[Path]:
    return None if path is None else existing_file(path)


def _first(folder: Path, places: tuple[str, ...]) -> Path:
    paths = [folder / place for place in places]
    return next((p for p in paths if p.is_file()), None) or existing_file(paths[0])


@contextlib.contextmanager
def new_run(
    out: Path, files: Optional[TextFiles], config: ClassifyConfig
) -> Iterator[tuple[RunFolder, TextFiles, RunData]]:
    """The folder of a new run, its files and examples; a block that fails leaves no folder.

    Raises:
        InputError: the folder holds a run already or cannot be made, or a file cannot be used.
        ConfigError: vectors of another size.
    """
    folder, existed = RunFolder(out), out.exists()
    folder.create()
    try:
        if files is None:
            toy = write_labelled_toy(out / TOY)
            files = TextFiles(toy["train"], toy["dev"], None)
        yield folder, files, data_of(folder, files, config)
    except BaseException:
        for path in (out / EXAMPLES, out / TOY) if existed else (out,):
            shutil.rmtree(path, ignore_errors=True)
        raise


def data_of(folder: RunFolder, files: TextFiles, config: ClassifyConfig) -> RunData:
    """The examples of a run, kept in its folder, and the vectors that it starts from.

    Raises:
        InputError: a file that cannot be used.
        ConfigError: vectors of another size.
    """
    vectors = None if files.vectors is None else read_vectors(files.vectors)
    if vectors is not None and vectors.matrix.shape[1] != config.dim:
        raise ConfigError(
            f"dim: expected {vectors.matrix.shape[1]}, that of {files.vectors}, found {config.dim}"
        )
    examples = store_examples(
        files.train,
        folder.path / EXAMPLES,
        min_count=config.min_count,
        style=config.style,
        more_words=[] if vectors is None else vectors.words,
        **config.ngrams,
    )
    if len(examples.labels) < 2:
        only = examples.labels.words[0]
        raise InputError(files.train, f"expected at least two labels, found {only!r} alone")
    return RunData(examples, vectors)


def write_config(
    folder: RunFolder, config: ClassifyConfig, files: TextFiles, versions: Mapping[str, str]
) -> None:
    """config.json of a run."""
    paths = {name: path for name, path in files._asdict().items() if path is not None}
    folder.write_config(
        {
            "settings": dataclasses.asdict(config),
            "files": {name: str(path.resolve()) for name, path in paths.items()},
            "sha256": {name: digest_of(path) for name, path in paths.items()},
            "versions": dict(versions),
        }
    )


def resumed(out: Path) -> tuple[ClassifyConfig, TextFiles]:
    """Settings and files of the run in a folder, which must be as they were.

    Raises:
        InputError: no run there, or a file that changed since.
    """
    folder = RunFolder(out)
    saved = folder.read_config()
    try:
        config = ClassifyConfig(**saved["settings"]).checked()
        paths = {name: Path(path) for name, path in saved["files"].items()}
        digests = {name: saved["sha256"][name] for name in paths}
        files = TextFiles(paths["train"], paths.get("dev"), paths.get("vectors"))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(folder.config, f"damaged or of another version ({error})") from None
    for name, path in paths.items():
        if digest_of(existing_file(path)) != digests[name]:
            raise InputError(path, "changed since the run began")
    return config, files
