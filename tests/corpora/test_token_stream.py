"""Subsampled chunks and window pairs: exact against plain loops, however the corpus is cut."""

from itertools import chain

import numpy as np
import pytest

from dynotes.corpora import token_stream
from dynotes.corpora.token_stream import chunks, subsample_keep, token_ranges, window_pairs
from tests.reference import word_windows

N = 700
SETTINGS = {"window": 4, "seed": 3, "epoch": 1}


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(token_stream, "BLOCK", 64)


@pytest.fixture
def text():
    """Every token another word, so that a word tells its place; sentences of 0 to 200 tokens."""
    rng = np.random.default_rng(5)
    ends = np.unique(np.append(rng.integers(1, N, 25), [200, 400, N]))
    ends = np.sort(np.append(ends, ends[3]))  # an empty sentence
    return np.arange(N, dtype=np.int32), ends.astype(np.int64), rng.uniform(0.2, 1, N)


def all_of(ids, ends, keep, size=50, **options):
    return list(chunks(ids, ends, keep=keep, size=size, **{**SETTINGS, **options}))


def pairs_of(found):
    result = []
    for chunk in found:
        rows, others = window_pairs(chunk, chunk.windows)
        result += zip(chunk.ids[rows].tolist(), chunk.ids[others].tolist())
    return result


def whole(text, **options):
    (only,) = all_of(*text, size=10**6, **options)
    return only


def test_pairs_are_those_of_plain_loops(text):
    _, ends, _ = text
    chunk = whole(text)
    assert 0.4 * N < len(chunk.ids) < 0.8 * N
    sentences = np.searchsorted(ends, chunk.ids, side="right")
    expected = word_windows.pairs(chunk.ids.tolist(), sentences.tolist(), chunk.windows.tolist())
    assert pairs_of([chunk]) == expected
    assert (chunk.sentences == sentences).all()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 65, 300])
def test_pairs_do_not_depend_on_the_size_of_the_chunks(text, size):
    found = all_of(*text, size=size)
    assert pairs_of(found) == pairs_of([whole(text)])
    assert [len(chunk.windows) for chunk in found[:-1]] == [size] * (len(found) - 1)


@pytest.mark.parametrize("workers", [1, 2, 3, 7, 40])
def test_workers_together_make_every_pair_once(text, workers):
    ranges = token_ranges(N, workers)
    assert [begin for begin, _ in ranges] == [0] + [end for _, end in ranges][:-1]
    assert ranges[-1][1] == N
    lengths = [end - begin for begin, end in ranges]
    assert max(lengths) - min(lengths) <= 1
    parts = chain.from_iterable(all_of(*text, size=20, begin=b, end=e) for b, e in ranges)
    assert pairs_of(parts) == pairs_of([whole(text)])


@pytest.mark.parametrize("stop", [1, 2, 5, 9])
def test_a_stream_that_was_stopped_goes_on_with_the_same_chunks(text, stop):
    found = all_of(*text, size=30)
    rest = all_of(*text, size=30, begin=found[stop - 1].end)
    assert len(rest) == len(found) - stop > 0
    for one, other in zip(rest, found[stop:]):
        assert all(np.array_equal(a, b) for a, b in zip(one, other))
        assert one.ids.dtype == other.ids.dtype == np.int32


def test_places_run_from_begin_to_end_without_a_gap(text):
    found = all_of(*text, size=30, begin=100, end=650)
    assert (found[0].begin, found[-1].end) == (100, 650)
    assert [c.begin for c in found[1:]] == [c.end for c in found[:-1]]
    for chunk in found:
        assert ((chunk.centres >= chunk.begin) & (chunk.centres < chunk.end)).all()


def test_neighbours_beyond_the_centres_are_of_the_same_sentence_and_no_more_than_a_window(text):
    for chunk in all_of(*text, size=10):
        left, right = chunk.first, len(chunk.ids) - chunk.first - len(chunk.windows)
        assert 0 <= left <= SETTINGS["window"]
        assert 0 <= right <= SETTINGS["window"]
        edges = chunk.sentences[[chunk.first, chunk.first + len(chunk.windows) - 1]]
        assert (chunk.sentences[:left] == edges[0]).all()
        assert right == 0 or (chunk.sentences[-right:] == edges[1]).all()


def test_a_thin_text_has_neighbours_many_blocks_away():
    ids, ends, keep = np.zeros(6400, np.int32), np.array([6400]), np.array([0.004])
    ids[[100, 3000, 6000]] = 1
    keep = np.append(keep, 1.0)
    expected = pairs_of([whole((ids, ends, keep))])
    ranges = token_ranges(6400, 50)
    parts = (all_of(ids, ends, keep, size=1, begin=b, end=e) for b, e in ranges)
    assert pairs_of(chain.from_iterable(parts)) == expected
    assert (1, 0) in expected


def test_draws_depend_on_seed_and_epoch_alone(text):
    first = whole(text)
    assert all(np.array_equal(a, b) for a, b in zip(first, whole(text)))
    for other in (whole(text, seed=4), whole(text, epoch=2)):
        assert not np.array_equal(first.ids, other.ids)
    assert whole(text, seed=1, epoch=2).ids.tolist() != whole(text, seed=2, epoch=1).ids.tolist()


def test_the_share_kept_of_each_word_is_the_asked_one(monkeypatch):
    monkeypatch.setattr(token_stream, "BLOCK", 1 << 12)
    rng = np.random.default_rng(0)
    counts = np.array([60_000, 20_000, 15_000, 5_000])
    ids = rng.permutation(np.repeat(np.arange(4, dtype=np.int32), counts))
    keep = np.array([0.1, 0.35, 0.8, 1.0])
    kept = np.bincount(whole((ids, np.array([len(ids)]), keep)).ids, minlength=4)
    assert kept[3] == counts[3]
    z = (kept - counts * keep)[:3] / np.sqrt(counts * keep * (1 - keep))[:3]
    assert np.abs(z).max() < 3.5  # seed 3: 1.4


def test_half_windows_are_uniform_from_one_to_the_widest(monkeypatch):
    monkeypatch.setattr(token_stream, "BLOCK", 1 << 12)
    ids, ends = np.zeros(50_000, np.int32), np.array([50_000])
    widths = whole((ids, ends, np.ones(1)), window=5).windows
    counts = np.bincount(widths, minlength=6)
    assert counts[0] == 0
    assert len(counts) == 6
    chi2 = ((counts[1:] - 10_000) ** 2 / 10_000).sum()
    assert chi2 < 18.5  # 4 degrees of freedom, p = 0.001


def test_fixed_windows_are_all_the_widest(text):
    fixed, drawn = whole(text, dynamic=False), whole(text)
    assert (fixed.windows == 4).all()
    assert np.array_equal(fixed.ids, drawn.ids)


def test_subsampling_of_the_released_code_and_of_the_paper():
    counts = [500_000, 30_000, 2_000, 100, 1]
    for t in (1e-3, 1e-4, 1e-5, 1e-7):
        released, paper = subsample_keep(counts, t), subsample_keep(counts, t, formula="paper")
        np.testing.assert_allclose(released, word_windows.keep_released(counts, t), rtol=1e-12)
        np.testing.assert_allclose(paper, word_windows.keep_paper(counts, t), rtol=1e-12)
    assert subsample_keep(counts, 0).tolist() == subsample_keep(counts, None).tolist() == [1.0] * 5


def test_a_word_without_occurrences_is_kept():
    assert subsample_keep([1000, 0], 1e-4)[1] == 1.0


def test_a_memory_map_gives_what_an_array_gives(tmp_path, text):
    ids, ends, keep = text
    ids.tofile(tmp_path / "ids")
    ends.tofile(tmp_path / "ends")
    mapped = np.memmap(tmp_path / "ids", np.int32, "r"), np.memmap(tmp_path / "ends", np.int64, "r")
    assert pairs_of(all_of(*mapped, keep)) == pairs_of(all_of(ids, ends, keep))
    assert mapped[0].tolist() == ids.tolist()


def test_nothing_kept_gives_no_chunk(text):
    ids, ends, _ = text
    assert all_of(ids, ends, np.zeros(N)) == []
    assert all_of(*text, begin=N) == all_of(*text, begin=9, end=9) == []


def test_given_windows_take_the_place_of_the_drawn_ones(text):
    chunk = whole(text)
    none = window_pairs(chunk, np.zeros_like(chunk.windows))
    assert [len(part) for part in none] == [0, 0]
    rows, others = window_pairs(chunk, np.ones_like(chunk.windows))
    assert set(np.abs(rows - others).tolist()) == {1}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"window": 0}, "window: expected a whole number from 1"),
        ({"size": 0}, "size"),
        ({"seed": -1}, "seed"),
        ({"epoch": 1.5}, "epoch"),
        ({"begin": 800}, "begin"),
        ({"end": N + 1}, "end"),
        ({"keep": np.full(N, 1.5)}, "keep: expected"),
        ({"keep": np.ones(5)}, "ids must be 0 to 4"),
        ({"sentence_ends": np.array([5])}, "expected the last to be 700 > 0, found 5"),
        ({"sentence_ends": np.array([], np.int64)}, "found None"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(text, change, message):
    ids, ends, keep = text
    options = {"sentence_ends": ends, "keep": keep, "size": 9, **SETTINGS, **change}
    with pytest.raises(ValueError, match=message):
        list(chunks(ids, **options))


def test_widths_that_are_not_one_a_centre_are_refused(text):
    chunk = whole(text)
    for widths in (chunk.windows[1:], chunk.windows - 9):
        with pytest.raises(ValueError, match="widths >= 0"):
            window_pairs(chunk, widths)


@pytest.mark.parametrize("counts", [[], [0, 0], [3, -1], [[1]]])
def test_counts_that_are_none_are_refused(counts):
    with pytest.raises(ValueError, match="counts: expected"):
        subsample_keep(counts, 1e-3)


def test_other_thresholds_and_formulas_are_refused():
    with pytest.raises(ValueError, match="threshold: expected a number from 0 to 1, found 2"):
        subsample_keep([1], 2)
    with pytest.raises(ValueError, match="formula: expected one of released, paper"):
        subsample_keep([1], 1e-3, formula="other")
