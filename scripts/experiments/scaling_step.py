"""One point of the scaling experiment, in a process of its own: a language model's training step.

    python scripts/experiments/scaling_step.py TASK        TASK: JSON of

    words, softmax, samples    V, an output layer of the settings, noise words a draw
    hidden, batch, steps       H, B, T
    seconds, seed              to time, about; of text and parameters

The last line of stdout is JSON: step_seconds (median), steps, graph_mb, parameters_mb.  graph_mb is
what the values of one graph take, from the address of its first to that of its last node; their
gradients take up to as much again.  Parameters are not in it, but the copies that a graph makes of
the parameters it uses are.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from typing import Any

import numpy as np

from dynotes import runtime

WARM_UP = 3
WINDOWS = 40
MAX_COUNT = 1e9


def zipf_counts(words: int) -> np.ndarray:
    """(V,) counts of a text whose word of rank r is as frequent as 1 / r."""
    return np.maximum(1, MAX_COUNT / np.arange(1, words + 1)).astype(np.int64)


def stepper_of(task: dict[str, Any]) -> Any:
    """An LmStepper over an invented text of independent words."""
    import dynet as dy

    from dynotes.corpora.bptt import columns
    from dynotes.language_models.lstm_lm import LstmLm
    from dynotes.training.lm_config import READS, LmConfig
    from dynotes.training.lm_objective import Objective, output_spec
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
    stepper = LmStepper(
        model,
        make_trainer(config, pc),
        columns(ids, config.batch_size, 0),
        config,
        objective=Objective(config, counts),
    )
    stepper.pc = pc  # DyNet frees the parameters with their collection
    return stepper


def graph_mb(stepper: Any, window: Any) -> float:
    """Memory of the values of one step's graph, whose pool must have grown before."""
    import dynet as dy

    rows = stepper.columns.rows(window.start, window.stop)
    draw = stepper.objective.draw(rows.targets, np.random.default_rng(1))
    dy.renew_cg()
    first = dy.inputVector([0.5, 0.25])
    first.forward()
    segment = stepper.model.segment(rows.inputs, stepper.model.zero_state(rows.inputs.shape[1]))
    last = dy.sum_batches(stepper.objective.loss(stepper.model, segment, rows.targets, draw))
    last.forward()
    return (address(last) - address(first)) / 2**20


def address(e: Any) -> int:
    """Where the value of an evaluated Expression lies.

    Raises:
        RuntimeError: this process cannot see its memory, or the engine keeps values elsewhere.
    """
    from dynotes.training.process_memory import OwnMemory

    memory, value = OwnMemory(), np.asarray(e.vec_value(), np.float32)
    for _, word in memory.fields(e.tensor_value()):
        found = memory.floats(word, value.size)
        if found is not None and np.array_equal(found, value):
            return word
    raise RuntimeError("the memory of a graph can be seen on a CPU under Linux only")


def measure(task: dict[str, Any]) -> dict[str, Any]:
    """Warm up, then time single steps."""
    from dynotes.tips.truncated_bptt import windows

    stepper = stepper_of(task)
    plan = list(windows(len(stepper.columns), task["steps"], task["steps"], "notes"))
    state, times = stepper.model.zero_state(task["batch"]), []
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
        "graph_mb": graph_mb(stepper, plan[0]),
        "parameters_mb": 4 * floats / 2**20,
    }


if __name__ == "__main__":
    runtime.start(mem="4", seed=1)
    print(json.dumps(measure(json.loads(sys.argv[1]))))
