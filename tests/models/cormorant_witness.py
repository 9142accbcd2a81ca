r"""Cormorant's equations in plain NumPy: a second witness that shares no line with the package.

Weights come under the names and in the shapes of the original program, as in `tests/data/cormorant_small.npz`; sizes
come as its `meta`. States are lists over degrees of arrays (atoms, 2l + 1, channels); pairs are (i, j), also i = j.
"""

from itertools import product
from math import factorial, pi, sqrt

import numpy as np


def coupling(l1, l2, l):
    """<l1 m1 l2 m2 | l m>, (2 l1 + 1, 2 l2 + 1, 2 l + 1), by Racah's sum."""
    f, C = factorial, np.zeros((2 * l1 + 1, 2 * l2 + 1, 2 * l + 1))
    for m1, m2 in product(range(-l1, l1 + 1), range(-l2, l2 + 1)):
        m = m1 + m2
        if abs(m) > l:
            continue
        square = (2 * l + 1) * f(l1 + l2 - l) * f(l1 - l2 + l) * f(l2 - l1 + l) / f(l1 + l2 + l + 1)
        square *= f(l + m) * f(l - m) * f(l1 + m1) * f(l1 - m1) * f(l2 + m2) * f(l2 - m2)
        low, high = max(0, l2 - l - m1, l1 - l + m2), min(l1 + l2 - l, l1 - m1, l2 + m2)
        total = sum(
            (-1) ** k
            / (f(k) * f(l1 + l2 - l - k) * f(l1 - m1 - k) * f(l2 + m2 - k) * f(l - l2 + m1 + k) * f(l - l1 - m2 + k))
            for k in range(low, high + 1)
        )
        C[m1 + l1, m2 + l2, m + l] = sqrt(square) * total
    return C


def harmonics(r, l):
    """conj(sqrt(4 pi / (2l + 1)) |r|^l Y_lm(r)) with Condon and Shortley's phase, (..., 2l + 1): polynomials."""
    x, y, z = np.moveaxis(r, -1, 0)
    plus, minus, found = -(x + 1j * y) / 2, (x - 1j * y) / 2, []
    for m in range(-l, l + 1):
        norm = sqrt(factorial(l + m) * factorial(l - m))
        terms = ((p, p - m, l - 2 * p + m) for p in range(max(0, m), l + 1) if l - 2 * p + m >= 0)
        found.append(sum(norm * plus**p * minus**q * z**s / (factorial(p) * factorial(q) * factorial(s))
                         for p, q, s in terms))  # fmt: skip
    return np.conj(np.stack(np.broadcast_arrays(*found), axis=-1))


def products(a, b, top, indices):
    """Channel by channel, all (l1, l2) -> l <= top, l1 outer: a list over l of arrays side by side in the channels."""
    found = {}
    for (l1, x), (l2, y) in product(enumerate(a), enumerate(b)):
        for l in range(abs(l1 - l2), min(l1 + l2, top) + 1):
            found.setdefault(l, []).append(np.einsum(indices, coupling(l1, l2, l), x, y))
    return [np.concatenate(found[l], axis=-1) for l in sorted(found)]


def dots(a, b, indices):
    """sum_m (-1)^m a_m b_-m of every fragment, degree outer."""
    signs = [(-1.0) ** np.arange(-l, l + 1) for l in range(len(a))]
    return np.concatenate([np.einsum(indices, s, x, y[:, ::-1]) for s, x, y in zip(signs, a, b)], axis=-1)


def radial(dist, scales, phases, powers):
    """Sines over powers of the distance in complex pairs, zero between an atom and itself."""
    d = np.where(dist > 0, dist, 1.0)[..., None]
    sines = np.sin(2 * pi * scales.ravel() * d + phases.ravel())[..., :, None]
    flat = (sines * d[..., None] ** -np.arange(powers + 1.0)).reshape(*dist.shape, -1) * (dist > 0)[..., None]
    return flat[..., ::2] + 1j * flat[..., 1::2]


def states(meta, weights, numbers, positions):
    """The states after every level, from the charges."""

    def W(name):
        return weights[name][..., 0] + 1j * weights[name][..., 1]

    n = meta["n_channels"]
    one_hot = np.array([[z == other for other in meta["species"]] for z in numbers], float)
    powers = (np.array(numbers, float)[:, None] / meta["charge_scale"]) ** np.arange(meta["charge_power"] + 1.0)
    a = (one_hot[:, :, None] * powers[:, None, :]).reshape(len(numbers), -1)
    x = a @ weights["input_func_atom.lin.weight"].T + weights["input_func_atom.lin.bias"]
    psi, g, found = [(x[:, ::2] + 1j * x[:, 1::2]).reshape(-1, 1, n)], None, []
    r = positions[:, None] - positions[None]
    dist = np.linalg.norm(r, axis=-1)
    Y = [harmonics(r, l) for l in range(meta["max_sh"] + 1)]
    for s in range(meta["levels"]):
        at, out = f"rad_funcs.rad_funcs.{s}", f"cormorant_cg.edge_levels.{s}"
        R = radial(dist, weights[f"{at}.scales"], weights[f"{at}.phases"], meta["basis_set"][1])
        radius, width = (abs(weights[f"{out}.mask_layer.soft_cut_{k}"].ravel()) for k in ("rad", "width"))
        mask = 1 / (1 + np.exp((dist[..., None] - radius) / width))
        d, new = dots(psi, psi, "m,imc,jmc->ijc"), []
        for l in range(meta["max_sh"] + 1):
            parts = [*([g[l]] if g else []), *([d] if l < len(psi) else []), R]
            new.append(mask * (np.concatenate(parts, axis=-1) @ W(f"{out}.cat_mix.mix_reps.weights.{l}").T))
        g = new
        G = [g_l[:, :, None, :] * Y_l[..., None] for g_l, Y_l in zip(g, Y)]
        ag = products(G, psi, meta["maxl"], "abm,ijac,jbc->imc")
        sq = products(psi, psi, meta["maxl"], "abm,iac,ibc->imc")
        stacked = [np.concatenate([x[l] for x in (ag, psi, sq) if l < len(x)], axis=-1)
                   for l in range(max(map(len, (ag, psi, sq))))]  # fmt: skip
        out = f"cormorant_cg.atom_levels.{s}.cat_mix.mix_reps.weights"
        psi = [x @ W(f"{out}.{l}").T for l, x in enumerate(stacked)]
        found.append(psi)
    return found


def invariants(levels):
    """Of every atom: both parts of degree 0; then by degree Re psi . psi and |psi|^2, levels side by side."""
    top = max(len(psi) for psi in levels)
    joined = [np.concatenate([psi[l] for psi in levels if l < len(psi)], axis=-1) for l in range(top)]
    pairs = [np.stack([joined[0][:, 0].real, joined[0][:, 0].imag], axis=-1)]
    for x in joined:
        signs = (-1.0) ** np.arange(-(x.shape[1] // 2), x.shape[1] // 2 + 1)
        both = np.einsum("m,imc,imc->ic", signs, x, x[:, ::-1]).real, (abs(x) ** 2).sum(axis=1)
        pairs.append(np.stack(both, axis=-1))
    return np.concatenate([x.reshape(len(x), -1) for x in pairs], axis=-1)


def energy(meta, weights, numbers, positions):
    """The network's output, linear in the sum over atoms, with one constant for the molecule."""
    x = invariants(states(meta, weights, numbers, positions)).sum(axis=0)
    return float(weights["output_layer_atom.lin.weight"][0] @ x + weights["output_layer_atom.lin.bias"][0])
