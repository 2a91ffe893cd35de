"""Small models with hand-made tables."""

import dynet as dy
import numpy as np

from dynotes.embeddings.cbow import Cbow
from dynotes.embeddings.skip_gram import SkipGram
from tests.helpers import set_value

V, D = 7, 3


def arrays(seed=0, n_words=V, n_embed=D):
    """(input vectors, output vectors), float64 numbers that float32 holds."""
    rng = np.random.default_rng(seed)
    return [rng.normal(0, 0.7, (n_words, n_embed)).astype(np.float32).astype(float) for _ in "vu"]


def made(kind, v, u, **options):
    """(collection, model) with these tables."""
    pc = dy.ParameterCollection()
    model = kind(pc, n_words=len(v), n_embed=v.shape[1], **options)
    set_value(model.inputs, v)
    set_value(model.outputs, u)
    return pc, model


def skip_gram(seed=0):
    v, u = arrays(seed)
    return (*made(SkipGram, v, u), v, u)


def cbow(seed=0, **options):
    v, u = arrays(seed)
    return (*made(Cbow, v, u, **options), v, u)


def gradients(model, loss):
    """Gradients of both tables, which are cleared."""
    loss.forward()
    loss.backward()
    found = [np.array(t.grad_as_array()) for t in (model.inputs, model.outputs)]
    for table in (model.inputs, model.outputs):
        table.scale_gradient(0.0)
    return found
