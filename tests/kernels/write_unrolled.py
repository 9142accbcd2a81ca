"""Write the unrolled parts of kernels, between the marks `written by` and `end of what is written`.

    python tests/kernels/write_unrolled.py            # write them
    python tests/kernels/write_unrolled.py --check    # status 1 if a file differs

A loop over a handful of rows stays in registers only when it is written out; here it is written out from one template,
so that what a reviewer reads is the template. The derivations are docs/derivations/message.md and harmonics.md.
"""

import re
import sys
from pathlib import Path

KERNELS = Path(__file__).parents[2] / "nbody_ref" / "kernels"
NUMBERS = "ZERO ONE TWO THREE FOUR FIVE SIX".split()
REGION = re.compile(r"( *)# -+ written by [^\n]*: (\w+) -+\n.*?\1# -+ end of what is written -+\n", re.DOTALL)


def joined(pattern, n, between=", "):
    """`pattern` for k = 0..n-1; {k} is the number, {K} its name, {at} the offset `` + K`` or nothing."""
    parts = (pattern.format(k=k, K=NUMBERS[k], at=f" + {NUMBERS[k]}" if k else "") for k in range(n))
    return between.join(parts)


def steps(name, n):
    """Offsets of the rows 1..n-1 of a part: ``x2 = x0 + TWO * mul``, three on a line."""
    ways = [f"{name}0 + {NUMBERS[k] + ' * ' if k > 1 else ''}mul" for k in range(n)]
    for first in range(1, n, 3):
        ks = range(first, min(first + 3, n))
        yield f"        {', '.join(f'{name}{k}' for k in ks)} = {', '.join(ways[k] for k in ks)}"


def rows(n):
    """Four rows of the forward, n values of i: D2 of the message."""
    starts = ("k", "l", "m", "n") if n == 7 else ("k0", "k1", "k2", "k3")
    yield from (
        "@kernel(contract=True, distinct=True)",
        f"def _rows{n}(acc: Any, w: Any, we: Any, M: Any, x: Any, xs: Any, rows: Any, first: Any, last: Any) -> None:",
        f'    """Four rows of acc += w sum_i M[k, i] x[i] over {n} value{"s" if n > 1 else ""} of i, D2."""',
        "    for b in range(first, last):",
        "        q = b * ROW_COLUMNS",
        f"        x0, {'mul, ' if n > 1 else ''}width, o = xs + rows[q + ONE], "
        f"{'rows[q + TWO], ' if n > 1 else ''}rows[q + THREE], rows[q + FOUR]",
        "        w0, w1 = we + rows[q + FIVE], we + rows[q + SIX]",
        "        w2, w3 = we + rows[q + SEVEN], we + rows[q + EIGHT]",
        f"        {', '.join(starts)} = rows[q + NINE], rows[q + TEN], rows[q + ELEVEN], rows[q + TWELVE]",
    )
    for row, start in zip("abcd", starts):
        yield f"        {joined(row + '{k}', n)} = {joined(f'M[{start}{{at}}]', n)}"
    yield from steps("x", n)
    yield "        for v in range(width):"
    yield f"            {joined('y{k}', n)} = {joined('x[x{k} + v]', n)}"
    for k, (row, panel) in enumerate(zip("abcd", ("", " + PANEL", " + PANEL2", " + PANEL3"))):
        yield f"            acc[o + v{panel}] += w[w{k} + v] * ({joined(row + '{k} * y{k}', n, ' + ')})"


def pull(r, n):
    """`r` rows i of the adjoint, n values of k: D3, D4 and D5 of the message."""
    single = r == 1 and n == 1
    yield from (
        "@kernel(contract=True, distinct=True)",
        f"def _pull{r}x{n}(",
        "    x_bar: Any, w_bar: Any, wb: Any, z: Any, x: Any, xs: Any, w: Any, we: Any,",
        "    M: Any, g: Any, ge: Any, pulls: Any, first: Any, last: Any,",
        ") -> None:  # fmt: skip",
        f'    """{r} row{"s" if r > 1 else ""} i, {n} value{"s" if n > 1 else ""} of k: '
        'u = sum_k M[i, k] g[k]; x_bar += w u, w_bar += x u, z = w x, D3 to D5."""',
        "    for b in range(first, last):",
        "        q = b * PULL_COLUMNS",
        f"        x0, {'' if single else 'mul, '}width, o = xs + pulls[q + ONE], "
        f"{'' if single else 'pulls[q + TWO], '}pulls[q + THREE], pulls[q + FOUR]",
        "        wi, wo, g0 = we + pulls[q + FIVE], wb + pulls[q + FIVE], ge + pulls[q + SIX]",
    )
    starts, names = ("m", "n", "p")[:r], "abc"[:r]
    if r == 1:
        yield "        m, zo = pulls[q + SEVEN], pulls[q + EIGHT]"
    else:
        yield "        step, m, zo = pulls[q], pulls[q + SEVEN], pulls[q + EIGHT]"
        yield "        x1, x2, n, p = x0 + mul, x0 + TWO * mul, m + step, m + TWO * step"
    for row, start in zip(names, starts):
        yield f"        {joined(row + '{k}', n)} = {joined(f'M[{start}{{at}}]', n)}"
    yield from steps("g", n)
    yield "        for v in range(width):"
    yield f"            {joined('y{k}', n)} = {joined('g[g{k} + v]', n)}"
    for i, row in enumerate(names):
        yield f"            u{i} = {joined(row + '{k} * y{k}', n, ' + ')}"
    yield f"            f, {joined('h{k}', r)} = w[wi + v], {joined('x[x{k} + v]', r)}"
    panels = ("", " + PANEL", " + PANEL2")[:r]
    yield from (f"            x_bar[o + v{panel}] += f * u{i}" for i, panel in enumerate(panels))
    yield from (f"            z[zo + v{panel}] = f * h{i}" for i, panel in enumerate(panels))
    yield f"            w_bar[wo + v] += {joined('h{k} * u{k}', r, ' + ')}"


def degrees(lmax=6):
    """Degrees 3..lmax of the solid harmonics: (A) and (B)."""
    for l in range(3, lmax + 1):
        t = l * (l - 1) // 2
        carried = f"c{l}, v{l}" if l < lmax else "_, _"
        yield f"        {carried}, u{l}, w{l} = _scaled_turn(x, y, c{l - 1}, v{l - 1}, diagonal[_I[{l}]])"
        for m in range(l - 2):
            yield f"        q{l}{m} = _up(a[_I[{t + m}]], z, q{l - 1}{m}, b[_I[{t + m}]], s, q{l - 2}{m})"
        yield f"        q{l}{l - 2} = a[_I[{t + l - 2}]] * z * q{l - 1}{l - 2} + b[_I[{t + l - 2}]] * s"
        yield f"        q{l}{l - 1} = a[_I[{t + l - 1}]] * z"
        yield f"        k = o + _I[{l * (l + 1)}]"
        yield f"        Y[k - _I[{l}]], Y[k], Y[k + _I[{l}]] = w{l}, q{l}0, u{l}"
        yield from (f"        _put(Y, k, _I[{m}], q{l}{m}, u{m}, w{m})" for m in range(l - 1, 0, -1))
        if l < lmax:
            yield f"        if lmax == _I[{l}]:"
            yield "            continue"


def adjoint_degrees(lmax=6):
    """Degrees 3..lmax of the adjoint: (V1) to (V4), then (V5) and (V6) column by column."""
    for l in range(3, lmax + 1):
        t = l * (l - 1) // 2
        yield f"        if lmax >= _I[{l}]:"
        yield f"            k = o + _I[{l * (l + 1)}]"
        yield f"            u0, z_bar, s_bar = _axis(Y_bar, k, tables, _I[{t}], z, s, u0, u1, z_bar, s_bar)"
        for m in range(1, l - 1):
            given = f"_I[{m}], cv{m}, tables, _I[{t + m}], z, s, u{m}, u{m + 1}, z_bar, s_bar"
            yield f"            u{m}, z_bar, s_bar = _pull(Y_bar, k, {given})"
        m = l - 1
        yield f"            _, u{m}, z_bar = _last(Y_bar, k, _I[{m}], cv{m}, tables, _I[{t + m}], z, s, u{m}, z_bar)"
        if l < lmax:
            yield f"            cv{l} = _turn(x, y, cv{m}[0], cv{m}[1])"
        yield f"            u{l} = _start(Y_bar, k, _I[{l}], diagonal, zero)"
    for m in range(lmax, 1, -1):
        if m < lmax:
            yield f"        if lmax >= _I[{m}]:"
        yield f"            x_bar, y_bar = _around(x_bar, y_bar, order[_I[{m}]], u{m}, cv{m - 1})"


def functions(*bodies):
    """Functions, two empty lines between them."""
    return "\n\n\n".join("\n".join(body) for body in bodies) + "\n"


TEXTS = {
    "rows": lambda: functions(*(rows(n) for n in (1, 3, 5, 7))),
    "pulls": lambda: functions(*(pull(r, n) for r in (1, 3) for n in (1, 3, 5, 7))),
    "degrees": lambda: functions(degrees()),
    "adjoint_degrees": lambda: functions(adjoint_degrees()),
}


def renewed(text):
    """A file with its regions written anew."""

    def write(match):
        head, *_, end = match[0].splitlines()
        empty = "" if match[1] else "\n\n"  # around functions, not inside one
        return f"{head}\n{empty}{TEXTS[match[2]]()}{empty}{end}\n"

    return REGION.sub(write, text)


def main(arguments):
    """Write or check all kernels; the exit status."""
    wrong = []
    for path in sorted(KERNELS.glob("*.py")):
        text = path.read_text()
        if renewed(text) != text:
            wrong.append(path.name)
            if "--check" not in arguments:
                path.write_text(renewed(text))
    print("differs:" if "--check" in arguments else "written:", ", ".join(wrong) or "nothing")
    return int(bool(wrong) and "--check" in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
