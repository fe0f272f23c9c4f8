"""Files that are small on the disk and large when they are read. `make torture` sets off those that take a while to lay."""

import pytest

from tests.torture.hostile import BOMBS, try_bomb

SLOW = {"an inflating checkpoint", "inflating arrays", "settings of 100 MB", "a line of 100 MB", "10^308 laps"}


@pytest.mark.parametrize("name", sorted(BOMBS.keys() - SLOW))
def test_bombs_are_refused(tmp_path, name, capfd):
    with capfd.disabled():  # what the child says goes to a file
        assert try_bomb(tmp_path, name) == ""
