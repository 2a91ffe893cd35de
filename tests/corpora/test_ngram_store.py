"""T67: a file as characters and n-grams: spaces dropped or marked, kept for the next time."""

import json

import numpy as np
import pytest

from dynotes.corpora import ngram_store
from dynotes.corpora.errors import InputError
from dynotes.corpora.ngram_inventory import NgramInventory
from dynotes.corpora.ngram_store import store_ngrams
from dynotes.corpora.token_store import SPACE, store_tokens
from tests.reference import ngrams as ref

TEXT = "the cat  saw\nThe cats\n\n\ta rat sat\n"


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "text.txt"
    file.write_text(TEXT)
    return file


def lines_of(text):
    alphabet = text.inventory.alphabet
    parts = np.split(text.ids, text.sentence_ends[:-1])
    return ["".join(alphabet.decode(part)) for part in parts]


def test_the_words_of_a_line_are_put_together(tmp_path, path):
    text = store_ngrams(path, tmp_path / "store", sizes=[9, 9])
    assert lines_of(text) == ["thecatsaw", "Thecats", "", "aratsat"]
    assert text.vocabulary.words[:2] == ("a", "t")
    assert isinstance(text.ids, np.memmap)
    assert text.dropped == 0


def test_spaces_are_kept_as_a_mark_behind_each_word(tmp_path, path):
    text = store_ngrams(path, tmp_path / "store", sizes=[99, 99, 99], spaces=True, lower=True)
    expected = ["the cat saw ", "the cats ", "", "a rat sat "]
    assert lines_of(text) == [line.replace(" ", SPACE) for line in expected]
    counts = dict(zip(text.vocabulary.words, text.vocabulary.counts.tolist()))
    assert {w: n for w, n in counts.items() if len(w) == 3} == ref.ngrams(lines_of(text), 3)


def test_what_is_stored_is_used_again_until_the_text_or_a_setting_changes(
    tmp_path, path, monkeypatch
):
    calls = []
    build = NgramInventory.build
    monkeypatch.setattr(
        ngram_store.NgramInventory, "build", lambda *a, **k: calls.append(k) or build(*a, **k)
    )

    def stored(**options):
        return store_ngrams(path, tmp_path / "store", **{"sizes": [5, 5], **options})

    first, again = stored(), stored()
    assert len(calls) == 1
    assert again.vocabulary == first.vocabulary
    stored(sizes=[5, 4])
    stored(sizes=[5, 4], epsilon=0.1)
    stored(sizes=[5, 4], epsilon=0.1, spaces=True)
    assert len(calls) == 4
    path.write_text("another one\n")
    assert stored(sizes=[5, 4], epsilon=0.1, spaces=True).vocabulary != first.vocabulary
    assert len(calls) == 5


@pytest.mark.parametrize("damage", [b"", b"[]", b'{"inventory": 3}'])
def test_a_damaged_inventory_is_made_again(tmp_path, path, damage):
    first = store_ngrams(path, tmp_path / "store", sizes=[5, 5])
    (tmp_path / "store" / "ngrams.json").write_bytes(damage)
    assert store_ngrams(path, tmp_path / "store", sizes=[5, 5]).vocabulary == first.vocabulary
    assert json.loads((tmp_path / "store" / "ngrams.json").read_bytes())["sha256"] == first.digest


def test_a_text_without_frequent_ngrams_is_told_by_its_name(tmp_path, path):
    with pytest.raises(InputError, match=r"text.txt: no n-gram occurs 50 times"):
        store_ngrams(path, tmp_path / "store", sizes=[5], min_count=50)


def test_other_units_are_refused(tmp_path, path):
    with pytest.raises(ValueError, match="units: expected one of words, characters"):
        store_tokens(path, tmp_path / "store", units="syllables")
