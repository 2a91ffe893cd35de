"""Snapshots of all parameters: exact, checked before anything is touched, fast where possible."""

import gc
import subprocess
import sys

import dynet as dy
import numpy as np
import pytest

from dynotes.training import parameters as P
from dynotes.training import process_memory

needs_views = pytest.mark.skipif(
    not process_memory.MAPPINGS.exists(), reason="no /proc/self/maps on this system"
)


def model(seed=0):
    """A collection with every kind of parameter, one of them in a sub-collection."""
    rng = np.random.default_rng(seed)
    pc = dy.ParameterCollection()
    pc.add_parameters((3, 4))
    pc.add_parameters(5)
    pc.add_parameters((2, 3, 4))
    pc.add_parameters((1, 1))
    pc.add_lookup_parameters((6, 3))
    pc.add_lookup_parameters((3, 2, 4))
    sub = pc.add_subcollection("inner")
    dy.VanillaLSTMBuilder(1, 3, 2, sub)
    for p in P.named_parameters(pc).values():
        P.set_value(p, rng.normal(size=p.shape()).astype("f4"))
    return pc


def step(pc):
    """One graph that gives every parameter of ``pc`` a gradient."""
    dy.renew_cg()
    losses = []
    for p in P.named_parameters(pc).values():
        if isinstance(p, dy.LookupParameters):
            losses += [dy.sum_elems(dy.square(p[i])) for i in range(1, p.shape()[0])]
        else:
            losses.append(dy.sum_elems(dy.square(p.expr(update=True))))
    dy.esum(losses).backward()


def equal(a, b):
    return a.keys() == b.keys() and all(
        a[n].tobytes() == b[n].tobytes() and a[n].shape == b[n].shape for n in a
    )


def test_names_are_those_of_dynet_and_stable():
    first, second = model(), model(1)
    named = P.named_parameters(first)
    assert list(named) == list(P.named_parameters(second))
    assert "/inner/vanilla-lstm-builder/_0" in named
    assert len(named) == 9
    assert all(p.name() == name for name, p in named.items())


def test_a_sub_collection_gives_only_its_own():
    pc = dy.ParameterCollection()
    pc.add_parameters(2)
    sub = pc.add_subcollection("inner")
    sub.add_parameters(3)
    assert list(P.named_parameters(sub)) == ["/inner/_0"]


@pytest.mark.parametrize("what", [None, "model", dy.SimpleSGDTrainer])
def test_anything_but_a_collection_is_refused(what):
    with pytest.raises(TypeError, match="ParameterCollection"):
        P.named_parameters(what)


@pytest.mark.parametrize("fast", [False, pytest.param(True, marks=needs_views)])
def test_restore_is_bit_equal_after_training_went_on(fast):
    pc = model()
    views = P.memory_views(pc) if fast else None
    best = P.snapshot(pc, views)
    assert all(a.dtype == np.float32 and a.flags.c_contiguous for a in best.values())
    trainer = dy.SimpleSGDTrainer(pc, 0.1)
    for _ in range(3):
        step(pc)
        trainer.update()
    moved = P.snapshot(pc, views)
    assert all(moved[name].tobytes() != best[name].tobytes() for name in best)
    P.restore(pc, best, views)
    assert equal(P.snapshot(pc), best)
    assert equal(P.snapshot(pc, views), best)


@pytest.mark.parametrize("fast", [False, pytest.param(True, marks=needs_views)])
def test_restore_into_another_model_gives_the_same_scores(fast):
    source, target = model(0), model(1)
    P.restore(target, P.snapshot(source), P.memory_views(target) if fast else None)

    def score(pc):
        dy.renew_cg()
        return [np.asarray(p[1].value()) for p in pc.lookup_parameters_list()] + [
            np.asarray(p.expr().value()) for p in pc.parameters_list()
        ]

    for a, b in zip(score(source), score(target)):
        np.testing.assert_array_equal(a, b)


def test_a_snapshot_is_a_copy():
    pc = model()
    best = P.snapshot(pc)
    step(pc)
    dy.SimpleSGDTrainer(pc, 0.1).update()
    assert not equal(P.snapshot(pc), best)


def test_memory_and_disk_snapshots_agree(tmp_path):
    from safetensors.numpy import load_file, save_file

    pc = model()
    best = P.snapshot(pc)
    save_file(best, tmp_path / "best.safetensors")
    P.restore(pc, P.snapshot(model(1)))
    P.restore(pc, load_file(tmp_path / "best.safetensors"))
    assert equal(P.snapshot(pc), best)


def damage(arrays, how):
    arrays = {name: a.copy() for name, a in arrays.items()}
    last = list(arrays)[-1]
    if how == "missing":
        del arrays[last]
    elif how == "unknown":
        arrays["/other"] = np.zeros(2, "f4")
    elif how == "shape":
        arrays[last] = arrays[last].T.copy()
    elif how == "type":
        arrays[last] = arrays[last].astype("f8")
    elif how == "list":
        arrays[last] = arrays[last].tolist()
    else:
        arrays[last].flat[-1] = {"nan": np.nan, "inf": np.inf}[how]
    return arrays, "/other" if how == "unknown" else last


@pytest.mark.parametrize("fast", [False, pytest.param(True, marks=needs_views)])
@pytest.mark.parametrize("how", ["missing", "unknown", "shape", "type", "list", "nan", "inf"])
def test_what_does_not_fit_is_named_and_nothing_is_touched(how, fast):
    pc = model(0)
    views = P.memory_views(pc) if fast else None
    before = P.snapshot(pc)
    arrays, name = damage(P.snapshot(model(1)), how)
    with pytest.raises(ValueError, match=f"parameters do not fit: {name}: "):
        P.restore(pc, arrays, views)
    assert equal(P.snapshot(pc), before)


def test_all_differences_are_listed_at_once():
    arrays, _ = damage(P.snapshot(model(1)), "missing")
    arrays, _ = damage(arrays, "unknown")
    with pytest.raises(ValueError, match=r": missing; /other: not in this model"):
        P.restore(model(), arrays)


def test_weight_decay_is_refused():
    pc = model()
    best = P.snapshot(pc)
    pc.set_weight_decay_lambda(0.1)
    with pytest.raises(ValueError, match=r"weight decay must be 0, found 0\.1"):
        P.snapshot(pc)
    with pytest.raises(ValueError, match="weight decay"):
        P.restore(pc, best)


def test_views_of_another_model_are_refused():
    pc, other = model(), dy.ParameterCollection()
    other.add_parameters(3)
    with pytest.raises(ValueError, match="views of other parameters"):
        P.snapshot(pc, P.memory_views(other) or {})


@needs_views
def test_views_show_values_and_gradients_and_write_through():
    pc = model()
    views = P.memory_views(pc)
    step(pc)
    for name, p in P.named_parameters(pc).items():
        np.testing.assert_array_equal(views[name].value, p.as_array())
        np.testing.assert_array_equal(views[name].gradient, p.grad_as_array())
        assert views[name].gradient.any()
        views[name].value[...] *= 2
        views[name].gradient[...] += 1
        np.testing.assert_array_equal(views[name].value, p.as_array())
        np.testing.assert_array_equal(views[name].gradient, p.grad_as_array())


@needs_views
def test_a_gradient_written_through_a_view_is_what_the_trainer_applies():
    pc = dy.ParameterCollection()
    W = pc.add_parameters((2, 3), init=0.0)
    gradient = P.memory_views(pc)["/_0"].gradient
    gradient[...] = np.arange(6.0).reshape(2, 3)
    trainer = dy.SimpleSGDTrainer(pc, 0.5)
    trainer.set_clip_threshold(0)
    trainer.update()
    np.testing.assert_array_equal(W.as_array(), -0.5 * np.arange(6.0).reshape(2, 3))
    assert not gradient.any()


@needs_views
def test_views_stay_valid_when_the_parameter_memory_grows():
    pc = model()
    views, before = P.memory_views(pc), P.snapshot(pc)
    other = dy.ParameterCollection()
    for _ in range(24):  # more than the 16 MB a quarter of the tests' pool holds
        other.add_parameters((1000, 300), init=0.0)
    trainer = dy.AdamTrainer(pc)
    step(pc)
    trainer.update()
    for name, p in P.named_parameters(pc).items():
        np.testing.assert_array_equal(views[name].value, p.as_array())
    P.restore(pc, before, views)
    assert equal(P.snapshot(pc), before)


@needs_views
def test_views_keep_their_collection_alive():
    pc = model()
    references = sys.getrefcount(pc)
    view = P.memory_views(pc)["/_0"].value[1:]
    gc.collect()
    assert sys.getrefcount(pc) > references
    del view
    gc.collect()
    assert sys.getrefcount(pc) == references


@needs_views
def test_looking_for_the_memory_draws_no_random_numbers():
    P._layout.cache_clear()
    dy.reset_random_seed(9)
    P.memory_views(model_of_constants())
    first = dy.random_uniform(3, 0, 1).value()
    dy.reset_random_seed(9)
    dy.renew_cg()
    assert dy.random_uniform(3, 0, 1).value() == first


def model_of_constants():
    pc = dy.ParameterCollection()
    pc.parameters_from_numpy(np.ones((2, 2)))
    pc.lookup_parameters_from_numpy(np.ones((2, 2)))
    return pc


@needs_views
@pytest.mark.parametrize("how", ["no table of mappings", "wrong layout", "no layout"])
def test_where_the_memory_cannot_be_proved_there_are_no_views(how, monkeypatch, tmp_path):
    pc = model()
    if how == "no table of mappings":
        monkeypatch.setattr(process_memory, "MAPPINGS", tmp_path / "none")
    elif how == "wrong layout":
        handle, value, gradient = P._layout(False)
        monkeypatch.setattr(P, "_layout", lambda table: P._Layout(handle, gradient, value))
    else:
        monkeypatch.setattr(P, "_layout", lambda table: None)
    step(pc)
    assert P.memory_views(pc) is None


def test_addresses_without_memory_answer_none():
    memory = process_memory.OwnMemory()
    for address in (0, 8, 4097, 2**47, 2**63 - 8):
        assert memory.word(address) is None
        assert memory.floats(address, 3) is None
    assert memory.floats(None, 3) is None
    assert memory.floats(id(memory) // 8 * 8, 2**40) is None


SHARED = """
import os
import dynet_config
dynet_config.set(mem="16", random_seed=1, shared_parameters=1)
import dynet as dy, numpy as np
from dynotes.training.parameters import memory_views
pc = dy.ParameterCollection()
W = pc.add_parameters((3, 2)); E = pc.add_lookup_parameters((4, 3))
views = memory_views(pc)
child = os.fork()
if child == 0:
    for i, v in enumerate(views.values()):
        v.value[...] = 10 + i
        v.gradient[...] = -i - 1
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
for i, (p, v) in enumerate(zip((W, E), views.values())):
    assert (v.value == 10 + i).all() and (p.as_array() == 10 + i).all()
    assert (v.gradient == -i - 1).all() and (p.grad_as_array() == -i - 1).all()
print("parent saw it")
"""


@needs_views
def test_a_child_process_writes_into_shared_parameters():
    done = subprocess.run([sys.executable, "-c", SHARED], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "parent saw it" in done.stdout
