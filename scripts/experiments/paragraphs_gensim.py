"""The peer: gensim's Doc2Vec on the same text with the same settings.

    python scripts/experiments/paragraphs_gensim.py TASK        TASK: JSON of paragraphs.peer_task

Writes the vectors of the lines of "text", and below them those it infers for the lines of "new" if
there is one, as .npy.  The last line of stdout is JSON: version, seconds of training alone.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import gensim
import numpy as np
from gensim.models.doc2vec import Doc2Vec, TaggedDocument


def train(task: dict[str, Any]) -> dict[str, Any]:
    """Train, infer, and write the vectors."""
    lines = _lines(task["text"])
    documents = [TaggedDocument(words, [i]) for i, words in enumerate(lines)]
    model = Doc2Vec(
        vector_size=task["dim"],
        window=task["window"],
        min_count=task["min_count"],
        dm=int(task["model"] == "pv-dm"),
        dm_mean=1,
        negative=task["negatives"],
        sample=task["subsample"],
        alpha=task["peer_lr"],
        min_alpha=1e-4,
        workers=1,
        epochs=task["epochs"],
        seed=task["seed"],
    )
    model.build_vocab(documents)
    began = time.perf_counter()
    model.train(documents, total_examples=model.corpus_count, epochs=task["epochs"])
    seconds = time.perf_counter() - began
    vectors = [np.array(model.dv.vectors[: len(lines)])]
    if task["new"] is not None:
        vectors += [model.infer_vector(words)[None] for words in _lines(task["new"])]
    np.save(task["vectors"], np.concatenate(vectors))
    return {"version": gensim.__version__, "seconds": seconds}


def _lines(path: str) -> list[list[str]]:
    with open(path, encoding="utf-8") as file:
        return [line.split() for line in file]


if __name__ == "__main__":
    print(json.dumps(train(json.loads(sys.argv[1]))))
