"""Every test that the table of faults names is there."""

import re
from pathlib import Path

from tests.conftest import ROOT

ROWS = (Path(__file__).parent / "README.md").read_text().split("|---|---|\n")[1].splitlines()


def test_each_fault_has_a_test():
    assert len(ROWS) > 30
    for row in ROWS:
        named = re.findall(r"`([\w/]+\.py)::(\w+)`", row)
        assert named, row
        for file, name in named:
            assert f"\ndef {name}(" in (ROOT / "tests" / file).read_text(), name
