import dataclasses
import math
import re

import pytest

from dynotes.tips.dev_tuning import ROLLBACK_STRATEGIES
from dynotes.tips.softmax_approximations import importance_sampling, shared_samples
from dynotes.tips.softmax_approximations.noise import KINDS
from dynotes.tips.truncated_bptt import VARIANTS
from dynotes.training import lm_config
from dynotes.training.lm_config import (
    NOISES,
    READS,
    RULES,
    SCHEDULES,
    SHARING,
    SOFTMAXES,
    TRAINERS,
    ConfigError,
    LmConfig,
    parse_cutoffs,
)
from dynotes.training.lm_presets import PRESETS, resolve

FIELDS = {f.name: f for f in dataclasses.fields(LmConfig)}


def number_fields(bound):
    """(name, value) of every bound that is a number."""
    kinds = (int, float)
    numbers = [f for f in FIELDS.values() if type(f.default) in kinds]
    pairs = [(f, f.metadata[bound]) for f in numbers if math.isfinite(f.metadata[bound])]
    return [(f.name, type(f.default)(value)) for f, value in pairs]


def others(name, value):
    """Settings that must go with a bound, so that it is that bound which is tested."""
    return {
        "k1": {"k2": 0},
        "processes": {"batch_size": 256},
        "augmented_gamma": {"tie": True},
        "decay": {"schedule": "constant"},
        **{read: {"softmax": softmax} for softmax, names in READS.items() for read in names},
        "noise": {"softmax": "nce"},
    }.get(name, {})


def test_the_defaults_are_valid():
    assert LmConfig().checked() == LmConfig()


def test_every_setting_has_a_help_text_and_a_default_of_a_plain_type():
    for f in FIELDS.values():
        assert f.metadata["help"]
        assert type(f.default) in (bool, int, float, str)


@pytest.mark.parametrize(("name", "value"), [*number_fields("low"), *number_fields("high")])
def test_every_bound_itself_is_valid(name, value):
    assert getattr(LmConfig(**{**others(name, value), name: value}).checked(), name) == value


@pytest.mark.parametrize(("name", "low"), number_fields("low"))
def test_less_than_the_lower_bound_is_refused(name, low):
    with pytest.raises(ConfigError, match=rf"^{name}: expected .* found {low - 1}$"):
        LmConfig(**{name: low - 1}).checked()


@pytest.mark.parametrize(("name", "high"), number_fields("high"))
def test_more_than_the_upper_bound_is_refused(name, high):
    more = high + max(1, abs(high))
    with pytest.raises(ConfigError, match=rf"^{name}: expected .* found {re.escape(repr(more))}$"):
        LmConfig(**{name: more}).checked()


@pytest.mark.parametrize("name", [n for n, f in FIELDS.items() if type(f.default) is float])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, pytest.param(10**400, id="big")])
def test_no_number_and_infinity_are_refused(name, value):
    with pytest.raises(ConfigError, match=f"^{name}: expected"):
        LmConfig(**{name: value}).checked()


@pytest.mark.parametrize("name", [n for n, f in FIELDS.items() if type(f.default) is int])
def test_a_whole_number_that_no_machine_counts_to_is_refused(name):
    with pytest.raises(ConfigError, match=f"^{name}: expected"):
        LmConfig(**{name: 10**400}).checked()


@pytest.mark.parametrize("name", FIELDS)
def test_a_value_of_another_type_is_refused(name):
    kind = type(FIELDS[name].default)
    wrong = {bool: (1, "yes", None), int: (1.0, True, "3", None, [1])}
    wrong |= {float: ("1", True, None, []), str: (1, None, True)}
    for value in wrong[kind]:
        with pytest.raises(ConfigError, match=f"^{name}: expected {kind.__name__}, found"):
            LmConfig(**{name: value}).checked()


def test_a_whole_number_serves_as_a_float():
    assert LmConfig(lr=2).checked().lr == 2


@pytest.mark.parametrize("name", [n for n, f in FIELDS.items() if f.metadata["choices"]])
def test_every_choice_is_valid_and_another_is_refused(name):
    for value in FIELDS[name].metadata["choices"]:
        settings = {**others(name, value), name: value}
        assert getattr(LmConfig(**settings).checked(), name) == value
    with pytest.raises(ConfigError, match=rf"^{name}: expected one of .*, found 'other'"):
        LmConfig(**{name: "other"}).checked()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"k1": 5, "k2": 4}, "k2: expected at least k1 = 5, found 4"),
        ({"random_lengths": True, "k1": 5, "k2": 6}, "random_lengths: needs k2 = k1"),
        ({"processes": 3, "batch_size": 2}, r"processes: at most 2 \(batch_size\)"),
        ({"augmented_gamma": 0.5}, "augmented_gamma: needs tie and the full softmax"),
        ({"augmented_gamma": 0.5, "tie": True, "softmax": "nce"}, "augmented_gamma: needs tie and"),
        ({"samples": 5}, "samples: only with softmax importance or nce or negative-sampling"),
        ({"softmax": "nce", "rule": "plain"}, "rule: only with softmax importance"),
        ({"softmax": "importance", "cutoffs": "5"}, "cutoffs: only with softmax adaptive"),
        ({"softmax": "class-factored", "tie": True}, "tie: not with softmax class-factored"),
        ({"softmax": "adaptive", "tie": True, "embed": 9}, "embed: with softmax adaptive and tie"),
        ({"softmax": "importance", "clamp": True}, "clamp: only with the rules plain and tilted"),
        (
            {"softmax": "nce", "noise": "uniform", "noise_power": 0.5},
            "noise_power: only with the noise unigram",
        ),
        ({"schedule": "rollback", "decay": 1.0}, "decay: rollback needs a factor below 1"),
        ({"schedule": "cosine", "min_lr": 1.5}, "min_lr: a part of lr for cosine, found 1.5"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        LmConfig(**settings).checked()


@pytest.mark.parametrize("text", ["", "a", "5,5", "9,3", "0,4", "-3", "1.5", "3,,5", "²"])
def test_cut_offs_that_are_no_rising_ids_are_refused(text):
    with pytest.raises(ConfigError, match=r"^cutoffs: expected"):
        LmConfig(softmax="adaptive", cutoffs=text).checked()


def test_cut_offs_are_read_from_text():
    assert [parse_cutoffs(t) for t in ("3,10", " 3, 10 ", "none", "auto", "measured")] == [
        [3, 10],
        [3, 10],
        [],
        None,
        None,
    ]


def test_names_that_the_settings_repeat_without_the_engine_are_those_of_the_modules():
    assert NOISES == KINDS
    assert RULES == importance_sampling.RULES
    assert SHARING == shared_samples.SHARING
    assert set(READS) == set(SOFTMAXES)


def test_sizes_that_default_to_others_follow_them():
    assert LmConfig(hidden=7).embed_size == 7
    assert LmConfig(hidden=7, embed=3).embed_size == 3
    assert LmConfig(k1=7).steps_back == 7
    assert LmConfig(k1=7, k2=9).steps_back == 9


def test_the_command_line_wins_over_the_file_and_the_file_over_the_preset():
    preset = next(iter(PRESETS))
    base = resolve(preset, {}, {})
    assert dataclasses.asdict(base).items() >= PRESETS[preset].items()
    mixed = resolve(preset, {"hidden": 11, "k1": 12}, {"k1": 13})
    assert mixed == dataclasses.replace(base, hidden=11, k1=13)
    assert resolve(None, {}, {}) == LmConfig()


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_valid_and_changes_only_known_settings(name):
    assert set(PRESETS[name]) <= set(FIELDS)
    resolve(name, {}, {})


def test_an_unknown_preset_or_setting_is_refused():
    with pytest.raises(ConfigError, match=r"preset: expected one of .* found 'huge'"):
        resolve("huge", {}, {})
    with pytest.raises(ConfigError, match="unknown setting 'hiden'"):
        resolve(None, {"hidden": 3, "hiden": 3}, {})


def test_the_choices_are_those_of_the_modules_that_read_them():
    assert lm_config.VARIANTS == VARIANTS
    assert lm_config.STRATEGIES == ROLLBACK_STRATEGIES


@pytest.mark.parametrize("trainer", TRAINERS)
def test_every_trainer_can_be_made_with_its_clipping_threshold(trainer):
    import dynet as dy

    from dynotes.training.trainers import make_trainer

    pc = dy.ParameterCollection()
    made = make_trainer(LmConfig(trainer=trainer, lr=0.25, clip=3.0), pc)
    assert made.get_clip_threshold() == 3.0
    assert trainer == "adadelta" or made.learning_rate == 0.25
    assert make_trainer(LmConfig(trainer=trainer, clip=0.0), pc).get_clip_threshold() <= 0


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule_can_be_made_and_answers(schedule):
    from dynotes.training.trainers import make_schedule

    made = make_schedule(LmConfig(schedule=schedule, decay_after=1, decay=0.5))
    assert 0 <= made.at(1.0, 0.5) <= 1.0
    expected = 0.5 if schedule == "zaremba" else 1.0
    assert made.after_epoch(1, 1.0, 5.0).rate == expected
