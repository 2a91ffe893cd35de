"""The experiment on sampled softmax losses: its numbers against the enumeration of every draw."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from tests.reference import sampling as ref
from tests.scripts.experiment_script import FOLDER, module, run_script
from tests.scripts.lm_script import environment, last_line

SCRIPT = FOLDER / "softmax_bias.py"
TINY = ["--words", "6", "--targets", "3", "--draws", "300", "--seeds", "2", "--seed", "3"]
TINY += ["--samples", "1", "--samples", "2", "--samples", "40", "--k", "10", "--k", "1000"]
NOISES = {"unigram": 1.0, "unigram^0.75": 0.75, "uniform": 0.0}
CONTRASTS = [f"{a}, {b}" for a in ("nce", "negative sampling") for b in ("normalised", "Z = 1")]


def run(folder, *arguments):
    return run_script(folder, SCRIPT.name, *arguments)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bias")
    return run(folder, *TINY, "--out", folder / "out"), folder / "out"


@pytest.fixture(scope="module")
def rows(done):
    found = json.loads((done[1] / "result.json").read_text())["rows"]
    return {(row["technique"], row["noise"], row["samples"]): row for row in found}


def worlds():
    """(world, noise name, noise distribution by loops) of both seeds."""
    measure = module("bias_measure")
    sizes = measure.Sizes(6, 1.5, 3, 0.1, 300, (), ())
    for seed in (3, 4):
        found = measure.world(sizes, seed)
        for noise, power in NOISES.items():
            yield found, noise, ref.powered(found.counts.tolist(), power)


# --- what it writes ------------------------------------------------------------------------------


def test_the_folder_holds_a_row_for_every_technique_noise_and_number_of_samples(done):
    process, out = done
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""
    names = {path.name for path in out.iterdir()}
    assert names - {"gradient.png"} == {"result.json", "table.md", "table.tsv"}
    with open(out / "table.tsv", encoding="utf-8", newline="") as file:
        written = list(csv.DictReader(file, delimiter="\t"))
    expected = [
        (technique, noise, str(samples))
        for noise in NOISES
        for techniques, counts in ((ref_rules(), (1, 2, 40)), (CONTRASTS, (10, 1000)))
        for technique in techniques
        for samples in counts
    ]
    assert [(row["technique"], row["noise"], row["samples"]) for row in written] == expected
    assert all(row["gradient_error"] and row["cosine"] and row["drift"] for row in written)


def ref_rules():
    """The rules in the order of the table."""
    return module("bias_measure").SAMPLED


def test_the_last_line_is_the_result_without_rows_and_settings(done):
    process, out = done
    found, result = last_line(process.stdout), json.loads((out / "result.json").read_text())
    assert found == {k: v for k, v in result.items() if k not in ("rows", "settings")}
    assert found["task"] == "softmax-bias"
    assert found["seeds"] == [3, 4]
    assert result["settings"]["words"] == 6
    cell = ("plain", "unigram", 40)
    row = next(r for r in result["rows"] if (r["technique"], r["noise"], r["samples"]) == cell)
    assert found["metrics"]["gradient_error_plain"] == row["gradient_error"]
    assert found["metrics"]["drift_plain"] == row["drift"]


def test_graph_and_numpy_agree(done):
    assert last_line(done[0].stdout)["metrics"]["graph_difference"] < 1e-5


def test_few_draws_are_enumerated_and_many_are_drawn(rows):
    assert {row["by"] for row in rows.values() if row["samples"] <= 2} == {"every draw"}
    assert {row["by"] for row in rows.values() if row["samples"] == 40} == {"draws"}
    for row in rows.values():
        assert ("loss_bias_draws_error" in row) == (row["by"] == "draws")


def test_the_same_seed_measures_the_same(done, tmp_path):
    again = run(tmp_path, *TINY, "--out", tmp_path / "out")
    assert again.returncode == 0, again.stderr
    tables = [(folder / "table.tsv").read_bytes() for folder in (done[1], tmp_path / "out")]
    assert tables[0] == tables[1]


# --- its numbers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("m", [1, 2])
@pytest.mark.parametrize("rule", ref.RULES)
def test_enumerated_cells_are_those_of_the_reference(rows, rule, m):
    found = {}
    for world, noise, q in worlds():
        s, p = np.log(world.p).tolist(), world.p
        if rule == "tilted":
            q = ref.tilted(q, world.targets.tolist(), 0.1)

        def biases(w, s=s, q=q):
            loss, gradient, negative = (
                ref.expectation(lambda drawn, f=f: f(rule, s, w, drawn, q), ref.multisets(q, m))
                for f in (
                    ref.sampled_loss,
                    ref.sampled_gradient,
                    lambda *arguments: ref.sampled_loss(*arguments) < -1e-12,
                )
            )
            exact = ref.exact_gradient(s, w)
            return {
                "loss_bias": loss - ref.exact_loss(s, w),
                "gradient_error": np.linalg.norm(gradient - exact) / np.linalg.norm(exact),
                "cosine": gradient @ exact / np.linalg.norm(gradient) / np.linalg.norm(exact),
                "negative_share": negative,
                "gradient": gradient,
            }

        every = [biases(w) for w in range(6)]
        cell = {
            key: np.mean([every[w][key] for w in world.targets])
            for key in every[0]
            if key != "gradient"
        }
        cell["drift"] = np.linalg.norm(sum(a * each["gradient"] for a, each in zip(p, every)))
        cell["variance_constant"] = ref.variance_constant("plain", s, 0, q)
        found.setdefault(noise, []).append(cell)
    for noise, cells in found.items():
        row = rows[rule, noise, m]
        for key in cells[0]:
            expected = np.mean([cell[key] for cell in cells])
            assert row[key] == pytest.approx(expected, rel=1e-9, abs=1e-12), (noise, key)


def test_targets_in_the_denominator_never_have_a_negative_loss():
    draws, measure = module("bias_draws"), module("bias_measure")
    found = measure.world(measure.Sizes(50, 1.5, 3, 0.1, 0, (), ()), 1)
    problem = measure.problem_of(found, "unigram")
    for rule in ("forced", "stratified"):
        assert not draws.exact_cost(problem, rule, draws.all_draws(problem.q, 1), 1).negative.any()
    assert draws.exact_cost(problem, "plain", draws.all_draws(problem.q, 1), 1).negative.any()


@pytest.mark.parametrize("contrast", CONTRASTS)
def test_contrastive_cells_are_those_of_the_reference(rows, contrast):
    normalised = contrast.endswith("normalised")
    for k in (10, 1000):
        found = {}
        for world, noise, q in worlds():
            kq, errors = k * np.array(q), []
            s, n = np.log(world.p), len(q)
            for w in world.targets:
                if contrast.startswith("nce"):
                    gradient = ref.nce_gradient(s, w, kq, normalised)
                else:
                    g = kq * [ref.sigmoid(x) for x in s] - ref.one_hot(n, w) * ref.sigmoid(-s[w])
                    jacobian = np.eye(n) - world.p * normalised
                    gradient = g @ jacobian
                exact = ref.exact_gradient(s, w)
                errors.append(np.linalg.norm(gradient - exact) / np.linalg.norm(exact))
            found.setdefault(noise, []).append(np.mean(errors))
        for noise, values in found.items():
            row = rows[contrast, noise, k]
            assert row["gradient_error"] == pytest.approx(np.mean(values), rel=1e-9)
            assert row["by"] == "closed form"


@pytest.mark.parametrize("rule", ref.RULES)
def test_drawn_biases_lie_within_their_errors_of_the_enumeration(rule):
    draws = module("bias_draws")
    rng = np.random.default_rng(1)
    problem = draws.Problem(rng.dirichlet(np.ones(4)), rng.dirichlet(np.full(4, 3.0)), np.arange(4))
    m = 6
    exact = draws.exact_cost(problem, rule, draws.all_draws(problem.q, m), m)
    counts = rng.multinomial(m, problem.q, 20_000)
    found, error = draws.sampled_cost(problem, rule, counts, m)
    for mean, spread, expected in zip(found, error, exact):
        # a t distribution with 9 degrees of freedom passes 7 once in thirty thousand
        assert (np.abs(mean - expected) <= 7 * spread + 1e-12).all()
    assert 0 < error.loss.max() < 0.01


@pytest.mark.parametrize("rule", ref.RULES)
def test_first_order_predictions_err_by_one_over_m_squared(rule):
    draws = module("bias_draws")
    p, q = np.array([0.5, 0.2, 0.3]), np.array([0.4, 0.3, 0.3])
    problem, errors = draws.Problem(p, q, np.arange(3)), []
    for m in (8, 32):
        cost = draws.exact_cost(problem, rule, draws.all_draws(q, m), m)
        loss, gradient = draws.first_order(problem, rule, m)
        errors.append(max(np.abs(cost.loss - loss).max(), np.abs(cost.gradient - gradient).max()))
    assert errors[1] < errors[0] / 13


def test_the_prediction_for_forced_targets_knows_the_spread_of_the_rest():
    """Without it the losses would be .0023 and .039 off, the gradient .027."""
    draws = module("bias_draws")
    p, q = np.array([0.3, *[0.175] * 4]), np.array([0.04, *[0.24] * 4])
    problem = draws.Problem(p, q, np.array([0]))
    cost = draws.exact_cost(problem, "forced", draws.all_draws(q, 6), 6)
    assert abs(cost.loss - draws.first_order(problem, "forced", 6)[0])[0] < 1e-4
    p, q, m = np.random.default_rng(0).dirichlet(np.ones(8)), np.full(8, 1 / 8), 8
    problem = draws.Problem(p, q, np.arange(8))
    cost = draws.exact_cost(problem, "forced", draws.all_draws(q, m), m)
    loss, gradient = draws.first_order(problem, "forced", m)
    assert np.abs(cost.loss - loss).max() < 0.01
    assert np.abs(cost.gradient - gradient).max() < 0.01


@pytest.mark.parametrize("rule", ["plain", "stratified"])
def test_drawn_biases_err_by_the_second_order_alone(rule):
    """The plain mean of log S would err by about sqrt(c / m n)."""
    draws = module("bias_draws")
    rng = np.random.default_rng(3)
    p, q, m = rng.dirichlet(np.ones(8)), np.full(8, 1 / 8), 400
    counts = rng.multinomial(m, q, 2000)
    _, error = draws.sampled_cost(draws.Problem(p, q, np.arange(8)), rule, counts, m)
    naive = np.sqrt(ref.variance_constant("plain", np.log(p).tolist(), 0, q) / m / 2000)
    assert error.loss.max() < 0.1 * naive
    assert error.gradient.max() < 0.1 * naive


def test_first_order_predictions_of_the_plain_rule_are_the_formulas_of_the_notes():
    draws = module("bias_draws")
    rng = np.random.default_rng(2)
    p, q = rng.dirichlet(np.ones(5)), rng.dirichlet(np.ones(5))
    loss, gradient = draws.first_order(draws.Problem(p, q, np.array([3])), "plain", 7)
    s = np.log(p).tolist()
    assert loss[0] == pytest.approx(-ref.variance_constant("plain", s, 3, q) / 14)
    np.testing.assert_allclose(gradient[:, 0], ref.first_order_gradient_bias(s, q) / 7)


def test_first_order_predictions_of_nce_are_the_limit_of_k_times_the_distance(rows):
    for contrast in CONTRASTS[:2]:
        for noise in NOISES:
            row = rows[contrast, noise, 1000]
            assert row["gradient_error_first_order"] == pytest.approx(
                row["gradient_error"], rel=0.1
            )
    assert "gradient_error_first_order" not in rows["negative sampling, Z = 1", "uniform", 10]


# --- what it refuses -----------------------------------------------------------------------------


def test_help_needs_neither_dynet_nor_numpy(tmp_path):
    code = (
        "import runpy, sys\n"
        f"sys.path.insert(0, {str(FOLDER)!r})\n"
        "sys.modules.update(dict.fromkeys(['dynet', '_dynet', 'numpy']))\n"
        "sys.argv = ['softmax_bias.py', '--help']\n"
        f"runpy.run_path({str(SCRIPT)!r}, run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(tmp_path), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "--spread" in done.stdout


def test_a_folder_with_a_result_is_left_as_it_is(done, tmp_path):
    _, out = done
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    again = run(tmp_path, *TINY, "--out", out)
    assert again.returncode == 1
    assert again.stderr.splitlines() == [
        f"error: {out}: holds a result already; use another folder"
    ]
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--words", "1"], "'--words'"),
        (["--samples", "0"], "'--samples'"),
        (["--k", "-1"], "'--k'"),
        (["--tilt", "1"], "'--tilt'"),
        (["--tilt", "0"], "'--tilt'"),
        (["--targets", "0"], "'--targets'"),
        (["--draws", "9"], "'--draws'"),
        (["--spread", "nan"], "'--spread': expected a number, found nan"),
        (["--tilt", "nan"], "'--tilt': expected a number, found nan"),
        (["--seed", "0"], "'--seed'"),
        (["--seeds", "x"], "'--seeds'"),
        (["--rule", "plain"], "No such option"),
    ],
)
def test_bad_options_are_named_before_anything_is_written(arguments, message, tmp_path):
    result = CliRunner().invoke(
        module("softmax_bias").main, [*arguments, "--out", str(tmp_path / "o")]
    )
    assert result.exit_code == 2
    assert message in result.output
    assert not (tmp_path / "o").exists()
