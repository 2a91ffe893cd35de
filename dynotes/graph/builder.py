"""Builder: the one base class, a named owner of parameters.

Note: Implementation Details / About DyNet (T34)
"""

from __future__ import annotations

from typing import Any

import dynet as dy


class Builder:
    """Owns one named sub-collection of parameters; everything else is passed in.

    A subclass sets ``NAME`` (DyNet refuses "_" and "/") and makes its parameters and children in
    ``self._pc``, so that ``dy.save``/``dy.load`` keep all of them.  ``spec`` holds exactly the
    keyword arguments as plain values.  No Expression is ever stored on ``self``.

    Args:
        pc: the collection that will own the sub-collection; keep its root alive as long as the
            builder (DyNet frees the values with the root).
        spec: the keyword arguments of the subclass.
    """

    NAME = "builder"

    def __init__(self, pc: dy.ParameterCollection, **spec: Any) -> None:
        self.spec = spec
        self._pc = pc.add_subcollection(self.NAME)

    def param_collection(self) -> dy.ParameterCollection:
        """The sub-collection with every parameter of this builder and of its children."""
        return self._pc

    @classmethod
    def from_spec(cls, spec: dict[str, Any], pc: dy.ParameterCollection) -> Builder:
        """A builder of the same sizes with fresh parameters in ``pc`` (used by ``dy.load``)."""
        return cls(pc, **spec)
