"""Masks: masked equals sliced, no gradient at padding, clear errors."""

import dynet as dy
import numpy as np
import pytest

from dynotes.graph import masks
from dynotes.graph.arrays import feed, parameter_array, read
from tests.reference.distributions import softmax

KEEP = np.array([[True, True, True], [True, False, True], [False, False, True]])


@pytest.mark.parametrize("batch", [1, 4])
def test_a_row_is_one_number_per_batch_entry(batch):
    values = np.arange(batch) + 0.5
    e = masks.row(values)
    assert e.dim() == ((1,), batch)
    np.testing.assert_array_equal(read(e)[0], values)


def test_a_row_of_a_mask_is_time_major():
    np.testing.assert_array_equal(read(masks.row(KEEP))[0], [1, 1, 1, 1, 0, 1, 0, 0, 1])


def test_time_major_is_the_order_of_concatenate_to_batch():
    steps = [feed(np.array([[10.0 * t, 10.0 * t + 1]]), batched=True) for t in range(3)]
    stacked = read(dy.concatenate_to_batch(steps))[0]
    np.testing.assert_array_equal(stacked, np.array([[0, 1], [10, 11], [20, 21]]).ravel())


@pytest.mark.parametrize("keep", [KEEP, KEEP[:1], KEEP[:, :1]])
def test_steps_give_one_row_a_time_step(keep):
    rows = masks.steps(keep)
    np.testing.assert_array_equal([read(r)[0] for r in rows], keep.astype(float))


@pytest.mark.parametrize("keep", [KEEP, KEEP.ravel()])
def test_a_masked_loss_is_the_sliced_loss(keep):
    losses = np.random.default_rng(0).random(9)
    found = read(masks.masked_loss(feed(losses[None, :], batched=True), keep))[0]
    assert found.sum() == pytest.approx(losses[keep.ravel()].sum(), rel=1e-6)
    assert (found[~keep.ravel()] == 0).all()


def test_padding_gets_no_gradient():
    pc = dy.ParameterCollection()
    p = pc.add_parameters((9,), init=np.arange(9.0))
    loss = dy.sum_batches(masks.masked_loss(dy.reshape(p, (1,), 9), KEEP))
    loss.forward()
    loss.backward()
    np.testing.assert_array_equal(parameter_array(p, gradient=True), KEEP.ravel().astype(float))


def test_a_full_mask_adds_no_node():
    loss = feed(np.ones((1, 4)), batched=True)
    assert masks.masked_loss(loss, np.ones((2, 2), bool)) is loss
    assert masks.where(np.ones(4, bool), loss, loss) is loss


@pytest.mark.parametrize("batch", [1, 3])
def test_entries_that_ended_keep_their_old_state(batch):
    rng = np.random.default_rng(1)
    new, old = rng.normal(size=(2, 4, batch)).astype(np.float32)
    keep = KEEP[1, 3 - batch :] if batch == 3 else np.array([False])
    found = read(masks.where(keep, feed(new, batched=True), feed(old, batched=True)))
    np.testing.assert_array_equal(found, np.where(keep, new, old))


def test_gradient_goes_only_to_the_state_that_was_taken():
    pc = dy.ParameterCollection()
    new, old = (pc.add_parameters((6,), init=value) for value in (1.0, 2.0))
    picked = masks.where(
        np.array([True, False, True]), dy.reshape(new, (2,), 3), dy.reshape(old, (2,), 3)
    )
    loss = dy.sum_batches(dy.sum_elems(picked))
    loss.forward()
    loss.backward()
    np.testing.assert_array_equal(parameter_array(new, gradient=True), [1, 1, 0, 0, 1, 1])
    np.testing.assert_array_equal(parameter_array(old, gradient=True), [0, 0, 1, 1, 0, 0])


@pytest.mark.parametrize("batch", [1, 3])
def test_masked_positions_have_no_probability(batch):
    scores = np.random.default_rng(2).normal(size=(3, batch))
    keep = KEEP[:, :batch]
    found = read(dy.softmax(feed(scores, batched=True) + masks.score_mask(keep)))
    for b in range(batch):
        np.testing.assert_allclose(found[keep[:, b], b], softmax(scores[keep[:, b], b]), rtol=1e-5)
        assert (found[~keep[:, b], b] == 0).all()


def test_a_score_mask_covers_the_rows_of_a_matrix():
    found = read(feed(np.ones((3, 2, 3)), batched=True) + masks.score_mask(KEEP))
    assert (found[2, :, 0] < -1e8).all()
    assert (found[:, :, 2] == 1).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: masks.masked_loss(x, np.ones(4, int)), "found int64"),
        (lambda x: masks.masked_loss(x, np.ones(3, bool)), "expected 4 bools"),
        (lambda x: masks.masked_loss(feed(np.ones((2, 2))), np.ones(1, bool)), r"loss: expected"),
        (lambda x: masks.where(np.ones(3, bool), x, x), "expected 4 bools"),
        (lambda x: masks.where(np.ones(4, bool), x, feed(np.ones(2))), "old: expected"),
        (lambda x: masks.score_mask(np.ones(3, bool)), r"expected \(T, B\)"),
        (lambda x: masks.score_mask(np.ones((3, 2))), "found float64"),
        (lambda x: masks.steps(np.ones(3, bool)), r"expected \(T, B\)"),
    ],
)
def test_wrong_masks_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(feed(np.ones((1, 4)), batched=True))
