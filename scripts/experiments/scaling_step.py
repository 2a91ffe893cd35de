"""One point of the scaling experiment, in a process of its own: a language model's training step.

    python scripts/experiments/scaling_step.py TASK        TASK: JSON of

    words, softmax, samples    V, an output layer of the settings, noise words a draw
    hidden, batch, steps       H, B, T
    seconds, seed              to time, about; of text and parameters

The last line of stdout is JSON: step_seconds (median), steps, graph_mb, parameters_mb.  graph_mb is
how much resident memory grows from the first step on: DyNet's pools for the values and gradients of
one graph, which grow by blocks of 16 MB.  Parameters and their gradients, whose pages have all been
written to before, are not in it.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from dynotes import runtime

WARM_UP = 3
SMALL_GRAPH = 50_000  # floats, within the pools that the engine starts with
WINDOWS = 40
MAX_COUNT = 1e9


def zipf_counts(words: int) -> np.ndarray:
    """(V,) counts of a text whose word of rank r is as frequent as 1 / r."""
    return np.maximum(1, MAX_COUNT / np.arange(1, words + 1)).astype(np.int64)


def stepper_of(task: dict[str, Any]) -> Any:
    """An LmStepper over an invented text of independent words."""
    import dynet as dy

    from dynotes.corpora.bptt import columns
    from dynotes.corpora.vocabulary import Vocabulary
    from dynotes.language_models.lstm_lm import LstmLm
    from dynotes.training.lm_config import READS, LmConfig
    from dynotes.training.lm_objective import output_spec
    from dynotes.training.lm_step import LmStepper
    from dynotes.training.trainers import make_trainer

    words, sampled = task["words"], "samples" in READS[task["softmax"]]
    config = LmConfig(
        hidden=task["hidden"],
        layers=1,
        batch_size=task["batch"],
        k1=task["steps"],
        lr=0.1,
        softmax=task["softmax"],
        seed=task["seed"],
        **({"samples": min(task["samples"], words)} if sampled else {}),
    ).checked()
    counts = zipf_counts(words)
    pc = dy.ParameterCollection()
    model = LstmLm(
        pc,
        n_words=words,
        n_embed=config.hidden,
        n_hidden=config.hidden,
        layers=1,
        **output_spec(config, counts),
    )
    rng = np.random.default_rng(task["seed"])
    size = WINDOWS * config.batch_size * config.k1
    ids = rng.choice(words, size, p=counts / counts.sum()).astype(np.int32)
    vocabulary = Vocabulary(map(str, range(words)), counts=counts.tolist())
    stepper = LmStepper(
        model,
        make_trainer(config, pc),
        columns(ids, config.batch_size, 0),
        config,
        vocabulary=vocabulary,
    )
    stepper.pc = pc  # DyNet frees the parameters with their collection
    return stepper


def write_all_gradients(stepper: Any) -> None:
    """Add 0 to the gradient of every row of every table, so that its memory is resident."""
    import dynet as dy

    for table in stepper.pc.lookup_parameters_list():
        rows, *shape = table.shape()
        chunk = max(1, SMALL_GRAPH // int(np.prod(shape)))
        for first in range(0, rows, chunk):
            dy.renew_cg()
            x = dy.lookup_batch(table, list(range(first, min(first + chunk, rows))))
            (dy.sum_batches(dy.sum_elems(x)) * 0.0).backward()
            stepper.trainer.update()
    dy.renew_cg()


def resident_mb() -> float:
    """Memory of this process at the moment."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def measure(task: dict[str, Any]) -> dict[str, Any]:
    """Warm up, then time single steps."""
    from dynotes.tips.truncated_bptt import windows

    stepper = stepper_of(task)
    plan = list(windows(len(stepper.columns), task["steps"], task["steps"], "notes"))
    state, times = stepper.model.zero_state(task["batch"]), []
    write_all_gradients(stepper)
    before = resident_mb()
    while len(times) < WARM_UP + 3 or sum(times[WARM_UP:]) < task["seconds"]:
        window = plan[len(times) % len(plan)]
        began = time.perf_counter()
        state = stepper.step(window, state, len(times), 0.1).state
        times.append(time.perf_counter() - began)
    floats = sum(
        int(np.prod(p.shape()))
        for p in (*stepper.pc.parameters_list(), *stepper.pc.lookup_parameters_list())
    )
    return {
        "step_seconds": statistics.median(times[WARM_UP:]),
        "steps": len(times) - WARM_UP,
        "graph_mb": resident_mb() - before,
        "parameters_mb": 4 * floats / 2**20,
    }


if __name__ == "__main__":
    runtime.start(mem="4", seed=1)
    print(json.dumps(measure(json.loads(sys.argv[1]))))
