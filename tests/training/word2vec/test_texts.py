"""The texts of runs: characters, joined phrases with their types, what is used again."""

import json

import numpy as np
import pytest

from dynotes.corpora.download import digest_of
from dynotes.corpora.errors import InputError
from dynotes.corpora.phrase_text import read_phrase_list
from dynotes.corpora.token_store import SPACE
from dynotes.training.settings import ConfigError
from dynotes.training.word2vec import texts
from dynotes.training.word2vec.config import resolve
from dynotes.training.word2vec.texts import run_phrases, store_text
from tests.training.word2vec.small_word2vec import config, write_text

TIM = {"model": "tim", "threshold": 1.2, "discount": 0.0}


@pytest.fixture
def path(tmp_path):
    return write_text(tmp_path / "text.txt")


def stored(path, **settings):
    return store_text(path, path.parent / "tokens", config(**settings))


def test_words_are_the_units_of_a_window_model(path):
    text = stored(path)
    assert (len(text.vocabulary), len(text.ids)) == (12, 120 * 9)


def test_ngrams_are_those_of_the_lines_put_together(path):
    text = stored(path, model="sembei", ngrams="12,20,7")
    lengths = np.bincount([len(word) for word in text.vocabulary.words])
    assert lengths.tolist() == [0, 12, 20, 7]
    assert len(text.ids) == 120 * 9
    marked = stored(path, model="sembei", ngrams="13,20", spaces=True)
    assert marked.vocabulary.words[0] == SPACE
    assert len(marked.ids) == 120 * 9 * 2


def test_rare_ngrams_are_left_out_and_lossy_counts_are_allowed(path):
    text = stored(path, model="sembei", ngrams="99,99", min_count=80, epsilon=0.01)
    assert text.vocabulary.counts.min() >= 80


def test_phrases_are_words_of_the_text_of_a_tensor_model(path):
    text = stored(path, **TIM)
    phrases = read_phrase_list(path.parent / "tokens" / "phrases.tsv")
    assert phrases
    assert {p.text for p in phrases} & set(text.vocabulary.words)
    assert {p.kind for p in phrases} == {"other"}
    assert text.digest == digest_of(path)


def test_types_come_from_a_file(path):
    types = path.parent / "types.tsv"
    types.write_text("a\tb\tfirst\nb\tc\tsecond\n")
    stored(path, **TIM, phrase_types=str(types))
    phrases = read_phrase_list(path.parent / "tokens" / "phrases.tsv")
    kinds = {p.text: p.kind for p in phrases}
    assert (kinds["a_b"], kinds["b_c"], kinds["c_d"]) == ("first", "second", "other")


def test_a_joined_text_is_made_again_only_where_a_setting_or_the_text_changed(path, monkeypatch):
    calls, write = [], texts.write_phrases
    monkeypatch.setattr(texts, "write_phrases", lambda *a, **k: calls.append(k) or write(*a, **k))
    stored(path, **TIM)
    stored(path, **TIM)
    assert len(calls) == 1
    stored(path, **{**TIM, "threshold": 1.3})
    write_text(path, seed=2)
    stored(path, **{**TIM, "threshold": 1.3})
    assert len(calls) == 3


def test_a_missing_file_of_types_is_told_and_nothing_is_made(path):
    with pytest.raises(InputError, match="missing"):
        stored(path, **TIM, phrase_types=str(path.parent / "missing"))
    assert not (path.parent / "tokens").exists()


def test_the_phrases_of_a_text_are_written_and_listed(path):
    out, listed = path.parent / "out.txt", path.parent / "list.tsv"
    found = run_phrases(path, out, listed, threshold=1.2, discount=0.0, min_count=5, passes=1)
    assert found["phrases"] == len(read_phrase_list(listed))
    assert found["best"][0][0] == read_phrase_list(listed)[0].text
    assert "_" in out.read_text()
    assert json.loads(json.dumps(found)) == found


def test_ngrams_are_thinned_out_more_than_words_unless_it_is_said():
    assert resolve(None, {"model": "sembei"}, {}).subsample == 1e-5
    assert resolve(None, {"model": "sembei"}, {"subsample": 1e-3}).subsample == 1e-3
    assert resolve(None, {"model": "tim"}, {}).subsample == 1e-3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "sembei", "window": 3}, "window: only with model skipgram"),
        ({"model": "sembei", "max_vocabulary": 3}, "max_vocabulary: only with model"),
        ({"ngrams": "5,5"}, "ngrams: only with model sembei"),
        ({"spaces": True}, "spaces: only with model sembei"),
        ({"epsilon": 0.1}, "epsilon: only with model sembei"),
        ({"rank": 2}, "rank: only with model tim"),
        ({"diag": "none", "model": "cbow"}, "diag: only with model tim"),
        ({"model": "sembei", "ngrams": "5,x"}, "ngrams: expected whole numbers with commas"),
        ({"model": "sembei", "ngrams": "5,,5"}, "ngrams: expected whole numbers with commas"),
        ({"model": "sembei", "ngrams": "0,0"}, "ngrams: expected some, found '0,0'"),
        ({"model": "tim", "held_out": 0.6}, "held_out: expected"),
        ({"model": "tim", "diag": "half"}, "diag: expected one of identity"),
    ],
)
def test_settings_of_other_models_and_bad_ones_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        config(**settings)
