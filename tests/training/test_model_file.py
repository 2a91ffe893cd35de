import json
import os
import stat
import struct

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from dynotes.corpora.errors import InputError
from dynotes.corpora.vocabulary import Vocabulary
from dynotes.training import model_file
from dynotes.training.lm_model import load_model, own, save_model
from dynotes.training.model_file import HEADER, read_arrays, write_arrays

ARRAYS = {
    "matrix": np.arange(6, dtype=np.float32).reshape(2, 3),
    "bytes": np.frombuffer(b"abc", np.uint8),
    "empty": np.zeros(0, np.uint8),
    "numbers": np.array([np.nan, np.inf, -0.0, 1e-45], np.float32),
}
META = {"spec": {"n": 3, "tie": True, "rate": 0.1}, "text": "é €", "best": float("inf")}


def raw_safetensors(header, data=b""):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def test_arrays_and_values_come_back_bit_for_bit(tmp_path):
    write_arrays(tmp_path / "m", ARRAYS, META)
    arrays, meta = read_arrays(tmp_path / "m")
    assert meta == META
    assert set(arrays) == set(ARRAYS)
    for name, value in ARRAYS.items():
        assert arrays[name].dtype == value.dtype
        assert arrays[name].shape == value.shape
        assert arrays[name].tobytes() == value.tobytes()


@pytest.mark.parametrize("value", [None, [], {}, "text", 3, [1, {"a": None}]])
def test_any_json_value_can_go_with_the_arrays(tmp_path, value):
    write_arrays(tmp_path / "m", {}, value)
    assert read_arrays(tmp_path / "m") == ({}, value)


def test_an_array_in_fortran_order_is_not_transposed(tmp_path):
    value = np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3))
    write_arrays(tmp_path / "m", {"a": value, "b": value[:, ::2]}, None)
    arrays, _ = read_arrays(tmp_path / "m")
    np.testing.assert_array_equal(arrays["a"], value)
    np.testing.assert_array_equal(arrays["b"], value[:, ::2])


def test_other_tools_can_read_the_arrays(tmp_path):
    write_arrays(tmp_path / "m", ARRAYS, META)
    np.testing.assert_array_equal(load_file(tmp_path / "m")["matrix"], ARRAYS["matrix"])


def test_equal_content_gives_equal_bytes(tmp_path):
    for name in "ab":
        write_arrays(tmp_path / name, ARRAYS, META)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


# what is no such file


def test_a_file_cut_off_anywhere_is_refused(tmp_path):
    path = tmp_path / "m"
    write_arrays(path, ARRAYS, META)
    whole = path.read_bytes()
    for length in [0, 1, 7, 8, 9, 50, len(whole) // 2, len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match="not a complete safetensors file"):
            read_arrays(path)


@pytest.mark.parametrize("data", [b"garbage" * 100, b"\xff" * 64, b"\0" * 64, b"{}", b"PK\x03\x04"])
def test_garbage_is_refused(tmp_path, data):
    (tmp_path / "m").write_bytes(data)
    with pytest.raises(InputError, match="not a complete safetensors file"):
        read_arrays(tmp_path / "m")


def test_bytes_after_the_end_are_refused(tmp_path):
    write_arrays(tmp_path / "m", ARRAYS, META)
    (tmp_path / "m").write_bytes((tmp_path / "m").read_bytes() + b"x")
    with pytest.raises(InputError, match="not a complete safetensors file"):
        read_arrays(tmp_path / "m")


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(InputError, match="m: no such file"):
        read_arrays(tmp_path / "m")
    with pytest.raises(InputError, match="not a complete safetensors file"):
        read_arrays(tmp_path)


FOREIGN = {
    "no metadata": {},
    "metadata of another program": {"__metadata__": {"format": "pt"}},
    "a type that numpy lacks": {
        "x": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]},
    },
}


@pytest.mark.parametrize("header", FOREIGN.values(), ids=FOREIGN)
def test_a_safetensors_file_of_another_program_is_refused(tmp_path, header):
    (tmp_path / "m").write_bytes(raw_safetensors(header, b"\0" * (4 if "x" in header else 0)))
    with pytest.raises(InputError, match="m: a safetensors file, but not one of dynotes"):
        read_arrays(tmp_path / "m")


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", "{}", '{"format": "dynotes 1"}'])
def test_a_damaged_value_is_refused(tmp_path, text):
    save_file({}, tmp_path / "m", metadata={HEADER: text})
    with pytest.raises(InputError, match="m: "):
        read_arrays(tmp_path / "m")


def test_a_file_of_a_later_format_is_refused(tmp_path):
    save_file({}, tmp_path / "m", metadata={HEADER: '{"format": "dynotes 9", "meta": 1}'})
    with pytest.raises(InputError, match="expected format 'dynotes 1', found 'dynotes 9'"):
        read_arrays(tmp_path / "m")


# a write is whole or not at all


def test_a_failing_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    write_arrays(tmp_path / "m", ARRAYS, "old")
    before = (tmp_path / "m").read_bytes()

    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_arrays(tmp_path / "m", ARRAYS, "new")
    assert (tmp_path / "m").read_bytes() == before
    assert os.listdir(tmp_path) == ["m"]


def test_a_value_that_is_no_json_leaves_the_old_file(tmp_path):
    write_arrays(tmp_path / "m", ARRAYS, "old")
    with pytest.raises(TypeError):
        write_arrays(tmp_path / "m", ARRAYS, {"a": object()})
    assert read_arrays(tmp_path / "m")[1] == "old"
    assert os.listdir(tmp_path) == ["m"]


def test_the_mode_of_an_existing_file_is_kept(tmp_path):
    write_arrays(tmp_path / "m", {}, 1)
    os.chmod(tmp_path / "m", 0o640)
    write_arrays(tmp_path / "m", {}, 2)
    assert stat.S_IMODE(os.stat(tmp_path / "m").st_mode) == 0o640


def test_a_missing_folder_is_told(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_arrays(tmp_path / "none" / "m", {}, 1)


# models


@pytest.fixture
def model_path(tmp_path):
    owned = own({"n_words": 4, "n_embed": 2, "n_hidden": 3})
    words = Vocabulary.from_words(["<eos>", "a", "b", "c"], eos="<eos>")
    save_model(tmp_path / "m", owned, words, {"lower": False, "numbers": False})
    return tmp_path / "m"


def changed(path, change):
    arrays, meta = read_arrays(path)
    change(arrays, meta)
    write_arrays(path, arrays, meta)


DAMAGE = {
    "another task": (lambda a, m: m.update(task="parser"), "not a language model"),
    "no vocabulary": (lambda a, m: m.pop("vocabulary"), "a damaged model"),
    "no spec": (lambda a, m: m.pop("spec"), "a damaged model"),
    "no text settings": (lambda a, m: m.pop("text"), "a damaged model"),
    "text settings of another kind": (lambda a, m: m.update(text=3), "a damaged model"),
    "other text settings": (lambda a, m: m.update(text={"x": 1}), "a damaged model"),
    "an unknown size": (lambda a, m: m["spec"].update(depth=3), "a damaged model"),
    "a size of another type": (lambda a, m: m["spec"].update(n_hidden="3"), "a damaged model"),
    "another size": (lambda a, m: m["spec"].update(n_hidden=5), "expected shape"),
    "a parameter missing": (lambda a, m: a.pop(sorted(a)[0]), "missing"),
    "a parameter too many": (lambda a, m: a.update(x=np.zeros(2, np.float32)), "not in this model"),
    "not finite": (lambda a, m: a[sorted(a)[0]].fill(np.nan), "not finite"),
    "a word too few": (lambda a, m: m["vocabulary"]["words"].pop(), "3 words for a model of 4"),
}


@pytest.mark.parametrize(("change", "message"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_model_is_refused_in_one_line_with_its_name(model_path, change, message):
    changed(model_path, change)
    with pytest.raises(InputError, match=message) as caught:
        load_model(model_path)
    assert str(caught.value).startswith(f"{model_path}: ")
    assert "\n" not in str(caught.value)


def test_a_file_of_dynotes_that_is_no_model_is_refused(tmp_path):
    for meta in (None, [], {"task": "other"}):
        write_arrays(tmp_path / "m", {}, meta)
        with pytest.raises(InputError, match="not a language model of dynotes"):
            load_model(tmp_path / "m")


def test_a_format_name_is_part_of_the_file(model_path):
    raw = model_path.read_bytes()
    assert model_file.FORMAT.encode() in raw
