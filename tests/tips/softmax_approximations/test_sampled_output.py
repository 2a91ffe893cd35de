"""T21, T39: scores of sampled words are those of the full layer, whatever shares its words."""

import dynet as dy
import numpy as np
import pytest
from scipy import special, stats

from dynotes.graph.arrays import feed, parameter_array, read
from dynotes.graph.log_space import NEG_INF, logsumexp_batch
from dynotes.tips.softmax_approximations.noise import NoiseDistribution
from dynotes.tips.softmax_approximations.sampled_output import SampledOutput, hide_hits
from dynotes.tips.softmax_approximations.shared_samples import NoiseSampler
from tests.helpers import assert_gradients, asymmetric, set_value
from tests.tips.softmax_approximations.sampled_layer import (
    gradients,
    hand_made,
    hidden,
    layer,
    scores_of,
)

V, H = 7, 4
SHARES = ("all", "batch", "time", "none")
SHIFT = [0.5, -1.0, 0.0, 2.0, -0.3, 0.1, -2.0]
KINDS = [{}, {"bias": False}, {"n_embed": 3}, {"n_embed": 3, "bias": False}]
WITH_SHIFT = [*KINDS, {"shift": SHIFT}, {"shift": SHIFT, "bias": False, "n_embed": 3}]
SEGMENTS = [(3, 4), (1, 4), (3, 1), (1, 1)]


def shift_of(spec):
    return np.array(spec.get("shift", np.zeros(V)))[:, None]


def words_for(shape, share, samples=5, seed=3):
    noise = NoiseSampler(NoiseDistribution(np.arange(1, V + 1)), samples=samples, share=share)
    targets = np.random.default_rng(seed).integers(0, V, shape)
    return noise.draw(targets, np.random.default_rng(seed)), targets


def scores_at(draw, scores, shape):
    """Entries of (V, T*B) at the words of every position: (n, T*B)."""
    words = np.broadcast_to(draw.words, (*shape, draw.words.shape[-1])).reshape(
        -1, draw.words.shape[-1]
    )
    return np.take_along_axis(scores, words.T, axis=0)


# --- exact evaluation ----------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 5])
@pytest.mark.parametrize("spec", WITH_SHIFT, ids=str)
def test_scores_are_the_rows_times_the_projected_h_plus_bias_and_shift(spec, n):
    pc, out = layer(V, **spec)
    h = hidden(H, n)
    found = out.scores(feed(h, batched=True))
    assert found.dim() == ((V,), n)
    np.testing.assert_allclose(
        read(found), scores_of(out, h) + shift_of(spec), rtol=1e-5, atol=1e-6
    )
    assert pc.parameter_count() > 0


@pytest.mark.parametrize("spec", WITH_SHIFT, ids=str)
def test_nll_and_log_probs_are_normalised_over_all_words(spec):
    _, out = layer(V, **spec)
    h, ids = hidden(H, 5), np.array([0, 6, 3, 3, 1])
    expected = special.log_softmax(scores_of(out, h) + shift_of(spec), axis=0)
    x = feed(h, batched=True)
    np.testing.assert_allclose(read(out.log_probs(x)), expected, rtol=1e-5)
    np.testing.assert_allclose(read(out.nll(x, ids))[0], -expected[ids, np.arange(5)], rtol=1e-5)
    np.testing.assert_allclose(np.exp(read(out.log_probs(x))).sum(0), 1, rtol=1e-5)


@pytest.mark.parametrize("spec", [*WITH_SHIFT, {"normaliser": True, "shift": SHIFT}], ids=str)
def test_log_partition_is_the_log_of_the_sum_less_the_learned_normaliser(spec):
    _, out = layer(V, **spec)
    h = hidden(H, 5)
    expected = special.logsumexp(scores_of(out, h) + shift_of(spec), axis=0)
    if out.u is not None:
        u, z = parameter_array(out.u).astype(float), parameter_array(out.z).astype(float)
        expected = expected - (u @ h + z)[0]
    found = out.log_partition(feed(h, batched=True))
    assert found.dim() == ((1,), 5)
    np.testing.assert_allclose(read(found)[0], expected, rtol=1e-5, atol=2e-6)


def test_the_log_normaliser_is_u_h_plus_z_and_none_without_one():
    _, out = layer(V, normaliser=True)
    h = hidden(H, 3)
    expected = parameter_array(out.u) @ h + parameter_array(out.z)
    np.testing.assert_allclose(read(out.log_normaliser(feed(h, batched=True))), expected, rtol=1e-5)
    assert layer(V)[1].log_normaliser(feed(h, batched=True)) is None


def test_words_are_drawn_from_the_shifted_distribution():
    _, out = layer(V, shift=SHIFT)
    h = np.tile(hidden(H, 1), 4000)
    p = special.softmax(scores_of(out, h[:, :1])[:, 0] + SHIFT)
    drawn = out.sample(feed(h, batched=True), np.random.default_rng(7))
    assert stats.chisquare(np.bincount(drawn, minlength=V), 4000 * p).pvalue > 1e-4
    assert (
        out.sample(feed(h, batched=True), np.random.default_rng(7), top_k=1) == p.argmax()
    ).all()


# --- what training reads -------------------------------------------------------------------------


@pytest.mark.parametrize("spec", WITH_SHIFT, ids=str)
def test_word_scores_are_the_unshifted_scores_of_one_word_a_column(spec):
    _, out = layer(V, **spec)
    h, ids = hidden(H, 6), np.array([[0, 6, 3], [3, 1, 2]])
    found = out.word_scores(feed(h, batched=True), ids)
    assert found.dim() == ((1,), 6)
    expected = scores_of(out, h)[ids.ravel(), np.arange(6)]
    np.testing.assert_allclose(read(found)[0], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("shape", SEGMENTS)
@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("spec", WITH_SHIFT, ids=str)
def test_noise_scores_are_the_scores_of_the_words_of_every_position(spec, share, shape, lower):
    _, out = layer(V, **spec)
    h = hidden(H, shape[0] * shape[1])
    draw, _ = words_for(shape, share)
    expected = scores_at(draw, scores_of(out, h), shape)
    lowered = None
    if lower:
        lowered = np.random.default_rng(4).normal(size=draw.words.shape)
        n = draw.words.shape[-1]
        expected = expected - np.broadcast_to(lowered, (*shape, n)).reshape(-1, n).T
    found = out.noise_scores(feed(h, batched=True), draw, lowered)
    assert found.dim() == ((draw.words.shape[-1],), h.shape[1])
    np.testing.assert_allclose(read(found), expected, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("share", SHARES)
def test_columns_of_a_draw_score_as_these_columns_of_the_whole(share):
    _, out = layer(V)
    h = hidden(H, 12).reshape(H, 3, 4)
    draw, _ = words_for((3, 4), share)
    whole = read(out.noise_scores(feed(h.reshape(H, 12), batched=True), draw)).reshape(-1, 3, 4)
    for part in (slice(0, 1), slice(1, 3), slice(3, 4)):
        some = feed(h[:, :, part].reshape(H, -1), batched=True)
        found = read(out.noise_scores(some, draw.columns(part)))
        np.testing.assert_allclose(found, whole[:, :, part].reshape(len(found), -1), rtol=1e-5)


def test_embed_gives_the_rows_of_the_table():
    _, out = layer(V, n_embed=3)
    ids = np.array([[0, 6], [3, 3]])
    found = read(out.embed(ids))
    np.testing.assert_array_equal(found, parameter_array(out.L)[ids.ravel()].T)


def test_the_gradient_of_a_tied_table_is_the_sum_of_both_uses():
    _, out = layer(V)
    read_ids, ids = np.array([1, 2, 2]), np.array([2, 5, 0])
    (vectors,) = (parameter_array(out.L)[read_ids].T,)

    def loss(h):
        return dy.sum_batches(dy.square(out.word_scores(h, ids)))

    _, both = gradients(loss(out.embed(read_ids)), out.L)
    dy.renew_cg()
    _, as_output = gradients(loss(feed(vectors, batched=True)), out.L)
    dy.renew_cg()
    s = out.word_scores(feed(vectors, batched=True), ids).npvalue().ravel()
    as_input = np.zeros((V, H))
    for row, word, value in zip(read_ids, ids, s):
        as_input[row] += 2 * value * parameter_array(out.L)[word]
    np.testing.assert_allclose(both, as_output + as_input, rtol=1e-4, atol=1e-5)
    assert np.abs(as_input).max() > 0.1


@pytest.mark.parametrize("share", SHARES)
def test_touched_rows_are_exactly_those_with_a_gradient(share):
    _, out = layer(V)
    draw, targets = words_for((1, 2), share, samples=2, seed=1)
    h = feed(hidden(H, 2), batched=True)
    total = dy.sum_batches(out.word_scores(h, targets)) + asymmetric(out.noise_scores(h, draw))
    _, of_rows, of_biases = gradients(total, out.L, out.b)
    touched = out.touched(targets, draw)
    assert list(touched) == [out.L, out.b]
    for rows, gradient in zip(touched.values(), (of_rows, of_biases.reshape(V, 1))):
        np.testing.assert_array_equal(rows, np.flatnonzero(np.abs(gradient).max(1)))
        assert len(rows) < V


def test_touched_without_noise_words_or_biases_is_the_targets_alone():
    _, out = layer(V, bias=False)
    assert [(k, v.tolist()) for k, v in out.touched([[3, 1], [1, 1]]).items()] == [(out.L, [1, 3])]


def test_adding_the_shift_changes_nothing_that_training_reads():
    draw, targets = words_for((3, 4), "none")
    values = []
    for spec in ({}, {"shift": SHIFT}):
        _, out = layer(V, **spec)
        h = feed(hidden(H, 12), batched=True)
        values.append([read(out.word_scores(h, targets)), read(out.noise_scores(h, draw))])
    for plain, shifted in zip(*values):
        np.testing.assert_array_equal(plain, shifted)


# --- gradients -----------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", [{"shift": SHIFT}, {"n_embed": 3, "normaliser": True}], ids=str)
def test_evaluation_passes_central_differences(spec):
    pc, out = layer(V, **spec)
    h = pc.add_parameters((H,), init=hidden(H, 1)[:, 0])
    params = [p for p in (out.L, out.b, out.A, out.u, out.z, h) if p is not None]
    assert_gradients(
        lambda: out.nll(h, [2]) + out.log_partition(h) + asymmetric(out.log_probs(h)) * 0.1, params
    )


@pytest.mark.parametrize("share", SHARES)
def test_noise_scores_pass_central_differences(share):
    pc, out = layer(V, n_embed=3)
    h = pc.add_parameters((H,), init=hidden(H, 1)[:, 0])
    draw, targets = words_for((2, 2), share)

    def build():
        x = dy.cmult(h, feed(hidden(H, 4, seed=8), batched=True))
        scores = asymmetric(dy.tanh(out.noise_scores(x, draw)))
        return scores + asymmetric(dy.tanh(out.word_scores(x, targets)))

    assert_gradients(build, [out.L, out.b, out.A, h])


# --- hidden hits ---------------------------------------------------------------------------------


@pytest.mark.parametrize("share", SHARES)
def test_words_that_are_the_target_are_hidden_and_the_others_left(share):
    draw, targets = words_for((3, 4), share, seed=2)
    n = draw.words.shape[-1]
    values = np.random.default_rng(5).normal(size=(n, 12))
    found, visible = hide_hits(feed(values, batched=True), draw, targets)
    words = np.broadcast_to(draw.words, (3, 4, n)).reshape(12, n).T
    hit = words == targets.ravel()
    assert hit.any()
    assert visible.shape == (12,)
    expected = np.where(hit, NEG_INF, values)
    np.testing.assert_allclose(read(found), expected, rtol=1e-6)
    assert not hit[visible, np.arange(12)][~hit.all(0)].any()


def test_a_column_of_nothing_but_hits_is_hidden_altogether():
    words = np.array([[[2, 2, 2], [1, 2, 2], [2, 2, 3], [0, 1, 3]]])
    draw = hand_made(words, np.full(4, 0.25), np.full((1, 4), 2))
    found, visible = hide_hits(feed(np.ones((3, 4)), batched=True), draw, np.full((1, 4), 2))
    np.testing.assert_allclose(read(found), np.where(words[0].T == 2, NEG_INF, 1.0), rtol=1e-6)
    assert visible.tolist() == [0, 0, 2, 0]
    sums = read(logsumexp_batch(found, visible))[0]
    np.testing.assert_allclose(sums, [NEG_INF, 1, 1, 1 + np.log(3)], rtol=1e-6)


def test_no_hit_adds_no_node():
    draw = hand_made([[[1, 3]]], np.full(4, 0.25), [[2]])
    scores = feed(np.ones((2, 1)), batched=True)
    assert hide_hits(scores, draw, np.array([[2]]))[0] is scores


def test_hidden_rows_get_exactly_no_gradient():
    _, out = layer(V)
    draw = hand_made([[[1, 3, 3]]], np.full(V, 1 / V), [[3, 3]])
    scores = out.noise_scores(feed(hidden(H, 2), batched=True), draw)
    total = dy.sum_batches(logsumexp_batch(*hide_hits(scores, draw, np.array([[3, 3]]))))
    _, of_rows, of_biases = gradients(total, out.L, out.b)
    assert (of_rows[3] == 0).all()
    assert of_biases[3] == 0
    np.testing.assert_allclose(of_biases, 2 * np.eye(V)[1], atol=1e-6)


# --- start, save, bad input ----------------------------------------------------------------------


def test_a_new_layer_starts_with_small_rows_given_biases_and_normaliser_zero():
    pc = dy.ParameterCollection()
    out = SampledOutput(pc, n_words=300, n_hidden=9, bias_start=-2.5, normaliser=True, scale=0.05)
    rows = parameter_array(out.L)
    assert rows.shape == (300, 9)
    assert 0.049 < np.abs(rows).max() <= 0.05
    assert abs(rows.mean()) < 0.003
    np.testing.assert_array_equal(parameter_array(out.b), np.full((300, 1), -2.5, np.float32))
    assert not parameter_array(out.u).any()
    assert not parameter_array(out.z).any()
    assert out.A is None


def test_biases_and_normaliser_have_a_start_of_their_own_and_rows_have_not():
    _, out = layer(V, normaliser=True)
    assert out.started == [out.b, out.u, out.z]
    assert layer(V, bias=False)[1].started == []


def test_a_saved_layer_is_loaded_bit_for_bit(tmp_path):
    spec = {"n_embed": 3, "normaliser": True, "shift": SHIFT, "bias_start": -1.5, "scale": 0.2}
    _, out = layer(V, **spec)
    h = hidden(H, 2)

    def values(layer):
        x = feed(h, batched=True)
        return [read(layer.log_probs(x)), read(layer.log_partition(x))]

    expected = values(out)
    dy.save(str(tmp_path / "layer"), [out])
    dy.renew_cg()
    pc = dy.ParameterCollection()
    SampledOutput(pc, n_words=V, n_hidden=H)
    (loaded,) = dy.load(str(tmp_path / "layer"), pc)
    assert loaded.spec == {"n_words": V, "n_hidden": H, "bias": True, **spec}
    for before, after in zip(expected, values(loaded)):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"n_words": 0}, "expected 1 to"),
        ({"n_hidden": -1}, "n_hidden: expected 1 to"),
        ({"n_embed": 0}, "expected 1 to"),
        ({"n_words": 2**20, "n_hidden": 2**12}, "more than"),
        ({"scale": 0.0}, "scale, bias_start: found 0.0, 0.0"),
        ({"scale": float("nan")}, "scale, bias_start: found nan"),
        ({"bias_start": float("inf")}, "scale, bias_start: found 0.1, inf"),
        ({"shift": [0.0] * 6}, "shift: expected 7 finite numbers, found 6"),
        (
            {"shift": [0.0] * 6 + [float("-inf")]},
            "shift: expected 7 finite numbers, found nan or an",
        ),
    ],
)
def test_wrong_options_are_named_before_dynet_allocates(spec, message):
    with pytest.raises(ValueError, match=message):
        SampledOutput(dy.ParameterCollection(), **{"n_words": V, "n_hidden": H, **spec})


@pytest.mark.parametrize("method", ["project", "log_normaliser", "scores", "log_probs"])
def test_a_hidden_vector_of_another_size_is_refused(method):
    _, out = layer(V, n_embed=3, normaliser=True)
    with pytest.raises(ValueError, match=r"h: expected \(4,\)x\*, found \(5,\)x1"):
        getattr(out, method)(feed(np.ones(5)))


def test_ids_and_draws_that_do_not_fit_are_refused():
    _, out = layer(V)
    h = feed(hidden(H, 4), batched=True)
    with pytest.raises(ValueError, match="ids: expected 4, one a column, found 3"):
        out.word_scores(h, [0, 1, 2])
    with pytest.raises(ValueError, match="ids: ids must be 0 to 6"):
        out.word_scores(h, [0, 1, 2, V])
    with pytest.raises(ValueError, match="ids: ids must be 0 to 6"):
        out.embed([-1])
    with pytest.raises(ValueError, match="draw: 3 sets of words for 4 positions"):
        out.noise_scores(h, words_for((3, 1), "batch")[0])
    with pytest.raises(ValueError, match="ids: ids must be 0 to 6, found 0 to 8"):
        out.noise_scores(h, hand_made([[[0, 8]]], np.full(9, 1 / 9), np.zeros((2, 2), int)))


def test_hits_of_scores_of_another_size_are_refused():
    draw = hand_made([[[1, 3]]], np.full(4, 0.25), [[2, 1]])
    with pytest.raises(ValueError, match=r"scores: expected \(2,\)x2, found \(3,\)x2"):
        hide_hits(feed(np.ones((3, 2)), batched=True), draw, np.array([[2, 1]]))


def test_values_of_a_table_can_be_set_and_are_scored():
    _, out = layer(V)
    set_value(out.L, np.eye(V)[:, :H])
    set_value(out.b, np.zeros((V, 1)))
    np.testing.assert_allclose(
        read(out.scores(feed([1.0, 2.0, 3.0, 4.0])))[:, 0], [1, 2, 3, 4, 0, 0, 0], rtol=1e-6
    )
