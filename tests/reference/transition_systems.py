"""Transition systems one sentence at a time, as plain tuples and rules."""

import functools


def start(algorithm, n):
    """(stack, buffer, arcs): tuples of nodes, and a frozenset of (head, word)."""
    words = tuple(range(1, n + 1))
    return (
        ((), (*words, 0), frozenset()) if algorithm == "arc-hybrid" else ((0,), words, frozenset())
    )


def is_final(state, n):
    return len(state[2]) == n


def successors(algorithm, multi_root, state):
    """{move: next state} of all legal moves: 0 shift, 1 left, 2 right, 3 swap."""
    stack, buffer, arcs = state
    found = {}
    if buffer and buffer[0] != 0:
        found[0] = ((*stack, buffer[0]), buffer[1:], arcs)
    if algorithm == "arc-hybrid":
        if stack and (multi_root or buffer[0] != 0 or len(stack) == 1):
            found[1] = (stack[:-1], buffer, arcs | {(buffer[0], stack[-1])})
        if len(stack) > 1:
            found[2] = (stack[:-1], buffer, arcs | {(stack[-2], stack[-1])})
        return found
    if len(stack) > 1:
        *rest, s1, s0 = stack
        if s1 != 0:
            found[1] = ((*rest, s0), buffer, arcs | {(s0, s1)})
        if s1 != 0 or multi_root or not buffer:
            found[2] = ((*rest, s1), buffer, arcs | {(s1, s0)})
        if algorithm == "swap" and 0 < s1 < s0:
            found[3] = ((*rest, s0), (s1, *buffer), arcs)
    return found


def all_states(algorithm, multi_root, n):
    """Every state that legal moves reach, with one path to it."""
    paths = {start(algorithm, n): ()}
    todo = list(paths)
    while todo:
        state = todo.pop()
        for move, after in successors(algorithm, multi_root, state).items():
            if after not in paths:
                paths[after] = (*paths[state], move)
                todo.append(after)
    return paths


@functools.cache
def reachable(algorithm, multi_root, n, state):
    """The heads of all trees that legal moves lead to from a state."""
    after = successors(algorithm, multi_root, state)
    if not after:
        head_of = {word: head for head, word in state[2]}
        return frozenset([tuple(head_of[word] for word in range(1, n + 1))])
    return frozenset().union(*(reachable(algorithm, multi_root, n, s) for s in after.values()))


def best_loss(algorithm, multi_root, n, state, gold):
    """The fewest wrong heads of any tree that is still reachable."""
    trees = reachable(algorithm, multi_root, n, state)
    return min(sum(a != b for a, b in zip(tree, gold)) for tree in trees)
