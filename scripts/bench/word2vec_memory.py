#!/usr/bin/env python
"""Peak memory of word2vec on a text and on a fifth of it, with vocabularies of the same size.

    python scripts/bench/word2vec_memory.py

Each is trained in a process of its own; the words are the most frequent ones of the text.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from dynotes.command_line import DATA_DIR, clear_errors, print_result

SHARES = (0.2, 1.0)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@DATA_DIR
@click.option("--words", type=click.IntRange(2), default=30000, show_default=True, metavar="N",
              help="Vocabulary.")  # fmt: skip
@click.option("--processes", type=click.IntRange(1, 256), default=1, show_default=True,
              metavar="N", help="Workers.")  # fmt: skip
def main(**options: Any) -> None:
    """Train an epoch on 3.4 M and on 17 M words; the last line is JSON."""
    from rounds import Side, run_side, table
    from word2vec_texts import write_large_text

    from dynotes.training.word2vec.config import Word2vecConfig

    with clear_errors(), tempfile.TemporaryDirectory() as folder:
        found = []
        for share in SHARES:
            config = Word2vecConfig(epochs=1, processes=options["processes"])
            task = {
                **vars(config),
                "max_vocabulary": options["words"],
                "text": str(write_large_text(Path(folder), options["data_dir"], share)),
                "vectors": str(Path(folder) / "vectors.bin"),
            }
            found.append(run_side(Side("dynotes", sys.executable, "word2vec_ours.py", task)))
    rows = [(str(r["tokens"]), str(r["words"]), f"{r['peak_mb']:.0f}") for r in found]
    click.echo(table(("words of text", "vocabulary", "peak MB"), rows))
    ratio = found[1]["peak_mb"] / found[0]["peak_mb"]
    print_result(
        {
            "task": "bench-word2vec-memory",
            "tokens": [r["tokens"] for r in found],
            "peak_mb": [round(r["peak_mb"], 1) for r in found],
            "ratio": round(ratio, 3),
        }
    )


if __name__ == "__main__":
    main()
