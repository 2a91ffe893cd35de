import json

import dynet as dy
import numpy as np
import pytest

from dynotes.corpora.vocabulary import Vocabulary
from dynotes.graph.arrays import read
from dynotes.language_models import lstm_lm
from dynotes.language_models.lstm_lm import LstmLm
from dynotes.tips.lstm_sequence import Rates, lstm_segment
from dynotes.training.lm_config import LmConfig
from dynotes.training.lm_evaluate import read_states
from dynotes.training.lm_model import load_model, new_model, own, save_model
from dynotes.training.parameters import named_parameters, set_value
from tests.helpers import assert_gradients
from tests.reference.lstm import lstm_run

V = 7
KINDS = {
    "untied": {"n_embed": 3, "n_hidden": 4},
    "tied": {"n_embed": 4, "n_hidden": 4, "tie": True},
    "projected": {"n_embed": 3, "n_hidden": 5, "tie": True},
    "one-layer": {"n_embed": 2, "n_hidden": 3, "layers": 1, "bias": False, "forget_bias": 0.0},
}


def make(pc, kind="untied", seed=0):
    model = LstmLm(pc, n_words=V, **KINDS[kind])
    rng = np.random.default_rng(seed)
    for p in named_parameters(pc).values():
        set_value(p, rng.normal(0, 0.5, p.shape()).astype(np.float32))
    return model


def some_ids(steps, batch, seed=1):
    """inputs and targets, each (T, B)"""
    ids = np.random.default_rng(seed).integers(0, V, (steps + 1, batch))
    return ids[:-1], ids[1:]


def some_state(model, batch, seed=2):
    rng = np.random.default_rng(seed)
    return [rng.uniform(-0.9, 0.9, z.shape).astype(np.float32) for z in model.zero_state(batch)]


def losses(model, inputs, targets, state=None, **options):
    """(T, B) nats and the state after."""
    segment = model.segment(inputs, state, **options)
    return read(model.nll(segment, targets)).reshape(targets.shape), read_states(segment.states)


def values_of(model):
    """Input table, output table, projection (or None) and output bias as arrays."""
    output = model.output
    P = output.P.as_array()
    L = P if model.spec["tie"] else model.param_collection().lookup_parameters_list()[0].as_array()
    A = getattr(output, "A", None)
    b = np.zeros(V) if output.b is None else output.b.as_array()
    return L, P, None if A is None else A.as_array(), b


def twin_losses(model, inputs, targets, state):
    """The language model in numpy loops, float64: (T, B) nats."""
    L, P, A, b = values_of(model)
    weights = [[p.as_array() for p in layer] for layer in model.weights]
    sizes = [layer[0].shape[1] for layer in weights]
    m_x, m_h = [np.ones(n) for n in sizes], [np.ones(model.n_hidden)] * len(weights)
    found = np.zeros(targets.shape)
    for column in range(targets.shape[1]):
        start = [v[:, column] for v in state]
        c, h = start[: len(weights)], start[len(weights) :]
        xs = np.array([L[w] for w in inputs[:, column]])
        outputs, _, _ = lstm_run(xs, c, h, weights, model.spec["forget_bias"], m_x, m_h)
        for t, h_t in enumerate(outputs):
            scores = P @ (h_t if A is None else A @ h_t) + b
            p = np.exp(scores - scores.max())
            found[t, column] = -np.log(p[targets[t, column]] / p.sum())
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("steps", "batch"), [(5, 3), (1, 1), (4, 1)])
def test_losses_and_log_probabilities_equal_those_in_numpy(kind, steps, batch):
    pc = dy.ParameterCollection()
    model = make(pc, kind)
    inputs, targets = some_ids(steps, batch)
    state = some_state(model, batch)
    expected = twin_losses(model, inputs, targets, state)
    segment = model.segment(inputs, state)
    nll = read(model.nll(segment, targets)).reshape(targets.shape)
    np.testing.assert_allclose(nll, expected, rtol=1e-5, atol=1e-5)
    log_probs = read(model.log_probs(segment)).reshape(V, steps, batch)
    np.testing.assert_allclose(
        np.take_along_axis(log_probs, targets[None], 0)[0], -expected, rtol=1e-5, atol=1e-5
    )
    np.testing.assert_allclose(np.exp(log_probs).sum(0), 1, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_equals_its_columns_one_by_one(kind):
    pc = dy.ParameterCollection()
    model = make(pc, kind)
    inputs, targets = some_ids(4, 3)
    together, _ = losses(model, inputs, targets)
    for b in range(3):
        alone, _ = losses(model, inputs[:, b : b + 1], targets[:, b : b + 1])
        np.testing.assert_allclose(alone, together[:, b : b + 1], atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_segments_that_carry_the_state_equal_one_long_segment(kind):
    pc = dy.ParameterCollection()
    model = make(pc, kind)
    inputs, targets = some_ids(7, 2)
    whole, after = losses(model, inputs, targets)
    parts, state = [], model.zero_state(2)
    for first, stop in ((0, 3), (3, 4), (4, 7)):
        dy.renew_cg()
        part, state = losses(model, inputs[first:stop], targets[first:stop], state)
        parts.append(part)
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-5)
    np.testing.assert_allclose(state, after, atol=1e-5)


def test_the_zero_state_is_the_default_start():
    pc = dy.ParameterCollection()
    model = make(pc)
    inputs, targets = some_ids(3, 2)
    np.testing.assert_allclose(
        losses(model, inputs, targets)[0],
        losses(model, inputs, targets, model.zero_state(2))[0],
        atol=1e-6,
    )


@pytest.mark.parametrize("save_at", [1, 2, None])
def test_the_state_is_kept_after_the_step_asked_for(save_at):
    pc = dy.ParameterCollection()
    model = make(pc)
    inputs, targets = some_ids(4, 2)
    _, kept = losses(model, inputs, targets, save_at=save_at)
    stop = save_at or 4
    _, expected = losses(model, inputs[:stop], targets[:stop])
    np.testing.assert_allclose(kept, expected, atol=1e-6)


# gradients


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_by_finite_differences(kind):
    pc = dy.ParameterCollection()
    model = make(pc, kind)
    inputs, targets = some_ids(3, 2)

    def build():
        dy.reset_random_seed(5)
        rates = Rates(embed=0.2, x=0.2, h=0.2, out=0.2)
        rng = np.random.default_rng(8)
        segment = model.segment(inputs, some_state(model, 2), rates=rates, rng=rng)
        return dy.sum_batches(model.nll(segment, targets))

    assert_gradients(build, named_parameters(pc).values(), entries=5)


@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_gets_a_gradient(kind):
    pc = dy.ParameterCollection()
    model = make(pc, kind)
    inputs, targets = some_ids(3, 2)
    dy.sum_batches(model.nll(model.segment(inputs), targets)).backward()
    for name, p in named_parameters(pc).items():
        assert np.abs(p.grad_as_array()).max() > 0, name


def test_no_gradient_crosses_from_a_segment_to_the_one_before():
    pc = dy.ParameterCollection()
    model = make(pc)
    first, second = np.array([[0], [1]]), np.array([[2], [3]])  # no word in common
    _, state = losses(model, first, second)
    dy.renew_cg()
    dy.sum_batches(model.nll(model.segment(second, state), first)).backward()
    gradient = pc.lookup_parameters_list()[0].grad_as_array()
    assert np.abs(gradient[[2, 3]]).min(axis=1).max() > 0
    np.testing.assert_array_equal(gradient[[0, 1]], 0)


def test_a_tied_model_has_one_table_and_an_untied_one_two():
    for kind, tables in (("tied", 1), ("untied", 2)):
        pc = dy.ParameterCollection()
        make(pc, kind)
        shapes = [p.shape() for p in named_parameters(pc).values()]
        assert sum(len(shape) == 2 and shape[0] == V for shape in shapes) == tables


# dropout


def test_without_rates_nothing_is_drawn(monkeypatch):
    def refuse(*_args, **_kwargs):
        raise AssertionError("noise was drawn")

    for name in ("dropout", "random_bernoulli", "random_uniform", "random_normal"):
        monkeypatch.setattr(dy, name, refuse)
    pc = dy.ParameterCollection()
    model = make(pc)
    inputs, targets = some_ids(3, 2)
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    losses(model, inputs, targets, rates=Rates(), rng=rng)
    losses(model, inputs, targets)
    assert rng.bit_generator.state == before


def test_word_dropout_scales_all_occurrences_of_a_word_in_a_column_alike(monkeypatch):
    pc = dy.ParameterCollection()
    model = make(pc)
    seen = []

    def spy(x, *args, **options):
        seen.append(read(x))
        return lstm_segment(x, *args, **options)

    monkeypatch.setattr(lstm_lm, "lstm_segment", spy)
    inputs = np.tile(np.arange(V), 2)[:, None] + np.zeros((1, 30), int)  # each word twice
    model.segment(inputs, rates=Rates(embed=0.5), rng=np.random.default_rng(0))
    vectors = seen[0].reshape(-1, 2 * V, 30)
    factors = vectors[0] / values_of(model)[0][inputs, 0]
    np.testing.assert_array_equal(factors[:V], factors[V:])
    np.testing.assert_allclose(np.unique(factors.round(4)), [0, 2])
    assert len(np.unique(factors, axis=1).T) > 15  # every column has its own draw


def test_word_dropout_without_a_generator_is_refused():
    pc = dy.ParameterCollection()
    with pytest.raises(ValueError, match="needs rng"):
        make(pc).segment(some_ids(2, 2)[0], rates=Rates(embed=0.5))


# saving


@pytest.mark.parametrize("kind", KINDS)
def test_dynets_own_save_and_load_give_the_same_model(tmp_path, kind):
    pc = dy.ParameterCollection()
    model = make(pc, kind)
    inputs, targets = some_ids(3, 2)
    expected, _ = losses(model, inputs, targets)
    dy.save(str(tmp_path / "m"), [model])
    other = dy.ParameterCollection()
    LstmLm(other, n_words=V, **KINDS[kind])  # the names are taken
    dy.renew_cg()
    (loaded,) = dy.load(str(tmp_path / "m"), other)
    np.testing.assert_array_equal(losses(loaded, inputs, targets)[0], expected)
    assert loaded.spec == model.spec


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_file_gives_the_same_model(tmp_path, kind):
    owned = own({"n_words": V, **KINDS[kind]})
    model = owned.model
    inputs, targets = some_ids(3, 2)
    expected, _ = losses(model, inputs, targets)
    words = Vocabulary.from_words(["<eos>", *"abcdéf"], eos="<eos>")
    text = {"lower": True, "numbers": False}
    save_model(tmp_path / "m", owned, words, text)
    dy.renew_cg()
    loaded, vocabulary, normalised = load_model(tmp_path / "m")
    np.testing.assert_array_equal(losses(loaded.model, inputs, targets)[0], expected)
    assert loaded.model.spec == model.spec
    assert vocabulary == words
    assert normalised == text
    for name, value in owned.arrays().items():
        assert loaded.arrays()[name].tobytes() == value.tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_the_spec_is_plain_json_and_makes_a_model_of_the_same_sizes(kind):
    pc, other = dy.ParameterCollection(), dy.ParameterCollection()
    spec = make(pc, kind).spec
    assert json.loads(json.dumps(spec)) == spec
    LstmLm.from_spec(spec, other)
    assert {n: p.shape() for n, p in named_parameters(pc).items()} == {
        n: p.shape() for n, p in named_parameters(other).items()
    }


def test_a_new_model_is_a_function_of_the_seed():
    arrays = [new_model(LmConfig(hidden=3, seed=seed), V).arrays() for seed in (1, 1, 2)]
    assert all(np.array_equal(arrays[0][n], arrays[1][n]) for n in arrays[0])
    assert any(not np.array_equal(arrays[0][n], arrays[2][n]) for n in arrays[0])


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_views_show_the_gradients_of_all_parameters(kind):
    owned = own({"n_words": V, **KINDS[kind]})
    inputs, targets = some_ids(3, 2)
    dense, tables = owned.gradient_views()
    dy.sum_batches(owned.model.nll(owned.model.segment(inputs), targets)).backward()
    expected = [p.grad_as_array() for p in named_parameters(owned.pc).values()]
    found = np.concatenate([v.ravel() for v in (*dense, *tables.values())])
    assert (
        np.abs(np.sort(found) - np.sort(np.concatenate([e.ravel() for e in expected]))).max() == 0
    )
    assert [t.shape for t in tables.values()] == (
        [] if owned.model.spec["tie"] else [(V, expected[-1].shape[1])]
    )


@pytest.mark.parametrize("kind", KINDS)
def test_columns_run_alone_equal_those_columns_of_the_whole_batch(kind):
    pc = dy.ParameterCollection()
    model = make(pc, kind)
    inputs, targets = some_ids(4, 5)
    state = some_state(model, 5)
    whole, after = losses(model, inputs, targets, state)
    mine = slice(1, 4)
    part, own_after = losses(model, inputs[:, mine], targets[:, mine], [v[:, mine] for v in state])
    np.testing.assert_allclose(part, whole[:, mine], atol=1e-6)
    np.testing.assert_allclose(own_after, [v[:, mine] for v in after], atol=1e-6)


# errors


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (np.array([[0, V]]), "inputs: ids must be 0 to 6, found 0 to 7"),
        (np.array([[-1]]), "found -1 to -1"),
        (np.zeros((0, 2), int), "inputs: no ids"),
        (np.array([0, 1]), "inputs: expected shape"),
        (np.array([[0.0]]), "inputs: expected integers, found float64"),
    ],
)
def test_wrong_inputs_are_refused(inputs, message):
    pc = dy.ParameterCollection()
    with pytest.raises(ValueError, match=message):
        make(pc).segment(inputs)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (np.array([[0, V], [0, 0]]), "targets: ids must be 0 to 6"),
        (np.zeros((3, 2), int), "ids: expected 4"),
        (np.zeros(4, int), "targets: expected shape"),
    ],
)
def test_wrong_targets_are_refused(targets, message):
    pc = dy.ParameterCollection()
    model = make(pc)
    segment = model.segment(np.zeros((2, 2), int))
    with pytest.raises(ValueError, match=message):
        model.nll(segment, targets)


@pytest.mark.parametrize(
    "state", [[], [np.zeros((4, 2))] * 3, [np.zeros((4, 3))] * 4, [np.zeros(4)] * 4]
)
def test_a_state_of_another_shape_is_refused(state):
    pc = dy.ParameterCollection()
    with pytest.raises(ValueError, match=r"state: expected 4 arrays \(4, 2\)"):
        make(pc).segment(np.zeros((2, 2), int), state)


@pytest.mark.parametrize(
    ("size", "value"),
    [("n_words", 0), ("n_embed", -1), ("n_hidden", 2.0), ("layers", 0), ("n_words", True)],
)
def test_wrong_sizes_are_refused_before_anything_is_made(size, value):
    pc = dy.ParameterCollection()
    spec = {"n_words": 3, "n_embed": 3, "n_hidden": 3, size: value}
    with pytest.raises(ValueError, match=size):
        LstmLm(pc, **spec)
    assert not named_parameters(pc)
