"""``scripts/parser.py`` once the engine runs: train, parse, evaluate."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO, Optional

import dynet as dy

from dynotes import runtime
from dynotes.corpora.atomic import atomic_open
from dynotes.corpora.conllu import ConlluSentence, read_conllu, read_plain
from dynotes.corpora.errors import InputError, existing_file
from dynotes.corpora.parse_scores import ParseScores
from dynotes.corpora.tree_drawing import draw_tree
from dynotes.corpora.trees import is_tree
from dynotes.training.parser.command import (
    TreebankFiles,
    data_of,
    files_of,
    new_run,
    write_config,
)
from dynotes.training.parser.config import ParserConfig
from dynotes.training.parser.models import Decoding
from dynotes.training.parser.run import ParserRun
from dynotes.training.parser.trained import TrainedParser, read_parser
from dynotes.training.progress import Interrupted, reporter
from dynotes.training.run_folder import RunFolder, finite, peak_memory_mb


def run_training(
    out: Path, config: ParserConfig, files: TreebankFiles, *, resume: bool
) -> Optional[dict[str, Any]]:
    """Train in the folder ``out``; the summary, or None after Ctrl-C.

    Args:
        out, config, files: the folder of the run, its settings and treebanks.
        resume: the run is there already.
    """
    began = time.perf_counter()
    say, progress, close = reporter("words")
    told: dict[str, Any] = {"multi_root": files.multi_root, "say": say, "progress": progress}
    try:
        if resume:
            folder = RunFolder(out)
            folder.remove_temporary()
            run = ParserRun(config, data_of(files, config), folder, **told)
        else:
            with new_run(out) as folder:
                run = ParserRun(config, data_of(files, config), folder, **told)
                write_config(folder, config, files, runtime.engine_versions())
        symbols = run.data.symbols
        say(
            f"{len(run.data.train.lengths)} sentences, {run.n_words} words, "
            f"{len(symbols.words)} word and {len(symbols.tags)} tag vectors, "
            f"{len(symbols.labels)} labels, {run.pc.parameter_count()} parameters, "
            f"seed {config.seed}"
        )
        run.train(resume=resume and folder.checkpoint.exists())
    except Interrupted:
        return None
    finally:
        close()
    result = _summary(config, run)
    if files.test is not None:
        gold = read_conllu(files.test, multi_root=files.multi_root)
        scores = run.parser.score(gold, run.how)
        result["metrics"] |= {f"test_{k}": v for k, v in _metrics(scores).items()}
    result["seconds"] = round(time.perf_counter() - began, 3)
    return finite(result)


def run_parsing(
    path: Path,
    text: Optional[Path],
    out: Optional[Path],
    *,
    plain: bool,
    show: bool,
    how: Decoding,
) -> dict[str, Any]:
    """Write the sentences of a text with their trees, in their order.

    Args:
        path: of the model or of the folder of its run.
        text: CoNLL-U, or with ``plain`` a sentence of words a line; None for the standard input.
        out: a file, written as a whole or not at all; None for the standard output.
        plain, show: see above; show draws the trees in place of CoNLL-U.
        how: the decoding.

    Raises:
        InputError: a model or text that cannot be used.
    """
    began = time.perf_counter()
    parser, pc = read_parser(path)
    _check_decoding(path, parser, how)
    source = "/dev/stdin" if text is None else existing_file(text)
    sentences = read_plain(source) if plain else read_conllu(source, trees=False)
    count = words = valid = 0
    started = time.perf_counter()
    with contextlib.ExitStack() as stack:
        stream = sys.stdout.buffer if out is None else stack.enter_context(atomic_open(out))
        for sentence in parser.parse(sentences, how):
            _write(stream, sentence, show)
            count, words = count + 1, words + len(sentence)
            valid += is_tree(sentence.heads, multi_root=not how.single_root)
        stream.flush()
    seconds = time.perf_counter() - started
    return {
        **_about(path, parser.about, pc, began),
        "sentences": count,
        "words": words,
        "trees": valid,
        "throughput": {
            "sentences_per_second": round(count / seconds, 1),
            "words_per_second": round(words / seconds, 1),
        },
        "peak_memory_mb": round(peak_memory_mb(), 1),
    }


def run_evaluation(
    path: Path, text: Optional[Path], *, how: Decoding, punctuation: bool, subtypes: bool
) -> dict[str, Any]:
    """UAS, LAS and label accuracy on gold trees.

    Args:
        path: of the model or of the folder of its run.
        text: CoNLL-U; None for the test file of the run.
        how: the decoding; several roots are then fine in the gold trees too.
        punctuation, subtypes: see `score_sentence`.

    Raises:
        InputError: a model or text that cannot be used.
    """
    began = time.perf_counter()
    text = _test_file(path) if text is None else existing_file(text)
    parser, pc = read_parser(path)
    _check_decoding(path, parser, how)
    gold, started = read_conllu(text, multi_root=not how.single_root), time.perf_counter()
    scores = parser.score(gold, how, punctuation=punctuation, subtypes=subtypes)
    seconds = time.perf_counter() - started
    return {
        **_about(path, parser.about, pc, began),
        "text": str(text),
        "metrics": _metrics(scores),
        "words": scores.words,
        "throughput": {"words_per_second": round(scores.words / seconds, 1)},
    }


def _check_decoding(path: Path, parser: TrainedParser, how: Decoding) -> None:
    """InputError for a decoder where trees are built by transitions."""
    algorithm = parser.about["algorithm"]
    if algorithm != "biaffine" and how.decoder != Decoding().decoder:
        raise InputError(path, f"--decoder {how.decoder}: {algorithm} builds its trees itself")


def _write(stream: BinaryIO, sentence: ConlluSentence, show: bool) -> None:
    shown = sentence.text()
    if show:
        shown = draw_tree(sentence.forms, sentence.heads, sentence.labels) + "\n"
    stream.write(shown.encode())


def _test_file(path: Path) -> Path:
    """The test file that the run in a folder was trained beside."""
    if not path.is_dir():
        raise InputError(path, "not the folder of a run, so name a treebank")
    test = files_of(RunFolder(path))[1].test
    if test is None:
        raise InputError(path, "trained without a test file, so name a treebank")
    return existing_file(test)


def _about(
    path: Path, about: dict[str, Any], pc: dy.ParameterCollection, began: float
) -> dict[str, Any]:
    """What the summaries of a trained parser have in common."""
    count = int(pc.parameter_count())
    seconds = round(time.perf_counter() - began, 3)
    return {"task": "parser", "model": str(path), **about, "parameters": count, "seconds": seconds}


def _metrics(scores: ParseScores) -> dict[str, float]:
    values = {"uas": scores.uas, "las": scores.las, "label_accuracy": scores.label_accuracy}
    return {name: round(value, 3) for name, value in values.items()}


def _summary(config: ParserConfig, run: ParserRun) -> dict[str, Any]:
    at = run.at
    best = at.history[at.best_epoch - 1]
    metrics = {"loss": round(at.history[-1]["loss"], 4)}
    metrics |= {name: value for name, value in best.items() if name.startswith("dev_")}
    return {
        "task": "parser",
        "model": config.algorithm,
        "metrics": metrics,
        "throughput": {"words_per_second": round(run.words_per_second, 1)},
        "train_seconds": round(at.train_seconds, 3),
        "seconds": 0.0,
        "epochs": at.epoch,
        "best_epoch": at.best_epoch,
        "parameters": int(run.pc.parameter_count()),
        "seed": config.seed,
        "peak_memory_mb": round(peak_memory_mb(), 1),
        "run": str(run.folder.path),
    }
