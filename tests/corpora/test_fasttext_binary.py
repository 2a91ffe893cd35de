"""fastText's .bin: every bit survives, gensim reads and writes the same, what is wrong is named."""

import dataclasses
import struct

import numpy as np
import pytest

from dynotes.corpora.errors import InputError
from dynotes.corpora.fasttext_binary import (
    DICTIONARY,
    HEADER,
    FastTextFile,
    is_fasttext,
    read_fasttext,
    write_fasttext,
)
from tests.corpora.subword_data import WORDS, made

COUNTS = np.array([90, 80, 70, 60, 50, 40, 30])
OTHERS = ["bananas", "other", "thenban", "語日", "é"]


def file(outputs=True, **sizes):
    vectors = made(**sizes)
    rows = np.random.default_rng(1).normal(size=(len(WORDS), vectors.table.shape[1]))
    return FastTextFile(vectors, COUNTS, rows.astype(np.float32) if outputs else None)


def written(path, **sizes):
    model = file(**sizes)
    write_fasttext(path, model)
    return model


def same(a, b):
    """Whether two models are equal to the bit."""
    for field in dataclasses.fields(a):
        x, y = getattr(a, field.name), getattr(b, field.name)
        if field.name == "vectors":
            same(x, y)
        elif isinstance(x, np.ndarray):
            np.testing.assert_array_equal(x, y)
        else:
            assert x == y, field.name


@pytest.mark.parametrize("outputs", [True, False])
@pytest.mark.parametrize("maxn", [0, 4])
def test_every_bit_survives(tmp_path, outputs, maxn):
    model = file(outputs=outputs, maxn=maxn)
    model = dataclasses.replace(
        model, window=3, epochs=2, min_count=1, negatives=7, loss="softmax", subsample=0.001
    )
    write_fasttext(tmp_path / "m.bin", model)
    if maxn == 0:  # then there are no buckets either
        model = dataclasses.replace(model, vectors=made(maxn=0, n_buckets=0))
    same(read_fasttext(tmp_path / "m.bin"), model)
    assert is_fasttext(tmp_path / "m.bin")


def test_millions_of_buckets_take_the_place_of_those_that_are_used(tmp_path):
    model = written(tmp_path / "m.bin", n_buckets=2_000_000, size=2)
    about = (tmp_path / "m.bin").stat()
    assert about.st_size > 2_000_000 * 2 * 4
    same(read_fasttext(tmp_path / "m.bin"), model)


def test_the_bytes_are_those_of_the_format(tmp_path):
    vectors = made(words=["a"], size=1, n_buckets=2, minn=3, maxn=3)
    vectors.table[:] = [[1.5], [-2.0]]
    model = FastTextFile(vectors, np.array([9]), window=4, epochs=3, min_count=2, negatives=6)
    write_fasttext(tmp_path / "m.bin", model)
    used = [-2.0, 0.0] if vectors.buckets[0] == 0 else [0.0, -2.0]
    header = struct.pack("<14i", 793712314, 12, 1, 4, 3, 2, 6, 1, 2, 2, 2, 3, 3, 100)
    words = struct.pack("<3i2q", 1, 1, 0, 9, -1) + b"a\0" + struct.pack("<qb", 9, 0)
    tables = struct.pack("<?2q3f", False, 3, 1, 1.5, *used) + struct.pack("<?2q", False, 0, 1)
    assert (tmp_path / "m.bin").read_bytes() == header + struct.pack("<d", 1e-4) + words + tables


def test_a_file_of_another_kind_is_none_of_fasttext(tmp_path):
    (tmp_path / "v").write_bytes(b"2 3\n")
    assert not is_fasttext(tmp_path / "v")
    (tmp_path / "v").write_bytes(b"")
    assert not is_fasttext(tmp_path / "v")
    with pytest.raises(InputError, match="none: No such file"):
        is_fasttext(tmp_path / "none")


def test_a_file_cut_off_anywhere_is_refused(tmp_path):
    path = tmp_path / "m.bin"
    written(path, n_buckets=3, size=1)
    data = path.read_bytes()
    for stop in range(len(data)):
        path.write_bytes(data[:stop])
        with pytest.raises(InputError):
            read_fasttext(path)
    path.write_bytes(data + b"\0")
    with pytest.raises(InputError, match="1 bytes too many"):
        read_fasttext(path)


AT_WORDS = struct.calcsize(HEADER)
AT_ENTRY = AT_WORDS + struct.calcsize(DICTIONARY)


def position(field):
    """Place of the n-th number of the header."""
    return 4 * field


@pytest.mark.parametrize(
    ("at", "data", "message"),
    [
        (0, b"2 3\n", "not a file of fastText"),
        (position(1), struct.pack("<i", 11), "expected version 12, found 11"),
        (position(2), struct.pack("<i", 0), "damaged: 0 dimensions"),
        (position(8), struct.pack("<i", 4), "a classifier, no word vectors"),
        (position(9), struct.pack("<i", 3), "a classifier, no word vectors"),
        (position(10), struct.pack("<i", 299), "rows for 7 words and 299 buckets"),
        (position(11), struct.pack("<i", 9), "n-grams of these lengths are unknown: minn"),
        (AT_WORDS, struct.pack("<i", 9), "damaged: 7 words in 9 entries"),
        (AT_WORDS + 8, struct.pack("<i", 2), "a classifier of 2 labels, no word vectors"),
        (AT_WORDS + 20, struct.pack("<q", 1), "compressed vectors cannot be read"),
        (AT_ENTRY, b"\xff", r"entry 1: b'\\xffanana' is not UTF-8"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path, at, data, message):
    path = tmp_path / "m.bin"
    written(path)
    whole = bytearray(path.read_bytes())
    whole[at : at + len(data)] = data
    path.write_bytes(whole)
    with pytest.raises(InputError, match=message):
        read_fasttext(path)


def test_numbers_that_are_not_finite_are_refused_both_ways(tmp_path):
    path = tmp_path / "m.bin"
    model = written(path)
    whole = path.read_bytes()
    row = model.vectors.table[0].tobytes()
    path.write_bytes(whole.replace(row, np.full(4, np.nan, "<f4").tobytes()))
    with pytest.raises(InputError, match="a vector is not finite"):
        read_fasttext(path)
    model.vectors.table[3, 1] = np.inf
    with pytest.raises(InputError, match="row 4 of the table is not finite"):
        write_fasttext(path, model)


@pytest.mark.parametrize("word", ["two words", "", "a\0b", "a\nb"])
def test_words_that_the_format_cannot_hold_are_refused(tmp_path, word):
    model = FastTextFile(made(words=["a", word]), COUNTS[:2])
    with pytest.raises(InputError, match="entry 2: fastText's format cannot hold"):
        write_fasttext(tmp_path / "m.bin", model)
    assert not (tmp_path / "m.bin").exists()


def test_words_twice_and_counts_that_do_not_fit_are_refused(tmp_path):
    model = FastTextFile(made(words=["a", "b", "a"]), COUNTS[:3])
    with pytest.raises(InputError, match="entry 3: the word 'a' is there twice, first in entry 1"):
        write_fasttext(tmp_path / "m.bin", model)
    with pytest.raises(InputError, match="expected a count a word"):
        write_fasttext(tmp_path / "m.bin", dataclasses.replace(file(), counts=COUNTS[1:]))


@pytest.mark.parametrize("maxn", [4, 0])
def test_gensim_reads_what_is_written_here(tmp_path, maxn):
    fasttext = pytest.importorskip("gensim.models.fasttext")
    model = written(tmp_path / "m.bin", maxn=maxn, minn=2)
    theirs = fasttext.load_facebook_vectors(str(tmp_path / "m.bin"))
    words = [word for word in WORDS if word != "</s>"]  # for gensim a word like others
    assert theirs.index_to_key == WORDS
    np.testing.assert_allclose(theirs[words], model.vectors.of(words), atol=1e-6)
    if maxn:
        np.testing.assert_allclose(theirs[OTHERS], model.vectors.of(OTHERS), atol=1e-6)
    whole = fasttext.load_facebook_model(str(tmp_path / "m.bin"))
    np.testing.assert_array_equal(whole.syn1neg, model.outputs)


@pytest.mark.parametrize("options", [{"sg": 1}, {"sg": 0, "max_n": 3, "min_n": 3}])
def test_what_gensim_writes_is_read_here(tmp_path, options):
    fasttext = pytest.importorskip("gensim.models.fasttext")
    rng = np.random.default_rng(0)
    text = [list(rng.choice([w for w in WORDS if w != "</s>"], 9)) for _ in range(60)]
    theirs = fasttext.FastText(
        text, vector_size=6, min_count=1, bucket=200, epochs=2, window=2, seed=1, **options
    )
    fasttext.save_facebook_model(theirs, str(tmp_path / "m.bin"))
    found = read_fasttext(tmp_path / "m.bin")
    words = theirs.wv.index_to_key
    assert found.vectors.words == words
    assert found.counts.tolist() == [theirs.wv.get_vecattr(word, "count") for word in words]
    assert (found.window, found.epochs, found.cbow) == (2, 2, not options["sg"])
    np.testing.assert_array_equal(found.vectors.table[: len(words)], theirs.wv.vectors_vocab)
    np.testing.assert_array_equal(found.outputs, theirs.syn1neg)
    for some in (words, OTHERS):
        np.testing.assert_allclose(found.vectors.of(some), theirs.wv[some], atol=1e-6)
