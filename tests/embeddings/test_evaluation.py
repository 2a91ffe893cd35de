"""Evaluation of word vectors: against plain loops in double precision, scipy and gensim."""

import math
from collections import Counter

import numpy as np
import pytest
from scipy import stats

from dynotes.corpora.word_tests import AnalogySection, Question, SimilarityTest
from dynotes.corpora.word_vectors import WordVectors
from dynotes.embeddings import evaluation
from dynotes.embeddings.evaluation import (
    SectionScore,
    analogy_accuracy,
    complete_analogy,
    neighbours,
    similarity_scores,
    spearman,
    total,
)
from tests.reference import word_analogies

METHODS = ("add", "mul")


def table(n_words=60, size=6, seed=0):
    """Words of which the first half is the second one, moved by nearly the same vector."""
    rng = np.random.default_rng(seed)
    half = rng.normal(size=(n_words // 2, size))
    moved = half + rng.normal(size=size) + 0.3 * rng.normal(size=half.shape)
    words = [f"{side}{i}" for side in "sp" for i in range(n_words // 2)]
    return WordVectors(words, np.concatenate([half, moved]).astype(np.float32))


def section(quadruples, name="x", group=""):
    questions = [Question(a, (b,), c, (d,)) for a, b, c, d in quadruples]
    return AnalogySection(name, group, questions)


def quadruples(n, seed=1, half=30):
    rng = np.random.default_rng(seed)
    return [
        (f"s{i}", f"p{i}", f"s{j}", f"p{j}")
        for i, j in rng.integers(0, half + 4, (n, 2))  # some are unknown
        if i != j
    ]


def of(score):
    return score.right, score.answered, score.skipped


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("scores", [1, 200, 1 << 20])
def test_accuracy_is_that_of_plain_loops(monkeypatch, method, scores):
    monkeypatch.setattr(evaluation, "SCORES", scores)
    vectors, asked = table(), quadruples(150)
    (found,) = analogy_accuracy(vectors, [section(asked)], method=method)
    expected = word_analogies.accuracy(*vectors, asked, method)
    assert of(found) == expected
    assert 0.2 < expected[0] / expected[1] < 0.98
    assert expected[2] > 0


@pytest.mark.parametrize("method", METHODS)
def test_the_answers_are_those_of_plain_loops(method):
    vectors = table()
    for a, b, c, _ in quadruples(25, half=26):
        found = complete_analogy(vectors, a, b, c, method=method)
        assert found[0][0] == word_analogies.answer(*vectors, a, b, c, method)


def test_the_two_methods_differ():
    vectors, asked = table(seed=3), quadruples(150)
    add, mul = (analogy_accuracy(vectors, [section(asked)], method=m)[0] for m in METHODS)
    assert add.right != mul.right


@pytest.mark.parametrize("method", METHODS)
def test_the_scores_are_the_formulas(method):
    vectors = table()
    rows = dict(zip(vectors.words, vectors.matrix.astype(np.float64)))
    for word, score in complete_analogy(vectors, "s0", "p0", "s1", method=method, top=57):
        a, b, c = (word_analogies.cosine(rows[word], rows[other]) for other in ("s0", "p0", "s1"))
        mul = (b + 1) / 2 * (c + 1) / 2 / ((a + 1) / 2 + 0.001)
        assert score == pytest.approx(b - a + c if method == "add" else mul, rel=2e-5, abs=2e-6)


@pytest.mark.parametrize("method", METHODS)
def test_the_three_words_of_a_question_are_no_answers(method):
    vectors = table()
    found = complete_analogy(vectors, "s0", "p0", "s1", method=method, top=100)
    assert len(found) == len(vectors.words) - 3
    assert not {"s0", "p0", "s1"} & {word for word, _ in found}
    asked = [("s0", "p0", "s1", "s0"), ("s0", "p0", "s1", "p0"), ("s0", "p0", "s1", "s1")]
    (score,) = analogy_accuracy(vectors, [section(asked)], method=method)
    assert of(score) == (0, 3, 0)


def test_no_word_is_left_to_answer_where_there_are_only_three():
    vectors = WordVectors(["a", "b", "c"], np.eye(3, dtype=np.float32))
    (score,) = analogy_accuracy(vectors, [section([("a", "b", "c", "a"), ("c", "b", "a", "c")])])
    assert of(score) == (0, 2, 0)


def test_a_restricted_vocabulary_neither_asks_nor_answers_rarer_words():
    vectors, asked = table(), quadruples(150)
    for n in (35, 45, 60, 1000):
        (found,) = analogy_accuracy(vectors, [section(asked)], restrict_vocab=n)
        few = WordVectors(vectors.words[:n], vectors.matrix[:n])
        assert found == analogy_accuracy(few, [section(asked)])[0]
        assert of(found) == word_analogies.accuracy(*few, asked, "add")
    assert not {"p29"} & {w for w, _ in complete_analogy(vectors, "s0", "p29", "s1", top=60,
                                                         restrict_vocab=59)}  # fmt: skip


def test_sections_have_their_own_counts():
    vectors = table()
    known, unknown = quadruples(20, half=26), [("s0", "p0", "none", "p1")]
    sections = [section(known, "a", "g"), section([], "empty"), section(unknown * 3, "b")]
    found = analogy_accuracy(vectors, sections)
    assert [(s.name, s.group) for s in found] == [("a", "g"), ("empty", ""), ("b", "")]
    assert (found[0].answered, found[0].skipped) == (len(known), 0)
    assert of(found[1]) == (0, 0, 0)
    assert of(found[2]) == (0, 0, 3)
    assert total(found) == SectionScore("total", "", found[0].right, len(known), 3)
    assert total([]) == SectionScore("total", "", 0, 0, 0)


def test_any_of_several_right_words_is_right_and_the_first_known_example_is_used():
    vectors = table()
    best = complete_analogy(vectors, "s0", "p0", "s1", top=2)
    first, second = best[0][0], best[1][0]
    for b, d, right in (
        (("none", "p0", "p7"), ("none", second, first), 1),
        (("p0",), (second, "none"), 0),
        (("p0",), (first,), 1),
    ):
        question = Question("s0", b, "s1", d)
        (score,) = analogy_accuracy(vectors, [AnalogySection("x", "", [question])])
        assert of(score) == (right, 1, 0)
    unknown = [Question("s0", ("none",), "s1", ("p1",)), Question("s0", ("p0",), "s1", ("none",))]
    assert of(analogy_accuracy(vectors, [AnalogySection("x", "", unknown)])[0]) == (0, 0, 2)


def test_lower_case_makes_the_first_of_equal_words_the_asked_one():
    v = table(40, seed=2)
    words = [word.upper() if i % 2 else word for i, word in enumerate(v.words)]
    asked = [tuple(word.upper() for word in q) for q in quadruples(60, half=16)]
    exact = analogy_accuracy(v, [section([tuple(w.lower() for w in q) for q in asked])])[0]
    assert analogy_accuracy(WordVectors(words, v.matrix), [section(asked)], lower=True)[0] == exact
    as_they_are = analogy_accuracy(WordVectors(words, v.matrix), [section(asked)])[0]
    assert as_they_are.answered < exact.answered


def test_lower_case_leaves_out_every_form_of_the_question_and_accepts_every_form_of_the_answer():
    words = ["a", "b", "c", "B", "D", "d"]
    matrix = np.array([[1, 0, 0], [0, 1, 0], [1, 0, 1], [-0.3, 1, 0.7], [9, -9, -9], [0, 1, 0.8]])
    vectors = WordVectors(words, matrix.astype(np.float32))
    asked = [section([("a", "b", "c", "d")])]
    assert complete_analogy(vectors, "a", "b", "c")[0][0] == "B"
    assert analogy_accuracy(vectors, asked)[0].right == 0
    assert analogy_accuracy(vectors, asked, lower=True)[0].right == 1


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(3))
def test_equal_vectors_are_a_tie_that_the_more_frequent_word_wins(method, seed):
    v = table(seed=seed)
    # far from their twins, so that they are computed in other parts of a product
    filler = np.random.default_rng(seed).normal(size=(997, 8)) * [1, 1, 1, 1, 1, 1, 9, 9]
    known = np.pad(v.matrix, ((0, 0), (0, 2)))
    twins = known[30:]
    words = [*v.words, *(f"f{i}" for i in range(997)), *(f"t{i}" for i in range(30))]
    vectors = WordVectors(words, np.concatenate([known, filler, twins]).astype(np.float32))
    asked = [
        (a, b, c, word_analogies.answer(*vectors, a, b, c, method))
        for a, b, c, _ in quadruples(20, half=26)
    ]
    (found,) = analogy_accuracy(vectors, [section(asked)], method=method)
    assert of(found) == (len(asked), len(asked), 0)
    assert "p" in {d[0] for *_, d in asked}
    order = [word for word, _ in neighbours(vectors, "s1", top=2000) if word[0] in "pt"]
    assert order == [side + word[1:] for word in order[::2] for side in "pt"]


def test_neighbours_are_sorted_by_cosine():
    vectors = table()
    found = neighbours(vectors, "s3", top=5)
    rows = dict(zip(vectors.words, vectors.matrix))
    expected = sorted(
        ((word_analogies.cosine(row, rows["s3"]), word) for word, row in rows.items()),
        reverse=True,
    )[1:6]
    assert [word for word, _ in found] == [word for _, word in expected]
    np.testing.assert_allclose([c for _, c in found], [c for c, _ in expected], atol=1e-6)
    assert len(neighbours(vectors, "s3", top=1000)) == 59
    assert {word[0] for word, _ in neighbours(vectors, "p3", top=99, restrict_vocab=30)} == {"s"}


def test_cosines_do_not_depend_on_the_lengths():
    vectors = table()
    scale = 10.0 ** np.random.default_rng(0).integers(-30, 30, (60, 1))
    other = WordVectors(vectors.words, (vectors.matrix * scale).astype(np.float32))
    asked = [section(quadruples(100))]
    assert analogy_accuracy(other, asked) == analogy_accuracy(vectors, asked)


def test_a_vector_of_zeros_has_cosine_zero():
    matrix = np.array([[1, 0], [0, 0], [-1, 0]], np.float32)
    assert neighbours(WordVectors(["a", "b", "c"], matrix), "a") == [("b", 0.0), ("c", -1.0)]


@pytest.mark.parametrize("seed", range(6))
def test_spearman_is_that_of_scipy(seed):
    rng = np.random.default_rng(seed)
    n = [2, 3, 10, 50, 300, 1000][seed]
    x, y = rng.integers(0, 3 + n // 4, n).astype(float), rng.normal(size=n)
    x[0], x[1] = -1, 99
    for a, b in ((x, y), (y, x), (x, x), (x, -x), (x, x + 3 * y)):
        assert spearman(a, b) == pytest.approx(stats.spearmanr(a, b)[0], abs=1e-12)


def test_spearman_of_what_does_not_differ_is_not_a_number():
    for x, y in (([], []), ([1], [1]), ([1, 1], [1, 2]), ([1, 2], [3, 3])):
        assert math.isnan(spearman(x, y))
    for x, y in (([1, 2], [1]), ([1, math.nan], [1, 2]), ([[1]], [[1]])):
        with pytest.raises(ValueError, match="two lists of finite numbers"):
            spearman(x, y)


def test_similarities_are_ranked_as_scipy_ranks_them_and_unknown_pairs_are_counted():
    vectors = table(size=20)
    rng = np.random.default_rng(0)
    pairs = [(f"s{i}", f"p{j}") for i, j in rng.integers(0, 34, (200, 2))]
    gold = rng.integers(0, 10, 200).astype(float)
    rows = dict(zip(vectors.words, vectors.matrix.astype(np.float64)))
    known = [i for i, pair in enumerate(pairs) if all(word in rows for word in pair)]
    cosines = [word_analogies.cosine(*(rows[word] for word in pairs[i])) for i in known]
    found = similarity_scores(vectors, SimilarityTest(pairs, gold))
    assert found.spearman == pytest.approx(stats.spearmanr(cosines, gold[known])[0], abs=1e-4)
    assert (found.pairs, found.left_out) == (len(known), 200 - len(known))
    assert 0 < found.left_out < 60
    few = similarity_scores(vectors, SimilarityTest(pairs, gold), restrict_vocab=45)
    assert found.pairs > few.pairs > 20
    assert few.pairs + few.left_out == 200


def test_similarities_of_other_case_are_known_in_lower_case_alone():
    vectors = WordVectors(["The", "the", "Cat", "dog"], np.eye(4, 3, dtype=np.float32) + 0.1)
    test = SimilarityTest([("THE", "cat"), ("Dog", "the"), ("dog", "cat")], np.array([3.0, 1, 2]))
    assert similarity_scores(vectors, test).pairs == 0
    assert math.isnan(similarity_scores(vectors, test).spearman)
    assert similarity_scores(vectors, test, lower=True).pairs == 3


def test_unknown_words_and_methods_are_refused():
    vectors = table()
    with pytest.raises(ValueError, match="'none' is not among the 60 words"):
        neighbours(vectors, "none")
    with pytest.raises(ValueError, match="'none' is not among the 60 words"):
        complete_analogy(vectors, "s0", "none", "s1")
    for call in (
        lambda: analogy_accuracy(vectors, [], method="sub"),
        lambda: complete_analogy(vectors, "s0", "p0", "s1", method="sub"),
    ):
        with pytest.raises(ValueError, match="method: expected one of add, mul, found 'sub'"):
            call()
    with pytest.raises(ValueError, match="restrict_vocab"):
        analogy_accuracy(vectors, [], restrict_vocab=0)
    with pytest.raises(ValueError, match="top"):
        neighbours(vectors, "s0", top=0)
    for wrong in (WordVectors(["a"], np.ones((2, 2))), WordVectors([], np.ones((0, 2)))):
        with pytest.raises(ValueError, match="expected a vector a word"):
            analogy_accuracy(wrong, [])


@pytest.mark.parametrize("case_insensitive", [False, True])
@pytest.mark.parametrize("restrict", [70, 110])
def test_gensim_finds_the_same(tmp_path, case_insensitive, restrict):
    models = pytest.importorskip("gensim.models")
    v, order = table(90, seed=4, size=10), np.random.default_rng(0).permutation(90)
    words = [v.words[i].upper() if i % 3 == 0 else v.words[i] for i in order]
    words += [word.swapcase() for word in words[:20]]  # other forms, other vectors
    matrix = np.concatenate([v.matrix[order], v.matrix[order[:20]] + np.float32(0.2)])
    words[30:30], matrix = words[90:], np.insert(matrix[:90], [30] * 20, matrix[90:], axis=0)
    del words[110:]
    asked = [tuple(str.upper(w) if i % 2 else w for w in q) for i, q in
             enumerate(quadruples(400, half=45))]  # fmt: skip
    path = tmp_path / "q"
    path.write_text(": gram1\n" + "\n".join(" ".join(q) for q in asked) + "\n")
    theirs = models.KeyedVectors(10)
    theirs.add_vectors(words, matrix)
    options = {"restrict_vocab": restrict, "case_insensitive": case_insensitive}
    sections = theirs.evaluate_word_analogies(str(path), **options)[1]
    counts = Counter({name: len(sections[0][name]) for name in ("correct", "incorrect")})
    mine = WordVectors(words, matrix)
    options = {"restrict_vocab": restrict, "lower": case_insensitive}
    (found,) = analogy_accuracy(mine, [section(asked)], **options)
    assert (found.right, found.answered) == (counts["correct"], sum(counts.values()))
    assert 0 < found.right < found.answered
    rng = np.random.default_rng(0)
    gold = rng.normal(size=len(asked)).round(1)
    path.write_text("".join(f"{a}\t{d}\t{g}\n" for (a, _, _, d), g in zip(asked, gold)))
    options = {"restrict_vocab": restrict, "case_insensitive": case_insensitive}
    _, rho, missing = theirs.evaluate_word_pairs(str(path), **options)
    test = SimilarityTest([(a, d) for a, _, _, d in asked], gold)
    score = similarity_scores(mine, test, restrict_vocab=restrict, lower=case_insensitive)
    assert score.spearman == pytest.approx(rho[0], abs=1e-4)
    assert 100 * score.left_out / len(asked) == pytest.approx(missing)
