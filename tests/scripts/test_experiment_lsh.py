"""The LSH experiment at work on a few points: what it writes, what it measures, what it refuses."""

import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest

from dynotes.corpora.vocabulary import Vocabulary
from dynotes.training.lm_model import own, save_model
from tests.scripts.experiment_script import FOLDER, module, run_script, table
from tests.scripts.lm_script import environment, last_line, tree
from tests.training.small_lm import ROOT, WORDS, write_text

SCRIPT = FOLDER / "lsh_rank.py"
TINY = ["--points", "40", "--dim", "6", "--queries", "5", "--seeds", "2"]
TINY += ["--bits", "4", "--bits", "16", "--rerank", "1", "--rerank", "40"]


def run(folder, *arguments):
    return run_script(folder, SCRIPT.name, *arguments)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lsh")
    return run(folder, *TINY, "--out", folder / "out"), folder / "out"


def test_the_folder_holds_tables_and_the_result(done):
    process, out = done
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""
    assert sorted(path.name for path in out.iterdir()) == ["result.json", "table.md", "table.tsv"]
    rows = table(out)
    settings = [(row["data"], row["rerank"], row["bits"]) for row in rows]
    assert settings == [
        (data, depth, bits)
        for data in ("gaussian", "clustered", "mixture")
        for depth in ("1", "40")
        for bits in ("4", "16")
    ]
    assert {row["similarity"] for row in rows} == {"cosine"}
    assert len((out / "table.md").read_text().splitlines()) == len(rows) + 2


def test_the_last_line_is_the_result_without_its_rows(done):
    process, out = done
    found, result = last_line(process.stdout), json.loads((out / "result.json").read_text())
    assert found == {k: v for k, v in result.items() if k not in ("rows", "settings")}
    assert found["task"] == "lsh-rank"
    assert found["seeds"] == [1, 2]
    assert result["settings"]["points"] == 40
    written = [float(row["mean_rank"]) for row in table(out)]
    np.testing.assert_allclose([row["mean_rank"] for row in result["rows"]], written, rtol=1e-5)


def test_comparing_all_points_exactly_finds_the_nearest(done):
    rows = [row for row in table(done[1]) if row["rerank"] == "40"]
    assert {(row["mean_rank"], row["median_rank"], row["top1"]) for row in rows} == {("1",) * 3}


def test_codes_alone_find_a_worse_point(done):
    rows = [row for row in table(done[1]) if row["rerank"] == "1" and row["data"] == "gaussian"]
    four, sixteen = (float(row["mean_rank"]) for row in rows)
    assert 1 < sixteen < four < 41


def test_it_is_said_that_trained_embeddings_were_left_out(done):
    assert "trained embeddings: left out, no --model\n" in done[0].stdout


def test_equal_seeds_give_equal_tables_and_other_seeds_others(done, tmp_path):
    for name, seed in (("same", 1), ("other", 5)):
        assert run(tmp_path, *TINY, "--seed", seed, "--out", tmp_path / name).returncode == 0
    assert table(tmp_path / "same") == table(done[1])
    assert table(tmp_path / "other") != table(done[1])


def test_a_folder_with_a_result_is_refused_and_left_alone(done, tmp_path):
    before = tree(done[1])
    process = run(tmp_path, *TINY, "--out", done[1])
    assert process.returncode == 1
    assert process.stderr == f"error: {done[1]}: holds a result already; use another folder\n"
    assert tree(done[1]) == before


def test_help_needs_neither_dynet_nor_numpy():
    code = (
        "import runpy, sys\n"
        "sys.modules.update(dict.fromkeys(['dynet', '_dynet', 'numpy', 'matplotlib']))\n"
        "sys.argv = ['lsh_rank.py', '--help']\n"
        f"runpy.run_path({str(SCRIPT)!r}, run_name='__main__')\n"
    )
    variables = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{FOLDER}"}
    process = subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    assert "--rerank" in process.stdout


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--bits", "0"], "--bits"),
        (["--bits", "65537"], "--bits"),
        (["--rerank", "41"], "--rerank: at most --points 40, found 41"),
        (["--seeds", "0"], "--seeds"),
        (["--queries", "0"], "--queries"),
        (["--data", "spiral"], "spiral"),
        (["--text", "x.txt"], "--text needs --model"),
        (["--target", "1"], "--target"),
        (["--planes", "3"], "--planes"),
    ],
)
def test_bad_options_are_named_and_nothing_is_made(more, message, tmp_path):
    process = run(tmp_path, *TINY, *more, "--out", tmp_path / "out")
    assert process.returncode == 2
    assert message in process.stderr
    assert "Traceback" not in process.stderr
    assert not (tmp_path / "out").exists()


# --- trained embeddings --------------------------------------------------------------------------


def model(path, **sizes):
    """A model with random parameters, in a file."""
    spec = {"n_words": len(WORDS), "n_embed": 4, "n_hidden": 4, "layers": 1, **sizes}
    owned = own(spec)
    rng = np.random.default_rng(1)
    owned.restore({n: rng.normal(size=a.shape).astype("f4") for n, a in owned.arrays().items()})
    vocabulary = Vocabulary.from_words(WORDS, eos="<eos>")
    save_model(path, owned, vocabulary, {"lower": False, "numbers": False})
    return path


SMALL = ["--data", "gaussian", "--points", "20", "--dim", "4", "--queries", "4", "--seeds", "1"]
SMALL += ["--bits", "8", "--rerank", "1", "--rerank", "8"]


def test_the_tables_and_the_hidden_vectors_of_a_model_are_searched(tmp_path):
    file = model(tmp_path / "model.safetensors", tie=False)
    text = write_text(tmp_path / "text.txt", 100, 3)
    out = tmp_path / "out"
    process = run(tmp_path, *SMALL, "--model", file, "--text", text, "--out", out)
    assert process.returncode == 0, process.stderr
    assert "left out" not in process.stdout
    rows = table(out)
    assert list(dict.fromkeys((row["data"], row["similarity"]) for row in rows)) == [
        ("gaussian", "cosine"),
        ("rows of full-softmax/P", "cosine"),
        ("rows of full-softmax/P", "inner product"),
        ("rows of word-embeddings/L", "cosine"),
        ("rows of word-embeddings/L", "inner product"),
        ("hidden", "inner product"),
        ("hidden", "inner product by cosine codes"),
    ]
    points = {row["data"]: int(row["points"]) for row in rows}
    held_out = len(WORDS) - 4
    assert points == {
        "gaussian": 20,
        "rows of full-softmax/P": held_out,
        "rows of word-embeddings/L": held_out,
        "hidden": len(WORDS),
    }
    exhaustive = [row for row in rows if row["points"] == row["rerank"] == "8"]
    assert len(exhaustive) == 4
    assert {row["mean_rank"] for row in exhaustive} == {"1"}


@pytest.mark.parametrize(
    "sizes",
    [
        {"tie": True},
        {"tie": True, "n_hidden": 3},
        {"tie": False},
        {"tie": False, "bias": False},
        {"softmax": "sampled", "options": {"shift": [0.3 * n for n in range(len(WORDS))]}},
    ],
    ids=["tied", "projected", "untied", "no bias", "sampled"],
)
def test_inner_products_of_hidden_vectors_and_rows_are_the_models_scores(sizes, tmp_path):
    """In another process: column 3 of the text by itself, log softmax of the inner products."""
    file = model(tmp_path / "model.safetensors", **sizes)
    text = write_text(tmp_path / "text.txt", 100, 3)
    code = (
        "import sys; sys.path.insert(0, sys.argv[3])\n"
        "import json, numpy as np\n"
        "from pathlib import Path\n"
        "import lsh_data\n"
        "name, text, column = Path(sys.argv[1]), Path(sys.argv[2]), 3\n"
        "states = lsh_data.hidden_vectors(name, text, 40)[column::20]\n"
        "rows = lsh_data.output_rows(*lsh_data.named_arrays(name))\n"
        "scores = lsh_data.hidden(rows, states, 2).draw(np.random.default_rng(1))\n"
        "order = np.random.default_rng(1).choice(len(states), 2, replace=False)\n"
        "from dynotes.corpora.lm_corpus import read_lm_text\n"
        "from dynotes.graph.arrays import read\n"
        "from dynotes.training.lm_model import load_model\n"
        "owned, vocabulary, _ = load_model(name)\n"
        "ids = read_lm_text(text, vocabulary).ids\n"
        "start = np.linspace(0, len(ids) - 12, 20).astype(int)[column]\n"
        "segment = owned.model.segment(ids[start:start + 12, None])\n"
        "log_p = read(owned.model.log_probs(segment))[:, 10:][:, order]\n"
        "print(json.dumps([(scores[0] @ scores[1].T).tolist(), log_p.tolist()]))\n"
    )
    arguments = [sys.executable, "-W", "error", "-c", code, str(file), str(text), str(FOLDER)]
    process = subprocess.run(
        arguments, env=environment(tmp_path), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    scores, expected = (np.array(a) for a in json.loads(process.stdout.splitlines()[-1]))
    found = scores - np.log(np.exp(scores).sum(axis=0))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--model", "gone"], "gone: no such file"),
        (["--model", "text.txt"], "text.txt: not a complete safetensors file"),
        (["--model", "m", "--queries", "9"], "m: tied-embeddings/P (12, 4): expected 17 words"),
        (["--model", "m", "--text", "gone"], "gone"),
        (["--model", "m", "--text", "text.txt"], "text.txt: expected 220 tokens, found"),
        (["--model", "c", "--text", "long.txt"], "c: --text: its output layer is not one table"),
    ],
)
def test_what_is_wrong_with_a_model_or_a_text_is_one_line(more, message, tmp_path):
    model(tmp_path / "m", tie=True)
    model(tmp_path / "c", softmax="adaptive", options={"cutoffs": [4]})
    write_text(tmp_path / "text.txt", 3, 3)
    write_text(tmp_path / "long.txt", 100, 3)
    named = [tmp_path / part if (tmp_path / part).is_file() else part for part in more]
    process = run(tmp_path, *SMALL, *named, "--out", tmp_path / "out")
    assert process.returncode == 1, process.stdout
    assert len(process.stderr.splitlines()) == 1
    assert message in process.stderr
    assert not list((tmp_path / "out").iterdir())


def test_only_codes_for_inner_products_tell_a_long_vector_from_a_short_one():
    """Ten points in the direction of the query; by their cosine codes all are equal."""
    data, measure = module("lsh_data"), module("lsh_measure")
    points = np.arange(1.0, 11.0)[:, None] * np.ones(3)
    ranks = {}
    for similarity in (data.COSINE, data.INNER, data.COSINE_CODES):
        (found,) = measure.one_run(points, points[:1], similarity, [4096], [1], 1)
        ranks[similarity] = found["mean_rank"]
    assert ranks == {data.COSINE: 1.0, data.INNER: 1.0, data.COSINE_CODES: 10.0}


# --- what is computed from the ranks -------------------------------------------------------------


def row(bits, mean, rerank=1, data="gaussian"):
    return {
        "data": data,
        "similarity": "cosine",
        "bits": bits,
        "rerank": rerank,
        "mean_rank": mean,
        "mean_rank_error": 0.5,
        "median_rank": 3.0,
    }


def test_a_crossing_names_the_settings_on_both_sides():
    measure = module("lsh_measure")
    rows = [row(16, 100.0), row(64, 5.0), row(32, 50.0), row(16, 9.0, 10), row(16, 40.0, 1, "b")]
    found = measure.crossings(rows, 23.0)
    where = {"similarity": "cosine"}
    assert [{k: v for k, v in one.items() if k != "bits"} for one in found] == [
        {"data": "gaussian", **where, "rerank": 1, "fewer": [32, 50.0], "more": [64, 5.0]},
        {"data": "gaussian", **where, "rerank": 10, "fewer": None, "more": [16, 9.0]},
        {"data": "b", **where, "rerank": 1, "fewer": [16, 40.0], "more": None},
    ]
    # rank = 50 (bits / 32)^-a with a = log2(10)
    assert found[0]["bits"] == round(32 * (50 / 23) ** (1 / math.log2(10)), 1)
    assert [one["bits"] for one in found[1:]] == [None, None]


def test_ranks_that_look_alike_when_rounded_have_a_crossing_between_them():
    measure = module("lsh_measure")
    (found,) = measure.crossings([row(16, 23.001), row(32, 22.999)], 23.0)
    assert found["bits"] == round(16 * math.sqrt(2), 1)


def test_crossings_are_told_as_text():
    measure = module("lsh_measure")
    rows = [row(16, 100.0), row(32, 5.0), row(16, 9.0, 10), row(16, 40.0, 50)]
    told = [measure.told(one, 23.0) for one in measure.crossings(rows, 23.0)]
    assert told == [
        "gaussian, cosine, re-ranking 1: rank 23 at about 22 bits (100 at 16 bits, 5 at 32 bits)",
        "gaussian, cosine, re-ranking 10: better than rank 23 everywhere (9 at 16 bits)",
        "gaussian, cosine, re-ranking 50: never rank 23 (40 at 16 bits)",
    ]


def test_the_printed_table_has_a_row_a_code_length_and_a_column_a_depth():
    measure = module("lsh_measure")
    rows = [row(32, 5.0), row(16, 12345.6), row(16, 9.0, 10), row(32, 1.0, 10)]
    (by_depth,) = measure.curves(rows).values()
    assert measure.pivot(by_depth) == [
        {"bits": 16, "re-rank 1": "12346 ± 0.5 / 3", "re-rank 10": "9 ± 0.5 / 3"},
        {"bits": 32, "re-rank 1": "5 ± 0.5 / 3", "re-rank 10": "1 ± 0.5 / 3"},
    ]


@pytest.mark.parametrize("name", ["gaussian", "clustered", "mixture"])
def test_recipes_have_the_stated_sizes_and_depend_on_the_seed_alone(name):
    source = module("lsh_data").drawn(name, 30, 7, 5)
    points, queries = source.draw(np.random.default_rng(1))
    again = source.draw(np.random.default_rng(1))
    assert points.shape == (30, 5)
    assert queries.shape == (7, 5)
    np.testing.assert_array_equal(points, again[0])
    np.testing.assert_array_equal(queries, again[1])
    assert (source.draw(np.random.default_rng(2))[0] != points).all()


def test_recipes_have_the_stated_variances():
    """Chi-square standard errors; 128 dimensions, 2000 points, 300 queries, |z| < 6."""
    data, rng = module("lsh_data"), np.random.default_rng(1)
    variances = {"gaussian": (1.0, 1.0), "clustered": (2.0, 2.25), "mixture": (2.0, 2.0)}
    for name, expected in variances.items():
        for sample, variance in zip(data.drawn(name, 2000, 300, 128).draw(rng), expected):
            # members of a cluster share its centre: of 500 centres at most
            independent = min(len(sample), 200) * 128
            assert abs(sample.var() / variance - 1) < 6 * math.sqrt(2 / independent)


def test_clustered_queries_lie_near_a_stored_point_and_mixed_ones_do_not():
    data = module("lsh_data")
    nearest = {}
    for name in ("clustered", "mixture"):
        points, queries = data.drawn(name, 500, 50, 128).draw(np.random.default_rng(1))
        distances = np.linalg.norm(queries[:, None] - points, axis=2).min(axis=1)
        nearest[name] = distances / math.sqrt(128)
    np.testing.assert_allclose(nearest["clustered"], 0.5, atol=0.15)
    assert nearest["mixture"].min() > 1.0


def test_held_out_rows_are_not_among_the_points():
    rows = np.arange(20.0).reshape(10, 2)
    points, queries = module("lsh_data").held_out(rows, 3)(np.random.default_rng(1))
    assert len(queries) == 3
    assert sorted(np.concatenate([points, queries])[:, 0]) == rows[:, 0].tolist()
