"""The ids of a text: rare words vanish, and the folder is used again for the same text only."""

import gzip
import json
import os
from collections import Counter
from itertools import chain

import numpy as np
import pytest

from dynotes.corpora import token_store
from dynotes.corpora.errors import InputError
from dynotes.corpora.token_store import store_tokens

TEXT = "b a a rare\n\nA b once c c\nrare2\n  \nc b a c\n\n"


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "text.txt"
    file.write_text(TEXT)
    return file


def sentences(text):
    return [text.vocabulary.decode(p) for p in np.split(text.ids, text.sentence_ends[:-1])]


def expected(content, min_count, lower=False):
    content = content.lower() if lower else content
    counts = Counter(content.split())
    lines = content.split("\n")
    lines = lines[:-1] if not lines[-1] else lines
    return [[w for w in line.split() if counts[w] >= min_count] for line in lines]


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 1 << 16])
@pytest.mark.parametrize("min_count", [1, 2, 3])
@pytest.mark.parametrize("lower", [False, True])
def test_rare_words_vanish_from_the_lines(tmp_path, path, monkeypatch, chunk, min_count, lower):
    monkeypatch.setattr(token_store, "CHUNK", chunk)
    text = store_tokens(path, tmp_path / "store", min_count=min_count, lower=lower)
    lines = expected(TEXT, min_count, lower)
    assert sentences(text) == lines
    counts = Counter(chain.from_iterable(lines))
    order = sorted(counts, key=lambda word: (-counts[word], word))
    assert list(text.vocabulary.words) == order
    assert text.vocabulary.counts.tolist() == [counts[word] for word in order]
    assert text.dropped == len(TEXT.split()) - len(text.ids)
    assert (text.ids.dtype, text.sentence_ends.dtype) == (np.int32, np.int64)
    assert isinstance(text.ids, np.memmap)
    assert sorted(os.listdir(tmp_path / "store")) == ["ends.int64", "ids.int32", "tokens.json"]


def test_a_text_of_many_chunks_is_put_together_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(token_store, "CHUNK", 100)
    rng = np.random.default_rng(2)
    words = [f"w{i}" for i in rng.zipf(1.3, 5000).clip(max=400)]
    cuts = np.sort(rng.integers(0, 5000, 900))
    content = "\n".join(" ".join(part) for part in np.split(words, cuts)) + "\n"
    path = tmp_path / "text.gz"
    path.write_bytes(gzip.compress(content.encode()))
    assert sentences(store_tokens(path, tmp_path / "store", min_count=3)) == expected(content, 3)


def test_only_the_most_frequent_words_are_kept_where_asked(tmp_path, path):
    text = store_tokens(path, tmp_path / "store", min_count=1, max_size=2)
    assert text.vocabulary.words == ("c", "a")
    assert sentences(text) == [["a", "a"], [], ["c", "c"], [], [], ["c", "a", "c"], []]


@pytest.fixture
def encodings(monkeypatch):
    """How often a text was encoded."""
    calls = []
    encode = token_store._encode
    monkeypatch.setattr(token_store, "_encode", lambda *args: calls.append(1) or encode(*args))
    return calls


def test_stored_ids_are_used_again_for_the_same_text(tmp_path, path, encodings):
    first = store_tokens(path, tmp_path / "store", min_count=2)
    again = store_tokens(path, tmp_path / "store", min_count=2)
    assert len(encodings) == 1
    assert again.ids.tolist() == first.ids.tolist()
    assert again.sentence_ends.tolist() == first.sentence_ends.tolist()
    assert again.vocabulary == first.vocabulary
    assert (again.dropped, again.digest) == (first.dropped, first.digest)
    os.utime(path, ns=(1, 1))
    assert store_tokens(path, tmp_path / "store", min_count=2).ids.tolist() == first.ids.tolist()
    assert len(encodings) == 1  # another time, the same digest


def test_stored_ids_are_made_anew_for_another_text(tmp_path, path, encodings):
    store_tokens(path, tmp_path / "store", min_count=2)
    path.write_text(TEXT.replace("b", "d"))
    os.utime(path, ns=(1, 1))
    text = store_tokens(path, tmp_path / "store", min_count=2)
    assert len(encodings) == 2
    assert "d" in text.vocabulary
    path.write_text(TEXT + "more more\n")
    assert "more" in store_tokens(path, tmp_path / "store", min_count=2).vocabulary


@pytest.mark.parametrize("change", [{"min_count": 1}, {"lower": True}, {"max_size": 3}])
def test_stored_ids_are_made_anew_for_other_settings(tmp_path, path, encodings, change):
    store_tokens(path, tmp_path / "store", min_count=2)
    store_tokens(path, tmp_path / "store", **{"min_count": 2, **change})
    assert len(encodings) == 2


@pytest.mark.parametrize("damage", ["ids.int32", "ends.int64", "tokens.json"])
def test_a_damaged_store_is_made_anew(tmp_path, path, encodings, damage):
    store = tmp_path / "store"
    first = store_tokens(path, store, min_count=2).ids.tolist()
    data = (store / damage).read_bytes()
    for content in (data[:-4], data[:-5], b""):
        (store / damage).write_bytes(content)
        assert store_tokens(path, store, min_count=2).ids.tolist() == first
    (store / damage).unlink()
    assert store_tokens(path, store, min_count=2).ids.tolist() == first
    assert len(encodings) == 5


def test_a_failure_leaves_no_description_of_other_ids(tmp_path, path, monkeypatch):
    store = tmp_path / "store"
    store_tokens(path, store, min_count=2)
    path.write_bytes(b"a a a\n\xff\n")
    with pytest.raises(InputError, match=r"text\.txt:2: not UTF-8"):
        store_tokens(path, store, min_count=2)
    assert "tokens.json" not in os.listdir(store)


def test_a_text_that_changes_meanwhile_is_refused(tmp_path, path, monkeypatch):
    encode = token_store._encode

    def slowly(*args):
        found = encode(*args)
        path.write_text(TEXT + "more\n")
        return found

    monkeypatch.setattr(token_store, "_encode", slowly)
    with pytest.raises(InputError, match="changed while it was read"):
        store_tokens(path, tmp_path / "store", min_count=2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no text"),
        (b" \n\n", "no text"),
        (b"a b\na c\n", "no word occurs 5 times: the most frequent, 'a', is there 2 times"),
        (b"a b\n\xe9\n", ":2: not UTF-8: byte 0xe9"),
    ],
)
def test_a_text_without_words_to_learn_from_is_refused(tmp_path, content, message):
    path = tmp_path / "text.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        store_tokens(path, tmp_path / "store")


def test_missing_files_and_folders_that_cannot_be_are_named(tmp_path, path):
    with pytest.raises(InputError, match="none: No such file"):
        store_tokens(tmp_path / "none", tmp_path / "store")
    with pytest.raises(InputError, match=r"text\.txt"):
        store_tokens(path, path, min_count=1)


def test_counts_below_one_are_refused(tmp_path, path):
    for change in ({"min_count": 0}, {"max_size": 0}):
        with pytest.raises(ValueError, match="expected a whole number from 1"):
            store_tokens(path, tmp_path, **change)


def test_the_description_is_plain_json(tmp_path, path):
    text = store_tokens(path, tmp_path / "store", min_count=2)
    about = json.loads((tmp_path / "store" / "tokens.json").read_text())
    assert about["n_tokens"] == len(text.ids)
    settings = {"min_count": 2, "max_size": None, "lower": False, "units": "words"}
    assert about["settings"] == settings
