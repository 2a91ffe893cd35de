"""The floors of the house and the index of the notes, read from the sources."""

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOPICS = ("language_models", "embeddings", "parsing", "vae")
FLOORS = {
    "runtime": 0,
    "corpora": 1,
    "graph": 2,
    "tips": 3,
    "theory": 3,
    "structures": 4,
    **dict.fromkeys(TOPICS, 5),
    "training": 6,
    "command_line": 7,
    "commands": 8,
    "scripts": 9,
}
ENGINE = ("dynet", "_dynet", "dynet_config")
RENEWS = ("training", "runtime")  # runtime once, at the start
NOTE = re.compile(r"Note: ([^/]+?) / (.+?) \((T\d\d(?:, T\d\d)*)\)")
ROW = re.compile(r"\|([^|]*)\|([^|]*)\|([^|]*)\|([^|]*)\|([^|]*)\|")


def sources(*folders):
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


@functools.cache
def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def package_of(path):
    """The package below dynotes (or "scripts") that a file belongs to; None for __init__.py."""
    first, *rest = path.relative_to(ROOT).parts
    if first == "scripts":
        return "scripts"
    return None if rest == ["__init__.py"] else Path(rest[0]).stem


def imports(path):
    """(line, module) of every import, inside functions too."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            yield node.lineno, base
            if base == "dynotes":
                yield from ((node.lineno, f"dynotes.{alias.name}") for alias in node.names)


def arrows():
    """(where, package, imported module of dynotes, its package) of every import."""
    for path in sources("dynotes", "scripts"):
        for line, name in imports(path):
            parts = name.split(".")
            if parts[0] == "dynotes" and len(parts) > 1 and not parts[1].startswith("__"):
                where = f"{path.relative_to(ROOT)}:{line}"
                yield where, package_of(path), name, parts[1]


def test_every_package_has_a_floor():
    packages = {package_of(path) for path in sources("dynotes", "scripts")} - {None}
    assert packages <= set(FLOORS), f"no floor for {sorted(packages - set(FLOORS))}"


def test_nothing_imports_from_a_higher_floor():
    up = [
        f"{where}: {package} (floor {FLOORS[package]}) imports {name} (floor {FLOORS[other]})"
        for where, package, name, other in arrows()
        if package is not None and FLOORS[other] > FLOORS[package]
    ]
    assert not up, "\n".join(up)


def test_a_topic_never_imports_another_topic():
    across = [
        f"{where}: {package} imports {name}"
        for where, package, name, other in arrows()
        if package in TOPICS and other in TOPICS and package != other
    ]
    assert not across, "\n".join(across)


def test_the_command_line_stands_on_the_errors_and_the_runtime_alone():
    found = {name for _, package, name, _ in arrows() if package == "command_line"}
    assert found <= {"dynotes.corpora.errors", "dynotes.runtime"}


def imports_of_the_engine(*packages):
    return [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in sources("dynotes", "scripts")
        for line, name in imports(path)
        if package_of(path) in packages and name.split(".")[0] in ENGINE
    ]


def test_corpora_and_the_command_line_never_import_the_engine():
    assert not imports_of_the_engine("corpora", "command_line", "commands")


def test_the_runtime_imports_the_engine_and_numpy_only_inside_functions():
    tree = parsed(ROOT / "dynotes" / "runtime.py")
    top = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = {alias.name for node in top for alias in node.names}
    names |= {node.module for node in top if isinstance(node, ast.ImportFrom)}
    assert not names & {*ENGINE, "numpy"}


def test_only_training_renews_the_graph():
    others = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in [*sources("dynotes"), *sorted((ROOT / "scripts").glob("*.py"))]
        if package_of(path) not in RENEWS
        for node in ast.walk(parsed(path))
        if "renew_cg" in (getattr(node, "attr", None), getattr(node, "id", None))
    ]
    assert not others, "renew_cg outside of training: " + ", ".join(others)


def test_errors_are_raised_and_not_asserted():
    asserts = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sources("dynotes", "scripts")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Assert)
    ]
    assert not asserts


@pytest.mark.parametrize("word", ["TODO", "FIXME", "noqa", "type: ignore", "not implemented"])
def test_nothing_is_left_undone_or_hidden_from_the_linters(word):
    found = [p.name for p in sources("dynotes", "scripts") if word in p.read_text(encoding="utf-8")]
    assert not found


# the index of the notes


def noted():
    """(heading, technique, module path) of every Note: line in the module docstrings."""
    rows, wrong = set(), []
    for path in sources("dynotes"):
        doc = ast.get_docstring(parsed(path)) or ""
        name = str(path.relative_to(ROOT))
        for line in (part for part in doc.splitlines() if part.startswith("Note:")):
            match = NOTE.fullmatch(line)
            if match is None:
                wrong.append(f"{name}: {line!r}")
                continue
            chapter, heading, ids = match.groups()
            rows |= {(f"{chapter} / {heading}", one, name) for one in ids.split(", ")}
    assert not wrong, "not of the form 'Note: chapter / heading (Txx, Tyy)':\n" + "\n".join(wrong)
    return rows


def table():
    """(heading, technique, module, test, experiment) of the rows of NOTES.md."""
    lines = (ROOT / "NOTES.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in m.groups()] for m in map(ROW.fullmatch, lines) if m]
    header, rule, *body = rows
    assert header == ["heading", "technique", "module", "test", "experiment"]
    assert set("".join(rule)) == {"-"}
    return [[cell.strip("`") for cell in row] for row in body]


def listed(rows):
    return "".join(f"\n  | {' | '.join(row)} |" for row in sorted(rows))


def test_notes_md_has_a_row_for_every_note_of_the_modules_and_no_other():
    expected, rows = noted(), table()
    found = {(heading, technique, module) for heading, technique, module, _, _ in rows}
    missing, stale = expected - found, found - expected
    assert found == expected, (
        f"in module docstrings but not in NOTES.md:{listed(missing) or ' none'}\n"
        f"in NOTES.md but not in module docstrings:{listed(stale) or ' none'}"
    )


def test_no_row_of_notes_md_is_there_twice():
    rows = [tuple(row[:4]) for row in table()]
    assert len(rows) == len(set(rows)), listed({row for row in rows if rows.count(row) > 1})


def test_every_module_and_test_of_notes_md_exists():
    gone = {path for row in table() for path in row[2:4] if not (ROOT / path).is_file()}
    assert not gone, "in NOTES.md, but not there: " + ", ".join(sorted(gone))
    tests = {row[3] for row in table()}
    assert all(Path(path).name.startswith("test_") for path in tests)


def test_every_experiment_of_notes_md_is_a_target_of_the_makefile():
    targets = set(re.findall(r"^([a-z0-9-]+(?: [a-z0-9-]+)*):", makefile(), re.MULTILINE))
    known = {f"make {name}" for names in targets for name in names.split()}
    named = {one for row in table() for one in re.findall(r"make [a-z0-9-]+", row[4])}
    assert named <= known, f"no target for {sorted(named - known)}"


def makefile():
    return (ROOT / "Makefile").read_text(encoding="utf-8")


def test_the_rows_of_notes_md_follow_the_order_of_the_techniques():
    rows = table()
    assert [row[1] for row in rows] == sorted(row[1] for row in rows)
