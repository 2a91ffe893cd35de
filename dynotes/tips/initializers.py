"""Random initial weights that keep the variance of signals and gradients: Xavier and He.

Note: Tips in Training / Xavier Initializer & He Initializer (T25, T26)
Paper: Glorot & Bengio 2010, eq. 16; He, Zhang, Ren & Sun 2015, eqs. 10, 14 and 15 (leaky slope);
    Saxe, McClelland & Ganguli 2014 (orthogonal); Zaremba et al. 2014 (all uniform).
Renamed: a weight matrix is (n_out, n_in), as DyNet multiplies it; a kernel is DyNet's
    (height, width, channels in, channels out).
Differs: the notes' interval lost its minus sign: it is U[-x, x]; the derivation needs weights of
    zero mean and f(0) = 0.  He's variance is 2/n_in (or 2/n_out), because relu halves the second
    moment; "twice Xavier's", 4/(n_in + n_out), shrinks signals in nets of changing width.  The
    four gates of an LSTM are four matrices: their fan-out is H, where DyNet's own Glorot takes 4H.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from typing import Any

import dynet as dy
import numpy as np

from dynotes.graph.shapes import check_dims, check_size

# 1 / f'(0): the factor by which the linear regime of f shrinks a signal.
GAINS = {"linear": 1.0, "tanh": 1.0, "softsign": 1.0, "sigmoid": 4.0}
FAN_MODES = ("average", "fan_in", "fan_out")


def fans(shape: Sequence[int]) -> tuple[int, int]:
    """Number of inputs that reach one output, and of outputs that one input reaches.

        matrix (n_out, n_in):               n_in,            n_out
        kernel (k1, ..., kn, c_in, c_out):  k1...kn c_in,    k1...kn c_out

    Args:
        shape: at least two sizes.

    Returns:
        (fan_in, fan_out).

    Raises:
        ValueError: fewer than two sizes, or a size below 1.
    """
    sizes = check_dims("shape", shape)
    if len(sizes) < 2:
        raise ValueError(f"shape: expected a matrix or a kernel, found {sizes}")
    if len(sizes) == 2:
        return sizes[1], sizes[0]
    window = math.prod(sizes[:-2])
    return window * sizes[-2], window * sizes[-1]


def gain(activation: str) -> float:
    """1 / f'(0) of an activation function; relu has none, see ``he_normal``."""
    if activation not in GAINS:
        raise ValueError(
            f"activation: expected one of {sorted(GAINS)} (he_* for relu), found {activation!r}"
        )
    return GAINS[activation]


def _xavier_variance(shape: Sequence[int], activation: str, mode: str) -> float:
    n_in, n_out = fans(shape)
    if mode not in FAN_MODES:
        raise ValueError(f"mode: expected one of {FAN_MODES}, found {mode!r}")
    n = {"average": (n_in + n_out) / 2.0, "fan_in": n_in, "fan_out": n_out}[mode]
    return gain(activation) ** 2 / n


def _he_variance(shape: Sequence[int], mode: str, a: float) -> float:
    n_in, n_out = fans(shape)
    if mode not in FAN_MODES[1:]:
        raise ValueError(f"mode: expected one of {FAN_MODES[1:]}, found {mode!r}")
    if not math.isfinite(a):
        raise ValueError(f"a: expected a finite slope, found {a!r}")
    return 2.0 / ((1.0 + a * a) * (n_in if mode == "fan_in" else n_out))


def uniform(rng: np.random.Generator, shape: Sequence[int], scale: float) -> np.ndarray:
    """W ~ U[-scale, scale], variance scale^2 / 3.

    Args:
        rng: the source of the draws.
        shape: any sizes >= 1.
        scale: > 0.

    Returns:
        float32 array of that shape.

    Raises:
        ValueError: a bad size, or a scale that is not positive and finite.
    """
    if not 0.0 < scale < math.inf:
        raise ValueError(f"scale: expected a number > 0, found {scale!r}")
    unit = rng.random(check_dims("shape", shape), dtype=np.float32)
    unit *= 2.0
    unit -= 1.0
    unit *= np.float32(scale)
    return unit


def _normal(rng: np.random.Generator, shape: Sequence[int], variance: float) -> np.ndarray:
    values = rng.standard_normal(tuple(shape), dtype=np.float32)
    values *= np.float32(math.sqrt(variance))
    return values


def xavier_uniform(
    rng: np.random.Generator,
    shape: Sequence[int],
    *,
    activation: str = "linear",
    mode: str = "average",
) -> np.ndarray:
    """Keep the variance of signals and gradients through an activation that is linear around 0.

        W ~ U[-x, x]        x = (1 / f'(0)) sqrt(6 / (n_in + n_out))

    Args:
        rng: the source of the draws.
        shape: (n_out, n_in) or a kernel, see ``fans``.
        activation: "linear", "tanh", "softsign" or "sigmoid" (whose f(0) is not 0).
        mode: "average" is the paper's compromise, variance 2 / (n_in + n_out) times the squared
            gain; "fan_in" keeps signals exactly, 1 / n_in; "fan_out" gradients, 1 / n_out.

    Returns:
        float32 array of that shape.

    Raises:
        ValueError: a bad shape, activation or mode.
    """
    return uniform(rng, shape, math.sqrt(3.0 * _xavier_variance(shape, activation, mode)))


def xavier_normal(
    rng: np.random.Generator,
    shape: Sequence[int],
    *,
    activation: str = "linear",
    mode: str = "average",
) -> np.ndarray:
    """W ~ N(0, v) with the variance v of ``xavier_uniform``; same arguments and errors."""
    return _normal(rng, shape, _xavier_variance(shape, activation, mode))


def he_uniform(
    rng: np.random.Generator, shape: Sequence[int], *, mode: str = "fan_in", a: float = 0.0
) -> np.ndarray:
    """W ~ U[-x, x] with the variance x^2 / 3 of ``he_normal``; same arguments and errors."""
    return uniform(rng, shape, math.sqrt(3.0 * _he_variance(shape, mode, a)))


def he_normal(
    rng: np.random.Generator, shape: Sequence[int], *, mode: str = "fan_in", a: float = 0.0
) -> np.ndarray:
    """Keep the second moment through relu, which halves it: E[relu(y)^2] = Var(y) / 2.

        W ~ N(0, 2 / ((1 + a^2) n))

    Args:
        rng: the source of the draws.
        shape: (n_out, n_in) or a kernel, see ``fans``.
        mode: "fan_in" (n = n_in) keeps the signals, "fan_out" (n = n_out) the gradients.
        a: slope of a leaky relu for negative inputs; 0 is relu, 1 the identity.

    Returns:
        float32 array of that shape.

    Raises:
        ValueError: a bad shape, mode or slope.
    """
    return _normal(rng, shape, _he_variance(shape, mode, a))


def orthogonal(rng: np.random.Generator, shape: Sequence[int]) -> np.ndarray:
    """A random matrix with orthonormal columns, W^T W = I (rows, if it has more columns).

    Uniform among such matrices: Q of a Gaussian matrix, signs fixed by the diagonal of R.

    Args:
        rng: the source of the draws.
        shape: (n_out, n_in), or a kernel whose output channels are the columns.

    Returns:
        float32 array of that shape.

    Raises:
        ValueError: fewer than two sizes, or a size below 1.
    """
    fans(shape)
    rows, columns = math.prod(shape[:-1]), shape[-1]
    q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    q *= np.where(np.diag(r) < 0.0, -1.0, 1.0)
    return (q if rows >= columns else q.T).reshape(tuple(shape)).astype(np.float32)


Initializer = Callable[[np.random.Generator, Sequence[int]], np.ndarray]


def _by_gate(
    draw: Initializer, rng: np.random.Generator, shape: Sequence[int], n_gates: int
) -> np.ndarray:
    """One draw (H, I) a gate, stacked to (n_gates H, I)."""
    gates = check_size("n_gates", n_gates)
    if len(shape) != 2 or shape[0] % gates:
        raise ValueError(f"shape: expected ({gates} H, I), found {tuple(shape)}")
    block = (shape[0] // gates, shape[1])
    return np.concatenate([draw(rng, block) for _ in range(gates)])


def lstm_xavier(rng: np.random.Generator, shape: Sequence[int], *, n_gates: int = 4) -> np.ndarray:
    """``xavier_uniform`` of every gate of a stacked LSTM matrix.

        W_gate ~ U[-x, x]        x = sqrt(6 / (I + H))

    Args:
        rng: the source of the draws.
        shape: (n_gates H, I).
        n_gates: how many matrices (H, I) are stacked.

    Returns:
        float32 array of that shape.

    Raises:
        ValueError: no matrix, or rows that the gates do not divide.
    """
    return _by_gate(xavier_uniform, rng, shape, n_gates)


SCHEMES: dict[str, Initializer | None] = {
    "dynet": None,
    "uniform": None,
    "xavier": xavier_uniform,
    "he": he_normal,
    "orthogonal": orthogonal,
}


def parse_scheme(scheme: str) -> tuple[str, float]:
    """("uniform", 0.1) for "uniform:0.1", ("he", 0.0) for "he"; ValueError for anything else."""
    name, _, number = scheme.partition(":")
    known = "dynet, uniform:SCALE, xavier, he, orthogonal"
    if name not in SCHEMES or (name == "uniform") != bool(number):
        raise ValueError(f"scheme: expected one of {known}; found {scheme!r}")
    try:
        scale = float(number) if number else 0.0
    except ValueError:
        scale = math.nan
    if name == "uniform" and not 0.0 < scale < math.inf:
        raise ValueError(f"scheme: expected uniform:SCALE with a scale > 0, found {scheme!r}")
    return name, scale


def initialise(
    pc: dy.ParameterCollection,
    scheme: str,
    rng: np.random.Generator,
    *,
    gates: Collection[dy.Parameters] = (),
    n_gates: int = 4,
    keep: Collection[Any] = (),
) -> None:
    """Fill every parameter of a collection and of its sub-collections.

    "uniform:SCALE" draws everything, biases and tables included, from U[-SCALE, SCALE] (Zaremba et
    al. 2014).  "xavier", "he" (normal, fan-in) and "orthogonal" draw the matrices and kernels, set
    vectors to zero, and draw a table of E-vectors from U[-sqrt(3/E), sqrt(3/E)], so that a word
    vector has length about 1 whatever the vocabulary.  "dynet" leaves everything as it is.

    Args:
        pc: the collection.
        scheme: one of the above.
        rng: the source of the draws; parameters are filled in the order of the collection.
        gates: the parameters that stack n_gates matrices, for instance ``lstm.parameters()``; each
            gate is drawn by itself.  Vectors among them are treated as vectors.
        n_gates: how many gates are stacked.
        keep: parameters and tables that stay as they are.

    Raises:
        ValueError: an unknown scheme, or gates that are not in the collection.
    """
    name, scale = parse_scheme(scheme)
    stacked = {p.name() for p in gates}
    missing = stacked - {p.name() for p in pc.parameters_list()}
    if missing:
        raise ValueError(f"gates: {sorted(missing)} not in the collection {pc.name()}")
    if name == "dynet":
        return
    kept = {p.name() for p in keep}
    parameters = [p for p in pc.parameters_list() if p.name() not in kept]
    values = [
        _values(SCHEMES[name], scale, rng, p.shape(), n_gates if p.name() in stacked else 1)
        for p in parameters
    ]
    for p, value in zip(parameters, values):
        p.set_value(value)
    for table in (t for t in pc.lookup_parameters_list() if t.name() not in kept):
        size = math.prod(table.shape()[1:])
        table.init_from_array(uniform(rng, table.shape(), scale or math.sqrt(3.0 / size)))


def _values(
    draw: Initializer | None,
    scale: float,
    rng: np.random.Generator,
    shape: Sequence[int],
    n_gates: int,
) -> np.ndarray:
    """Values of one parameter; without ``draw`` all of them are U[-scale, scale]."""
    if draw is None:
        return uniform(rng, shape, scale)
    if len(shape) < 2:
        return np.zeros(shape, dtype=np.float32)
    return draw(rng, shape) if n_gates == 1 else _by_gate(draw, rng, shape, n_gates)
