"""Output layers over a large vocabulary: the full softmax and its approximations."""
