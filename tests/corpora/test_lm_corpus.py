"""A text as a stream of ids: every line ends in <eos>, and the known corpora have their counts."""

import gzip
import os
import tracemalloc

import numpy as np
import pytest

from dynotes.corpora.datasets import data_dir, lm_files
from dynotes.corpora.errors import InputError
from dynotes.corpora.lm_corpus import (
    CHUNK,
    build_vocabulary,
    encode_chunks,
    encode_file,
    normalise,
    read_lm_text,
)
from dynotes.corpora.vocabulary import Vocabulary

TEXT = "the cat saw the dog\n\nthe <unk> dog\n  \nno end"


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "text.txt"
    file.write_text(TEXT)
    return file


def test_every_line_gives_its_tokens_and_one_end(path):
    v = build_vocabulary(path)
    assert v.words == ("<eos>", "the", "dog", "<unk>", "cat", "end", "no", "saw")
    assert v.counts.tolist() == [5, 3, 2, 1, 1, 1, 1, 1]
    text = read_lm_text(path, v)
    expected = "the cat saw the dog <eos> <eos> the <unk> dog <eos> <eos> no end <eos>"
    assert " ".join(v.decode(text.ids)) == expected
    assert text.ids.dtype == np.int32
    assert text.sentence_ends.tolist() == [6, 7, 11, 12, 15]
    assert text.unknown == 0
    assert v.counts.tolist() == np.bincount(text.ids, minlength=len(v)).tolist()


def test_the_ends_cut_the_stream_into_the_lines_again(path):
    v = build_vocabulary(path)
    text = read_lm_text(path, v)
    parts = np.split(text.ids, text.sentence_ends[:-1])
    assert [v.decode(part[:-1]) for part in parts] == [s.split() for s in TEXT.split("\n")]
    assert all(part[-1] == v.eos_id for part in parts)


def test_unknown_tokens_are_counted_but_literal_ones_are_not(path):
    v = build_vocabulary(path, min_count=2)
    text = read_lm_text(path, v)
    assert text.unknown == 4  # cat, saw, no, end
    assert (text.ids == v.unk_id).sum() == 5
    assert v.counts.tolist() == np.bincount(text.ids, minlength=len(v)).tolist()


@pytest.mark.parametrize("size", [1, 2, 6, 7, 100])
def test_an_unknown_token_without_a_stand_in_is_named_with_its_line(path, size):
    v = build_vocabulary(path, unk=None)
    assert encode_file(path, v).size == 15
    words = [word for word in v.words if word not in ("no", "end")]
    v = Vocabulary.from_words(words, eos="<eos>")
    with pytest.raises(InputError, match=r"text\.txt:5: 'no' is not in the vocabulary"):
        list(encode_chunks(path, v, size=size))


def test_a_vocabulary_without_an_end_adds_none(path):
    v = build_vocabulary(path, eos=None)
    text = read_lm_text(path, v)
    assert len(text.ids) == 10
    assert text.sentence_ends.tolist() == [5, 5, 8, 8, 10]


@pytest.mark.parametrize("size", [1, 5, 6, 7, 1000])
def test_chunks_are_whole_lines_and_add_up_to_the_file(path, size):
    v = build_vocabulary(path, min_count=2)
    whole = read_lm_text(path, v)
    chunks = list(encode_chunks(path, v, size=size))
    assert all(chunk.sentence_ends[-1] == len(chunk.ids) for chunk in chunks)
    assert all(len(chunk.ids) >= size for chunk in chunks[:-1])
    assert np.concatenate([chunk.ids for chunk in chunks]).tolist() == whole.ids.tolist()
    lengths = np.concatenate([np.diff(chunk.sentence_ends, prepend=0) for chunk in chunks])
    assert np.cumsum(lengths).tolist() == whole.sentence_ends.tolist()
    assert sum(chunk.unknown for chunk in chunks) == whole.unknown


def test_a_file_of_many_chunks_is_put_together_in_order(tmp_path):
    path = tmp_path / "text.txt"
    rng = np.random.default_rng(2)
    rows = [["a"] * n + ["z"] for n in rng.integers(0, 9, 30_000)]
    path.write_text("\n".join(" ".join(row) for row in rows))
    text = read_lm_text(path, Vocabulary.from_words(["a", "?", "."], unk="?", eos="."))
    assert len(text.ids) > 2 * CHUNK
    assert text.ids.tolist() == [i for row in rows for i in [0] * (len(row) - 1) + [1, 2]]
    assert text.sentence_ends.tolist() == np.cumsum([len(row) + 1 for row in rows]).tolist()
    assert text.unknown == len(rows)


def test_stored_ids_are_a_memory_map_of_the_same_values(tmp_path, path):
    v = build_vocabulary(path)
    inside, outside = read_lm_text(path, v), read_lm_text(path, v, store=tmp_path / "ids")
    assert isinstance(outside.ids, np.memmap)
    assert outside.ids.tolist() == inside.ids.tolist() == encode_file(path, v).tolist()
    assert outside.sentence_ends.tolist() == inside.sentence_ends.tolist()
    assert os.path.getsize(tmp_path / "ids") == 4 * 15


def test_a_failed_encoding_leaves_the_stored_ids_alone(tmp_path, path):
    store = tmp_path / "ids"
    store.write_bytes(b"old")
    with pytest.raises(InputError):
        read_lm_text(path, Vocabulary.from_words(["the"]), store=store)
    assert store.read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == ["ids", "text.txt"]


def test_normalising_changes_nothing_unless_asked():
    numbers = ["12", "1,000.5", "-3", ".5", "+7"]
    tokens = [*numbers, "The", "cats", ",", "1980s", "3/4", "x2", "ÉTÉ", "10%", "-", "1,"]
    assert normalise(tokens) == tokens
    assert normalise(tokens, lower=True) == [token.lower() for token in tokens]
    changed = normalise(tokens, numbers=True)
    assert changed == ["NNUMB"] * len(numbers) + tokens[len(numbers) :]


def test_normalised_text_is_known_to_its_vocabulary(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("A 1\na 22\n")
    v = build_vocabulary(path, lower=True, numbers=True)
    assert set(v.words) == {"a", "NNUMB", "<eos>", "<unk>"}
    text = read_lm_text(path, v, lower=True, numbers=True)
    assert (text.unknown, v.decode(text.ids)) == (0, ["a", "NNUMB", "<eos>"] * 2)
    assert read_lm_text(path, v).unknown == 3


@pytest.mark.parametrize("data", [b"", b"\n\n"])
def test_an_empty_file_is_refused(tmp_path, data):
    path = tmp_path / "text.txt"
    path.write_bytes(data)
    for read in (build_vocabulary, lambda p: encode_file(p, Vocabulary(["a"], eos="a"))):
        with pytest.raises(InputError, match="no text"):
            read(path)


def test_the_text_is_never_in_memory_as_a_whole(tmp_path):
    path = tmp_path / "text.gz"
    path.write_bytes(gzip.compress(b"one two three four five six seven eight\n" * 40_000, 1))
    v = build_vocabulary(path)
    tracemalloc.start()
    try:
        n_ids = len(encode_file(path, v))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert n_ids == 360_000
    assert peak < 12_000_000  # as a list of strings 20 MB; one chunk and 1.4 MB of ids are 6 MB


COUNTS = {  # incl. <eos>, number of lines: the figures of the literature
    "ptb_lm": {"train": (929_589, 42_068), "valid": (73_760, 3_370), "test": (82_430, 3_761)},
    "wikitext2": {
        "train": (2_088_628, 36_718),
        "valid": (217_646, 3_760),
        "test": (245_569, 4_358),
    },
}


@pytest.mark.parametrize(("name", "size"), [("ptb_lm", 10_000), ("wikitext2", 33_278)])
def test_the_known_corpora_have_the_published_counts(name, size):
    try:
        files = lm_files(name, data_dir())
    except InputError as e:
        pytest.skip(f"real data: {e}")
    v = build_vocabulary(files["train"])
    assert len(v) == size
    for role, counts in COUNTS[name].items():
        text = read_lm_text(files[role], v)
        assert (len(text.ids), len(text.sentence_ends)) == counts
        assert text.unknown == 0
