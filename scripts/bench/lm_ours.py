"""Our side of the language-model benchmark: LmStepper, in one process or shared by workers.

    python scripts/bench/lm_ours.py TASK        TASK: JSON of lm_problem.task_of and

    processes    workers that share the columns
    warm_up      windows before the clock starts; their losses are reported
    seconds      to time, about

The last line of stdout is JSON: version, losses (nats a word), tokens, seconds (of the clock),
cpu_seconds (of all workers), sum_seconds (the lead's, of adding up gradients, waiting included).
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Mapping
from typing import Any, Optional

import numpy as np
from lm_problem import CLIP, FORGET_BIAS, LAYERS, RATE, read_problem

from dynotes import runtime


class Training:
    """The loop of one worker: the windows of its columns in turn, as a training run does it.

    Args:
        model, trainer: an LstmLm and DyNet's trainer of it.
        text: the columns of all workers.
        config: an LmConfig.
        workers: running Workers.
        gradients: their Clocked GradientSum; None where each updates for itself.
    """

    def __init__(
        self, model: Any, trainer: Any, text: Any, config: Any, workers: Any, gradients: Any = None
    ) -> None:
        from dynotes.tips.truncated_bptt import windows
        from dynotes.training.lm_step import LmStepper

        self.workers, self.gradients = workers, gradients
        rank = 0 if gradients is None else workers.rank
        self.stepper = LmStepper(model, trainer, text, config, rank=rank, gradients=gradients)
        self.plan = list(windows(len(text), config.k1, config.steps_back, config.bptt_variant))
        self.state = model.zero_state(self.stepper.mine.stop - self.stepper.mine.start)
        self.update, self.nats, self.tokens = 0, 0.0, 0

    def window(self, rate: Optional[float] = None) -> tuple[float, int]:
        """Train on the next window, at a rate other than config.lr if given: (nats, words)."""
        window = self.plan[self.update % len(self.plan)]
        rate = self.stepper.config.lr if rate is None else rate
        result = self.stepper.step(window, self.state, self.update, rate)
        self.state, self.update = result.state, self.update + 1
        self.nats, self.tokens = self.nats + result.nats, self.tokens + result.tokens
        return result.nats, result.tokens

    def loss(self) -> float:
        """Train on the next window: nats a word, over all workers."""
        nats, tokens = self.workers.total(*self.window())
        return nats / tokens

    def timed(self, count: int) -> dict[str, Any]:
        """Train on so many windows: tokens, seconds, cpu_seconds, sum_seconds."""
        tokens, summing = self.tokens, self._summing()
        self.workers.barrier()
        cpu, began = time.process_time(), time.perf_counter()
        for _ in range(count):
            self.window()
            if self.gradients is not None:
                self.workers.total(0.0, 0.0, 0.0)  # a run asks whether to stop, save or end
        self.workers.barrier()
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        all_tokens, cpu = self.workers.total(self.tokens - tokens, cpu)
        return {
            "tokens": int(all_tokens),
            "seconds": seconds,
            "cpu_seconds": cpu,
            "sum_seconds": self._summing() - summing,
        }

    def _summing(self) -> float:
        return 0.0 if self.gradients is None else self.gradients.seconds


class Clocked:
    """A GradientSum that adds up its seconds."""

    def __init__(self, gradients: Any) -> None:
        self._gradients, self.seconds = gradients, 0.0

    def add(self, rows: Mapping[str, np.ndarray]) -> None:
        """See GradientSum."""
        began = time.perf_counter()
        self._gradients.add(rows)
        self.seconds += time.perf_counter() - began


def named(owned: Any, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The parameters of a problem file under DyNet's names."""
    (embed,) = owned.pc.lookup_parameters_list()
    model = owned.model
    found = {embed.name(): "embed", model.output.P.name(): "out", model.output.b.name(): "out_b"}
    for n, layer in enumerate(model.weights):
        found |= {layer.wx.name(): f"wx{n}", layer.wh.name(): f"wh{n}", layer.b.name(): f"b{n}"}
    return {name: arrays[key] for name, key in found.items()}


def settings(task: dict[str, Any], *, lr: float, **more: Any) -> Any:
    """The LmConfig of a task."""
    from dynotes.training.lm_config import LmConfig

    return LmConfig(
        hidden=task["hidden"],
        layers=LAYERS,
        forget_bias=FORGET_BIAS,
        batch_size=task["batch"],
        k1=task["steps"],
        lr=lr,
        clip=CLIP,
        **more,
    ).checked()


def measure(task: dict[str, Any]) -> dict[str, Any]:
    """Warm up, then time; in the lead, which alone returns."""
    from dynotes.corpora.bptt import columns
    from dynotes.training.lm_model import new_model
    from dynotes.training.trainers import make_trainer
    from dynotes.training.workers import GradientSum, Workers

    arrays = read_problem(task["problem"])
    config = settings(task, lr=RATE, processes=task["processes"])
    owned = new_model(config, len(arrays["embed"]))
    owned.restore(named(owned, arrays))
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
    return {"version": runtime.engine_versions()["dynet"], "losses": losses, **result}


if __name__ == "__main__":
    runtime.start()
    print(json.dumps(measure(json.loads(sys.argv[1]))))
