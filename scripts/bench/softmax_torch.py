"""The peer: PyTorch's adaptive softmax on the CPU, alone or inside a language model.

    python scripts/bench/softmax_torch.py TASK        TASK: JSON of lm_problem.task_of and

    part, cutoffs, div, warm_up, seconds        as in softmax_ours
    threads      of PyTorch
    embedding    "dense" or "sparse" gradient of the input table; a sparse one is clipped by hand

The last line of stdout is one line of JSON, as that of lm_torch.  As there, the LSTM's second bias
holds the constant forget bias and is not trained.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from lm_problem import CLIP, FORGET_BIAS, RATE, read_problem, torch_gates
from torch import nn


def adaptive_layer(task: dict[str, Any], arrays: dict[str, np.ndarray]) -> nn.Module:
    """PyTorch's layer with the parameters of a problem file."""
    words, hidden = arrays["out"].shape
    layer = nn.AdaptiveLogSoftmaxWithLoss(
        hidden, words, task["cutoffs"], div_value=task["div"], head_bias=True
    )
    values = {"head.weight": arrays["head"], "head.bias": arrays["head_b"]}
    for j in range(1, len(task["cutoffs"]) + 1):
        values[f"tail.{j - 1}.0.weight"] = arrays[f"project{j}"]
        values[f"tail.{j - 1}.1.weight"] = arrays[f"tail{j}"]
    layer.load_state_dict({name: torch.from_numpy(value) for name, value in values.items()})
    return layer


class LayerTraining:
    """Forward, backward and update of the layer, window by window; h is given, and fixed."""

    def __init__(self, task: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        self.batch, self.steps = task["batch"], task["steps"]
        self.targets, self.row = torch.from_numpy(arrays["targets"].astype(np.int64)), 0
        self.layer = adaptive_layer(task, arrays)
        self.h = torch.from_numpy(np.ascontiguousarray(arrays["h"].T)).requires_grad_()
        self.optimizer = torch.optim.SGD(self.layer.parameters(), lr=RATE)

    def window(self) -> float:
        """Train on the next window; its loss in nats a word."""
        rows = slice(self.row, self.row + self.steps)
        self.row = rows.stop % len(self.targets)
        output, _ = self.layer(self.h, self.targets[rows].reshape(-1))
        loss = -output.sum() / self.batch
        self.optimizer.zero_grad()
        self.h.grad = None
        loss.backward()
        self.optimizer.step()
        return loss.item() / self.steps


class ModelTraining:
    """The usual loop of truncated backprop with SGD and clipping."""

    def __init__(self, task: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        self.batch, self.steps = task["batch"], task["steps"]
        self.inputs = torch.from_numpy(arrays["inputs"].astype(np.int64))
        self.targets = torch.from_numpy(arrays["targets"].astype(np.int64))
        words, hidden = arrays["embed"].shape
        self.sparse = task["embedding"] == "sparse"
        self.embed = nn.Embedding(words, hidden, sparse=self.sparse)
        self.embed.load_state_dict({"weight": torch.from_numpy(arrays["embed"])})
        self.lstm = lstm_layer(arrays)
        self.output = adaptive_layer(task, arrays)
        modules = (self.embed, self.lstm, self.output)
        self.trained = [p for m in modules for p in m.parameters() if p.requires_grad]
        self.optimizer = torch.optim.SGD(self.trained, lr=RATE)
        zeros = torch.zeros(1, self.batch, hidden)
        self.state, self.row = (zeros, zeros.clone()), 0

    def window(self) -> float:
        """Train on the next window; its loss in nats a word."""
        rows = slice(self.row, self.row + self.steps)
        self.row = rows.stop % len(self.inputs)
        h, state = self.lstm(self.embed(self.inputs[rows]), self.state)
        output, _ = self.output(h.view(-1, h.shape[-1]), self.targets[rows].reshape(-1))
        loss = -output.sum() / self.batch
        self.optimizer.zero_grad()
        loss.backward()
        if self.sparse:
            clip_with_sparse(self.trained, CLIP)
        else:
            nn.utils.clip_grad_norm_(self.trained, CLIP)
        self.optimizer.step()
        self.state = (state[0].detach(), state[1].detach())
        return loss.item() / self.steps


def lstm_layer(arrays: dict[str, np.ndarray]) -> nn.LSTM:
    """One layer with the parameters of a problem file."""
    hidden = arrays["wh0"].shape[1]
    forget = np.zeros(4 * hidden, np.float32)
    forget[hidden : 2 * hidden] = FORGET_BIAS
    values = {
        "weight_ih_l0": torch_gates(arrays["wx0"]),
        "weight_hh_l0": torch_gates(arrays["wh0"]),
        "bias_ih_l0": torch_gates(arrays["b0"]),
        "bias_hh_l0": forget,
    }
    lstm = nn.LSTM(hidden, hidden)
    lstm.load_state_dict({name: torch.from_numpy(value) for name, value in values.items()})
    lstm.bias_hh_l0.requires_grad_(False)
    return lstm


def clip_with_sparse(trained: Sequence[torch.Tensor], largest: float) -> None:
    """clip_grad_norm_ where some gradients are sparse, which PyTorch's own refuses."""
    values = []
    for p in trained:
        if p.grad is None:
            continue
        if p.grad.is_sparse:
            p.grad = p.grad.coalesce()
            values.append(p.grad._values())
        else:
            values.append(p.grad)
    norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(v) for v in values]))
    factor = (largest / (norm + 1e-6)).clamp(max=1.0)
    for v in values:
        v.mul_(factor)


def measure(task: dict[str, Any]) -> dict[str, Any]:
    """Warm up, then time."""
    torch.set_num_threads(task["threads"])
    torch.set_flush_denormal(True)  # as DyNet does
    maker = LayerTraining if task["part"] == "layer" else ModelTraining
    training = maker(task, read_problem(task["problem"]))
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
