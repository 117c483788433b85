"""What the fast path saves: ours beside the stock SB3 route, in the same run, on this machine.

* :mod:`labs.bench.parts`: five comparisons (environment, replay, update, whole, memory);
* :mod:`labs.bench.savings`: each saving alone and cumulated;
* :mod:`labs.bench.step`: where the time of one step of training goes;
* :mod:`labs.bench.workers`: how many worker processes pay, under EGL and OSMesa;
* :mod:`labs.bench.program`: ``pixels bench``, which runs them and writes the artifact;
* :mod:`labs.bench.measure`: turns, medians, spreads.

All are measured in turns (stock, fast, stock, fast, ...), so that whatever else the machine does
falls on both. A ratio is the median over the turns, with the smallest and the largest as spread;
the ratio of the CPU times stands beside it, for a machine that has other work to do.
"""

from labs.bench.program import PARTS, BenchOptions, bench, run_bench

__all__ = ["PARTS", "BenchOptions", "bench", "run_bench"]
