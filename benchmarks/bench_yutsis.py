"""What recoupling saves: diagrams summed over components, and by 6j symbols; the table of docs/spin_symbols.md.

python benchmarks/bench_yutsis.py
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from nbody_ref.exact.symbols import _racah_sum
from nbody_ref.fusion import YutsisGraph

GRAPHS = {"6j": ([2], 4), "9j": ([3], 6), "12j, cube": ([-3, 3], 4), "15j, first kind": ([5], 10)}
SPINS = (1, 2, 4, 8)


def milliseconds(function: Callable[[], Any], limit: float = 3.0) -> float:
    """Least of up to five runs, fewer if they are slow."""
    best, spent = float("inf"), 0.0
    for _ in range(5):
        start = time.process_time()
        function()
        best = min(best, time.process_time() - start)
        spent += best
        if spent > limit:
            break
    return 1e3 * best


def main() -> None:
    """Print the table."""
    print("| diagram | 6j symbols | sums | spin of every line | components ms | 6j ms |\n|---|---|---|---|---|---|")
    for name, (jumps, repeats) in GRAPHS.items():
        shape = YutsisGraph.from_lcf(jumps, repeats)
        for j in SPINS:
            graph = YutsisGraph.from_lcf(jumps, repeats, {line: j for line in shape.lines})
            reduction = graph.simplify()

            def by_six(reduction: Any = reduction) -> Any:
                _racah_sum.cache_clear()
                return reduction.value()

            if len(shape.vertices) > 8 and j > 4:
                continue
            assert graph.value() == by_six()
            times = milliseconds(graph.value), milliseconds(by_six)
            counts = f"{reduction.number_of_six_j} | {len(reduction.factor.sums)}"
            print(f"| {name} | {counts} | {j} | {times[0]:.1f} | {times[1]:.2f} |", flush=True)


if __name__ == "__main__":
    main()
