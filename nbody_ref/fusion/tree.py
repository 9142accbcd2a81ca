"""Shapes of fusion diagrams: rooted full binary trees, written as nested pairs of leaf numbers.

``((0, 1), 2)`` fuses leaves 0 and 1 first and the result with leaf 2. A leaf is a number 0..n-1; a vertex is a pair.
Vertices are numbered in post-order: left subtree, right subtree, then the vertex itself; the last one is the root.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from numbers import Integral
from typing import Any, Union

from nbody_ref.checks import check_integer, check_list
from nbody_ref.errors import SchemeError
from nbody_ref.fusion.checks import MOST_LEAVES

__all__ = ["Tree", "all_trees", "balanced", "check_tree", "leaves", "left_comb", "right_comb", "vertices"]

Tree = Union[int, tuple["Tree", "Tree"]]  # noqa: UP007  a string cannot stand beside |


def left_comb(n: int) -> Tree:
    """Tree (((0, 1), 2), ...) that takes up one leaf at a time, the order of MACE's contraction.

    Parameters
    ----------
    n : int
        Number of leaves, at least one.

    Raises
    ------
    SchemeError
        If `n` is not an integer from 1 to 256.

    Examples
    --------
    >>> left_comb(4)
    (((0, 1), 2), 3)
    """
    tree: Tree = 0
    for leaf in range(1, _count("left_comb", n)):
        tree = (tree, leaf)
    return tree


def right_comb(n: int) -> Tree:
    """Mirror image of `left_comb`, (0, (1, (2, ...))); same argument and errors.

    Examples
    --------
    >>> from nbody_ref.fusion import right_comb
    >>> right_comb(4)
    (0, (1, (2, 3)))
    """
    last = _count("right_comb", n) - 1
    tree: Tree = last
    for leaf in range(last - 1, -1, -1):
        tree = (leaf, tree)
    return tree


def balanced(n: int) -> Tree:
    """Tree of least depth, ceil(log2 n); the left half takes the odd leaf. Same argument and errors as `left_comb`.

    Examples
    --------
    >>> balanced(4)
    ((0, 1), (2, 3))
    """
    return _halves(0, _count("balanced", n))


def all_trees(items: Sequence[int]) -> Iterator[Tree]:
    """Every binary tree on the given leaves up to exchange of the two branches of a vertex: (2n-3)!! of them.

    Parameters
    ----------
    items : sequence of int
        Leaf numbers, each once.

    Raises
    ------
    SchemeError
        If they are none.

    Examples
    --------
    >>> list(all_trees([0, 1, 2]))
    [((0, 1), 2), ((0, 2), 1), (0, (1, 2))]
    """
    numbers = [
        check_integer("all_trees", "items", item, 0) for item in check_list("all_trees", "items", items, "leaves")
    ]
    if not 1 <= len(set(numbers)) == len(numbers) <= MOST_LEAVES:
        raise SchemeError(f"all_trees: 'items' must be leaf numbers, each once, got {items!r:.60}")
    return _trees(numbers)


def _trees(items: Sequence[int]) -> Iterator[Tree]:
    if len(items) == 1:
        yield items[0]
        return
    first, rest = items[0], items[1:]
    for right_size in range(1, len(items)):
        for chosen in combinations(range(len(rest) - 1, -1, -1), right_size):
            left = [first, *(item for k, item in enumerate(rest) if k not in chosen)]
            right = [item for k, item in enumerate(rest) if k in chosen]
            yield from ((a, b) for a in _trees(left) for b in _trees(right))


def leaves(tree: Tree) -> tuple[int, ...]:
    """Leaf numbers from left to right."""
    return (tree,) if isinstance(tree, int) else leaves(tree[0]) + leaves(tree[1])


def vertices(tree: Tree) -> tuple[tuple[Tree, Tree], ...]:
    """Subtrees with two branches, in post-order; the last is the tree itself."""
    return () if isinstance(tree, int) else (*vertices(tree[0]), *vertices(tree[1]), tree)


def check_tree(function: str, tree: Any) -> Tree:
    """Return `tree` as nested tuples, or raise if it is no binary tree on the leaves 0..n-1.

    Parameters
    ----------
    function : str
        What the message calls the function.
    tree : int or nested pairs
        Lists are accepted for pairs.

    Raises
    ------
    SchemeError
        If a vertex has not two branches, a leaf is no integer, or a leaf is missing or repeated.
    """
    found = _nested(function, tree)
    numbers = leaves(found)
    if sorted(numbers) != list(range(len(numbers))):
        n = len(numbers)
        raise SchemeError(f"{function}: 'tree' must have each leaf 0..{n - 1} once, got leaves {list(numbers)}")
    return found


def _nested(function: str, tree: Any, depth: int = 1) -> Tree:
    if isinstance(tree, Integral) and not isinstance(tree, bool):
        return int(tree)
    if depth > MOST_LEAVES:
        raise SchemeError(f"{function}: 'tree' must have at most {MOST_LEAVES} vertices between leaf and root")
    if not isinstance(tree, (tuple, list)):
        raise SchemeError(f"{function}: 'tree' must be built of leaf numbers and pairs, got {tree!r:.60}")
    if len(tree) != 2:
        raise SchemeError(f"{function}: 'tree' must have two branches at every vertex, got {len(tree)} at {tree!r:.60}")
    return _nested(function, tree[0], depth + 1), _nested(function, tree[1], depth + 1)


def _count(function: str, n: Any) -> int:
    return check_integer(function, "n", n, 1, MOST_LEAVES)


def _halves(start: int, stop: int) -> Tree:
    if stop - start == 1:
        return start
    middle = (start + stop + 1) // 2
    return _halves(start, middle), _halves(middle, stop)
