"""A short form of tests/torture/settings.py."""

from tests.torture.runs import in_child
from tests.torture.settings import build_all

FEW = ("the defaults", "a forecast and a wake phase")


def test_settings_are_refused_or_built(tmp_path, capfd):
    """In a process of its own, since a hook that watches an interpreter stays."""
    count = tmp_path / "valid"
    with capfd.disabled():  # what the child says goes to a file
        code = in_child(lambda: count.write_text(str(build_all(tmp_path, 150, -1, FEW))), tmp_path / "log")
    assert code == 0, (tmp_path / "log").read_text()[-2000:]
    assert 5 < int(count.read_text()) < 100
