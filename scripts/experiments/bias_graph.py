"""The same expectations through the DyNet graph, over every draw: a check of a few cells.

Every multiset of m words gets a position of its own with h = 0, so that the biases of the output
layer are the scores; losses are weighted by the probabilities of their draws.
"""

from __future__ import annotations

from collections.abc import Sequence

import dynet as dy
import numpy as np
from bias_contrast import expected_gradient, is_normalised, shift_of
from bias_draws import Problem, all_draws, exact_cost

from dynotes.graph.arrays import feed, parameter_array
from dynotes.tips.softmax_approximations.importance_sampling import importance_sampling_loss
from dynotes.tips.softmax_approximations.nce import contrastive_loss
from dynotes.tips.softmax_approximations.sampled_output import SampledOutput
from dynotes.tips.softmax_approximations.shared_samples import Draw


def largest_difference(
    problem: Problem, rules: Sequence[str], samples: Sequence[int], contrasts: Sequence[str], k: int
) -> float:
    """The largest absolute difference of a loss or a gradient between graph and numpy.

    Args:
        problem: of one noise distribution and one target.
        rules, samples: of importance sampling; every multiset of that many words is a position.
        contrasts, k: of the noise-contrastive losses.
    """
    exact = problem.p - np.eye(len(problem.p))[problem.targets[0]]
    worst = 0.0
    for rule in rules:
        for m in samples:
            draw = all_draws(problem.q, m)
            cost = exact_cost(problem, rule, draw, m)
            loss, gradient = _of_rule(problem, rule, draw, m)
            worst = max(worst, abs(loss + np.log(problem.p[problem.targets[0]]) - cost.loss[0]))
            worst = max(worst, np.abs(gradient - exact - cost.gradient[:, 0]).max())
    for contrast in contrasts:
        kq = k * problem.q
        expected = expected_gradient(contrast, problem.p, kq, problem.targets[:1])[:, 0]
        worst = max(worst, np.abs(_of_contrast(problem, contrast, kq) - expected).max())
    return float(worst)


def _of_rule(
    problem: Problem, rule: str, draw: tuple[np.ndarray, np.ndarray], m: int
) -> tuple[float, np.ndarray]:
    """(expected loss, its gradient in the scores) of the first target."""
    counts, weights = draw
    dy.renew_cg()
    pc = dy.ParameterCollection()
    output = SampledOutput(pc, n_words=len(problem.p), n_hidden=1)
    output.b.init_from_array(np.log(problem.p)[:, None])
    every = np.tile(np.arange(len(problem.p)), len(counts))
    words = np.repeat(every, counts.astype(int).ravel()).reshape(1, len(counts), m)
    targets = np.full((1, len(counts)), problem.targets[0])
    log_q = np.log(problem.q)
    made = Draw(words, np.ones_like(words), log_q[words], log_q[targets], m)
    h = feed(np.zeros((1, len(counts))), batched=True)
    loss = importance_sampling_loss(output, h, targets, made, rule=rule)
    total = dy.sum_batches(dy.cmult(loss, feed(weights[None], batched=True)))
    value = total.value()
    total.backward()
    return value, parameter_array(output.b, gradient=True)[:, 0].astype(float)


def _of_contrast(problem: Problem, contrast: str, kq: np.ndarray) -> np.ndarray:
    """The gradient of the expected loss: every noise word counts kQ times."""
    dy.renew_cg()
    pc = dy.ParameterCollection()
    scores = pc.add_parameters((len(kq),), init=np.log(problem.p))
    log_p = dy.log_softmax(scores) if is_normalised(contrast) else scores + 0.0
    delta = log_p - feed(shift_of(contrast, kq))
    loss = contrastive_loss(dy.pick(delta, int(problem.targets[0])), delta, kq)
    loss.forward()
    loss.backward()
    return parameter_array(scores, gradient=True).astype(float)
