"""Runs side by side: grouping, intervals, what is shown, and a thousand of them in bounded memory."""

import csv
import json
import math
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from torch.utils.tensorboard import SummaryWriter

from tests.measured import run_measured
from vrnn import plots
from vrnn.plots import style
from vrnn.runs import compare, compare_table
from vrnn.runs.collect import collect, failures, read_run
from vrnn.runs.compare_report import show
from vrnn.runs.directory import lock_run
from vrnn.runs.score_names import SCORE


def make_run(root: Path, settings: dict, elbo: float | None = None, curve: tuple[float, ...] = ()) -> Path:
    """A run's directory as training leaves it; without a score, as one that was interrupted."""
    directory = root / "-".join(f"{key}-{value}" for key, value in settings.items())
    directory.mkdir(parents=True)
    model = {"h_dim": settings.get("h", 8), "z_dim": settings.get("h", 8) // 2, "phi_x": [32, 32]}
    recurrence = {"_target_": f"vrnn.networks.{settings.get('recurrence', 'GRU')}", "_partial_": True}
    tree = {"seed": settings["seed"], "model": model, "recurrence": recurrence, "data": {"steps": 256}}
    (directory / "config.yaml").write_text(yaml.safe_dump(tree))
    if curve:
        writer = SummaryWriter(directory)
        for i, value in enumerate(curve):
            writer.add_scalar("val/elbo", value, 10 * (i + 1))
            writer.add_scalar("train/loss", -value, 10 * (i + 1))
        writer.close()
    if elbo is not None:
        np.save(directory / "sample.npy", np.cumsum(np.ones((50, 2), dtype=np.float32), axis=0))
        (directory / "scores.json").write_text(
            json.dumps({"elbo_nats_per_step": elbo, "generated": {"transition_tv": 0.1}})
        )
        (directory / "done").touch()
    return directory


def test_groups_over_seeds_sorted_and_only_what_differs(tmp_path):
    for h, elbos in ((8, (1.0, 2.0, 3.0)), (16, (4.0, 5.0, 6.0))):
        for seed, elbo in enumerate(elbos):
            make_run(tmp_path, {"h": h, "seed": seed}, elbo)
    groups = compare.group_runs(collect(tmp_path), "elbo_nats_per_step")
    assert [group.parameters for group in groups] == [
        {"model.h_dim": 16},
        {"model.h_dim": 8},
    ]  # z_dim follows from h_dim
    best = groups[0]
    assert best.mean["elbo_nats_per_step"] == pytest.approx(5.0)
    assert best.n == dict.fromkeys(SCORE, 0) | {"elbo_nats_per_step": 3, "transition_tv": 3}
    assert best.high["elbo_nats_per_step"] == pytest.approx(5.0 + 4.30265 / math.sqrt(3), abs=1e-4)
    assert math.isnan(best.mean["kl_nats_per_step"])


def test_a_seed_counts_once(tmp_path):
    for seed, elbo in enumerate((1.0, 2.0, 9.0)):
        make_run(tmp_path, {"seed": seed}, elbo)
    shutil.copytree(tmp_path / "seed-2", tmp_path / "again")
    (tmp_path / "seed-2" / "done").unlink()  # of the two the finished one counts
    (group,) = compare.group_runs(collect(tmp_path), "elbo_nats_per_step")
    assert group.n["elbo_nats_per_step"] == 3
    assert group.mean["elbo_nats_per_step"] == pytest.approx(4.0)
    assert group.duplicates == {"seed-2": "again"}


def test_lower_is_better_where_it_is(tmp_path):
    for seed, tv in ((0, 0.3), (1, 0.1)):
        path = make_run(tmp_path, {"recurrence": f"R{seed}", "seed": seed}, 1.0) / "scores.json"
        path.write_text(json.dumps({"generated": {"transition_tv": tv}}))
    groups = compare.group_runs(collect(tmp_path), "transition_tv")
    assert [group.parameters["recurrence"] for group in groups] == ["R1", "R0"]
    with pytest.raises(ValueError, match=r"sort must be one of elbo_nats_per_step, .*, but is 'beauty'"):
        compare.group_runs([], "beauty")


def test_every_state_is_told(tmp_path):
    finished, running, interrupted, failed = (
        make_run(tmp_path, {"seed": seed}, 1.0 if seed == 0 else None) for seed in range(4)
    )
    (failed / "failed").write_text("ValueError: wrong\n\nTraceback (most recent call last):\n  lines")
    (tmp_path / "never").mkdir()
    (tmp_path / "never" / "failed").write_text("ConfigError: no such thing")
    with lock_run(running):
        runs = collect(tmp_path)
    assert {run.directory.name: run.state for run in runs} == {
        finished.name: "finished",
        running.name: "running",
        interrupted.name: "interrupted",
        failed.name: "failed",
        "never": "failed",
    }
    groups = compare.group_runs(runs, "elbo_nats_per_step")
    table = compare_table.rows(groups, "elbo_nats_per_step")
    assert table[1][0] == "1, 1 running, 1 failed, 1 interrupted"
    failed_runs = failures(runs)
    assert failed_runs == {failed.name: "ValueError: wrong", "never": "ConfigError: no such thing"}
    page = compare_table.to_markdown("title", table, failed_runs, {"b": "a"}, ["compare/curves.png"])
    assert "ConfigError: no such thing" in page
    assert "![curves](compare/curves.png)" in page
    assert "Left out: `b` has the settings and the seed of `a`." in page
    with pytest.raises(ValueError, match="found none"):
        collect(tmp_path / "nowhere")


@pytest.mark.parametrize(("name", "text"), [("config.yaml", "seed: ["), ("config.yaml", ""), ("scores.json", '{"elbo')])
def test_a_damaged_run_is_told_and_the_others_compared(tmp_path, name, text):
    damaged, whole = make_run(tmp_path, {"seed": 0}, 1.0), make_run(tmp_path, {"seed": 1}, 2.0)
    (damaged / name).write_text(text)
    runs = collect(tmp_path)
    assert {run.directory: run.state for run in runs} == {damaged: "failed", whole: "finished"}
    (message,) = failures(runs).values()
    assert f"{name} is damaged: " in message
    assert "start the run over with fresh=true" in message


def test_figures_of_odd_comparisons():
    """One value, one run, one step, numbers over decades: all are drawn, none warns."""
    scores = np.array([1.0, 2.0, np.nan])
    parameters = {"rate": [1e-4, 1e-2, 1.0], "flag": [True, False, None], "name": ["a", "b", "a"]}
    figure = plots.plot_sweep(scores[:2], {key: values[:2] for key, values in parameters.items()}, "score")
    assert figure.axes[0].get_xscale() == "log"
    assert [label.get_text() for label in figure.axes[1].get_xticklabels()] == ["False", "True"]
    curves = {f"run {i}": (np.array([10, 20]), np.array([[i, np.nan], [i + 1.0, np.nan]])) for i in range(8)}
    assert len(plots.plot_curves(curves, "score").axes[0].get_legend().get_texts()) == len(style.HUES)
    plots.plot_curves({"one": (np.array([10]), np.array([[1.0]]))}, "score")
    with pytest.raises(ValueError, match=r"must have a value for each of 2 runs, but have \{'rate': 1\}"):
        plots.plot_sweep(scores[:2], {"rate": [1]}, "score")
    with pytest.raises(ValueError, match="curves must be at least one"):
        plots.plot_curves({}, "score")


def test_a_thousand_runs_take_seconds_and_little_memory(tmp_path):
    """100 settings of 10 seeds with events: the script as a process of its own, its processor time and peak memory taken.

    The limit is several times what a slow machine needs: it finds work that grows faster than the number of runs.
    """
    rng = np.random.default_rng(0)
    for i in range(1000):
        settings = {"h": 2 ** (i % 10 + 1), "recurrence": f"R{i // 10 % 10}", "seed": i // 100}
        make_run(tmp_path, settings, float(rng.normal()), tuple(np.log(np.arange(1, 21))))
    took = run_measured("scripts/compare.py", f"runs={tmp_path}")
    print(f"1000 runs: {took.seconds:.1f} s, {took.peak:.2f} GB")
    assert took.code == 0, took.text
    assert took.seconds < 90
    assert took.peak < 1.0
    rows = list(csv.DictReader((tmp_path / "compare.csv").read_text().splitlines()))
    assert len(rows) == 100
    assert {row["elbo_nats_per_step.n"] for row in rows} == {"10"}
    for name in ("parameters", "curves", "traces"):
        assert (tmp_path / "compare" / f"{name}.png").stat().st_size > 5000


def test_a_score_that_not_all_runs_have_says_of_how_many(tmp_path):
    for seed in range(3):
        make_run(tmp_path, {"seed": seed}, 1.0)
    (tmp_path / "seed-2" / "scores.json").write_text(json.dumps({"elbo_nats_per_step": 1.0, "generated": {}}))
    (group,) = compare.group_runs(collect(tmp_path), "elbo_nats_per_step")
    assert compare_table.cell(group, "elbo_nats_per_step") == "1.0000 [1.0000, 1.0000]"
    assert compare_table.cell(group, "transition_tv") == "0.1000 [0.1000, 0.1000] of 2"


@pytest.mark.parametrize(("columns", "shown"), [("20", False), ("300", True)])
def test_the_table_fits_the_terminal(columns, shown, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("FORCE_COLOR", "1")
    make_run(tmp_path, {"recurrence": "GRU", "seed": 0}, 1.0)
    table = compare_table.rows(compare.group_runs(collect(tmp_path), "elbo_nats_per_step"), "elbo_nats_per_step")
    show(table, {}, {}, tmp_path)
    said = capsys.readouterr().out
    assert ("transition" in said) == shown
    assert "elbo" in said


def test_a_narrow_terminal_wraps_settings_but_no_numbers(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("FORCE_COLOR", "1")
    headings = ["w_schedule._target_", "optim.learning_rate", "recurrence._target_", "runs", "elbo_nats_per_step", "kl"]
    row = [
        "vrnn.objective.LinearW",
        "0.00025",
        "vrnn.networks.MTRNN",
        "5",
        "1.0000 [0.9000, 1.1000]",
        "0.5000 [0.4, 0.6]",
    ]
    for left_out, score in ((0, "1.0000"), (1, "1.0000 [0.9000, 1.1000]")):
        show([headings[left_out:], row[left_out:], row[left_out:]], {}, {}, Path("out"))
        said = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)
        assert max(len(line.rstrip()) for line in said.splitlines() if "out/" not in line) <= 60
        assert said.count(f" {score}  ") == 2
        assert "1 more columns are in compare.md" in said


def test_many_settings_share_a_column(tmp_path, monkeypatch, capsys):
    """Ten columns of settings would be so narrow that every value breaks; none does in lines of their own."""
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("FORCE_COLOR", "1")
    settings = {f"model.some_width_{i}": f"AutomatonPattern{i}" for i in range(10)}
    rows = [[*settings.values(), "5", "1.0000 [0.9000, 1.1000]"], ["-", *["x"] * 9, "1", "0.5000"]]
    show([[*settings, "runs", "elbo_nats_per_step"], *rows], {}, {}, Path("out"))
    said = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)
    lines = [line.strip() for line in said.splitlines() if "out/" not in line]
    assert max(map(len, lines)) <= 60
    assert [line for line in lines if line.startswith("model.some_width_0=")] == [
        "model.some_width_0=AutomatonPattern0   5      1.0000"
    ]
    assert all(f"model.some_width_{i}=AutomatonPattern{i}" in lines for i in range(1, 10))
    assert said.count("=x") == 9


def test_each_row_names_its_best_run(tmp_path, capsys):
    for h, elbo in ((8, 1.0), (16, 2.0)):
        for seed in (0, 1):
            make_run(tmp_path, {"h": h, "seed": seed}, elbo + seed / 10)
    groups = compare.group_runs(collect(tmp_path), "elbo_nats_per_step")
    best = [str(tmp_path / name) for name in ("h-16-seed-1", "h-8-seed-1")]
    assert [str(group.best("elbo_nats_per_step").directory) for group in groups] == best
    assert [str(group.best("kl_nats_per_step").directory) for group in groups]  # nobody has it: any will do
    rows = list(csv.DictReader(compare_table.to_csv(groups, "elbo_nats_per_step").splitlines()))
    assert [row["best_run"] for row in rows] == best
    show(compare_table.rows(groups, "elbo_nats_per_step"), {}, {}, tmp_path, best)
    assert f"row 1: run={best[0]}" in capsys.readouterr().out


def test_a_pruned_trial_has_not_failed(tmp_path):
    directory = make_run(tmp_path, {"seed": 0})
    (directory / "failed").write_text(
        "vrnn.runs.search.Pruned: val/elbo was below the other trials' median at step 20.\n\nTraceback (most recent call last):"
    )
    (run,) = collect(tmp_path)
    assert (run.state, run.error) == ("pruned", None)
    (group,) = compare.group_runs([run], "elbo_nats_per_step")
    assert compare_table.rows([group], "elbo_nats_per_step")[1][0] == "0, 1 pruned"


def test_files_are_named_and_absent_settings_are_dashes(tmp_path):
    runs = []
    for i, dataset in enumerate(({"files": ["a.npy"], "digest": "1"}, {"files": ["b.npy"], "digest": "2"}, {})):
        directory = make_run(tmp_path / str(i), {"seed": 0}, 1.0)
        tree = yaml.safe_load((directory / "config.yaml").read_text())
        (directory / "config.yaml").write_text(yaml.safe_dump(tree | {"dataset": dataset}))
        runs.append(read_run(directory))
    groups = compare.group_runs(runs, "elbo_nats_per_step")
    assert [group.parameters for group in groups] == [
        {"dataset.files": name} for name in ("-", "['a.npy']", "['b.npy']")
    ]


def test_what_made_the_runs_is_shown_where_it_differs(tmp_path):
    machines = ({"name": "a", "vectors": "AVX2"}, {"name": "b", "vectors": "AVX512"})
    for seed, commit in ((0, "0" * 40), (1, "1" * 40)):
        for h, machine in ((8, machines[0]), (16, machines[1])):
            directory = make_run(tmp_path, {"h": h, "seed": seed}, float(h + seed))
            made = {"git": {"commit": commit, "changes": None}, "versions": {"torch": "2.5"}, "machine": machine}
            (directory / "provenance.json").write_text(json.dumps({"sessions": [made]}))
    make_run(tmp_path, {"h": 32, "seed": 0}, 1.0)  # of a version that wrote no provenance
    groups = compare.group_runs(collect(tmp_path), "elbo_nats_per_step")
    compare.add_makers(groups)
    commits = "00000000, 11111111"
    assert [group.made for group in groups] == [
        {"commit": commits, "machine.name": "b"},  # the vectors follow from the machine
        {"commit": commits, "machine.name": "a"},
        {"commit": "-", "machine.name": "-"},
    ]
    assert compare_table.rows(groups, "elbo_nats_per_step")[0][-2:] == ["commit", "machine.name"]
    row = next(csv.DictReader(compare_table.to_csv(groups, "elbo_nats_per_step").splitlines()))
    assert (row["commit"], row["machine.name"]) == (commits, "b")
