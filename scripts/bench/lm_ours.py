"""Our side of the language-model benchmark: LmStepper, in one process or in merged workers.

    python scripts/bench/lm_ours.py TASK        TASK: JSON of lm_problem.task_of and

    processes    workers, each on its own columns
    sync_every   updates between two merges
    warm_up      windows before the clock starts; the lead's losses are reported
    seconds      to time, about

The last line of stdout is JSON: version, losses (nats a word), tokens and cpu_seconds (of all
workers), seconds (of the clock), merge_seconds (of these, the lead's, waiting included).
"""

from __future__ import annotations

import json
import math
import sys
import time
from typing import Any

import numpy as np
from lm_problem import CLIP, FORGET_BIAS, LAYERS, RATE, read_problem

from dynotes import runtime


class Training:
    """The loop of one worker: the windows of its columns in turn, merged now and then.

    Args:
        model, trainer: an LstmLm and DyNet's trainer of it.
        text: the columns of all workers.
        config: an LmConfig.
        workers: running Workers.
        merging: False never merges (Hogwild: the parameters are shared).
    """

    def __init__(
        self, model: Any, trainer: Any, text: Any, config: Any, workers: Any, *, merging: bool = True
    ) -> None:
        from dynotes.tips.truncated_bptt import windows
        from dynotes.training.lm_step import LmStepper

        self.workers, self.config, self.merging = workers, config, merging
        self.stepper = LmStepper(model, trainer, text, config, workers.rank)
        self.plan = list(windows(len(text), config.k1, config.steps_back, config.bptt_variant))
        self.state = model.zero_state(config.batch_size)
        self.update, self.nats, self.tokens, self.merge_seconds = 0, 0.0, 0, 0.0

    def window(self, rate: float = RATE) -> float:
        """Train on the next window and merge if it is time to; the loss in nats a word."""
        window = self.plan[self.update % len(self.plan)]
        result = self.stepper.step(window, self.state, self.update, rate)
        self.state, self.update = result.state, self.update + 1
        self.nats, self.tokens = self.nats + result.nats, self.tokens + result.tokens
        if self.merging and self.update % self.config.sync_every == 0:
            began = time.perf_counter()
            self.workers.merge()
            self.merge_seconds += time.perf_counter() - began
        return result.nats / max(result.tokens, 1)

    def timed(self, count: int) -> dict[str, Any]:
        """Train on so many windows; tokens, seconds, cpu_seconds, merge_seconds."""
        tokens, merging = self.tokens, self.merge_seconds
        self.workers.barrier()
        cpu, began = time.process_time(), time.perf_counter()
        for _ in range(count):
            self.window()
        self.workers.barrier()
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        tokens, cpu = self.workers.total(self.tokens - tokens, cpu)
        return {
            "tokens": int(tokens),
            "seconds": seconds,
            "cpu_seconds": cpu,
            "merge_seconds": self.merge_seconds - merging,
        }


def named(owned: Any, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The parameters of a problem file under DyNet's names."""
    (embed,) = owned.pc.lookup_parameters_list()
    model = owned.model
    found = {embed.name(): "embed", model.output.P.name(): "out", model.output.b.name(): "out_b"}
    for n, layer in enumerate(model.weights):
        found |= {layer.wx.name(): f"wx{n}", layer.wh.name(): f"wh{n}", layer.b.name(): f"b{n}"}
    return {name: arrays[key] for name, key in found.items()}


def settings(task: dict[str, Any]) -> Any:
    """The LmConfig of a task."""
    from dynotes.training.lm_config import LmConfig

    return LmConfig(
        hidden=task["hidden"],
        layers=LAYERS,
        forget_bias=FORGET_BIAS,
        batch_size=task["batch"],
        k1=task["steps"],
        lr=RATE,
        clip=CLIP,
        processes=task["processes"],
        sync_every=task["sync_every"],
    ).checked()


def measure(task: dict[str, Any]) -> dict[str, Any]:
    """Warm up, then time; in the lead, which alone returns."""
    from dynotes.corpora.bptt import columns
    from dynotes.training.lm_model import new_model
    from dynotes.training.trainers import make_trainer
    from dynotes.training.workers import Workers

    arrays, config = read_problem(task["problem"]), settings(task)
    owned = new_model(config, len(arrays["embed"]))
    owned.restore(named(owned, arrays))
    trainer = make_trainer(config, owned.pc)
    text = columns(arrays["ids"], config.processes * config.batch_size, int(arrays["start"]))
    views = owned.flat_views() if config.processes > 1 else []
    rate = config.merge_rate or config.processes
    with Workers(config.processes, views, rate).running() as workers:
        training = Training(owned.model, trainer, text, config, workers)
        losses = [training.window()]
        began = time.perf_counter()
        losses += [training.window() for _ in range(task["warm_up"] - 1)]
        while training.update % config.sync_every:
            training.window()
        step = (time.perf_counter() - began) / (training.update - 1)
        wanted = math.ceil(task["seconds"] / workers.from_lead(step))
        whole = math.ceil(wanted / config.sync_every) * config.sync_every
        result = training.timed(whole)
    return {"version": runtime.engine_versions()["dynet"], "losses": losses, **result}


if __name__ == "__main__":
    runtime.start()
    print(json.dumps(measure(json.loads(sys.argv[1]))))
