"""The files of the toy language: made again bit by bit, and true of the language."""

import hashlib
from collections import Counter
from itertools import groupby

import pytest
from click.testing import CliRunner

from dynotes.corpora import make_toy, toy_data
from dynotes.corpora.errors import InputError
from dynotes.corpora.toy_data import toy_dir, toy_optimum
from dynotes.corpora.toy_language import ToyLanguage
from dynotes.corpora.toy_plug_in import PlugIn
from dynotes.corpora.toy_relations import MIN_COUNT


@pytest.fixture(scope="module")
def full():
    return ToyLanguage()


def text_lines(name):
    return (toy_dir() / name).read_text(encoding="utf-8").splitlines()


def test_regenerated_files_are_the_bundled_ones_bit_by_bit(tmp_path):
    made = make_toy.write_toy(tmp_path / "toy")
    names = sorted(path.name for path in made.iterdir())
    assert names == sorted(path.name for path in toy_dir().iterdir())
    sums = dict(reversed(line.split("  ")) for line in text_lines("SHA256SUMS"))
    assert {*sums, "SHA256SUMS"} == set(names)
    for name in names:
        data = (made / name).read_bytes()
        assert data == (toy_dir() / name).read_bytes(), name
        assert sums.get(name) in (None, hashlib.sha256(data).hexdigest())


def test_texts_are_in_the_language_and_their_optimum_is_that_of_the_readme(full):
    assert text_lines("vocabulary.txt") == full.vocabulary
    readme = (toy_dir() / "README.md").read_text(encoding="utf-8")
    for part in ("dev", "test"):
        assert f"| {toy_optimum(toy_dir() / f'{part}.txt'):.4f} |" in readme
    assert f"{full.expected_perplexity():.6f}" in readme
    example = next(line for line in readme.splitlines() if line.startswith("    he "))
    assert full.parse(example.split()) is not None
    assert {w for line in text_lines("train.txt") for w in line.split()} <= set(full.vocabulary)


def test_foreign_and_empty_texts_have_no_optimum(tmp_path):
    path = tmp_path / "text"
    path.write_text(text_lines("test.txt")[0] + "\nha lo za\n", encoding="utf-8")
    with pytest.raises(InputError, match="text:2: no sentence of the toy language: 'ha lo za'"):
        toy_optimum(path)
    path.write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="expected a sentence a line, found none"):
        toy_optimum(path)


def test_treebanks_hold_the_gold_trees_of_the_texts_in_ten_columns(full):
    for part in ("train", "dev", "test"):
        blocks = "\n".join(text_lines(f"{part}.conllu")).strip("\n").split("\n\n")
        for number, (block, line) in enumerate(zip(blocks, text_lines(f"{part}.txt")), start=1):
            sent_id, text, *rows = block.split("\n")
            assert sent_id == f"# sent_id = {part}-{number}"
            assert text == f"# text = {line}"
            columns = list(zip(*(row.split("\t") for row in rows)))
            s = full.parse(line.split())
            gold = [s.words, s.lemmas, s.tags, ["_"] * len(s.words), s.features, s.heads, s.labels]
            assert len(columns) == 10
            assert list(columns[0]) == [str(i + 1) for i in range(len(rows))]
            assert [list(c) for c in columns[1:8]] == [[str(x) for x in column] for column in gold]
            assert set(columns[8] + columns[9]) == {"_"}
            for feats in columns[5]:
                assert feats == "|".join(sorted(feats.split("|")))
        assert len(blocks) == make_toy.PARTS[part][2]


INFLECTIONS = {
    "noun-singular-plural": lambda a, b: b == a + "r",
    "noun-masculine-feminine": lambda a, b: "o" in a[5:] and b == a[:5] + a[5:].replace("o", "a"),
    "pronoun-singular-plural": lambda a, b: a[0] == "y" and b == a[:2] + "r" + a[2:],
    "adjective-masculine-feminine": lambda a, b: a[5:] == "ilo" and b == a[:-1] + "a",
    "adjective-masculine-neuter": lambda a, b: a[5:] == "ilo" and b == a[:-1] + "u",
    "verb-present-past": lambda a, b: a[5] == "i" and b == a[:5] + "a" + a[6:],
    "verb-singular-plural": lambda a, b: a[6:] == "s" and b == a[:6] + "n",
}


def test_analogies_are_right_inflections_of_frequent_words():
    counts = Counter(w for line in text_lines("train.txt") for w in line.split())
    section, questions = None, Counter()
    for line in text_lines("analogies.txt"):
        if line.startswith(": "):
            section = line[2:]
            continue
        a, b, c, d = line.split()
        assert INFLECTIONS[section](a, b)
        assert INFLECTIONS[section](c, d)
        assert a != c
        assert min(counts[w] for w in (a, b, c, d)) >= MIN_COUNT
        questions[section] += 1
    assert set(questions) == set(INFLECTIONS)
    assert min(questions.values()) >= 12
    assert sum(questions.values()) >= 800


def test_no_other_word_has_the_distribution_of_one_that_is_asked_about(full):
    """Words of one family, topic and inflection stand in the same places equally often."""
    entries, core = full.lexicon.entries, full.sizes.n_core

    def distribution(word):
        e = entries[word]
        return e.cell.family, min(e.rank, core), e.features

    mates = Counter(map(distribution, entries))
    asked = {w for line in text_lines("analogies.txt") if line[0] != ":" for w in line.split()}
    assert max(mates.values()) > 10
    assert all(mates[distribution(w)] == 1 for w in asked)
    assert {"Case=Nom" in entries[w].features for w in asked if entries[w].tag == "PRON"} == {True}


def test_similarities_follow_their_closed_form(full):
    counts = Counter(w for line in text_lines("train.txt") for w in line.split())
    entries, core = full.lexicon.entries, full.sizes.n_core
    rows = [line.split("\t") for line in text_lines("similarity.tsv")]
    for a, b, score in rows:
        x, y = entries[a], entries[b]
        want = 0.0
        if x.tag == y.tag:
            kind = x.cell.family[0]
            shared = [u == v for u, v in zip(x.features.split("|"), y.features.split("|"))]
            shared = shared[:2]  # gender and number, number and tense, gender, or none
            timed = [e.cell.family[0] == "TIME" for e in (x, y)]
            same_topic = timed[0] if any(timed) else min(x.rank, core) == min(y.rank, core)
            same_topic = same_topic and timed[0] == timed[1]
            want = 2 + 3 * (x.cell.family == y.cell.family) + 2 * same_topic
            want += 3 * sum(shared) / len(shared)
            assert kind in ("N", "A", "VT", "VI", "VS", "TIME", "MANNER")
        assert float(score) == pytest.approx(want, abs=0.005)
        assert min(counts[a], counts[b]) >= MIN_COUNT
    assert len({tuple(sorted(row[:2])) for row in rows}) == len(rows) >= 200
    assert all(row[0] != row[1] for row in rows)
    levels = [float(score) for _, _, score in rows]
    assert [k for k, _ in groupby(levels)] == sorted(set(levels), reverse=True)
    assert min(levels) == 0
    assert max(levels) == 10


def test_toy_folder_is_the_bundled_one_or_a_named_one(tmp_path, monkeypatch):
    assert (toy_dir(tmp_path) / "train.txt").is_file()
    assert toy_dir(tmp_path) == toy_dir() != tmp_path
    monkeypatch.setattr(toy_data, "__file__", str(tmp_path / "a" / "b" / "c.py"))
    made = []
    monkeypatch.setattr(toy_data, "write_toy", made.append)
    with pytest.raises(InputError, match="make_toy --out FOLDER"):
        toy_dir()
    assert toy_dir(tmp_path) == tmp_path
    assert made == [tmp_path]
    (tmp_path / "SHA256SUMS").touch()
    assert toy_dir(tmp_path) == tmp_path
    assert made == [tmp_path]


def test_plug_in_estimate_from_the_training_text_is_close_to_the_optimum(full):
    train, test = ([x.split() for x in text_lines(name)] for name in ("train.txt", "test.txt"))
    ratio = PlugIn(full, train).perplexity(test) / full.optimum_perplexity(test)
    assert 1 < ratio < 1.01


def test_command_writes_into_the_named_folder_or_says_why_not(tmp_path, monkeypatch):
    folders = []

    def write(folder):
        folders.append(folder)
        if len(folders) > 1:
            raise OSError(28, "No space left on device")
        return folder

    monkeypatch.setattr(make_toy, "write_toy", write)
    done, failed = (CliRunner().invoke(make_toy.main, ["--out", str(tmp_path)]) for _ in range(2))
    assert (done.exit_code, done.output) == (0, f"wrote {tmp_path}\n")
    assert (failed.exit_code, failed.output) == (1, "Error: [Errno 28] No space left on device\n")
    assert folders == [str(tmp_path)] * 2
