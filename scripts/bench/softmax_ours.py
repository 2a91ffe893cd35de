"""Our side of the output-layer benchmark: the layer alone, or inside a language model.

    python scripts/bench/softmax_ours.py TASK        TASK: JSON of lm_problem.task_of and

    part         "layer" (constant h, its gradient taken, plain SGD) or "lm" (1 LSTM layer, clipped)
    softmax      "adaptive" or "full"
    cutoffs, div
    processes    workers that share the columns; only part "lm" can have several
    warm_up, seconds        as in lm_ours

The last line of stdout is one line of JSON, as that of lm_ours.
"""

from __future__ import annotations

import json
import math
import sys
import time
from typing import Any

import numpy as np
from lm_ours import Clocked, Training
from lm_problem import CLIP, FORGET_BIAS, RATE, read_problem

from dynotes import runtime


class LayerTraining:
    """Forward, backward and update of an output layer, window by window; h is given, and fixed."""

    def __init__(self, task: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        import dynet as dy

        from dynotes.structures.adaptive_softmax import AdaptiveSoftmax
        from dynotes.tips.softmax_approximations.full_softmax import FullSoftmax
        from dynotes.training.parameters import memory_views, restore

        self.batch, self.steps = task["batch"], task["steps"]
        self.pc, self.fixed = dy.ParameterCollection(), dy.ParameterCollection()
        sizes = {"n_words": len(arrays["out"]), "n_hidden": task["hidden"]}
        if task["softmax"] == "full":
            self.layer: Any = FullSoftmax(self.pc, **sizes)
        else:
            more = {"cutoffs": task["cutoffs"], "div": task["div"]}
            self.layer = AdaptiveSoftmax(self.pc, **sizes, **more)
        found = {name: arrays[key] for name, key in layer_names(self.layer, task["softmax"])}
        restore(self.pc, found, memory_views(self.pc))
        self.h = self.fixed.parameters_from_numpy(arrays["h"])
        self.trainer = dy.SimpleSGDTrainer(self.pc, RATE)
        self.trainer.set_clip_threshold(-1.0)
        self.targets, self.row = arrays["targets"], 0

    def loss(self) -> float:
        """Train on the next window; nats a word."""
        import dynet as dy

        from dynotes.graph.arrays import scalar

        rows = slice(self.row, self.row + self.steps)
        self.row = rows.stop % len(self.targets)
        ids = self.targets[rows].ravel()
        dy.renew_cg()
        h = dy.reshape(self.h, (self.layer.n_hidden,), len(ids))
        total = dy.sum_batches(self.layer.nll(h, ids))
        nats = scalar(total)
        (total * (1 / self.batch)).backward()
        self.trainer.update()
        self.h.scale_gradient(0.0)
        return nats / len(ids)

    def timed(self, count: int) -> dict[str, Any]:
        """Train on so many windows: tokens, seconds, cpu_seconds, sum_seconds."""
        cpu, began = time.process_time(), time.perf_counter()
        for _ in range(count):
            self.loss()
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        tokens = count * self.batch * self.steps
        return {"tokens": tokens, "seconds": seconds, "cpu_seconds": cpu, "sum_seconds": 0.0}


def layer_names(layer: Any, softmax: str) -> list[tuple[str, str]]:
    """(DyNet's name, the problem's name) of the parameters of an output layer."""
    if softmax == "full":
        return [(layer.P.name(), "out"), (layer.b.name(), "out_b")]
    found = [(layer.A.name(), "head"), (layer.b.name(), "head_b")]
    for j, (project, tail) in enumerate(zip(layer.P, layer.B), 1):
        found += [(project.name(), f"project{j}"), (tail.name(), f"tail{j}")]
    return found


def model_arrays(model: Any, softmax: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The parameters of a problem file under the names of a language model of one LSTM layer."""
    (layer,) = model.weights
    pairs = [
        (model.words.L.name(), "embed"),
        (layer.wx.name(), "wx0"),
        (layer.wh.name(), "wh0"),
        (layer.b.name(), "b0"),
        *layer_names(model.output, softmax),
    ]
    return {name: arrays[key] for name, key in pairs}


def measure_layer(task: dict[str, Any]) -> dict[str, Any]:
    """Warm up, then time the layer alone."""
    training = LayerTraining(task, read_problem(task["problem"]))
    losses = [training.loss()]
    began = time.perf_counter()
    losses += [training.loss() for _ in range(task["warm_up"] - 1)]
    step = (time.perf_counter() - began) / (task["warm_up"] - 1)
    return {"losses": losses, **training.timed(math.ceil(task["seconds"] / step))}


def measure_model(task: dict[str, Any]) -> dict[str, Any]:
    """Warm up, then time the language model; in the lead, which alone returns."""
    from dynotes.corpora.bptt import columns
    from dynotes.training.lm_config import LmConfig
    from dynotes.training.lm_model import new_model
    from dynotes.training.trainers import make_trainer
    from dynotes.training.workers import GradientSum, Workers

    adaptive = {"cutoffs": ",".join(map(str, task["cutoffs"])) or "none", "div": task["div"]}
    config = LmConfig(
        hidden=task["hidden"],
        layers=1,
        forget_bias=FORGET_BIAS,
        batch_size=task["batch"],
        k1=task["steps"],
        lr=RATE,
        clip=CLIP,
        processes=task["processes"],
        softmax=task["softmax"],
        **(adaptive if task["softmax"] == "adaptive" else {}),
    ).checked()
    arrays = read_problem(task["problem"])
    owned = new_model(config, len(arrays["embed"]))
    owned.restore(model_arrays(owned.model, config.softmax, arrays))
    trainer = make_trainer(config, owned.pc)
    text = columns(arrays["ids"], config.batch_size, int(arrays["start"]))
    workers = Workers(config.processes)
    several = config.processes > 1
    gradients = Clocked(GradientSum(workers, *owned.gradient_views())) if several else None
    with workers.running():
        training = Training(owned.model, trainer, text, config, workers, gradients)
        losses = [training.loss()]
        began = time.perf_counter()
        losses += [training.loss() for _ in range(task["warm_up"] - 1)]
        step = (time.perf_counter() - began) / (task["warm_up"] - 1)
        result = training.timed(math.ceil(task["seconds"] / workers.from_lead(step)))
    return {"losses": losses, **result}


if __name__ == "__main__":
    runtime.start()
    given = json.loads(sys.argv[1])
    result = measure_layer(given) if given["part"] == "layer" else measure_model(given)
    print(json.dumps({"version": runtime.engine_versions()["dynet"], **result}))
