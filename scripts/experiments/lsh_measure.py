"""The true rank of the best point that LSH finds, and the settings at which it passes a rank."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Optional

import numpy as np
from lsh_data import COSINE, INNER, Source
from report import mean_and_error, short

from dynotes.tips.lsh import HyperplaneLSH
from dynotes.tips.lsh_ranks import rank_report, true_ranks

Row = dict[str, Any]
SETTING = ("data", "similarity", "bits", "rerank")
MEASURED = ("mean_rank", "median_rank", "top1")
COLUMNS = (*SETTING, *(name for m in MEASURED for name in (m, f"{m}_error")), "points")


def measure(
    sources: Sequence[Source],
    bits: Sequence[int],
    depths: Sequence[int],
    seeds: Sequence[int],
    done: Callable[[], None],
) -> list[Row]:
    """A row for every data, similarity, bits and re-ranking depth: means over seeds.

    Args:
        sources: see ``lsh_data``.
        bits, depths: of the codes, and how many of the nearest codes are compared exactly.
        seeds: each with its own data and hyperplanes; the errors are standard errors over them.
        done: called after each seed of each source and similarity.
    """
    runs: list[Row] = []
    for number, source in enumerate(sources):
        for seed in seeds:
            rng = np.random.default_rng([seed, number])
            points, queries = source.draw(rng)
            planes = int(rng.integers(2**31))
            for similarity in source.similarities:
                found = one_run(points, queries, similarity, bits, depths, planes)
                runs += [{"data": source.name, "similarity": similarity, **row} for row in found]
                done()
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in runs:
        groups.setdefault(tuple(row[key] for key in SETTING), []).append(row)
    return [averaged(group) for _, group in sorted(groups.items(), key=lambda g: order(g, sources))]


def order(group: tuple[tuple[Any, ...], Any], sources: Sequence[Source]) -> tuple[int, ...]:
    """Rows by source, similarity, depth and bits."""
    data, similarity, bits, rerank = group[0]
    number = [source.name for source in sources].index(data)
    return number, list(sources[number].similarities).index(similarity), rerank, bits


def one_run(
    points: np.ndarray,
    queries: np.ndarray,
    similarity: str,
    bits: Sequence[int],
    depths: Sequence[int],
    seed: int,
) -> list[Row]:
    """Mean and median rank, and the share of queries whose true nearest point was found."""
    dim, inner = points.shape[1], similarity != COSINE
    judge = HyperplaneLSH(dim, 1, seed, inner_product=inner)  # only compares exactly
    judge.build(points)
    settings, hits = [], []
    for n in bits:
        index = HyperplaneLSH(dim, n, seed + n, inner_product=similarity == INNER)
        index.build(points)
        near, _ = index.nearest_codes(queries, max(depths))
        for depth in depths:
            settings.append({"bits": n, "rerank": depth, "points": len(points)})
            hits.append(judge.best(queries, list(near[:, :depth]), 1).ids)
    ranks = true_ranks(points, queries, np.concatenate(hits, axis=1), inner_product=inner)
    reports = (rank_report(ranks[:, [column]]) for column in range(len(settings)))
    return [
        {**setting, **{name: getattr(report, name) for name in MEASURED}}
        for setting, report in zip(settings, reports)
    ]


def averaged(group: Sequence[Row]) -> Row:
    """One row of means and standard errors over seeds."""
    row = {key: group[0][key] for key in (*SETTING, "points")}
    for name in MEASURED:
        row[name], row[f"{name}_error"] = mean_and_error(one[name] for one in group)
    return row


def curves(rows: Sequence[Row]) -> dict[tuple[str, str], dict[int, list[Row]]]:
    """Rows by (data, similarity), then by re-ranking depth, bits ascending."""
    found: dict[tuple[str, str], dict[int, list[Row]]] = {}
    for row in rows:
        by_depth = found.setdefault((row["data"], row["similarity"]), {})
        by_depth.setdefault(row["rerank"], []).append(row)
    return {
        key: {depth: sorted(by_depth[depth], key=lambda row: row["bits"]) for depth in by_depth}
        for key, by_depth in found.items()
    }


def crossings(rows: Sequence[Row], target: float) -> list[Row]:
    """Where the mean rank falls from above to below a target, as the bits grow.

    ``fewer`` and ``more`` are the measured settings on both sides, as [bits, mean rank]; either is
    None where all are on the other side.  ``bits`` is the logarithmic interpolation between them.
    """
    found = []
    for (data, similarity), by_depth in curves(rows).items():
        for depth, line in by_depth.items():
            below = next((i for i, row in enumerate(line) if row["mean_rank"] <= target), len(line))
            fewer = line[below - 1] if below else None
            more = line[below] if below < len(line) else None
            found.append(
                {
                    "data": data,
                    "similarity": similarity,
                    "rerank": depth,
                    "bits": interpolated(fewer, more, target),
                    "fewer": fewer and [fewer["bits"], round(fewer["mean_rank"], 2)],
                    "more": more and [more["bits"], round(more["mean_rank"], 2)],
                }
            )
    return found


def interpolated(fewer: Optional[Row], more: Optional[Row], target: float) -> Optional[float]:
    """Bits at the target, on a straight line of log rank against log bits."""
    if fewer is None or more is None:
        return None
    above = math.log(fewer["mean_rank"] / target)
    part = above / math.log(fewer["mean_rank"] / more["mean_rank"])
    return round(fewer["bits"] * (more["bits"] / fewer["bits"]) ** part, 1)


def told(crossing: Row, target: float) -> str:
    """A crossing as a line of text."""
    name = f"{crossing['data']}, {crossing['similarity']}, re-ranking {crossing['rerank']}"
    fewer, more = (
        f"{short(side[1], 3)} at {side[0]} bits" if side else None
        for side in (crossing["fewer"], crossing["more"])
    )
    if fewer and more:
        return f"{name}: rank {target:g} at about {crossing['bits']:.0f} bits ({fewer}, {more})"
    if more:
        return f"{name}: better than rank {target:g} everywhere ({more})"
    return f"{name}: never rank {target:g} ({fewer})"


def pivot(by_depth: dict[int, list[Row]]) -> list[Row]:
    """A row a code length, "mean / median" of every depth."""
    lines: dict[int, Row] = {}
    for depth, rows in by_depth.items():
        for row in rows:
            mean, error = short(row["mean_rank"], 4), short(row["mean_rank_error"], 2)
            cell = f"{mean} ± {error} / {short(row['median_rank'], 4)}"
            lines.setdefault(row["bits"], {"bits": row["bits"]})[f"re-rank {depth}"] = cell
    return list(lines.values())
