"""What cannot be evaluated is refused before the first training step, and leaves no directory behind."""

import pytest

from tests.conftest import SMALL
from vrnn.errors import ConfigError
from vrnn.runs.run import run

ROWS = "dataset.automaton.transitions"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["dataset.pen.speed=1e-6"], "raise dataset.pen.speed"),
        (
            [f"{ROWS}.{row}={{wide: 0.9995, thin: 0.0005}}" for row in ("wide", "thin")],
            "let dataset.automaton visit it",
        ),
    ],
)
def test_what_cannot_be_judged_is_not_trained(composed, tmp_path, settings, said):
    with pytest.raises(ConfigError, match=said):
        run(composed(*SMALL, *settings), tmp_path / "run")
    assert not list(tmp_path.glob("run/*.yaml"))
    assert not list(tmp_path.glob("run/checkpoints"))
