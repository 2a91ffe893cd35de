"""Small paragraph-vector models with hand-made tables, and the full softmax over their columns."""

import dynet as dy
import numpy as np

from dynotes.embeddings.pv_dbow import PvDbow
from dynotes.embeddings.pv_dm import PvDm
from tests.helpers import set_value

V, N, D, K = 7, 4, 3, 2


def numbers(rows, columns, seed=0):
    """float64 numbers that float32 holds."""
    rng = np.random.default_rng([seed, rows, columns])
    return rng.normal(0, 0.7, (rows, columns)).astype(np.float32).astype(float)


def dm(mode, slots=K, n_embed=D, **more):
    """(collection, model, words, documents); the last row of words is concat's padding."""
    pc = dy.ParameterCollection()
    model = PvDm(pc, n_words=V, n_documents=N, n_embed=n_embed, slots=slots, mode=mode, **more)
    words, documents = numbers(V + (mode == "concat"), n_embed), numbers(N, n_embed, 1)
    set_value(model.inputs, words)
    set_value(model.documents, documents)
    return pc, model, words, documents


def dbow(words=False, n_embed=D):
    """(collection, model, words or None, documents)."""
    pc = dy.ParameterCollection()
    model = PvDbow(pc, n_words=V, n_documents=N, n_embed=n_embed, words=words)
    documents, table = numbers(N, n_embed, 1), numbers(V, n_embed) if words else None
    set_value(model.documents, documents)
    if words:
        set_value(model.inputs, table)
    return pc, model, table, documents


def softmax_loss(outputs, H, columns, targets):
    """sum -log softmax(U h)_o with U, (V, D), of a parameter."""
    log_probs = dy.log_softmax(dy.parameter(outputs) * H)
    count = H.dim()[0][1]
    size = outputs.shape()[0]
    cells = np.asarray(columns) * size + np.asarray(targets)
    return -dy.sum_batches(dy.pick_batch(dy.reshape(log_probs, (size * count,)), cells.tolist()))
