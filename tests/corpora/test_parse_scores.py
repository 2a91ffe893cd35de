"""Scores of parses against hand counts and against the official evaluator."""

import gzip

import numpy as np
import pytest

from dynotes.corpora.conllu import read_conllu, write_conllu
from dynotes.corpora.datasets import data_dir
from dynotes.corpora.errors import InputError
from dynotes.corpora.parse_scores import (
    ParseScores,
    is_punctuation,
    score_arcs,
    score_files,
    score_sentence,
    universal,
)
from dynotes.corpora.toy_data import toy_dir
from dynotes.corpora.trees import is_tree

GOLD = (
    "1\tThe\t_\tDET\t_\t_\t2\tdet\t_\t_\n"
    "2\tdog\t_\tNOUN\t_\t_\t3\tnsubj\t_\t_\n"
    "3\tbarks\t_\tVERB\t_\t_\t0\troot\t_\t_\n"
    "4\t,\t_\t_\t_\t_\t3\tpunct\t_\t_\n"
    "5\tloud\t_\tADV\t_\t_\t3\tadvmod:emph\t_\t_\n"
    "6\t!\t_\tPUNCT\t_\t_\t3\tpunct\t_\t_\n\n"
)
TREE = [2, 3, 0, 5, 3, 5], ["det", "obj:x", "root", "punct", "advmod:y", "punct:z"]


def pair(tmp_path, gold=GOLD, tree=TREE):
    one, two = tmp_path / "gold.conllu", tmp_path / "parsed.conllu"
    one.write_text(gold, encoding="utf-8")
    (sentence,) = read_conllu(one)
    two.write_text(sentence.with_tree(*tree).text(), encoding="utf-8")
    return one, two


HAND = {  # (punctuation, subtypes): words, heads, labels, both
    (True, False): (6, 4, 5, 3),
    (True, True): (6, 4, 3, 2),
    (False, False): (4, 4, 3, 3),
    (False, True): (4, 4, 2, 2),
}


@pytest.mark.parametrize(("punctuation", "subtypes"), HAND)
def test_the_counts_are_those_made_by_hand(tmp_path, punctuation, subtypes):
    options = {"punctuation": punctuation, "subtypes": subtypes}
    expected = ParseScores(*HAND[punctuation, subtypes])
    one, two = pair(tmp_path)
    assert score_files(one, two, **options) == expected
    (gold,), (parsed,) = read_conllu(one), read_conllu(two)
    assert score_sentence(gold, parsed, **options) == expected


def test_scores_are_percent_and_add_up():
    total = ParseScores(3, 2, 1, 1).plus(ParseScores(1, 1, 1, 1))
    assert total == (4, 3, 2, 2)
    assert (total.uas, total.las, total.label_accuracy) == (75.0, 50.0, 50.0)
    assert (ParseScores().uas, ParseScores().las) == (0.0, 0.0)


def test_arrays_of_any_number_of_words_are_scored_at_once():
    found = score_arcs([0, 1, 1], [5, 6, 7], [0, 1, 2], [5, 7, 7], [True, True, False])
    assert found == (2, 2, 1, 1)
    with pytest.raises(ValueError, match="expected five columns"):
        score_arcs([0, 1], [5, 6], [0], [5, 6])
    with pytest.raises(ValueError, match="keep of bool"):
        score_arcs([0], [5], [0], [5], [1])


def test_punctuation_is_what_the_tag_says_and_without_a_tag_what_the_form_says():
    assert is_punctuation("x", "PUNCT")
    assert not is_punctuation(".", "SYM")
    assert is_punctuation("...«", "_")
    assert not is_punctuation("a.", "_")
    assert not is_punctuation("$", "_")


def test_a_universal_label_has_no_subtype():
    assert [universal(x) for x in ("acl:relcl", "acl", "a:b:c")] == ["acl", "acl", "a"]


def test_other_words_are_refused_with_the_line_of_the_sentence(tmp_path):
    one, two = pair(tmp_path)
    two.write_text("# c\n" + two.read_text("utf-8").replace("dog", "cat"), encoding="utf-8")
    with pytest.raises(InputError, match=r"parsed.conllu:1: .*'dog' as word 2, found 'cat'"):
        score_files(one, two)
    shorter = two.read_text("utf-8").replace("cat", "dog").replace("punct:z", "x").splitlines()[:-2]
    two.write_text("\n".join(shorter) + "\n\n", encoding="utf-8")
    with pytest.raises(InputError, match="expected '!' as word 6, found the end of the sentence"):
        score_files(one, two)


def test_another_number_of_sentences_is_refused(tmp_path):
    one, two = pair(tmp_path)
    two.write_text(two.read_text("utf-8") * 2, encoding="utf-8")
    with pytest.raises(InputError, match=r"gold.conllu: only 1 sentences, fewer than in .*parsed"):
        score_files(one, two)
    with pytest.raises(InputError, match=r"gold.conllu: only 1 sentences"):
        score_files(two, one)


def test_sentences_without_heads_are_refused(tmp_path):
    one, two = pair(tmp_path)
    (gold,), (parsed,) = read_conllu(one), read_conllu(two, trees=False)
    with pytest.raises(ValueError, match="expected two sentences with heads"):
        score_sentence(gold, parsed)


def perturbed(sentence, rng, share, multi_root=False):
    """About this share of the arcs and labels replaced, always a tree."""
    heads, labels = sentence.heads.copy(), sentence.labels
    for i in np.flatnonzero(rng.random(len(heads)) < share):
        old, heads[i] = heads[i], rng.integers(len(heads) + 1)
        if not is_tree(heads, multi_root=multi_root):
            heads[i] = old
        labels[i] = str(rng.choice(["nsubj", "obl:tmod", labels[i] + ":new", "flat"]))
    return sentence.with_tree(heads, labels)


def official(gold, parsed, multi_root):
    """UAS and LAS of the CoNLL 2018 evaluator in percent."""
    udeval = pytest.importorskip("udtools.udeval", reason="pip install udtools")
    kind = {"multiple_roots_okay": multi_root}
    found = udeval.evaluate(*(udeval.load_conllu_file(str(x), kind) for x in (gold, parsed)))
    return [100 * found[name].f1 for name in ("UAS", "LAS")]


def assert_official(source, tmp_path, share, multi_root, limit):
    gold, parsed = tmp_path / "gold.conllu", tmp_path / "parsed.conllu"
    raw = source.read_bytes()
    text = (gzip.decompress(raw) if source.suffix == ".gz" else raw).decode().split("\n\n")
    gold.write_text("\n\n".join(text[:limit]).rstrip("\n") + "\n\n", encoding="utf-8")
    rng = np.random.default_rng(6)
    with open(parsed, "wb") as file:
        write_conllu((perturbed(s, rng, share, multi_root) for s in read_conllu(gold)), file)
    scores = score_files(gold, parsed, multi_root=multi_root)
    assert [scores.uas, scores.las] == pytest.approx(official(gold, parsed, multi_root), abs=1e-9)
    if share:
        assert 5 < scores.las < scores.uas < 99
    else:
        assert scores.las == scores.uas == scores.label_accuracy == 100


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("multi_root", [False, True])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_scores_of_the_toy_treebank_are_the_official_ones(tmp_path, share, multi_root):
    assert_official(toy_dir() / "test.conllu", tmp_path, share, multi_root, 300)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_the_scores_of_real_treebanks_are_the_official_ones(tmp_path):
    folder = data_dir()
    files = [] if folder is None else sorted(folder.glob("ud_*/*-dev.conllu*"))
    if not files:
        pytest.skip("no treebanks: set DYNOTES_DATA")
    for source in files:
        assert_official(source, tmp_path, 0.4, False, 100)
