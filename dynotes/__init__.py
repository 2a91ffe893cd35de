"""dynotes: the techniques of a neural-NLP notebook as exact DyNet computation-graph builders."""

__version__ = "0.1.0"
