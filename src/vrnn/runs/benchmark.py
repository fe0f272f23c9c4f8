"""Measure the speed of the engines: `vrnn benchmark`.

Times the candidates of each workload (see `vrnn.runs.workloads`) in turn, in one process.

Ratios such as `reference_over_this` are medians over the rounds, since a disturbance of the machine affects neighbours alike.
On a shared machine a second core is often not free: `cores_give` is the largest gain that so many threads could reach at that
moment, measured by as many processes with one thread each, compared with one process alone.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import torch

from vrnn.checks import check_at_least, check_positive
from vrnn.engine.native.gemm import VECTOR_BYTES
from vrnn.errors import ConfigError, exit_with_message
from vrnn.runs.workloads import RECURRENCES, WORKLOADS, Workload, task
from vrnn.threads import set_threads
from vrnn.verbosity import is_quiet

OUTPUTS = Path("outputs")
TURN_SECONDS = 0.05  # for which a candidate is called again and again before the next one


def compare(name: str, workload: Workload, threads: Sequence[int], seconds: float) -> list[dict[str, Any]]:
    """Time all candidates in turn, in at least five rounds.

    Args:
        name: The workload's name.
        workload: What is timed.
        threads: Numbers of threads of the native engine, one candidate each.
        seconds: About how long.

    Returns:
        A row of the table per candidate. A ratio is None if its base was not timed.
    """
    torch.set_num_threads(1)
    others = ["operators"] if workload.particles else ["reference"]
    others += [] if workload.generate or workload.particles else ["operators", "nn.GRU"]
    candidates = [*((other, 1) for other in others), *(("native", n) for n in threads)]
    tasks = {candidate: task(workload, candidate[0]) for candidate in candidates}
    crowds = {("native", n): Crowd(workload, n) for n in threads if n > 1}
    times: dict[tuple[str, int], list[float]] = {candidate: [] for candidate in candidates}
    for (_, n), run in tasks.items():
        set_threads(n)
        run()
        run()
    end = time.perf_counter() + seconds
    while len(times[candidates[-1]]) < 5 or time.perf_counter() < end:
        for candidate, run in tasks.items():
            set_threads(candidate[1])
            times[candidate].append(milliseconds(run))
        for crowd in crowds.values():
            crowd.measure()

    def over(base: tuple[str, int], candidate: tuple[str, int]) -> float | None:
        ratios = [b / t for b, t in zip(times.get(base, []), times[candidate], strict=base in times)]
        return round(statistics.median(ratios), 3) if ratios else None

    return [
        {
            "workload": name,
            "recurrence": workload.recurrence,
            "candidate": candidate,
            "threads": n,
            "ms_median": round(statistics.median(times[candidate, n]), 3),
            "ms_min": round(min(times[candidate, n]), 3),
            "reference_over_this": over(("reference", 1), (candidate, n)),
            "operators_over_this": over(("operators", 1), (candidate, n)),
            "one_thread_over_this": over(("native", 1), (candidate, n)) if candidate == "native" else None,
            "cores_give": crowds[candidate, n].close() if (candidate, n) in crowds else None,
            "peak_mb": peak_mb(workload, candidate, n),
            "machine": machine(),
        }
        for candidate, n in candidates
    ]


class Crowd:
    """Processes that each make native steps of one workload with one thread: one alone, then all at once.

    Args:
        workload: What is timed.
        processes: How many.
    """

    def __init__(self, workload: Workload, processes: int):
        self.gains: list[float] = []
        self.processes = processes
        context = multiprocessing.get_context("spawn")
        self.pool = context.Pool(processes, enter_crowd, (workload, context.Barrier(processes)))
        self.pool.map(step_in_crowd, [True] * processes, chunksize=1)  # each loads its kernels

    def measure(self) -> None:
        """Time one process alone, then all together."""
        alone = self.pool.apply(step_in_crowd, (False,))
        together = self.pool.map(step_in_crowd, [True] * self.processes, chunksize=1)
        self.gains.append(self.processes * alone / max(together))

    def close(self) -> float:
        """End the processes and return the median of the gains."""
        self.pool.terminate()
        self.pool.join()
        return round(statistics.median(self.gains), 3)


def enter_crowd(workload: Workload, barrier: Any) -> None:
    """Prepare a process of a Crowd."""
    torch.set_num_threads(1)
    _in_crowd.update(run=task(workload, "native"), barrier=barrier)


_in_crowd: dict[str, Any] = {}


def step_in_crowd(together: bool) -> float:
    """Return the milliseconds of a step in a process of a Crowd.

    Args:
        together: Whether to wait until all processes begin.
    """
    if together:
        _in_crowd["barrier"].wait()
    return milliseconds(_in_crowd["run"])


def milliseconds(run: Callable[[], object]) -> float:
    """Return the mean time of a call over TURN_SECONDS of calls, one after another as in training."""
    calls, start, now = 0, time.perf_counter(), 0.0
    while now < TURN_SECONDS:
        run()
        calls, now = calls + 1, time.perf_counter() - start
    return 1e3 * now / calls


def peak_mb(workload: Workload, candidate: str, threads: int) -> float:
    """Return the memory in MB that a step of this workload adds to a new process that has made one tiny step."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measure_peak, (workload, candidate, threads))


def measure_peak(workload: Workload, candidate: str, threads: int) -> float:
    """Measure in the new process; libraries and kernels are loaded before."""
    set_threads(threads)
    torch.set_num_threads(1)
    task(workload._replace(steps=2, batch=1), candidate)()
    before = resident_peak_mb()
    run = task(workload, candidate)
    run()
    run()
    return round(resident_peak_mb() - before, 1)


def resident_peak_mb() -> float:
    """Return the most memory that this process has held, in MB; NaN where /proc does not exist.

    resource.getrusage would include the memory of the parent process.
    """
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return max((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), default=float("nan"))


def machine() -> str:
    """Return the processor, the kernels' vector width, the number of cores, and the versions of torch and Python."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    cores = multiprocessing.cpu_count()
    processor = f"{(names or [platform.processor()])[0]} with {8 * VECTOR_BYTES}-bit vectors"
    return f"{processor}, {cores} cores, torch {torch.__version__}, Python {platform.python_version()}"


def curves(seconds: float) -> list[dict[str, Any]]:
    """Time W2's step with one size changed at a time: T, B, then h_dim. Returns rows as `compare` does."""
    base = WORKLOADS["W2"]
    points = {
        **{f"T={n}": base._replace(steps=n) for n in (62, 125, 250, 500, 1000)},
        **{f"B={n}": base._replace(batch=n) for n in (1, 4, 16, 32, 64, 128)},
        **{f"h={n}": base._replace(sizes={**base.sizes, "h_dim": n}) for n in (15, 30, 60, 120, 240)},
    }
    rows = []
    for name, workload in points.items():
        rows += show(compare(f"curve {name}", workload, [1], seconds))
    return rows


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Plot time and peak memory over T, B and h_dim with logarithmic axes, where a slope of 1 is linear growth."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 6), layout="constrained")
    axes = figure.subplots(2, 3)
    for column, size in enumerate("TBh"):
        for candidate in ("reference", "native", "nn.GRU"):
            mine = [
                row for row in rows if row["workload"].startswith(f"curve {size}=") and row["candidate"] == candidate
            ]
            at = [int(row["workload"].split("=")[1]) for row in mine]
            for axis, key in zip(axes[:, column], ("ms_median", "peak_mb"), strict=True):
                axis.loglog(at, [row[key] for row in mine], "o-", label=candidate)
                axis.set_xticks(at, map(str, at))
                axis.minorticks_off()
                axis.set(xlabel=size, ylabel={"ms_median": "ms per step", "peak_mb": "peak memory, MB"}[key])
    axes[0, 0].legend()
    figure.savefig(path, dpi=120)


def show(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Print rows of the table and return them."""
    for row in () if is_quiet() else rows:
        ratios = (
            row[name]
            for name in (*(f"{name}_over_this" for name in ("reference", "operators", "one_thread")), "cores_give")
        )
        print("{workload:12} {recurrence:6} {candidate:10} {threads:7} {ms_median:10.2f} {ms_min:10.2f}".format(**row),
              *("         -" if ratio is None else f"{ratio:10.2f}" for ratio in ratios),
              f"{row['peak_mb']:9.1f}", flush=True)  # fmt: skip
    return rows


def select(beginnings: Sequence[str]) -> list[tuple[str, Workload]]:
    """Return the workloads to time, with their names.

    Args:
        beginnings: Beginnings of names; empty: all workloads.

    Raises:
        ConfigError: No name begins so.
    """
    work = list(WORKLOADS.items())
    work += [(name, WORKLOADS[name]._replace(recurrence=r)) for name in ("W1", "W2") for r in RECURRENCES if r != "gru"]
    for beginning in beginnings:
        if not any(name.startswith(beginning) for name in WORKLOADS):
            raise ConfigError(
                f"--only must be beginnings of {', '.join(WORKLOADS)}, but is {beginning!r}: choose among them."
            )
    return [(name, workload) for name, workload in work if name.startswith(tuple(beginnings) or "")]


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line, or the given arguments."""
    parser = _Parser(prog="vrnn benchmark", add_help=False)
    parser.add_argument("--only", nargs="+", default=[], help="beginnings of the names of the workloads to time")
    parser.add_argument("--threads", nargs="*", type=int, default=[1], help="numbers of threads of the native engine")
    parser.add_argument("--seconds", type=float, default=5.0, help="per workload")
    parser.add_argument("--curves", action="store_true", help="also time and memory over T, B and h_dim, with a figure")
    options = parser.parse_args(arguments)
    for threads in options.threads:
        check_at_least("--threads", threads, 1)
    check_positive("--seconds", options.seconds)
    return options


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message[:1].upper()}{message[1:]}; vrnn benchmark --help shows the options.")


@exit_with_message(ValueError)
def main() -> None:
    """Time the workloads, print the table and write outputs/benchmark.json, a list of its rows."""
    options = parse()
    workloads = select(options.only)
    if not is_quiet():
        print(machine())
        print(f"{'workload':12} {'':6} {'candidate':10} {'threads':>7} {'median ms':>10} {'least ms':>10} "
              f"{'ref / this':>10} {'ops / this':>10} {'1 / this':>10} {'cores give':>10} {'peak MB':>9}")  # fmt: skip
    rows = []
    for name, workload in workloads:
        rows += show(compare(name, workload, options.threads, options.seconds))
    OUTPUTS.mkdir(exist_ok=True)
    if options.curves:
        rows += curves(options.seconds / 5)
        plot(rows, OUTPUTS / "benchmark.png")
    (OUTPUTS / "benchmark.json").write_text(json.dumps(rows, indent=1))
    print(OUTPUTS / "benchmark.json" if is_quiet() else f"\n{OUTPUTS / 'benchmark.json'}")
