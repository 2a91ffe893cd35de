"""The peer: gensim's Word2Vec, or FastText for the model subword.

    python scripts/bench/word2vec_gensim.py TASK        TASK: JSON of word2vec.task_of

The sentences are held in memory as lists of words, which is gensim's fastest way to be fed.  The
last line of stdout is JSON: version, tokens (words of the text times epochs), seconds of training
alone, cpu_seconds, peak_mb.
"""

from __future__ import annotations

import gzip
import json
import resource
import sys
import time
from typing import Any

import gensim
from gensim.models import FastText, Word2Vec


def train(task: dict[str, Any]) -> dict[str, Any]:
    """Train and write the vectors in word2vec's binary format."""
    opener = gzip.open if task["text"].endswith(".gz") else open
    with opener(task["text"], "rt", encoding="utf-8") as file:
        sentences = [line.split() for line in file]
    subword = task["model"] == "subword"
    lengths = {"min_n": task["minn"], "max_n": task["maxn"], "bucket": task["buckets"]}
    model = (FastText if subword else Word2Vec)(
        vector_size=task["dim"],
        window=task["window"],
        min_count=task["min_count"],
        sg=int(task["model"] != "cbow"),
        negative=task["negatives"],
        ns_exponent=task["power"],
        sample=task["subsample"],
        alpha=task["peer_lr"],
        workers=task["processes"],
        epochs=task["epochs"],
        seed=task["seed"],
        **(lengths if subword else {}),
    )
    model.build_vocab(sentences)
    wall, cpu = time.perf_counter(), time.process_time()
    model.train(sentences, total_examples=model.corpus_count, epochs=task["epochs"])
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    model.wv.save_word2vec_format(task["vectors"], binary=True)
    tokens = sum(map(len, sentences)) * task["epochs"]
    return {
        "version": gensim.__version__,
        "tokens": tokens,
        "words": len(model.wv),
        "seconds": wall,
        "cpu_seconds": cpu,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10,
    }


if __name__ == "__main__":
    print(json.dumps(train(json.loads(sys.argv[1]))))
