"""Lines that are each about few words, and runs of paragraph vectors over them."""

import numpy as np

from dynotes.corpora.token_store import store_tokens
from dynotes.training.run_folder import RunFolder
from dynotes.training.word2vec.config import Word2vecConfig
from dynotes.training.word2vec.run import Word2vecRun

WORDS = 40
MODELS = {
    "dbow": {"model": "pv-dbow"},
    "dbow, words": {"model": "pv-dbow", "dbow_words": True},
    "concat": {"model": "pv-dm", "window": 2},
    "mean, around": {"model": "pv-dm", "mode": "mean", "around": True},
    "sum": {"model": "pv-dm", "mode": "sum"},
    "undivided": {"model": "pv-dm", "mode": "mean", "divided": False, "lr": 0.05},
}


def lines(count=60, words=30, seed=1):
    """Lists of words, each line drawn from a skewed distribution of its own."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(WORDS, 0.1), count)
    return [[f"w{i}" for i in rng.choice(WORDS, words, p=p)] for p in shares]


def config(**settings):
    small = {
        "dim": 12,
        "epochs": 30,
        "chunk": 100,
        "min_count": 1,
        "subsample": 0.0,
        "window": 3,
        "damping": 0.5,
    }
    return Word2vecConfig(**{**small, **settings}).checked()


def trained(folder, settings, texts):
    """A finished run over lines of words."""
    folder.mkdir(exist_ok=True)
    path = folder / "text.txt"
    path.write_text("".join(" ".join(words) + "\n" for words in texts))
    text = store_tokens(path, folder / "tokens", min_count=settings.min_count)
    run = Word2vecRun(settings, text, RunFolder(folder), say=lambda _: None)
    run.train()
    return run


def ranks(found, known):
    """The place of row i of ``known`` among the cosines of row i of ``found``, from 1."""
    one, other = (m / np.linalg.norm(m, axis=1, keepdims=True) for m in (found, known))
    cosines = one @ other.T
    return (cosines >= np.diag(cosines)[:, None]).sum(axis=1)
