"""What the tests of the sampled losses share: output layers with known scores, draws by hand."""

import dynet as dy
import numpy as np
import pytest

from dynotes.graph.arrays import feed, parameter_array
from dynotes.tips.softmax_approximations.importance_sampling import importance_sampling_loss
from dynotes.tips.softmax_approximations.nce import contrastive_loss
from dynotes.tips.softmax_approximations.noise import NoiseDistribution
from dynotes.tips.softmax_approximations.sampled_output import SampledOutput
from dynotes.tips.softmax_approximations.shared_samples import Draw, NoiseSampler
from tests.helpers import set_value
from tests.reference import sampling as ref

RULES = ref.RULES
# (scores, noise, target): V = 3 .. 5, targets that the noise likes and hardly knows
CASES = {
    "V=3": ([0.4, -0.7, 1.1], [0.5, 0.3, 0.2], 2),
    "V=4": ([1.9, 0.2, -1.3, 0.5], [0.1, 0.2, 0.3, 0.4], 0),
    "V=5": ([0.1, 0.3, -0.4, 2.0, -2.0], [0.4, 0.3, 0.2, 0.07, 0.03], 4),
}
CASE = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
RULE = pytest.mark.parametrize("rule", RULES)


def noise_of(rule, q, target):
    """What a rule draws from."""
    return np.array(ref.tilted(q, [target], 0.3) if rule == "tilted" else q)


def layer(n_words, *, seed=0, **spec):
    """An output layer with random rows and biases; keep the collection alive."""
    rng = np.random.default_rng(seed)
    pc = dy.ParameterCollection()
    out = SampledOutput(pc, n_words=n_words, **{"n_hidden": 4, **spec})
    set_value(out.L, rng.normal(size=(n_words, out.n_embed)) * 0.7)
    if out.b is not None:
        set_value(out.b, rng.normal(size=(n_words, 1)))
    if out.u is not None:
        out.u.set_value(rng.normal(size=(1, out.n_hidden)) * 0.5)
        out.z.set_value(rng.normal(size=1))
    return pc, out


def hidden(size, n, seed=1):
    """Values of h: (H, N)."""
    return np.random.default_rng(seed).normal(size=(size, n))


def scores_of(out, h):
    """s of all words without the shift, by numpy: (V, N)."""
    x = h if out.A is None else parameter_array(out.A).astype(float) @ h
    s = parameter_array(out.L).astype(float) @ x
    return s if out.b is None else s + parameter_array(out.b).astype(float)


def layer_with_scores(scores):
    """A layer whose scores at h = 0 are these: the gradient of b is that of the scores."""
    pc = dy.ParameterCollection()
    out = SampledOutput(pc, n_words=len(scores), n_hidden=1)
    set_value(out.b, np.reshape(scores, (-1, 1)))
    return pc, out


def nowhere(n):
    """h = 0 at n positions."""
    return feed(np.zeros((1, n)), batched=True)


def hand_made(words, q, targets, *, counts=None, samples=None):
    """A Draw of the words (Tg, Bg, n) for targets (T, B), from the distribution q."""
    words, targets = np.asarray(words), np.asarray(targets)
    log_q = np.log(np.asarray(q, float))
    counts = np.ones(words.shape, int) if counts is None else np.asarray(counts)
    size = words.shape[-1] if samples is None else samples
    return Draw(words, counts, log_q[words], log_q[targets], size)


def all_draws(q, m, target, by_time=False):
    """Every multiset of m draws at a position of its own.

    Returns:
        (draw, targets (1, n) or (n, 1), drawn tuples, probabilities (n,)).
    """
    drawn, probabilities = zip(*ref.multisets(q, m))
    words = np.array(drawn)[:, None] if by_time else np.array(drawn)[None]
    targets = np.full(words.shape[:2], target)
    return hand_made(words, q, targets), targets, drawn, np.array(probabilities)


def all_words(q, samples, targets):
    """A draw in which every word fell exactly as often as is to be expected, m Q(w) times."""
    words = np.arange(len(q))[None, None]
    counts = samples * np.asarray(q, float)[None, None]
    return hand_made(words, q, targets, counts=counts, samples=samples)


def weighted(loss, weights):
    """sum of weight times loss over the positions."""
    row = feed(np.reshape(weights, (1, -1)), batched=True)
    return dy.sum_batches(dy.cmult(loss, row))


def gradients(loss, *params):
    """(value, gradients of params) of a scalar; gradients start from 0."""
    for p in params:
        p.scale_gradient(0.0)
    value = loss.value()
    loss.backward()
    found = [parameter_array(p, gradient=True).astype(float).squeeze() for p in params]
    for p in params:
        p.scale_gradient(0.0)
    return value, *found


def descend(table, build, curvature, steps):
    """Newton steps for a loss that is a sum of convex functions of single entries of a table.

    Args:
        build: makes the graph of the loss.
        curvature: values of the table -> second derivatives, by numpy.
    """
    for _ in range(steps):
        dy.renew_cg()
        value = parameter_array(table).astype(float)
        _, gradient = gradients(build(), table)
        set_value(table, value - gradient.reshape(value.shape) / curvature(value))


def graph_loss(rule, scores, q, target, m, by_time=False, **options):
    """Loss of every draw, with what made it: (loss, layer, drawn, probabilities, collection)."""
    pc, out = layer_with_scores(scores)
    draw, targets, drawn, p = all_draws(q, m, target, by_time)
    loss = importance_sampling_loss(out, nowhere(targets.size), targets, draw, rule=rule, **options)
    return loss, out, drawn, p, pc


def deltas(scores, q, k):
    """s - log kQ."""
    return np.asarray(scores) - np.log(k * np.asarray(q))


def normalised_loss(scores, q, k, target):
    """Expected loss with P = softmax(s), by contrastive_loss: (loss, collection, parameter)."""
    pc = dy.ParameterCollection()
    s = pc.add_parameters((len(scores),), init=np.asarray(scores, float))
    kq = k * np.asarray(q)
    delta = dy.log_softmax(s) - feed(np.log(kq))
    return contrastive_loss(delta[target], delta, kq), pc, s


def segment(share, *, tilt=0.0, samples=5, shape=(2, 3), seed=4, noise=None, **spec):
    """A layer of nine words and a segment: (collection, layer, values of h, targets, draw)."""
    pc, out = layer(9, **spec)
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, 9, shape)
    noise = NoiseDistribution.log_uniform(9) if noise is None else noise
    draw = NoiseSampler(noise, samples=samples, share=share, tilt=tilt).draw(targets, rng)
    return pc, out, hidden(4, targets.size), targets, draw


def words_at(draw, t, b):
    """The m words that a position sees."""
    group = (t if draw.words.shape[0] > 1 else 0, b if draw.words.shape[1] > 1 else 0)
    return tuple(np.repeat(draw.words[group], draw.counts[group]).tolist())
