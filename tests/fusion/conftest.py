"""Random Yutsis graphs with admissible spins, shared as a fixture."""

from fractions import Fraction
from types import SimpleNamespace

import pytest

from nbody_ref.fusion import YutsisGraph


def random_graph(rng, n, top, opened=0):
    """Graph of n vertices, doubled spins up to `top`, with `opened` open lines; 3 n - opened must be even."""
    while True:
        ends = [k for k in range(n) for _ in range(3)]
        rng.shuffle(ends)
        vertices, names = [[] for _ in range(n)], []
        for k in range(opened):
            names.append(f"o{k}")
            vertices[ends.pop()].append(rng.choice(["", "-"]) + names[-1])
        for u, v in zip(ends[::2], ends[1::2]):
            names.append(f"j{len(names)}")
            vertices[u].append(names[-1])
            vertices[v].append("-" + names[-1])
        for vertex in vertices:
            rng.shuffle(vertex)
        spins = admissible_spins(rng, vertices, names, top)
        if spins:
            return YutsisGraph(vertices, spins, [rng.choice([1, -1]) for _ in vertices])


def admissible_spins(rng, vertices, names, top):
    """Spins line by line, each drawn among those that fit; None if there is none."""
    plain = [[end.lstrip("-") for end in vertex] for vertex in vertices]
    spins = {}

    def fits(name, j):
        found = spins | {name: j}
        full = [sorted(found[x] for x in v) for v in plain if name in v and all(x in found for x in v)]
        return all((a + b + c) % 2 == 0 and c <= a + b for a, b, c in full)

    for name in names:
        choices = [j for j in range(top + 1) if fits(name, j)]
        if not choices:
            return None
        spins[name] = rng.choice(choices)
    return {name: Fraction(j, 2) for name, j in spins.items()}


def random_components(rng, graph):
    """Components of the open lines."""
    return {name: rng.randrange(int(2 * graph.spins[name]) + 1) - graph.spins[name] for name in graph.open_lines}


@pytest.fixture(scope="session")
def graphs():
    """Functions that draw random graphs, their components and spins."""
    return SimpleNamespace(graph=random_graph, components=random_components, spins=admissible_spins)
