"""Optimizer statistics through a rollback: exact restoring, reset, keep, and damaged states."""

import hashlib
import re

import dynet as dy
import numpy as np
import pytest

from dynotes.training import optimizer_state as O
from dynotes.training import process_memory
from dynotes.training.parameters import named_parameters, restore, snapshot

WITH_MOMENTS = ["MomentumSGDTrainer", "AdagradTrainer", "AdadeltaTrainer", "RMSPropTrainer"]
WITH_MOMENTS += ["AdamTrainer"]
EVERY = ["SimpleSGDTrainer", *WITH_MOMENTS]

needs_mappings = pytest.mark.skipif(
    not process_memory.MAPPINGS.exists(), reason="no /proc/self/maps on this system"
)


class Training:
    """A small classifier with a lookup table, and one trainer; data are fixed by the step."""

    def __init__(self, trainer, seed=0, tables=2, n_hidden=4, **settings):
        rng = np.random.default_rng(seed)
        self.pc = dy.ParameterCollection()
        self.W = self.pc.parameters_from_numpy(rng.normal(size=(5, n_hidden)))
        self.b = self.pc.parameters_from_numpy(rng.normal(size=(5,)))
        tables = [rng.normal(size=(7, n_hidden)) for _ in range(tables)]
        self.tables = [self.pc.lookup_parameters_from_numpy(t) for t in tables]
        self.trainer = getattr(dy, trainer)(self.pc, **settings)

    def run(self, steps):
        for t in steps:
            rng = np.random.default_rng(1000 + t)
            dy.renew_cg()
            inputs = [dy.lookup(E, int(rng.integers(7))) for E in self.tables]
            x = dy.esum([dy.inputVector(rng.normal(size=self.W.shape()[1])), *inputs])
            scores = dy.affine_transform([self.b, self.W, dy.tanh(x)])
            dy.pickneglogsoftmax(scores, int(rng.integers(5))).backward()
            self.trainer.update()
        return self

    def values(self):
        return np.concatenate([a.ravel() for a in snapshot(self.pc).values()])


@needs_mappings
@pytest.mark.parametrize("trainer", EVERY)
@pytest.mark.parametrize("tables", [0, 2])
def test_restored_training_is_the_one_that_never_diverged(trainer, tables):
    straight = Training(trainer, tables=tables).run(range(20)).values()
    model = Training(trainer, tables=tables).run(range(12))
    best, state = snapshot(model.pc), O.save_state(model.trainer)
    model.trainer.learning_rate *= 3.0
    model.trainer.set_clip_threshold(0.01)
    model.run(range(50, 57))
    restore(model.pc, best)
    O.load_state(model.trainer, state)
    assert model.run(range(12, 20)).values().tobytes() == straight.tobytes()


@needs_mappings
@pytest.mark.parametrize("trainer", EVERY)
@pytest.mark.parametrize("used", [0, 5])
def test_state_continues_in_a_fresh_model_with_a_fresh_or_a_used_trainer(trainer, used):
    straight = Training(trainer).run(range(20)).values()
    model = Training(trainer).run(range(12))
    best, state = snapshot(model.pc), O.save_state(model.trainer)
    other = Training(trainer, seed=1).run(range(30, 30 + used))
    other.trainer.learning_rate = 7.0
    restore(other.pc, best)
    O.load_state(other.trainer, state)
    assert other.run(range(12, 20)).values().tobytes() == straight.tobytes()


@needs_mappings
@pytest.mark.parametrize("trainer", EVERY)
def test_a_state_saved_before_the_first_update_is_a_fresh_trainer(trainer):
    model = Training(trainer)
    start, state = snapshot(model.pc), O.save_state(model.trainer)
    straight = model.run(range(6)).values()
    restore(model.pc, start)
    O.load_state(model.trainer, state)
    assert model.run(range(6)).values().tobytes() == straight.tobytes()


@needs_mappings
@pytest.mark.parametrize("trainer", WITH_MOMENTS)
def test_saving_what_was_loaded_gives_the_same_bytes(trainer):
    state = O.save_state(Training(trainer).run(range(9)).trainer)
    other = Training(trainer, seed=1)
    O.load_state(other.trainer, state)
    assert O.save_state(other.trainer) == state


@needs_mappings
def test_extreme_statistics_come_back_to_the_bit():
    """Gradients from 1e-18 to 1e18: squares at both ends of float32, below it they are zero."""
    pc = dy.ParameterCollection()
    p = pc.parameters_from_numpy(np.zeros(37))
    trainer = dy.AdagradTrainer(pc)
    trainer.set_clip_threshold(0)
    slopes = (10.0 ** np.arange(-18, 19) * 1.2345678).tolist()
    dy.renew_cg()
    dy.dot_product(p.expr(update=True), dy.inputVector(slopes)).backward()
    trainer.update()
    before = O.save_state(trainer)
    line = re.search(rb"#Parameter# 37 (.*)\n", before).group(1)
    squares = np.float32(slopes) ** 2
    np.testing.assert_allclose(np.float32(line.split()), squares, rtol=1e-6)
    trainer.restart()
    assert O.save_state(trainer) != before
    O.load_state(trainer, before)
    assert O.save_state(trainer) == before


@needs_mappings
def test_the_update_counter_of_adam_comes_back():
    """Bias correction makes step t + 1 depend on the counter even where the moments are equal."""
    model = Training("AdamTrainer").run(range(12))
    state = O.save_state(model.trainer)
    assert O.describe_state(state).updates == 12
    other = Training("AdamTrainer", seed=1)
    O.load_state(other.trainer, state)
    assert O.describe_state(O.save_state(other.trainer)).updates == 12


@pytest.mark.parametrize("threshold", [0, 0.25, 5.0])
@pytest.mark.parametrize(
    "trainer", ["SimpleSGDTrainer", pytest.param("AdamTrainer", marks=needs_mappings)]
)
def test_rate_and_clipping_are_part_of_the_state(trainer, threshold):
    model = Training(trainer)
    model.trainer.learning_rate = 0.0123
    model.trainer.set_clip_threshold(threshold)
    state = O.save_state(model.trainer)
    info = O.describe_state(state)
    assert info.trainer == trainer
    assert (info.learning_rate, info.clip_threshold) == (np.float32(0.0123), threshold)
    other = Training(trainer, seed=1)
    O.load_state(other.trainer, state)
    assert other.trainer.learning_rate == np.float32(0.0123)
    assert other.trainer.get_clip_threshold() == threshold
    other.trainer.learning_rate = 0.5
    O.load_state(other.trainer, state, keep_rate=True)
    assert other.trainer.learning_rate == 0.5


@needs_mappings
def test_trainer_settings_of_the_constructor_come_back():
    """DyNet's own text holds beta and epsilon; a trainer made with others gets the saved ones."""
    straight = Training("AdamTrainer", beta_1=0.5, eps=1e-3).run(range(8)).values()
    model = Training("AdamTrainer", beta_1=0.5, eps=1e-3).run(range(4))
    other = Training("AdamTrainer", seed=1)
    restore(other.pc, snapshot(model.pc))
    O.load_state(other.trainer, O.save_state(model.trainer))
    assert other.run(range(4, 8)).values().tobytes() == straight.tobytes()


def after_rollback(trainer, strategy):
    """Values 8 steps after a rollback from step 19 to the best model at step 12."""
    model = Training(trainer).run(range(12))
    best = snapshot(model.pc)
    state = O.save_state(model.trainer) if strategy == "restore" else None
    model.run(range(50, 57))
    restore(model.pc, best)
    model.trainer.learning_rate *= 0.5
    model.trainer = O.roll_back(
        strategy,
        model.trainer,
        state=state,
        new_trainer=lambda: getattr(dy, trainer)(model.pc),
    )
    return model.run(range(12, 20)).values()


@needs_mappings
@pytest.mark.parametrize("trainer", WITH_MOMENTS)
def test_restore_goes_on_with_the_best_statistics_and_the_decayed_rate(trainer):
    model = Training(trainer).run(range(12))
    model.trainer.learning_rate *= 0.5
    expected = model.run(range(12, 20)).values()
    assert after_rollback(trainer, "restore").tobytes() == expected.tobytes()


@pytest.mark.parametrize("trainer", EVERY)
def test_reset_is_a_fresh_trainer_with_the_decayed_rate(trainer):
    model = Training(trainer).run(range(12))
    rate = model.trainer.learning_rate * 0.5
    model.trainer = getattr(dy, trainer)(model.pc)
    model.trainer.learning_rate = rate
    expected = model.run(range(12, 20)).values()
    assert after_rollback(trainer, "reset").tobytes() == expected.tobytes()


@needs_mappings
@pytest.mark.parametrize("trainer", WITH_MOMENTS)
def test_keep_differs_from_both_other_strategies(trainer):
    kept, reset, restored = (after_rollback(trainer, s) for s in ("keep", "reset", "restore"))
    assert np.abs(kept - reset).max() > 1e-5
    assert np.abs(kept - restored).max() > 1e-5
    assert np.abs(reset - restored).max() > 1e-5


@needs_mappings
def test_plain_sgd_has_nothing_to_restore():
    values = {after_rollback("SimpleSGDTrainer", s).tobytes() for s in O.ROLLBACK_STRATEGIES}
    assert len(values) == 1


def test_the_first_adam_step_after_a_reset_has_the_size_of_the_rate():
    pc = dy.ParameterCollection()
    p = pc.parameters_from_numpy(np.zeros(3))
    trainer = dy.AdamTrainer(pc)

    def step(scale):
        dy.renew_cg()
        before = p.as_array()
        dy.dot_product(p.expr(update=True), dy.inputVector([scale, -scale, scale])).backward()
        trainer.update()
        return np.abs(p.as_array() - before)

    for _ in range(300):
        step(1.0)
    trainer = O.roll_back("reset", trainer, new_trainer=lambda: dy.AdamTrainer(pc))
    np.testing.assert_allclose(step(1e-3), 0.001, rtol=1e-3)


def test_a_rollback_without_what_it_needs_is_refused():
    trainer = Training("AdamTrainer").trainer
    with pytest.raises(ValueError, match="needs the state"):
        O.roll_back("restore", trainer)
    with pytest.raises(ValueError, match="needs new_trainer"):
        O.roll_back("reset", trainer)
    with pytest.raises(ValueError, match=r"strategy: expected one of .*'restore'.*found 'load'"):
        O.roll_back("load", trainer)
    assert O.roll_back("keep", trainer) is trainer


@pytest.mark.parametrize("trainer", ["AmsgradTrainer", "CyclicalSGDTrainer"])
def test_trainers_that_dynet_cannot_restore_are_refused_with_the_other_strategies(trainer):
    model = Training(trainer)
    with pytest.raises(O.OptimizerStateUnavailable, match=f'{trainer}.*"reset" or "keep"'):
        O.save_state(model.trainer)
    with pytest.raises(O.OptimizerStateUnavailable, match=trainer):
        O.load_state(model.trainer, b"")
    assert O.roll_back("keep", model.trainer) is model.trainer


@pytest.mark.parametrize("what", [None, "AdamTrainer", dy.AdamTrainer])
def test_anything_but_a_trainer_is_refused(what):
    with pytest.raises(TypeError, match="expected a DyNet trainer"):
        O.save_state(what)


def sealed(body):
    """A state with a right checksum around any body."""
    return O.MAGIC + hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def damaged(state, how):
    _, _, body = state.partition(b"\n")
    return {
        "empty": b"",
        "garbage": bytes(range(256)),
        "truncated": state[:-40],
        "cut header": state[:10],
        "one bit": state[:-30] + bytes([state[-30] ^ 1]) + state[-29:],
        "no json": sealed(b"hello\n"),
        "cut, sealed again": sealed(body[:-200]),
        "line lost, sealed again": sealed(body.replace(b"#Parameter# 5", b"#Lost# 5")),
        "value lost, sealed again": sealed(re.sub(rb"(#Parameter# 5) \S+", rb"\1", body)),
        "count wrong, sealed again": sealed(
            body.replace(b"#AdamTrainer# 2 2", b"#AdamTrainer# 3 2")
        ),
        "nan, sealed again": sealed(re.sub(rb"(#Parameter# 5) \S+", rb"\1 +nan", body)),
        "averages, sealed again": sealed(body.replace(b"MA:FALSE", b"MA:TRUE")),
        "name wrong, sealed again": sealed(body.replace(b"#Trainer#", b"#Treiner#")),
    }[how]


DAMAGES = ["empty", "garbage", "truncated", "cut header", "one bit", "no json"]
DAMAGES += [f"{how}, sealed again" for how in ("cut", "line lost", "value lost", "count wrong")]
DAMAGES += [f"{how}, sealed again" for how in ("nan", "averages", "name wrong")]


@needs_mappings
@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_state_is_refused_and_the_trainer_untouched(how):
    bad = damaged(O.save_state(Training("AdamTrainer").run(range(3)).trainer), how)
    model = Training("AdamTrainer").run(range(5))
    before = O.save_state(model.trainer)
    with pytest.raises(ValueError):
        O.load_state(model.trainer, bad)
    assert O.save_state(model.trainer) == before


@needs_mappings
@pytest.mark.parametrize("used", [0, 5])
@pytest.mark.parametrize("other", [{"n_hidden": 3}, {"tables": 1}, {"tables": 3}])
def test_a_state_of_other_sizes_is_refused_and_the_trainer_untouched(used, other):
    state = O.save_state(Training("AdamTrainer", **other).run(range(3)).trainer)
    expected = Training("AdamTrainer").run(range(used + 4)).values()
    model = Training("AdamTrainer").run(range(used))
    with pytest.raises(ValueError, match="statistics of another model: expected sizes"):
        O.load_state(model.trainer, state)
    assert model.run(range(used, used + 4)).values().tobytes() == expected.tobytes()


@needs_mappings
def test_a_state_of_another_trainer_is_refused():
    state = O.save_state(Training("AdagradTrainer").run(range(3)).trainer)
    with pytest.raises(ValueError, match="state of AdagradTrainer, but the trainer is RMSProp"):
        O.load_state(Training("RMSPropTrainer").trainer, state)


@needs_mappings
def test_statistics_that_are_not_finite_cannot_be_saved_but_can_be_rolled_back():
    straight = Training("AdamTrainer").run(range(9)).values()
    model = Training("AdamTrainer").run(range(5))
    best, state = snapshot(model.pc), O.save_state(model.trainer)
    model.trainer.set_clip_threshold(0)
    dy.renew_cg()
    (dy.sum_elems(model.W.expr(update=True)) * float("nan")).backward()
    model.trainer.update()
    with pytest.raises(ValueError, match="a statistic is nan or infinite"):
        O.save_state(model.trainer)
    restore(model.pc, best)
    O.load_state(model.trainer, state)
    assert model.run(range(5, 9)).values().tobytes() == straight.tobytes()


@needs_mappings
@pytest.mark.parametrize("lost", ["vtable", "save", "stream", "object", "mappings"])
def test_another_build_is_told_from_this_one(lost, monkeypatch, tmp_path):
    model = Training("AdamTrainer").run(range(2))
    real = O._symbol
    names = {"vtable": "_ZTVN5dynet", "save": "4save", "stream": "basic_ofstream"}

    def symbol(name):
        return real(name + "Absent" if names.get(lost, "?") in name else name)

    monkeypatch.setattr(O, "_symbol", symbol)
    if lost == "mappings":
        monkeypatch.setattr(process_memory, "MAPPINGS", tmp_path / "none")
    if lost == "object":  # the table of another class: the pointer must not be believed
        monkeypatch.setattr(
            O, "_symbol", lambda n: real(n.replace("_ZTVN5dynet11Adam", "_ZTVN5dynet14Adagrad"))
        )
    with pytest.raises(O.OptimizerStateUnavailable, match='use strategy "reset" or "keep"'):
        O.save_state(model.trainer)


@needs_mappings
def test_no_temporary_file_is_left(monkeypatch, tmp_path):
    monkeypatch.setattr(O.tempfile, "tempdir", str(tmp_path))
    model = Training("AdamTrainer").run(range(2))
    O.load_state(model.trainer, O.save_state(model.trainer))
    assert list(tmp_path.iterdir()) == []


def test_every_parameter_of_the_test_model_is_trained():
    model = Training("SimpleSGDTrainer")
    before = snapshot(model.pc)
    after = snapshot(model.run(range(3)).pc)
    assert all(before[n].tobytes() != after[n].tobytes() for n in named_parameters(model.pc))
