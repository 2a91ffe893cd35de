"""The peer: the same language model in PyTorch on the CPU, one process, one or more threads.

    python scripts/bench/lm_torch.py TASK        TASK: JSON of lm_problem.task_of and

    threads   of PyTorch
    warm_up   windows before the clock starts; their losses are reported
    seconds   to time, about

The last line of stdout is JSON: version, losses (nats a word), tokens, seconds, cpu_seconds.
PyTorch's LSTM has two biases; the second holds the constant forget bias and is not trained, which
makes the two models, and their gradients, the same.
"""

from __future__ import annotations

import json
import math
import sys
import time
from typing import Any

import numpy as np
import torch
from lm_problem import CLIP, FORGET_BIAS, LAYERS, RATE, read_problem, torch_gates
from torch import nn

State = tuple[torch.Tensor, torch.Tensor]


class LanguageModel(nn.Module):
    """Embedding, LSTM, linear layer: (T, B) ids -> (T*B, V) scores and the state after T."""

    def __init__(self, words: int, hidden: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(words, hidden)
        self.lstm = nn.LSTM(hidden, hidden, LAYERS)
        self.out = nn.Linear(hidden, words)

    def forward(self, ids: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        h, state = self.lstm(self.embed(ids), state)
        return self.out(h.view(-1, h.shape[-1])), state

    def load(self, arrays: dict[str, np.ndarray]) -> None:
        """Take the parameters of a problem file."""
        hidden = self.lstm.hidden_size
        forget = np.zeros(4 * hidden, np.float32)
        forget[hidden : 2 * hidden] = FORGET_BIAS
        values = {
            "embed.weight": arrays["embed"],
            "out.weight": arrays["out"],
            "out.bias": arrays["out_b"],
        }
        for n in range(LAYERS):
            values[f"lstm.weight_ih_l{n}"] = torch_gates(arrays[f"wx{n}"])
            values[f"lstm.weight_hh_l{n}"] = torch_gates(arrays[f"wh{n}"])
            values[f"lstm.bias_ih_l{n}"] = torch_gates(arrays[f"b{n}"])
            values[f"lstm.bias_hh_l{n}"] = forget
            getattr(self.lstm, f"bias_hh_l{n}").requires_grad_(False)
        self.load_state_dict({name: torch.from_numpy(value) for name, value in values.items()})


class Training:
    """The usual loop of truncated backprop with SGD and clipping."""

    def __init__(self, task: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        self.batch, self.steps = task["batch"], task["steps"]
        self.inputs = torch.from_numpy(arrays["inputs"].astype(np.int64))
        self.targets = torch.from_numpy(arrays["targets"].astype(np.int64))
        self.model = LanguageModel(len(arrays["embed"]), task["hidden"])
        self.model.load(arrays)
        self.trained = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.SGD(self.trained, lr=RATE)
        self.nll = nn.CrossEntropyLoss(reduction="sum")
        zeros = torch.zeros(LAYERS, self.batch, task["hidden"])
        self.state, self.row = (zeros, zeros.clone()), 0

    def window(self) -> float:
        """Train on the next window; its loss in nats a word."""
        rows = slice(self.row, self.row + self.steps)
        self.row = rows.stop % len(self.inputs)
        scores, state = self.model(self.inputs[rows], self.state)
        loss = self.nll(scores, self.targets[rows].reshape(-1)) / self.batch
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.trained, CLIP)
        self.optimizer.step()
        self.state = (state[0].detach(), state[1].detach())
        nats = loss.item() / self.steps
        if not math.isfinite(nats):
            raise SystemExit(f"the loss is {nats}")
        return nats


def measure(task: dict[str, Any]) -> dict[str, Any]:
    """Warm up, then time."""
    torch.set_num_threads(task["threads"])
    torch.set_flush_denormal(True)  # as DyNet does
    training = Training(task, read_problem(task["problem"]))
    losses = [training.window()]
    began = time.perf_counter()
    losses += [training.window() for _ in range(task["warm_up"] - 1)]
    step = (time.perf_counter() - began) / (task["warm_up"] - 1)
    count = math.ceil(task["seconds"] / step)
    cpu, began = time.process_time(), time.perf_counter()
    for _ in range(count):
        training.window()
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    return {
        "version": f"torch {torch.__version__}",
        "losses": losses,
        "tokens": count * task["batch"] * task["steps"],
        "seconds": seconds,
        "cpu_seconds": cpu,
    }


if __name__ == "__main__":
    print(json.dumps(measure(json.loads(sys.argv[1]))))
