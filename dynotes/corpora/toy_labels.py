"""The toy texts as labelled texts: what is the subject of the main clause, by gender and number?

    __label__masc-plur ha ler zivuvilo sigazor kisonan lerm nivuger virm le nufuko vitabas za

A sentence may hold the subjects and objects of many clauses.  A bag of its words cannot tell them
apart; the first words behind the opening particle can, so a classifier that sees trigrams finds
nearly all.

Note: Topic: Embeddings / word2vec by Mikolov et al (T58)
Paper: none; labels of the trees of the toy language
"""

from __future__ import annotations

from pathlib import Path

from dynotes.corpora.atomic import atomic_write
from dynotes.corpora.errors import InputError, PathLike
from dynotes.corpora.labelled_text import PREFIX
from dynotes.corpora.lines import read_tokens
from dynotes.corpora.toy_data import toy_dir
from dynotes.corpora.toy_derivation import Sentence
from dynotes.corpora.toy_language import ToyLanguage

PARTS = ("train", "dev", "test")


def subject_label(sentence: Sentence) -> str:
    """Gender and number of the subject of the root, such as "masc-sing"."""
    root = sentence.heads.index(0) + 1
    arcs = zip(sentence.heads, sentence.labels, sentence.features)
    features = next(f for head, label, f in arcs if head == root and label == "nsubj")
    values = dict(pair.split("=") for pair in features.split("|"))
    return f"{values['Gender']}-{values['Number']}".lower()


def write_labelled_toy(folder: PathLike) -> dict[str, Path]:
    """Write train.txt, dev.txt and test.txt with labels, and return where they are.

    Args:
        folder: made if need be.

    Raises:
        InputError: the toy data are not there, or hold another language.
    """
    language, source, target = ToyLanguage(), toy_dir(), Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    files = {}
    for part in PARTS:
        lines = []
        for words in read_tokens(source / f"{part}.txt"):
            sentence = language.parse(words)
            if sentence is None:
                raise InputError(source / f"{part}.txt", f"not of the toy language: {words[:9]}")
            lines.append(f"{PREFIX}{subject_label(sentence)} {' '.join(words)}\n")
        files[part] = target / f"{part}.txt"
        atomic_write(files[part], "".join(lines).encode())
    return files
