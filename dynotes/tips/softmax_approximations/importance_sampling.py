"""Importance sampling of the softmax: the sum over the vocabulary becomes a mean over m draws.

    Z^ = 1/m sum_i exp(s_i) / Q(w_i),  w_i ~ Q          E_Q Z^ = Z = sum_w exp(s_w)
    J_w ~ log Z^ - s_w,    gradient  sum_i r_i / sum_k r_k grad s_i - grad s_w,  r_i = e^{s_i}/Q_i

What happens to the target w, whose own term decides whether the loss is bounded, is the rule:

    plain       log Z^ - s_w                             below 0 where e^{s_w} > Z^     (T36)
    forced      softplus(LSE_{v in S, v != w} s~_v - s~_w)   the set S of draws and w   (T37)
    tilted      plain, but drawn from Q' = (1 - lambda) Q + lambda Uniform(targets)     (T38)
    stratified  softplus(log Z^_{-w} - s_w)      Z^ = e^{s_w} + 1/m sum_{i: w_i != w} e^{s_i}/Q_i

"stratified" counts the target exactly and samples the rest: unbiased for Z and never below 0.
Z^_{-w} is the sum without the draws that are w.  In "forced" a word counts once, however often it
was drawn, s~_v = s_v - log(1 - (1 - Q(v))^m); it is the default, for it trains the best language
models (RESULTS.md).

The *loss* of all is biased, of "plain" and "tilted" by -(sum_w P^2/Q - 1) / 2m + O(1/m^2), of
"stratified" by -(sum_{v != w} P^2/Q - (1 - P(w))^2) / 2m + O(1/m^2), of "forced" most of all,
until m is well above 1/Q(w); and none is a likelihood: report the full softmax.  Yet where s is
log P and w ~ P, "forced" has a mean gradient of 0 at m = 1 and hardly any at other m, since
P(v)/(1 - (1 - Q(v))^m) are then the odds of v in S to be the target; the other rules drift away.

Note: Tips in Training / Softmax Approximations by Sampling (T21)
Note: Implementation Details / Importance Sampling (T36, T37, T38)
Paper: Bengio & Senecal 2003; Jean et al. 2015, arXiv:1412.2007 (forced)
Differs: the notes leave out 1/m and call the self-normalised gradient and the tilted loss
    unbiased; only Z^ is.  Expected counts mQ, right for draws that count as often as they fall,
    would give a forced target, which counts once, a weight that vanishes as m grows.
"""

from __future__ import annotations

from typing import Any, Optional

import dynet as dy
import numpy as np

from dynotes.graph.log_space import NEG_INF, logsumexp_batch, softplus
from dynotes.graph.masks import check_keep, row
from dynotes.graph.shapes import check_ids, expect
from dynotes.tips.softmax_approximations.sampled_output import SampledOutput, hide_hits
from dynotes.tips.softmax_approximations.shared_samples import Draw

RULES = ("forced", "stratified", "tilted", "plain")


def log_partition_estimate(weighted: dy.Expression, visible: Any = 0) -> dy.Expression:
    """log Z^ = LSE_i(s_i - log mQ(w_i)): (n,)xN weighted scores -> (1,)xN, see logsumexp_batch."""
    return logsumexp_batch(weighted, visible)


def plain_loss(target: dy.Expression, log_z: dy.Expression) -> dy.Expression:
    """log Z^ - s_w, (1,)xN in nats; unbounded below where w was not drawn (T36)."""
    return log_z - target


def covered_loss(target: dy.Expression, log_rest: dy.Expression) -> dy.Expression:
    """-log(e^{s_w} / (e^{s_w} + Z^_{-w})) = softplus(log Z^_{-w} - s_w) >= 0, (1,)xN in nats."""
    return softplus(log_rest - target)


def importance_sampling_loss(
    output: SampledOutput,
    h: dy.Expression,
    targets: Any,
    draw: Draw,
    *,
    rule: str = "forced",
    clamp: bool = False,
) -> dy.Expression:
    """An estimate of -log P(targets | h); no likelihood.

    Args:
        output: the layer whose scores s are meant.
        h: (H,)x(T*B), time-major.
        targets: (T, B) ids.
        draw: noise words of these positions; for "tilted" from a sampler with a tilt.
        rule: one of ``RULES``, see above.
        clamp: losses of "plain" and "tilted" below 0 count as 0 and get no gradient.

    Returns:
        (1,)x(T*B), in nats.

    Raises:
        ValueError: an unknown rule, or sizes that do not fit.
    """
    if rule not in RULES:
        raise ValueError(f"rule: expected one of {', '.join(RULES)}, found {rule!r}")
    ids = check_ids("targets", targets, output.n_words, draw.target_log_q.shape)
    s_w = output.word_scores(h, ids)
    lowered = draw.log_expected - np.log(draw.counts)
    if rule == "forced":
        s_w = s_w - row(draw.target_log_inclusion)
        lowered = np.where(draw.repeats, -NEG_INF, draw.log_inclusion)
    weighted = output.noise_scores(h, draw, lowered)
    if rule in ("plain", "tilted"):
        loss = plain_loss(s_w, log_partition_estimate(weighted))
        return dy.rectify(loss) if clamp else loss
    return covered_loss(s_w, log_partition_estimate(*hide_hits(weighted, draw, ids)))


def negative_losses(loss: dy.Expression, keep: Optional[np.ndarray] = None) -> int:
    """How many entries of a loss (1,)xN are below 0, which no likelihood is (T36)."""
    expect("loss", loss, (1,))
    below = np.asarray(loss.vec_value()) < 0
    return int(below.sum() if keep is None else below[check_keep(keep, below.size)].sum())
