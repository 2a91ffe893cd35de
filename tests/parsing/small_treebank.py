"""A few small sentences as a batch, and the sizes of small models for them."""

import numpy as np

from dynotes.corpora.conllu import ConlluSentence
from dynotes.corpora.treebank import Symbols, batch_of, encode, gold_trees

TREES = [
    ("the dog sees cats", "D N V N", [2, 3, 0, 3], "det subj root obj"),
    ("dogs sleep", "N V", [2, 0], "subj root"),
    ("go", "V", [0], "root"),
    ("cats see the dog today", "N V D N A", [2, 0, 4, 2, 2], "subj root det obj adv"),
    ("the cats sleep", "D N V", [2, 3, 0], "det subj root"),
]


def sentence(words, tags, heads, labels):
    """One sentence of CoNLL-U."""
    columns = zip(words.split(), tags.split(), heads, labels.split())
    rows = [
        f"{i}\t{word}\t_\t{tag}\t_\t_\t{head}\t{label}\t_\t_\n"
        for i, (word, tag, head, label) in enumerate(columns, start=1)
    ]
    return ConlluSentence([*rows, "\n"], range(len(rows)), np.array(heads))


def sentences():
    return [sentence(*tree) for tree in TREES]


def symbols(**settings):
    return Symbols.collect(sentences(), **settings)


def batch(which=(0, 1, 2, 3, 4), table=None):
    """(batch, gold heads, gold labels) of some of the sentences."""
    table = table or symbols()
    some = [sentences()[i] for i in which]
    gold = gold_trees(some, table)
    text = encode(some, table)
    return batch_of(text, np.arange(len(some)), table), gold.heads, gold.labels


def inputs_spec(table, **sizes):
    return {
        "n_words": len(table.words),
        "n_tags": len(table.tags),
        "n_chars": len(table.characters),
        **{"word_size": 6, "tag_size": 4, "char_size": 3, "char_hidden": 2},
        **sizes,
    }


def parser_spec(table, **sizes):
    return {
        "inputs": inputs_spec(table, **sizes),
        "n_labels": len(table.labels),
        **{"n_hidden": 5, "layers": 2, "arc_size": 7, "label_size": 4},
    }
