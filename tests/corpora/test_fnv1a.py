"""The hash of fastText: known values, the signed bytes, many strings as one by one."""

import numpy as np
import pytest

from dynotes.corpora.fnv1a import absorbed, fnv1a

# gensim 4.4.0, gensim.models.fasttext_inner.ft_hash_bytes
KNOWN = {
    "": 2166136261,
    "a": 3826002220,
    "cat": 108289031,
    "where": 90969176,
    "<where>": 2319392596,
    "naïve": 3440832043,
    "Straße": 2455373880,
    "日本語": 308035559,
    "a😀b": 1845986729,
    "\x7f\x80ÿ": 3708943974,
    "x" * 40: 2226015845,
    "été": 200187927,
    "__label__x": 215146739,
}


def one_by_one(string):
    """The released loop in plain Python: each byte b from 128 on counts as 2^32 + b - 256."""
    h = 2166136261
    for byte in string.encode("utf-8"):
        h = ((h ^ (byte if byte < 128 else byte + 2**32 - 256)) * 16777619) % 2**32
    return h


def test_the_hashes_are_those_of_fasttext():
    found = fnv1a(list(KNOWN))
    assert found.dtype == np.uint32
    assert found.tolist() == list(KNOWN.values())


def test_bytes_from_128_on_differ_from_plain_fnv1a():
    plain = 2166136261
    for byte in "é".encode():
        plain = ((plain ^ byte) * 16777619) % 2**32
    assert fnv1a(["é"]).tolist() == [one_by_one("é")] != [plain]


def test_strings_of_all_lengths_in_any_order_are_hashed_as_one_by_one():
    rng = np.random.default_rng(0)
    alphabet = list("ab<>é語😀\0")
    strings = ["".join(rng.choice(alphabet, rng.integers(0, 9))) for _ in range(500)]
    assert fnv1a(strings).tolist() == [one_by_one(s) for s in strings]


def test_a_byte_at_a_time_gives_the_hash_of_the_string():
    h = fnv1a(["", "x"])
    for byte in "ö!".encode():
        h = absorbed(h, np.full(2, byte))
    assert h.tolist() == fnv1a(["ö!", "xö!"]).tolist()


def test_no_strings_have_no_hashes():
    assert fnv1a([]).shape == (0,)


def test_one_string_is_no_list_of_strings():
    with pytest.raises(ValueError, match="expected a list of strings, found 'cat'"):
        fnv1a("cat")


def test_what_utf8_cannot_hold_is_an_error():
    with pytest.raises(ValueError, match="surrogates not allowed"):
        fnv1a(["\ud800"])
