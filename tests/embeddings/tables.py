"""Small encoders and output losses with hand-made tables."""

import dynet as dy
import numpy as np

from dynotes.graph.arrays import read
from tests.helpers import set_value

V, D = 7, 3
COUNTS = [40, 30, 20, 10, 5, 3, 2]


def arrays(seed=0, n_words=V, n_embed=D):
    """(input vectors, output vectors), float64 numbers that float32 holds."""
    rng = np.random.default_rng(seed)
    return [rng.normal(0, 0.7, (n_words, n_embed)).astype(np.float32).astype(float) for _ in "vu"]


def encoder(kind, v, **options):
    """(collection, encoder) with this table of input vectors."""
    pc = dy.ParameterCollection()
    made = kind(pc, n_words=len(v), n_embed=v.shape[1], **options)
    set_value(made.inputs, v)
    return pc, made


def output(kind, u, counts=COUNTS, **options):
    """(collection, output loss) with this table of output vectors."""
    pc = dy.ParameterCollection()
    made = kind(pc, counts=counts, n_embed=u.shape[1], **options)
    set_value(made.outputs, u)
    return pc, made


def matrix(values):
    """(collection, parameter H of these values): hidden vectors that have a gradient."""
    pc = dy.ParameterCollection()
    return pc, pc.add_parameters(values.shape, init=np.asarray(values), name="H")


def gradients(tables, loss):
    """Gradients of the tables, which are cleared."""
    loss.forward()
    loss.backward()
    found = [np.array(t.grad_as_array()) for t in tables]
    for table in tables:
        table.scale_gradient(0.0)
    return found


def flat(e):
    """All values of an expression, in the order of its batch."""
    return read(e).ravel(order="F")
