"""T21, T36-T39: sampled softmax losses against the enumeration of every draw, and their biases."""

import dynet as dy
import numpy as np
import pytest

from dynotes.graph.arrays import feed, read
from dynotes.tips.softmax_approximations import importance_sampling as sampling
from dynotes.tips.softmax_approximations.importance_sampling import (
    importance_sampling_loss,
    negative_losses,
)
from dynotes.tips.softmax_approximations.noise import NoiseDistribution
from dynotes.tips.softmax_approximations.shared_samples import NoiseSampler
from tests.helpers import assert_gradients, asymmetric
from tests.reference import sampling as ref
from tests.tips.softmax_approximations.sampled_layer import (
    CASE,
    CASES,
    RULE,
    RULES,
    gradients,
    graph_loss,
    hand_made,
    hidden,
    layer_with_scores,
    noise_of,
    nowhere,
    scores_of,
    segment,
    weighted,
    words_at,
)

SHARES = ("all", "batch", "time", "none")


# --- every draw ----------------------------------------------------------------------------------


@pytest.mark.parametrize("by_time", [False, True])
@pytest.mark.parametrize("m", [1, 2, 3])
@RULE
@CASE
def test_the_loss_of_every_draw_is_its_definition(case, rule, m, by_time):
    scores, q, target = case
    q = noise_of(rule, q, target)
    loss, _, drawn, _, pc = graph_loss(rule, scores, q, target, m, by_time)
    expected = [ref.sampled_loss(rule, scores, target, words, q) for words in drawn]
    assert loss.dim() == ((1,), len(drawn))
    np.testing.assert_allclose(read(loss)[0], expected, rtol=1e-5, atol=2e-6)
    assert len(pc.lookup_parameters_list()) == 2


@pytest.mark.parametrize("m", [1, 3])
@RULE
@CASE
def test_a_set_with_counts_has_the_loss_of_the_same_words_one_by_one(case, rule, m):
    scores, q, target = case
    q = noise_of(rule, q, target)
    pc, out = layer_with_scores(scores)
    for drawn, _ in ref.multisets(q, m):
        words, counts = np.unique(drawn, return_counts=True)
        draw = hand_made(words[None, None], q, [[target, 1]], counts=counts[None, None], samples=m)
        loss = importance_sampling_loss(out, nowhere(2), [[target, 1]], draw, rule=rule)
        expected = [ref.sampled_loss(rule, scores, w, drawn, q) for w in (target, 1)]
        np.testing.assert_allclose(read(loss)[0], expected, rtol=1e-5, atol=2e-6)
    assert pc.parameter_count() > 0


@pytest.mark.parametrize("m", [1, 2, 3])
@RULE
@CASE
def test_the_expected_loss_and_gradient_are_those_of_the_enumeration(case, rule, m):
    scores, q, target = case
    q = noise_of(rule, q, target)
    loss, out, _, p, _ = graph_loss(rule, scores, q, target, m)
    value, found = gradients(weighted(loss, p), out.b)
    arguments = (rule, scores, target)
    for f, expected in ((ref.sampled_loss, value), (ref.sampled_gradient, found)):
        mean = ref.expectation(lambda drawn, f=f: f(*arguments, drawn, q), ref.sequences(q, m))
        np.testing.assert_allclose(mean, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("m", [1, 2, 3])
@pytest.mark.parametrize("rule", ["plain", "tilted", "stratified"])
@CASE
def test_the_estimated_partition_is_unbiased(case, rule, m):
    """E Z^ = Z, with e^loss = Z^ / e^{s_w} of the graph."""
    scores, q, target = case
    loss, _, _, p, _ = graph_loss(rule, scores, noise_of(rule, q, target), target, m)
    estimate = np.exp(read(loss)[0].astype(float) + scores[target])
    assert p @ estimate == pytest.approx(ref.partition(scores), rel=2e-6)


@pytest.mark.parametrize("m", [1, 2, 3])
@CASE
def test_the_rest_of_a_forced_denominator_is_unbiased(case, m):
    scores, q, target = case
    loss, _, _, p, _ = graph_loss("forced", scores, q, target, m)
    own = np.exp(scores[target]) / ref.inclusion(q[target], m)
    rest = np.expm1(read(loss)[0].astype(float)) * own
    expected = ref.partition(scores) - np.exp(scores[target])
    assert p @ rest == pytest.approx(expected, rel=5e-6)


@pytest.mark.parametrize("m", [1, 2, 3])
@pytest.mark.parametrize("rule", ["forced", "stratified"])
@CASE
def test_a_loss_whose_target_is_a_candidate_is_never_negative(case, rule, m):
    scores, q, target = case
    loss, _, drawn, _, _ = graph_loss(rule, scores, q, target, m)
    assert (read(loss) >= 0).all()
    assert negative_losses(loss) == 0
    only_target = [i for i, words in enumerate(drawn) if set(words) == {target}]
    assert read(loss)[0, only_target].tolist() == [0.0]


# --- T36: the target outside ---------------------------------------------------------------------


@pytest.mark.parametrize("m", [1, 2, 3])
@pytest.mark.parametrize("rule", ["plain", "tilted"])
@CASE
def test_plain_losses_are_negative_exactly_where_the_target_outweighs_the_estimate(case, rule, m):
    scores, q, target = case
    q = noise_of(rule, q, target)
    loss, _, drawn, _, _ = graph_loss(rule, scores, q, target, m)
    outweighs = np.array(
        [
            np.exp(scores[target]) > ref.partition_estimate(rule, scores, target, words, q)
            for words in drawn
        ]
    )
    np.testing.assert_array_equal(read(loss)[0] < 0, outweighs)
    assert negative_losses(loss) == outweighs.sum()
    keep = np.arange(len(drawn)) % 2 == 0
    assert negative_losses(loss, keep) == (outweighs & keep).sum()


def test_negative_losses_occur_at_all():
    scores, q, target = CASES["V=4"]
    assert negative_losses(graph_loss("plain", scores, q, target, 2)[0]) > 0


def one_noise_word(target_score, word, **options):
    """Loss and gradient at one noise word: target 0, q = (.2, .3, .5)."""
    pc, out = layer_with_scores([target_score, 0.3, -0.4])
    draw = hand_made([[[word]]], [0.2, 0.3, 0.5], [[0]])
    loss = importance_sampling_loss(out, nowhere(1), [[0]], draw, **options)
    assert pc.parameter_count() > 0
    return gradients(loss, out.b)


@pytest.mark.parametrize("score", [-50.0, 0.0, 5.0, 1000.0])
def test_a_target_outside_the_denominator_is_pushed_up_with_exactly_one_for_ever(score):
    loss, gradient = one_noise_word(score, 2, rule="plain")
    assert loss == pytest.approx(-0.4 - np.log(0.5) - score, rel=1e-6)
    assert gradient.tolist() == [-1.0, 0.0, 1.0]


@pytest.mark.parametrize("rule", ["forced", "stratified"])
def test_a_target_inside_is_pushed_by_its_probability_less_one(rule):
    for score in (-1.0, 3.0):
        _, gradient = one_noise_word(score, 2, rule=rule)
        own = np.exp(score) / (0.2 if rule == "forced" else 1.0)
        p = own / (own + np.exp(-0.4) / 0.5)
        np.testing.assert_allclose(gradient, [p - 1, 0, 1 - p], rtol=1e-5)


def test_clamping_sets_negative_losses_to_zero_and_takes_their_gradient():
    value, gradient = one_noise_word(5.0, 2, rule="plain", clamp=True)
    assert value == 0
    assert not gradient.any()
    value, gradient = one_noise_word(-5.0, 2, rule="plain", clamp=True)
    assert value == pytest.approx(4.6 - np.log(0.5), rel=1e-6)
    assert gradient.tolist() == [-1.0, 0.0, 1.0]


@pytest.mark.parametrize("rule", ["plain", "tilted"])
def test_clamped_losses_are_the_positive_parts_of_the_others(rule):
    scores, q, target = CASES["V=4"]
    loss, out, drawn, p, _ = graph_loss(rule, scores, q, target, 2, clamp=True)
    plain = [ref.sampled_loss(rule, scores, target, words, q) for words in drawn]
    np.testing.assert_allclose(read(loss)[0], np.maximum(plain, 0), rtol=1e-5, atol=1e-6)
    kept = [
        ref.sampled_gradient(rule, scores, target, words, q) * (value > 0)
        for words, value in zip(drawn, plain)
    ]
    np.testing.assert_allclose(gradients(weighted(loss, p), out.b)[1], p @ kept, atol=1e-6)


@pytest.mark.parametrize("rule", ["forced", "stratified"])
def test_clamping_leaves_losses_alone_that_are_never_negative(rule):
    scores, q, target = CASES["V=5"]
    values = [read(graph_loss(rule, scores, q, target, 2, clamp=c)[0]) for c in (False, True)]
    np.testing.assert_array_equal(*values)


# --- sharing, rows, gradients --------------------------------------------------------------------


@pytest.mark.parametrize("spec", [{}, {"n_embed": 3}, {"bias": False}], ids=str)
@pytest.mark.parametrize("shape", [(2, 3), (1, 3), (3, 1), (1, 1)])
@pytest.mark.parametrize("share", SHARES)
@RULE
def test_every_position_has_the_loss_of_its_own_words(rule, share, shape, spec):
    tilt = 0.3 if rule == "tilted" else 0.0
    _, out, h, targets, draw = segment(share, tilt=tilt, shape=shape, **spec)
    q = NoiseDistribution.log_uniform(9).probabilities
    if tilt:
        q = ref.tilted(q, targets.ravel().tolist(), tilt)
    found = read(importance_sampling_loss(out, feed(h, batched=True), targets, draw, rule=rule))
    expected = [
        ref.sampled_loss(rule, s, targets[t, b], words_at(draw, t, b), q)
        for s, (t, b) in zip(scores_of(out, h).T, np.ndindex(*shape))
    ]
    np.testing.assert_allclose(found[0], expected, rtol=1e-5, atol=3e-6)


@pytest.mark.parametrize("share", SHARES)
@RULE
def test_columns_one_by_one_have_the_losses_of_the_batch(rule, share):
    _, out, h, targets, draw = segment(share)
    x = feed(h, batched=True)
    together = read(importance_sampling_loss(out, x, targets, draw, rule=rule)).reshape(2, 3)
    for b in range(3):
        part = slice(b, b + 1)
        x = feed(h.reshape(4, 2, 3)[:, :, b], batched=True)
        loss = importance_sampling_loss(out, x, targets[:, part], draw.columns(part), rule=rule)
        np.testing.assert_allclose(read(loss)[0], together[:, b], rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("share", SHARES)
@RULE
def test_every_rule_passes_central_differences(rule, share):
    pc, out, values, targets, draw = segment(share, n_embed=3)
    h = pc.add_parameters((4,), init=hidden(4, 1)[:, 0])

    def build():
        x = dy.cmult(h, feed(values, batched=True))
        return asymmetric(importance_sampling_loss(out, x, targets, draw, rule=rule))

    assert_gradients(build, [out.L, out.b, out.A, h])


@pytest.mark.parametrize("share", SHARES)
@RULE
def test_rows_neither_target_nor_drawn_get_exactly_no_gradient(rule, share):
    _, out, h, targets, draw = segment(share, samples=3, shape=(1, 2))
    loss = importance_sampling_loss(out, feed(h, batched=True), targets, draw, rule=rule)
    _, of_rows, of_biases = gradients(asymmetric(loss), out.L, out.b)
    rows = out.touched(targets, draw)[out.L]
    others = np.setdiff1d(np.arange(9), rows)
    assert others.size
    assert (of_rows[others] == 0).all()
    assert (of_biases[others] == 0).all()
    assert np.abs(of_biases[rows]).min() > 1e-3


@pytest.mark.parametrize("share", SHARES)
@RULE
def test_the_mean_of_real_draws_is_the_enumerated_expectation(rule, share):
    """A z-test over 1200 draws: every way of sharing has the same expectation."""
    scores, q, _ = CASES["V=5"]
    targets, m, rounds = np.array([[4, 0], [1, 4]]), 2, 1200
    tilt = 0.3 if rule == "tilted" else 0.0
    sampler = NoiseSampler(NoiseDistribution(q), samples=m, share=share, tilt=tilt)
    mixed = ref.tilted(q, [4, 0, 1], tilt)
    pc, out = layer_with_scores(scores)
    rng, found = np.random.default_rng(6), []
    for _ in range(rounds // 60):
        dy.renew_cg()
        draws = [sampler.draw(targets, rng) for _ in range(60)]
        losses = [
            importance_sampling_loss(out, nowhere(4), targets, draw, rule=rule) for draw in draws
        ]
        found.append(read(dy.concatenate(losses)))
    found = np.concatenate(found)
    for column, target in zip(found.T, targets.ravel()):
        expected = ref.expectation(
            lambda drawn, w=target: ref.sampled_loss(rule, scores, w, drawn, mixed),
            ref.sequences(mixed, m),
        )
        assert abs(column.mean() - expected) < 4.5 * column.std() / np.sqrt(rounds)
    assert pc.parameter_count() > 0


# --- stability, bad input ------------------------------------------------------------------------


@RULE
def test_extreme_scores_give_finite_losses_and_gradients(rule):
    scores = [300.0, -300.0, 0.0, 80.0]
    for target in range(4):
        loss, out, drawn, p, _ = graph_loss(rule, scores, [0.1, 0.2, 0.3, 0.4], target, 2)
        expected = [
            ref.sampled_loss(rule, scores, target, words, [0.1, 0.2, 0.3, 0.4]) for words in drawn
        ]
        np.testing.assert_allclose(read(loss)[0], expected, rtol=1e-5, atol=1e-4)
        assert np.isfinite(gradients(weighted(loss, p), out.b)[1]).all()


def test_an_unknown_rule_is_named():
    _, out, h, targets, draw = segment("all")
    with pytest.raises(ValueError, match="rule: expected one of forced, stratified, tilted, plain"):
        importance_sampling_loss(out, feed(h, batched=True), targets, draw, rule="best")


def test_targets_that_do_not_fit_the_draw_are_named():
    _, out, h, targets, draw = segment("all")
    x = feed(h, batched=True)
    with pytest.raises(ValueError, match=r"targets: expected shape \(2, 3\), found \(3, 2\)"):
        importance_sampling_loss(out, x, targets.T, draw)
    with pytest.raises(ValueError, match="targets: ids must be 0 to 8, found 9"):
        importance_sampling_loss(out, x, targets * 0 + 9, draw)
    with pytest.raises(ValueError, match="ids: expected 5, one a column, found 6"):
        importance_sampling_loss(out, feed(h[:, :5], batched=True), targets, draw)


def test_a_mask_that_is_none_is_named():
    loss = feed(np.array([[-1.0, 2.0]]), batched=True)
    with pytest.raises(ValueError, match="keep: expected 2 bools, found bool of shape"):
        negative_losses(loss, np.ones(3, bool))
    with pytest.raises(ValueError, match=r"loss: expected \(1,\)x\*"):
        negative_losses(feed(np.ones((2, 1)), batched=True))


def test_the_rules_are_the_four_of_the_notes():
    assert set(sampling.RULES) == set(RULES)
