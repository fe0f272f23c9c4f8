"""The benchmark times the workloads that were asked for, and refuses names that do not exist."""

import json
import sys

import pytest

from vrnn.runs import benchmark
from vrnn.runs.workloads import WORKLOADS, Workload

TINY = Workload(3, 2, {"h_dim": 4, "z_dim": 2})


def test_only_selects_by_beginning():
    assert [name for name, _ in benchmark.select(["G1", "W3"])] == ["W3", "G1_B1", "G1_B64"]
    assert [workload.recurrence for _, workload in benchmark.select(["W2"])] == ["gru", "lstm", "elman", "mtrnn"]
    assert {name for name, _ in benchmark.select([])} == set(WORKLOADS)


def test_an_unknown_workload_is_an_error(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["vrnn benchmark", "--only", "W1", "nope"])
    with pytest.raises(SystemExit, match=r"^error: --only must be beginnings of W1, .*F128, but is 'nope'"):
        benchmark.main()


def test_the_table_is_written(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["vrnn benchmark", "--only", "W3", "--seconds", "0.1"])
    monkeypatch.setitem(WORKLOADS, "W3", TINY)
    monkeypatch.setattr(benchmark, "TURN_SECONDS", 0.001)
    monkeypatch.setattr(benchmark, "peak_mb", lambda *_: 1.0)  # starts a process per candidate
    benchmark.main()
    rows = json.loads((tmp_path / "outputs" / "benchmark.json").read_text())
    assert [row["candidate"] for row in rows] == ["reference", "operators", "nn.GRU", "native"]
    assert all(0 < row["ms_min"] <= row["ms_median"] for row in rows)
    assert rows[0]["reference_over_this"] == 1
    assert capsys.readouterr().out.count("W3") == 4
