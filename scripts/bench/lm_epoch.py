"""One epoch on real text by one process, by workers or Hogwild: speed and perplexity.

    python scripts/bench/lm_epoch.py TASK        TASK: JSON of

    text           npz file: train, dev (ids), eos, words
    hidden, batch, steps, seed
    mode           summed: workers share the columns, gradients are summed; or hogwild
    processes      workers

In Hogwild every process has its own part of the text, ``batch`` columns of it, and all update the
same parameters without any lock (DyNet's shared_parameters).  DyNet then shares the gradient
buffers too, and wants one update before the fork, which is made here with a learning rate of 0.
The last line of stdout is JSON: version, tokens, seconds, cpu_seconds, sum_seconds,
train_perplexity (while it is learning), dev_perplexity.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
from lm_ours import Clocked, Training, settings
from lm_problem import LAYERS

from dynotes import runtime

EVALUATION_COLUMNS = 20
RATE = 1.0
POOL_MB = 64  # of forward and of backward; they grow


def start_shared(parameters: int) -> None:
    """Import DyNet with parameters that survive a fork as one; the pool of these must not grow."""
    np.finfo(np.float32), np.finfo(np.float64)  # before DyNet switches denormals off
    import dynet_config

    pool = 32 + 3 * 4 * parameters // 2**20  # values, gradients, and room
    mem = f"{POOL_MB},{POOL_MB},{pool},{POOL_MB}"
    dynet_config.set(mem=mem, random_seed=1, shared_parameters=1)
    import dynet as dy

    dy.renew_cg()


def dev_perplexity(model: Any, ids: np.ndarray, eos: int, workers: Any) -> float:
    """Perplexity of a text, its columns shared by the workers."""
    from dynotes.tips.divergences import perplexity
    from dynotes.training.lm_evaluate import stream_nll

    only = range(workers.rank, EVALUATION_COLUMNS, workers.processes)
    nll = stream_nll(model, ids, eos, columns=EVALUATION_COLUMNS, only=only)
    mine = ~np.isnan(nll)
    nats, tokens = workers.total(float(nll[mine].sum()), int(mine.sum()))
    return perplexity(nats, int(tokens))


def measure(task: dict[str, Any]) -> dict[str, Any]:
    """Train for an epoch; in the lead, which alone returns."""
    from dynotes.corpora.bptt import columns
    from dynotes.tips.divergences import perplexity
    from dynotes.training.lm_model import new_model
    from dynotes.training.trainers import make_trainer
    from dynotes.training.workers import GradientSum, Workers

    hogwild, processes = task["mode"] == "hogwild", task["processes"]
    alone = 1 if hogwild else processes
    config = settings(task, lr=RATE, seed=task["seed"], processes=alone)
    with np.load(task["text"]) as file:
        train, dev, eos, words = (file[name] for name in ("train", "dev", "eos", "words"))
    owned = new_model(config, int(words))
    trainer = make_trainer(config, owned.pc)
    workers, gradients = Workers(processes), None
    if hogwild:
        text = columns(train, config.batch_size, int(eos))
        Training(owned.model, trainer, text, config, Workers(1)).window(rate=0.0)
    elif processes > 1:
        gradients = Clocked(GradientSum(workers, *owned.gradient_views()))
    with workers.running():
        own = np.array_split(train, processes)[workers.rank] if hogwild else train
        text = columns(own, config.batch_size, int(eos))
        training = Training(owned.model, trainer, text, config, workers, gradients)
        result = training.timed(len(training.plan))
        nats, tokens = workers.total(training.nats, training.tokens)
        dev_value = dev_perplexity(owned.model, dev, int(eos), workers)
    return {
        "version": runtime.engine_versions()["dynet"],
        **result,
        "train_perplexity": perplexity(nats, int(tokens)),
        "dev_perplexity": dev_value,
    }


def main() -> None:
    """Start the engine as the mode needs it, and measure."""
    task = json.loads(sys.argv[1])
    if task["mode"] == "hogwild":
        with np.load(task["text"]) as file:
            words, hidden = int(file["words"]), task["hidden"]
        start_shared(words * (2 * hidden + 1) + LAYERS * 4 * hidden * (2 * hidden + 1))
    else:
        runtime.start()
    print(json.dumps(measure(task)))


if __name__ == "__main__":
    main()
