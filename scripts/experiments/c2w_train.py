"""The language models of the C2W experiment: training, choice of the epoch, perplexity."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import dynet as dy
import numpy as np

from dynotes.corpora.spelling import Spelling, character_table, spell
from dynotes.corpora.vocabulary import Vocabulary
from dynotes.embeddings.c2w import C2w
from dynotes.embeddings.left_reader import LeftReader
from dynotes.embeddings.slots import Slots, id_slots
from dynotes.graph.arrays import read, scalar
from dynotes.tips.dropout import dropout
from dynotes.tips.softmax_approximations.full_softmax import FullSoftmax
from dynotes.tips.tied_embeddings import WordEmbeddings
from dynotes.training.parameters import memory_views, named_parameters, restore, snapshot

END = "</s>"
HELD_BACK = 10  # every tenth sentence of the training text
EVALUATED = 50  # sentences of a graph


class Settings(NamedTuple):
    """Sizes and training of a model."""

    embed: int
    hidden: int
    char_hidden: int
    dropout: float
    lr: float
    batch: int
    epochs: int


class Text(NamedTuple):
    """The parts of a treebank as ids of different word forms.

    outputs: the words that are predicted; what is seen less than twice is its unknown word.
    words: (F,) id in ``outputs`` of every word form.
    unseen: (F,) bool, forms that the training part lacks.
    spelling: of every word form.
    n_chars: different characters, the unknown one included.
    parts: sentences of form ids by "train", "held back", "test".
    """

    outputs: Vocabulary
    words: np.ndarray
    unseen: np.ndarray
    spelling: Spelling
    n_chars: int
    parts: dict[str, list[np.ndarray]]


def prepared(train: Sequence[Sequence[str]], test: Sequence[Sequence[str]]) -> Text:
    """The texts, each sentence with its end, as ids; every tenth of ``train`` is held back."""
    parts = {
        "train": [s for i, s in enumerate(train) if i % HELD_BACK != HELD_BACK - 1],
        "held back": list(train[HELD_BACK - 1 :: HELD_BACK]),
        "test": list(test),
    }
    ended = {name: [[*s, END] for s in some] for name, some in parts.items()}
    counts = Counter(word for sentence in ended["train"] for word in sentence)
    outputs = Vocabulary.build(counts, min_count=2, unk="<unk>", eos=None)
    forms = list(dict.fromkeys(w for some in ended.values() for s in some for w in s))
    ids = {form: i for i, form in enumerate(forms)}
    characters = character_table(list(counts), min_count=2)
    return Text(
        outputs,
        outputs.encode(forms),
        np.array([form not in counts for form in forms]),
        spell(forms, characters),
        len(characters),
        {n: [np.array([ids[w] for w in s]) for s in some] for n, some in ended.items()},
    )


class Model:
    """Word vectors of either kind, an LSTM, a softmax."""

    def __init__(self, text: Text, vectors: str, settings: Settings) -> None:
        self.text, self.settings = text, settings
        self.pc = dy.ParameterCollection()
        embed, hidden = settings.embed, settings.hidden
        self.words: Any
        if vectors == "c2w":
            self.words = C2w(
                self.pc, n_chars=text.n_chars, n_embed=embed, n_hidden=settings.char_hidden
            )
        else:
            self.words = WordEmbeddings(self.pc, n_words=len(text.outputs), n_embed=embed)
        self.reader = LeftReader(self.pc, n_embed=embed, n_hidden=hidden)
        self.output = FullSoftmax(self.pc, n_words=len(text.outputs), n_hidden=hidden)

    def nll(self, slots: Slots, rate: float = 0.0) -> dy.Expression:
        """-log P of every token, (1,)xP, in nats."""
        spelled = isinstance(self.words, C2w)
        given: Any = self.text.spelling.of(slots.words) if spelled else self.text.words[slots.words]
        h = dropout(self.reader.hidden(self.words.embed(given), slots), rate)
        h = dy.reshape(h, (self.settings.hidden,), len(slots.places))
        return self.output.nll(h, self.text.words[slots.targets])

    def losses(self, part: str) -> tuple[np.ndarray, np.ndarray]:
        """(nats, whether the word before was unseen in training) of every token of a part."""
        nats, after = [], []
        sentences = self.text.parts[part]
        for i in range(0, len(sentences), EVALUATED):
            some = sentences[i : i + EVALUATED]
            dy.renew_cg()
            nats.append(read(self.nll(id_slots(some)))[0])
            for s in some:
                after.append(np.append(False, self.text.unseen[s[:-1]]))
        return np.concatenate(nats), np.concatenate(after)


def measure(text: Text, vectors: str, settings: Settings, seed: int) -> dict[str, Any]:
    """Train a model and read the test part with its best epoch."""
    dy.reset_random_seed(seed)
    model, rng, began = Model(text, vectors, settings), np.random.default_rng(seed), 0.0
    trainer = dy.AdamTrainer(model.pc, settings.lr)
    views = memory_views(model.pc)
    best: tuple[float, int, dict[str, np.ndarray]] = (math.inf, 0, {})
    seconds = 0.0
    for epoch in range(1, settings.epochs + 1):
        began = time.perf_counter()
        one_epoch(model, trainer, rng)
        seconds += time.perf_counter() - began
        held_back = float(model.losses("held back")[0].mean())
        if held_back < best[0]:
            best = held_back, epoch, snapshot(model.pc, views)
    restore(model.pc, best[2], views)
    nats, after_unseen = model.losses("test")
    return {
        "epoch": best[1],
        "held_back_perplexity": math.exp(best[0]),
        "perplexity": perplexity(nats),
        "perplexity_after_unseen": perplexity(nats[after_unseen]),
        "unseen_share": float(after_unseen.mean()),
        "word_parameters": sum(
            int(np.prod(p.shape()))
            for p in named_parameters(model.words.param_collection()).values()
        ),
        "train_seconds": round(seconds, 1),
    }


def perplexity(nats: np.ndarray) -> float:
    """exp of the mean loss of some tokens, nan for none."""
    return float(np.exp(nats.mean())) if len(nats) else math.nan


def one_epoch(model: Model, trainer: dy.Trainer, rng: np.random.Generator) -> None:
    """One pass in random order."""
    sentences, settings = model.text.parts["train"], model.settings
    order = rng.permutation(len(sentences))
    for i in range(0, len(order), settings.batch):
        slots = id_slots([sentences[s] for s in order[i : i + settings.batch]])
        dy.renew_cg()
        loss = dy.sum_batches(model.nll(slots, settings.dropout)) * (1 / len(slots.places))
        if not math.isfinite(scalar(loss)):
            raise ValueError("the loss is no number; lower --lr")
        loss.backward()
        trainer.update()
