"""How fast are the engines? Training steps and generation, both engines and torch's nn.GRU in turn, in this one process.

    python scripts/benchmark.py                 every workload, about five minutes
    python scripts/benchmark.py --only W2 G1    those whose name begins so
    python scripts/benchmark.py --threads 1 2   with one thread, and with two, in the native engine (torch keeps to one)
    python scripts/benchmark.py --curves        cost and memory over T, B and h, too, with plots

Writes outputs/benchmark.json, a list of objects, and prints it as a table. A training step is forward, loss, backward and fused
Adam. `reference` is a VRNN as it is mostly written, all six networks called at each step; `operators` is this project's engine
in torch operators (engine=reference), which keeps out of the loop over time what need not be in it: when generating they are
the same. `nn.GRU` is a forward and backward pass of the recurrence alone, with no VAE around it. `reference_over_this` is the
median of the ratios of neighbours in time: what disturbs one disturbs the other; `operators_over_this` and
`one_thread_over_this` (the native engine's) likewise, null where there is no such thing. On a shared machine a second core is
often not a whole one: `cores_give` is the most that so many threads could gain at that moment, what as many processes with one
thread each do at once, over what one does alone.
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
from typing import Any, NamedTuple

import torch
from torch import nn

from vrnn.engine.native.gemm import VECTOR_BYTES
from vrnn.engine.native.threads import set_threads
from vrnn.model import VRNN
from vrnn.model.inference import Inference
from vrnn.networks import GRU, LSTM, MTRNN, Coordinates, Elman
from vrnn.objective import BernoulliLikelihood, LinearW
from vrnn.objective.latents import stacked
from vrnn.objective.loss import elbo_loss
from vrnn.training.optimizer import FlatAdam

OUTPUTS = Path("outputs")
TURN = 0.05
RECURRENCES = {"gru": GRU, "lstm": LSTM, "elman": Elman, "mtrnn": MTRNN}
BLOG = {"z_dim": 10, "h_dim": 60, "phi_x": [10], "phi_z": [16], "prior": [30], "encoder": [30], "decoder": [40]}
LARGE = {"z_dim": 32, "h_dim": 256, "phi_x": [64], "phi_z": [64], "prior": [128], "encoder": [128], "decoder": [128]}
ROWS = {
    "x_dim": 28,
    "z_dim": 16,
    "h_dim": 100,
    **{name: [64] for name in ("phi_x", "phi_z", "prior", "encoder", "decoder")},
    "coordinates": Coordinates("position", relative_to="nothing"),
    "likelihood": BernoulliLikelihood(),
}


class Workload(NamedTuple):
    """T and B of a training step, or of traces to generate; the VRNN's sizes; the recurrence's name."""

    steps: int
    batch: int
    sizes: dict[str, Any]
    recurrence: str = "gru"
    generate: bool = False


WORKLOADS = {
    "W1": Workload(1000, 1, {**BLOG, "std": "sigmoid"}),
    "W2": Workload(250, 32, {**BLOG, "std": "sigmoid"}),
    "W3": Workload(200, 64, LARGE),
    "W4": Workload(28, 128, ROWS),  # rows of binary 28 x 28 images
    "G1_B1": Workload(1000, 1, BLOG, generate=True),
    "G1_B64": Workload(1000, 64, BLOG, generate=True),
}


def task(workload: Workload, candidate: str) -> Callable[[], object]:
    """Return what is timed: one training step, or one generation."""
    torch.manual_seed(0)
    w = workload
    vrnn = VRNN(**w.sizes, recurrence=RECURRENCES[w.recurrence])
    if candidate == "nn.GRU":
        gru = nn.GRU(vrnn.recurrence.in_dim, vrnn.h_dim)
        series = torch.randn(w.steps, w.batch, vrnn.recurrence.in_dim, requires_grad=True)
        return lambda: gru(series)[0].sum().backward()
    vrnn.engine = "native" if candidate == "native" else "reference"
    if w.generate:
        return lambda: vrnn.generate(w.batch, w.steps)
    x = 0.1 * torch.randn(w.steps, w.batch, vrnn.x_dim).cumsum(0)
    if isinstance(vrnn.likelihood, BernoulliLikelihood):
        x = (x > 0).to(x)
    if candidate != "reference":
        return training_step(vrnn, lambda: vrnn.infer(x), x)
    check_plain_loop(vrnn, x[:3])
    return training_step(vrnn, lambda: plain_loop(vrnn, x), x)


class PlainRun(NamedTuple):
    """What the loss looks at: q, p and decoder as in an Inference."""

    q: tuple[torch.Tensor, ...]
    p: tuple[torch.Tensor, ...]
    decoder: tuple[torch.Tensor, ...]


def plain_loop(vrnn: VRNN, x: torch.Tensor) -> PlainRun:
    """Follow x (T, B, x_dim) as vrnn.infer does, calling all six networks at each step, as most public code does."""
    state = vrnn.initial_state(x.shape[1])
    memory, (last, previous2) = state.memory, state.history(x)
    dists: list[list[Any]] = [[], []]
    raws = []
    for features, noise in zip(
        vrnn.coordinates.features(x, last), vrnn.latent.noise(*x.shape[:2], like=x), strict=True
    ):
        h = vrnn.recurrence.output(memory)
        phi_x = vrnn.phi_x(features)
        q, p = vrnn.encoder(torch.cat([phi_x, h], dim=-1)), vrnn.prior(h)
        phi_z = vrnn.phi_z(vrnn.latent.sample(q, noise))
        raws.append(vrnn.decoder(torch.cat([phi_z, h], dim=-1)))
        memory = vrnn.recurrence(torch.cat([phi_x, phi_z], dim=-1), memory)
        for values, value in zip(dists, (q, p), strict=True):
            values.append(value)
    decoder = vrnn.likelihood.from_raw(
        torch.stack(raws), vrnn.coordinates.mean_offset(last, previous2), vrnn.coordinates.scale
    )
    return PlainRun(stacked(dists[0]), stacked(dists[1]), decoder)


def check_plain_loop(vrnn: VRNN, x: torch.Tensor) -> None:
    """It must compute what the engines compute, from the same noise."""
    runs = []
    both: list[Callable[[torch.Tensor], PlainRun | Inference]] = [vrnn.infer, lambda x: plain_loop(vrnn, x)]
    for infer in both:
        torch.manual_seed(0)
        run = infer(x)
        runs.append([*run.q, *run.p, *run.decoder])
    torch.testing.assert_close(*runs)


def training_step(vrnn: VRNN, infer: Callable[[], PlainRun | Inference], x: torch.Tensor) -> Callable[[], object]:
    """Return a step of plain PyTorch on x (T, B, x_dim): forward, loss, backward, Adam."""
    schedule, optimizer = LinearW(), FlatAdam(vrnn, lr=1e-3)

    def step() -> None:
        run = infer()
        distortion = vrnn.likelihood.distortion(run.decoder, x)
        parts = elbo_loss(distortion, run.q, run.p, vrnn.latent, schedule)
        optimizer.zero_grad()
        parts.loss.backward()
        optimizer.step()

    return step


def compare(name: str, workload: Workload, threads: Sequence[int], seconds: float) -> list[dict[str, Any]]:
    """Time the candidates in turn, at least five rounds, for about so many seconds. threads: those of the native engine."""
    torch.set_num_threads(1)
    others = ["reference"] if workload.generate else ["reference", "operators", "nn.GRU"]
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
    """Processes that each make native steps of one workload with one thread: first one alone, then all at once."""

    def __init__(self, workload: Workload, processes: int):
        self.gains: list[float] = []
        self.processes = processes
        context = multiprocessing.get_context("spawn")
        self.pool = context.Pool(processes, enter_crowd, (workload, context.Barrier(processes)))
        self.pool.map(step_in_crowd, [True] * processes, chunksize=1)  # each has its kernels

    def measure(self) -> None:
        """Alone and together, in turn."""
        alone = self.pool.apply(step_in_crowd, (False,))
        together = self.pool.map(step_in_crowd, [True] * self.processes, chunksize=1)
        self.gains.append(self.processes * alone / max(together))

    def close(self) -> float:
        """End the processes and return the median of the gains."""
        self.pool.terminate()
        self.pool.join()
        return round(statistics.median(self.gains), 3)


def enter_crowd(workload: Workload, barrier: Any) -> None:
    """In such a process: make ready."""
    torch.set_num_threads(1)
    _in_crowd.update(run=task(workload, "native"), barrier=barrier)


_in_crowd: dict[str, Any] = {}


def step_in_crowd(together: bool) -> float:
    """In such a process: how long a step takes; together: once all others begin theirs, so that each process takes one."""
    if together:
        _in_crowd["barrier"].wait()
    return milliseconds(_in_crowd["run"])


def milliseconds(run: Callable[[], object]) -> float:
    """How long a call takes: the mean over TURN seconds of calls, as in training, where one follows another."""
    calls, start, now = 0, time.perf_counter(), 0.0
    while now < TURN:
        run()
        calls, now = calls + 1, time.perf_counter() - start
    return 1e3 * now / calls


def peak_mb(workload: Workload, candidate: str, threads: int) -> float:
    """The memory that steps of this workload add to a fresh process that has made one tiny step, in MB."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measure_peak, (workload, candidate, threads))


def measure_peak(workload: Workload, candidate: str, threads: int) -> float:
    """In that process: libraries and kernels are loaded before it counts."""
    set_threads(threads)
    torch.set_num_threads(1)
    task(workload._replace(steps=2, batch=1), candidate)()
    before = resident_peak_mb()
    run = task(workload, candidate)
    run()
    run()
    return round(resident_peak_mb() - before, 1)


def resident_peak_mb() -> float:
    """The most memory this process has held. (getrusage would count what its parent held, too.)"""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return max((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), default=float("nan"))


def machine() -> str:
    """The processor, the vectors its kernels use, its cores and the versions that matter."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    cores = multiprocessing.cpu_count()
    processor = f"{(names or [platform.processor()])[0]} with {8 * VECTOR_BYTES}-bit vectors"
    return f"{processor}, {cores} cores, torch {torch.__version__}, Python {platform.python_version()}"


def curves(seconds: float) -> list[dict[str, Any]]:
    """W2's step with one size changed at a time."""
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
    """Time and peak memory over T, B and h, both axes logarithmic: a slope of 1 is linear growth."""
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
                axis.set(xlabel=size, ylabel={"ms_median": "ms a step", "peak_mb": "peak memory, MB"}[key])
    axes[0, 0].legend()
    figure.savefig(path, dpi=120)


def show(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Print rows of the table, and hand them on."""
    for row in rows:
        ratios = (
            row[name]
            for name in (*(f"{name}_over_this" for name in ("reference", "operators", "one_thread")), "cores_give")
        )
        print("{workload:12} {recurrence:6} {candidate:10} {threads:7} {ms_median:10.2f} {ms_min:10.2f}".format(**row),
              *("         -" if ratio is None else f"{ratio:10.2f}" for ratio in ratios),
              f"{row['peak_mb']:9.1f}", flush=True)  # fmt: skip
    return rows


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[""], help="beginnings of the workloads' names")
    parser.add_argument("--threads", nargs="*", type=int, default=[1])
    parser.add_argument("--seconds", type=float, default=5.0, help="for each workload")
    parser.add_argument("--curves", action="store_true")
    options = parser.parse_args()
    work = [(name, workload) for name, workload in WORKLOADS.items()]
    work += [(name, WORKLOADS[name]._replace(recurrence=r)) for name in ("W1", "W2") for r in RECURRENCES if r != "gru"]
    print(machine())
    print(f"{'workload':12} {'':6} {'candidate':10} {'threads':>7} {'median ms':>10} {'least ms':>10} "
          f"{'ref / this':>10} {'ops / this':>10} {'1 / this':>10} {'cores give':>10} {'peak MB':>9}")  # fmt: skip
    rows = []
    for name, workload in work:
        if name.startswith(tuple(options.only)):
            rows += show(compare(name, workload, options.threads, options.seconds))
    OUTPUTS.mkdir(exist_ok=True)
    if options.curves:
        rows += curves(options.seconds / 5)
        plot(rows, OUTPUTS / "benchmark.png")
    (OUTPUTS / "benchmark.json").write_text(json.dumps(rows, indent=1))
    print(f"\n{OUTPUTS / 'benchmark.json'}")


if __name__ == "__main__":
    main()
