"""T58: settings of the classifier."""

import pytest

from dynotes.corpora.labelled_text import TextStyle
from dynotes.training.classify.config import PRESETS, ClassifyConfig, check_settings, resolve
from dynotes.training.settings import ConfigError


def test_the_command_line_is_above_the_file_above_the_preset_above_the_defaults():
    found = resolve("tutorial", {"lr": 0.3, "dim": 7}, {"dim": 8})
    assert (found.dim, found.lr, found.epochs, found.batch) == (8, 0.3, 25, 16)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_right(preset):
    assert resolve(preset, {}, {})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dim": 0}, "dim: expected 1 to"),
        ({"output": "hs"}, "output: expected one of softmax"),
        ({"minn": 2}, "minn: only with maxn"),
        ({"maxn": 3}, r"minn: expected 1 to maxn \(3\), found 0"),
        ({"minn": 4, "maxn": 3}, r"minn: expected 1 to maxn \(3\), found 4"),
        ({"label_prefix": ""}, "label_prefix: expected a word"),
        ({"label_prefix": "a b"}, "label_prefix: expected a word"),
        ({"clip": -1.0}, "clip: expected 0 to"),
        ({"lower": 1}, "lower: expected bool"),
    ],
)
def test_settings_that_are_wrong_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        ClassifyConfig(**settings).checked()


def test_unknown_settings_are_refused():
    with pytest.raises(ConfigError, match="unknown setting 'ngrams'"):
        check_settings({"ngrams": 2})


def test_what_the_settings_say_of_texts_and_ngrams():
    config = ClassifyConfig(lower=True, label_prefix="#", word_ngrams=2, minn=3, maxn=4, bucket=9)
    assert config.style == TextStyle("#", True, False)
    assert config.ngrams == {"n": 2, "minn": 3, "maxn": 4, "buckets": 9}


def test_the_bound_grows_with_the_labels_for_one_vs_all_alone():
    assert ClassifyConfig(clip=2.0).clip_of(72) == 2.0
    config = ClassifyConfig(clip=2.0, output="one-vs-all")
    assert [config.clip_of(n) for n in (2, 8, 72)] == [2.0, 2.0, 6.0]
