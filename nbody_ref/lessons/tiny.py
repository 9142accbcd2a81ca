r"""An N-body network in one file: coefficients, product, gate (10), mixing (9), energy, forces, training. NumPy only.

Read it from top to bottom. Everything is batched over frames of one molecule, in which all atoms are children of each:
``r[t, i, j]`` points from atom i to its j-th other atom in frame t. States are dicts ``{l: (frames, atoms, 2l+1, c)}``.
Nothing here is fast; `nbody_ref.network.Network` gives the same numbers, and over Fractions in object arrays the gate
is exactly what `nbody_ref.exact.definition` says. Run it: ``python -m nbody_ref.lessons.tiny``.
"""

from __future__ import annotations

import itertools
from fractions import Fraction
from functools import lru_cache
from math import comb, factorial, isqrt
from typing import Any

import numpy as np

__all__ = ["clebsch_gordan", "energy_and_gradients", "ethanol_frames", "gate", "gate_vjp", "learn", "weights"]

POWERS = np.array([0, 1, 2])  # the exponents s of eq. (10); arguments `powers` may say otherwise
YZX = [1, 2, 0]  # order of the components of degree 1 in the real gauge
State = dict[int, Any]
add_at: Any = np.add.at  # adds also where an index occurs twice


# 1. Clebsch-Gordan coefficients: what couples degrees l1 and l2 to l. Every one is plus or minus sqrt(p / q).
def signed_square(l1: int, m1: int, l2: int, m2: int, l: int) -> Fraction:
    """Sign times square of <l1 m1 l2 m2 | l m1+m2>: an integer sum squared, times factorials."""
    m, a, b, c = m1 + m2, l1 + l2 - l, l1 - l2 + l, l2 - l1 + l
    if abs(m) > l:
        return Fraction(0)
    ks = range(min(a, l1 - m1, l2 + m2) + 1)
    S = sum((-1) ** k * comb(a, k) * comb(b, l1 - m1 - k) * comb(c, l2 + m2 - k) for k in ks)
    top, bottom = (2 * l + 1) * S * abs(S), factorial(l1 + l2 + l + 1) * factorial(a) * factorial(b) * factorial(c)
    for j, n in ((l1, m1), (l2, m2), (l, m)):
        top *= factorial(j + n) * factorial(j - n)
    return Fraction(top, bottom)


def real_rows(n: int) -> list[tuple[int, complex]]:
    """Real components that the complex component n is seen in, each with its power of i; times 1/sqrt(2) if n != 0."""
    sign = (-1) ** n if n > 0 else 1
    return [(abs(n), sign), (-abs(n), sign * (1j if n > 0 else -1j))] if n else [(0, 1)]


@lru_cache
def clebsch_gordan(l1: int, l2: int, l: int) -> Any:
    """Real coefficients C[m1, m2, m], (2l1+1, 2l2+1, 2l+1); each is a root taken in integers and rounded once."""
    C, phase, square = np.zeros((2 * l1 + 1, 2 * l2 + 1, 2 * l + 1)), dict[Any, complex](), dict[Any, Fraction]()
    for n1, n2 in itertools.product(range(-l1, l1 + 1), range(-l2, l2 + 1)):
        value = signed_square(l1, n1, l2, n2, l)
        for m1, u1 in real_rows(n1) if value else []:
            for m2, u2 in real_rows(n2):
                for m, u in real_rows(n1 + n2):
                    place = (m1 + l1, m2 + l2, m + l)
                    turn = (1j if (l1 + l2 + l) % 2 else 1) * u * np.conj(u1) * np.conj(u2)
                    phase[place] = phase.get(place, 0) + (turn if value > 0 else -turn)  # powers of i: no rounding
                    square[place] = abs(value) / 2 ** sum(n != 0 for n in (n1, n2, n1 + n2))
    for place, turn in phase.items():
        exact = square[place] * int(abs(turn.real)) ** 2
        root = isqrt((exact.numerator << 400) // exact.denominator)  # 200 bits of it
        C[place] = np.sign(turn.real) * float(Fraction(root, 1 << 200))
    return C


# 2. The gate: eq. (10), a sum over children of |r|^-s (psi x r), then eq. (9), the mixing F @ W of each degree.
def sqrt(x: Any) -> Any:
    """Square root; of Fractions exactly, if they are squares."""
    if x.dtype != object:
        return np.sqrt(x)
    return np.vectorize(lambda q: Fraction(isqrt(q.numerator), isqrt(q.denominator)), otypes=[object])(x)


def others(n: int) -> Any:
    """Children of each atom: all others, (n, n-1)."""
    return np.array([[j for j in range(n) if j != i] for i in range(n)])


def geometry(r: Any, powers: Any) -> tuple[Any, Any, Any]:
    """The vector as a fragment of degree 1, its length, and the factors |r|^-s."""
    d = sqrt((r * r).sum(-1))
    return r[..., YZX], d, d[..., None] ** -powers


def numbers(l1: int, l: int, like: Any) -> Any:
    """Coefficients of psi^l1 x r -> l in the ring of `like`: floats, or Fractions of the same value."""
    C = clebsch_gordan(l1, 1, l)
    return np.vectorize(Fraction, otypes=[object])(C) if like.dtype == object else C


def sources(psi: State, l: int) -> list[int]:
    """Degrees l1 of `psi` whose product with a vector contains l: |l1 - 1| <= l <= l1 + 1."""
    return [l1 for l1 in psi if abs(l1 - 1) <= l <= l1 + 1]


def fragments(psi: State, r: Any, l: int, powers: Any = POWERS) -> Any:
    """Eq. (10) before mixing: fragments of degree l, (frames, atoms, 2l+1, K), ordered by l1, then s, then channel."""
    (u, _, g), child, parts = geometry(r, powers), others(r.shape[1]), []
    for l1 in sources(psi, l):
        C, x = numbers(l1, l, r), psi[l1][:, child]
        F = np.einsum("abm,tijac,tijb,tijs->timsc", C, x, u, g, optimize=True)
        parts.append(F.reshape(*F.shape[:3], -1))
    return np.concatenate(parts, axis=-1)


def gate(psi: State, r: Any, W: State, z: Any, powers: Any = POWERS) -> State:
    """Eq. (9) after eq. (10): psi^l = F^l W^l. W[l] is (species, K, c); row z[i] is for atoms like atom i."""
    return {l: np.einsum("timk,ikc->timc", fragments(psi, r, l, powers), W[l][z]) for l in W}


# 3. The same gate backwards, by hand. A bar means "derivative of the energy by"; line by line the adjoint of part 2.
def gate_vjp(y_bar: State, psi: State, r: Any, W: State, z: Any, powers: Any = POWERS) -> tuple[State, Any, State]:
    """From the bar of the gate's output to those of its children's states, of r, and of the weights."""
    (u, d, g), child, zero = geometry(r, powers), others(r.shape[1]), r.flat[0] * 0
    psi_bar, W_bar = {l: p * zero for l, p in psi.items()}, {l: w * zero for l, w in W.items()}
    u_bar, g_bar = u * zero, g * zero
    for l in W:
        add_at(W_bar[l], z, np.einsum("timk,timc->ikc", fragments(psi, r, l, powers), y_bar[l]))
        F_bar, start = np.einsum("timc,ikc->timk", y_bar[l], W[l][z]), 0
        for l1 in sources(psi, l):
            C, x = numbers(l1, l, r), psi[l1][:, child]
            stop = start + len(powers) * x.shape[-1]
            f_bar, start = F_bar[..., start:stop].reshape(*F_bar.shape[:3], len(powers), -1), stop
            x_bar = np.einsum("abm,timsc,tijb,tijs->tijac", C, f_bar, u, g, optimize=True)
            add_at(psi_bar[l1], (slice(None), child), x_bar)
            u_bar += np.einsum("abm,timsc,tijac,tijs->tijb", C, f_bar, x, g, optimize=True)
            g_bar += np.einsum("abm,timsc,tijac,tijb->tijs", C, f_bar, x, u, optimize=True)
    d_bar = (g_bar * g * -powers).sum(-1) / d  # the derivative of d^-s is -s d^-s / d
    r_bar = d_bar[..., None] * r / d[..., None]
    r_bar[..., YZX] += u_bar
    return psi_bar, r_bar, W_bar


# 4. The network, Definition 3: atoms, neighbourhoods, neighbourhoods of neighbourhoods; the root sums their scalars.
def weights(species: int, types: list[dict[int, int]], seed: int = 0) -> list[State]:
    """Random weights of variance 1/K for gates with outputs of these types, such as [{1: 4}, {0: 1}]."""
    rng, below, W = np.random.default_rng(seed), {0: species}, list[State]()
    for tau in types:
        K = {l: len(POWERS) * sum(below[l1] for l1 in sources(below, l)) for l in tau}
        W.append({l: rng.standard_normal((species, K[l], c)) / np.sqrt(K[l]) for l, c in tau.items()})
        below = tau
    return W


def energy_and_gradients(x: Any, z: Any, W: list[State], powers: Any = POWERS, E_bar: Any = 1) -> tuple[Any, Any, Any]:
    """Energies (frames,), their gradients by the positions x (frames, atoms, 3), and those by the weights."""
    child, r = others(len(z)), x[:, others(len(z))] - x[:, :, None]
    one_hot = np.eye(len(W[0][min(W[0])]), dtype=int)[z][None, :, None]
    states = [{0: one_hot * (x[:, :1, :1, None] * 0 + 1)}]
    for level in W:
        states.append(gate(states[-1], r, level, z, powers))
    bar: State = {0: states[-1][0] * 0 + np.reshape(E_bar, (-1, 1, 1, 1))}
    r_bar, W_bar = r * 0, list[State]()
    for psi, level in zip(states[-2::-1], W[::-1]):
        bar, more, w_bar = gate_vjp(bar, psi, r, level, z, powers)
        r_bar, W_bar = r_bar + more, [w_bar, *W_bar]
    x_bar = -r_bar.sum(2)  # r = x[child] - x[parent]
    add_at(x_bar, (slice(None), child), r_bar)
    return states[-1][0].sum((1, 2, 3)), x_bar, W_bar


# 5. Learning. A tiny imaginary part h carries a derivative without rounding: Im f(x + ih v) / h is df along v.
def loss_and_gradients(x: Any, z: Any, W: list[State], E: Any, F: Any, powers: Any = POWERS) -> tuple[float, Any]:
    """Sum of squares of the errors of energies and forces, and its gradient by the weights, in two runs."""
    energy, x_bar, _ = energy_and_gradients(x, z, W, powers)
    dE, dF, h = energy - E, -x_bar - F, 1e-30
    _, _, W_bar = energy_and_gradients(x - 1j * h * dF, z, W, powers, 1 + 1j * h * dE)
    return (dE**2).sum() + (dF**2).sum(), [{l: 2 * w.imag / h for l, w in level.items()} for level in W_bar]


def learn(frames: Any, W: list[State], steps: int, rate: float = 0.02, powers: Any = POWERS) -> list[float]:
    """Change the weights in place by Adam on frames = (x, z, E, F); returns the loss before each step."""
    (x, z, E, F), losses = frames, []
    memory = [{l: [w * 0, w * 0] for l, w in level.items()} for level in W]
    for t in range(1, steps + 1):
        loss, W_bar = loss_and_gradients(x, z, W, E, F, powers)
        losses.append(loss)
        for level, grads, old in zip(W, W_bar, memory):
            for l, g in grads.items():
                old[l] = [old[l][0] * 0.9 + g * 0.1, old[l][1] * 0.99 + g * g * 0.01]
                level[l] -= rate * (old[l][0] / (1 - 0.9**t)) / (np.sqrt(old[l][1] / (1 - 0.99**t)) + 1e-12)
    return losses


def ethanol_frames(count: int) -> tuple[Any, Any, Any, Any]:
    """Frames of ethanol: positions, species 0..2 for H, C, O, energies less their mean, forces."""
    from nbody_ref.fit.reading import ethanol

    found = ethanol()[:count]
    x, E, F = (np.array([getattr(frame, name) for frame in found]) for name in ("positions", "energy", "forces"))
    return x, np.searchsorted([1, 6, 8], found[0].numbers), E - E.mean(), F


if __name__ == "__main__":
    frames, W = ethanol_frames(20), weights(3, [{1: 8}, {0: 1}])
    losses = learn(frames, W, steps=60, powers=np.array([2, 4, 6]))  # steeper than the paper's 0, 1, 2: bonds are short
    print(
        "eV/Angstrom after 0, 20, 40, 59 steps:", np.sqrt(np.array(losses)[[0, 20, 40, 59]] / frames[3].size).round(3)
    )
