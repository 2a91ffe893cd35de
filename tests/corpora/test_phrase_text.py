"""T64: a text with its phrases joined: passes, lines, packed files, the list of phrases."""

import gzip
import json
import os
import subprocess
import sys

import pytest

from dynotes.corpora.errors import InputError
from dynotes.corpora.lines import read_tokens
from dynotes.corpora.phrase_text import read_phrase_list, write_phrase_list, write_phrases
from dynotes.corpora.phrase_types import PhraseTypes
from tests.corpora.test_phrases import random_text
from tests.reference import phrases as ref


@pytest.fixture
def path(tmp_path):
    lines, *_ = random_text(3, 120)
    file = tmp_path / "text.txt"
    file.write_text("".join(" ".join(f"W{w}" for w in line) + "\n" for line in lines))
    return file


def expected(path, passes, threshold=1.5, discount=2, min_count=2):
    sentences, found = list(read_tokens(path)), []
    for _ in range(passes):
        known = ref.phrases(sentences, threshold, discount, min_count)
        found.append(known)
        sentences = [ref.joined(s, known) for s in sentences]
    return sentences, found


@pytest.mark.parametrize("passes", [1, 2, 3])
def test_the_text_is_joined_pass_by_pass_as_by_a_loop(tmp_path, path, passes):
    found = write_phrases(
        path, tmp_path / "out.txt", threshold=1.5, discount=2, min_count=2, passes=passes
    )
    sentences, known = expected(path, passes)
    assert (tmp_path / "out.txt").read_text() == "".join(" ".join(s) + "\n" for s in sentences)
    pairs = [(p.first, p.second, p.together, pytest.approx(p.score)) for p in found]
    assert sorted(pairs[: len(known[0])], key=lambda p: p[:2]) == sorted(
        (a, b, n, score) for (a, b), (n, score) in known[0].items()
    )
    assert len(found) == sum(map(len, known))
    scores = [p.score for p in found[: len(known[0])]]
    assert scores == sorted(scores, reverse=True)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["out.txt", "text.txt"]


def test_two_passes_find_three_words(tmp_path):
    (tmp_path / "text.txt").write_text("in new york city now\nnew york city\nno new one\n" * 9)
    found = write_phrases(
        tmp_path / "text.txt", tmp_path / "out", threshold=1, discount=8, min_count=2, passes=2
    )
    assert "new_york_city" in {p.text for p in found}
    assert "new_york_city" in (tmp_path / "out").read_text()


def test_a_packed_text_in_lower_case_holds_the_same(tmp_path, path):
    options = {"threshold": 1.5, "discount": 2, "min_count": 2}
    write_phrases(path, tmp_path / "out.txt.gz", lower=True, **options)
    write_phrases(path, tmp_path / "out.txt", **options)
    packed = gzip.decompress((tmp_path / "out.txt.gz").read_bytes())
    assert packed == (tmp_path / "out.txt").read_bytes().lower()


def test_the_list_of_phrases_is_read_as_it_was_written(tmp_path, path):
    types = PhraseTypes({("W1", "W2"): "Adj-N"}, {})
    found = write_phrases(path, tmp_path / "out.txt", threshold=1.5, min_count=2, types=types)
    assert {p.text: p.kind for p in found if p.kind != "other"} == {"W1_W2": "Adj-N"}
    write_phrase_list(tmp_path / "list.tsv", found)
    again = read_phrase_list(tmp_path / "list.tsv")
    assert [p[:4] for p in again] == [p[:4] for p in found]
    assert [p.kind for p in again] == [p.kind for p in found]
    assert [p.score for p in again] == pytest.approx([p.score for p in found], rel=1e-5)


GENSIM = """
import json, sys
from gensim.models.phrases import Phrases
sentences = [line.split() for line in open(sys.argv[1], encoding="utf-8")]
model = Phrases(sentences, min_count=2, threshold=1.0, connector_words=frozenset())
tokens = sum(map(len, sentences))
found = {k: v * tokens / len(model.vocab) for k, v in model.export_phrases().items()}
print(json.dumps([found, [model[s] for s in sentences], tokens / len(model.vocab)]))
"""


def test_gensim_finds_the_same_phrases_scores_and_text(tmp_path, path):
    """Its score counts the different words and pairs where ours has the tokens."""
    peer = os.environ.get("DYNOTES_GENSIM_PYTHON", sys.executable)
    if subprocess.run([peer, "-c", "import gensim"], capture_output=True).returncode:
        pytest.skip("no gensim; name an interpreter that has it by DYNOTES_GENSIM_PYTHON")
    done = subprocess.run([peer, "-c", GENSIM, path], capture_output=True, text=True, check=True)
    scores, sentences, scale = json.loads(done.stdout)
    found = write_phrases(path, tmp_path / "out.txt", threshold=scale, discount=2, min_count=2)
    assert {p.text: pytest.approx(p.score) for p in found} == scores
    assert list(read_tokens(tmp_path / "out.txt")) == sentences


def test_the_text_itself_is_never_overwritten(tmp_path, path):
    before = path.read_bytes()
    with pytest.raises(InputError, match="is the text itself"):
        write_phrases(path, path, threshold=1)
    (tmp_path / "empty").write_text("\n\n")
    with pytest.raises(InputError, match="no text"):
        write_phrases(tmp_path / "empty", path, threshold=1)
    assert path.read_bytes() == before


@pytest.mark.parametrize("line", ["a_b\ta\tb\t3\t1", "a_b\ta\tb\tx\t1\tother", "a b"])
def test_a_list_that_is_none_is_told_with_the_line(tmp_path, line):
    (tmp_path / "list.tsv").write_text(f"a_b\ta\tb\t3\t1.5\tother\n{line}\n")
    with pytest.raises(InputError, match=r"list.tsv:2: expected phrase, first, second"):
        read_phrase_list(tmp_path / "list.tsv")
