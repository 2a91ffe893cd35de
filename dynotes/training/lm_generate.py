"""Sampling text from a language model, many sentences side by side.

    P_tau(w) = softmax(scores / tau) over the k most probable words

Note: Tips in Training / Entropy, Cross Entropy Loss, and KL-Divergence (T17)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

import dynet as dy
import numpy as np

from dynotes.graph.arrays import read
from dynotes.graph.shapes import check_ids, check_size
from dynotes.language_models.lstm_lm import LstmLm
from dynotes.tips.softmax_approximations.full_softmax import sample_log_probs
from dynotes.training.lm_evaluate import read_states


def generate(
    model: LstmLm,
    *,
    eos_id: int,
    rng: np.random.Generator,
    sentences: int = 1,
    prompt: Sequence[int] = (),
    temperature: float = 1.0,
    top_k: Optional[int] = None,
    max_words: int = 100,
    banned: Sequence[int] = (),
) -> list[list[int]]:
    """Sample sentences.

    Args:
        model: the language model.
        eos_id: read first, and what ends a sentence.
        rng: the source of the draws.
        sentences: how many.
        prompt: ids that every sentence begins with.
        temperature: tau > 0; small values approach the most probable word.
        top_k: only so many most probable words; None: all.
        max_words: a sentence is cut after so many, prompt included.
        banned: ids that are never drawn, such as ``<unk>``.

    Returns:
        ids of each sentence, prompt included, without ``eos_id``.

    Raises:
        ValueError: ids outside the vocabulary, or no word left to draw; see ``sample_log_probs``.
    """
    batch, limit = check_size("sentences", sentences), check_size("max_words", max_words)
    words = [[int(i) for i in prompt] for _ in range(batch)]
    if len(prompt):
        check_ids("prompt", prompt, model.n_words)
    if len(banned) and len(np.unique(check_ids("banned", banned, model.n_words))) == model.n_words:
        raise ValueError(f"banned: expected to leave a word, found all {model.n_words}")
    state, done = model.zero_state(batch), np.zeros(batch, bool)
    read_next = np.tile(np.asarray([eos_id, *prompt], np.int64)[:, None], (1, batch))
    while not done.all() and len(words[int(np.argmin(done))]) < limit:
        dy.renew_cg()
        segment = model.segment(read_next, state)
        log_probs = read(model.log_probs(segment))[:, -batch:]
        if len(banned):
            log_probs[np.asarray(banned)] = -np.inf
        drawn = sample_log_probs(log_probs, rng, temperature=temperature, top_k=top_k)
        state = read_states(segment.states)
        for column, word in enumerate(drawn):
            if not done[column] and word != eos_id:
                words[column].append(int(word))
        done |= drawn == eos_id
        read_next = np.asarray(drawn, np.int64)[None, :]
    return words
