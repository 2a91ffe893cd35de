"""A run of a small parser on a small treebank."""

import json

from dynotes.training.parser.command import TreebankFiles, data_of
from dynotes.training.parser.config import resolve
from dynotes.training.parser.run import ParserRun
from dynotes.training.run_folder import RunFolder
from tests.parsing.small_treebank import sentences

SETTINGS = {
    **{"word_size": 6, "tag_size": 4, "char_size": 3, "char_hidden": 2, "hidden": 6, "layers": 1},
    **{"arc_size": 8, "label_size": 5, "batch": 8, "epochs": 3, "lr": 0.01, "beta2": 0.98},
}


def config(**settings):
    return resolve(None, {}, {**SETTINGS, **settings})


def write_treebank(path, copies=3):
    path.write_text("".join(s.text() for s in sentences()) * copies)
    return path


def files(folder, **more):
    folder.mkdir(exist_ok=True, parents=True)
    train, dev = (write_treebank(folder / f"{p}.conllu", n) for p, n in (("train", 3), ("dev", 1)))
    return TreebankFiles(train, dev, dev, more.pop("vectors", None), **more)


def run(folder, settings, **more):
    path = folder / "run"
    path.mkdir(exist_ok=True, parents=True)
    data = data_of(files(folder, **more), settings)
    return ParserRun(settings, data, RunFolder(path), say=lambda _: None)


def log(folder):
    """The lines of the log without times."""
    lines = (folder / "run" / "log.jsonl").read_text().splitlines()
    entries = map(json.loads, lines)
    return [{k: v for k, v in e.items() if "second" not in k} for e in entries]
