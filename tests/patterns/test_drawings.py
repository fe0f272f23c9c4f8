"""Somebody's own drawings as a pattern."""

import inspect
import logging
from pathlib import Path

import numpy as np
import pytest
import yaml

from vrnn.patterns.drawings import DrawnPattern, Rendering
from vrnn.patterns.resampling import SmoothStroke, normalise

STILL = Rendering(speed=0, scale=0, rotation=0, shift=0, smooth=0, white=0)


def wobbly(steps, seed):
    """Return an oval drawn again and again, no two laps alike."""
    rng = np.random.default_rng(seed)
    t = np.linspace(0, 2 * np.pi * steps / 20, steps)
    radius = 1 + 0.05 * np.interp(t, np.arange(0, 400, 5), rng.standard_normal(80))
    return np.stack([30 * radius * np.cos(t) + 200, 18 * radius * np.sin(t) - 70], axis=1)


@pytest.fixture
def files(tmp_path):
    """Two drawings of 300 and 500 points."""
    for name, steps in (("a", 300), ("b", 500)):
        np.save(tmp_path / f"{name}.npy", wobbly(steps, seed=steps))
    return [tmp_path / "a.npy", str(tmp_path / "b.npy")]


def drawn(pattern, split="train", n=4, steps=None, seed=0):
    return [trace.points for trace in pattern.draw(split, n, steps, np.random.default_rng(seed))]


def test_the_drawn_points_themselves_each_drawing_once(files):
    whole = [normalise(np.load(path)) for path in files]
    pattern = DrawnPattern(files, holdout=0)
    for split in ("train", "val", "test"):
        for steps in (None, 500, 5000):
            first, second = drawn(pattern, split, n=7, steps=steps)
            np.testing.assert_array_equal(first, whole[0])
            np.testing.assert_array_equal(second, whole[1])
    assert len(drawn(pattern, n=1)) == 2  # all drawings are trained on
    assert len(drawn(pattern, "test", n=1)) == 1


def test_nobody_knows_the_truth(files):
    pattern = DrawnPattern(files)
    assert pattern.automaton is None
    for trace in pattern.draw("train", 2, 50, np.random.default_rng(0)):
        assert trace.state.shape == trace.lap.shape == (50,)
        assert trace.state.dtype == trace.lap.dtype == np.int64
        assert (trace.state == -1).all()
        assert (trace.lap == -1).all()


def test_windows_are_stretches_of_the_drawings_in_turn(files):
    whole = [normalise(np.load(path)) for path in files]
    windows = drawn(DrawnPattern(files, holdout=0), n=20, steps=60)
    assert [len(window) for window in windows] == [60] * 20
    starts = []
    for i, window in enumerate(windows):
        (start,) = np.flatnonzero((whole[i % 2] == window[0]).all(axis=1))
        np.testing.assert_array_equal(window, whole[i % 2][start : start + 60])
        starts.append(start)
    assert len(set(starts)) > 10  # 20 draws among 241 and 441: fewer than 11 different ones is beyond chance


def test_the_ends_of_a_drawing_are_reached(files):
    """Of 299 points 2 windows exist: 40 draws miss one of them once in 2**39 times."""
    pattern = DrawnPattern(files[0], holdout=0)
    assert {tuple(window[0]) for window in drawn(pattern, n=40, steps=299)} == {
        tuple(point) for point in normalise(np.load(files[0]))[:2]
    }


@pytest.mark.parametrize("speed", [None, 0.2])
def test_the_generator_alone_decides(files, speed):
    once, again = (drawn(DrawnPattern(files, speed), n=5, steps=80, seed=3) for _ in range(2))
    other = drawn(DrawnPattern(files, speed), n=5, steps=80, seed=4)
    for a, b in zip(once, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(once[0], other[0])


def test_changing_a_trace_leaves_the_drawing_as_it_was(files):
    pattern = DrawnPattern(files)
    drawn(pattern)[0][:] = 0.0
    assert np.abs(drawn(pattern)[0]).max() > 1.0


# ---- held out --------------------------------------------------------------------------------------------------------


def test_held_out_points_are_the_last_and_never_trained_on(files):
    whole = [normalise(np.load(path)) for path in files]
    pattern = DrawnPattern(files, holdout=0.25)
    for i, (train, val, test) in enumerate(zip(*(drawn(pattern, s) for s in ("train", "val", "test")), strict=True)):
        np.testing.assert_array_equal(np.concatenate([train, val]), whole[i])
        assert len(val) == len(whole[i]) // 4
        np.testing.assert_array_equal(val, test)


def test_renderings_of_the_two_parts_stay_on_their_parts(tmp_path):
    """On a spiral a part is a ring: what is held out lies outside everything that is trained on."""
    t = np.linspace(1, 60, 800)
    spiral = np.stack([t * np.cos(t), t * np.sin(t)], axis=1)
    np.savetxt(tmp_path / "spiral.csv", spiral, delimiter=",")
    middle, scale = spiral.mean(axis=0), spiral.std(axis=0).sum() / 2
    pattern = DrawnPattern(tmp_path / "spiral.csv", speed=0.1, render=STILL)

    def radius(split):
        return np.concatenate([np.hypot(*(points * scale + middle).T) for points in drawn(pattern, split, steps=90)])

    assert radius("train").max() < t[640] - 0.01
    assert radius("val").min() > t[640] - 0.01
    assert radius("test").max() < 60.01


def test_lost_points_are_gaps(tmp_path):
    points = np.cumsum(np.random.default_rng(3).standard_normal((60, 2)), axis=0)
    lost = np.isin(np.arange(60), (20, 21))
    np.save(tmp_path / "a.npy", np.where(lost[:, None], np.nan, points))
    (trace,) = DrawnPattern(tmp_path / "a.npy", holdout=0).draw("train", 1, None, np.random.default_rng(0))
    np.testing.assert_array_equal(trace.observed, ~lost)
    np.testing.assert_array_equal(trace.points[~lost], normalise(points[~lost]))
    with pytest.raises(ValueError, match=r"lost points has no curve to follow at speed=0.2, .* has 2: set speed=null"):
        DrawnPattern(tmp_path / "a.npy", speed=0.2, holdout=0)


# ---- many recordings -------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    """Twenty drawings in a folder, told apart by their aspect."""
    for i in range(20):
        np.save(tmp_path / f"{i:02}.npy", wobbly(40, seed=i) * [1.0, 1.0 + i])
    return tmp_path


def seen(pattern, split, n):
    return {points.tobytes() for points in drawn(pattern, split, n=n)}


@pytest.mark.parametrize("speed", [None, 0.2])
@pytest.mark.parametrize(("options", "count"), [({}, 16), ({"division": "tail"}, 20), ({"holdout": 0}, 20)])
def test_every_drawing_is_trained_on(folder, speed, options, count):
    assert len(seen(DrawnPattern(folder, speed, **options), "train", n=10)) == count


def test_whole_drawings_are_held_out_where_there_are_many(folder):
    pattern = DrawnPattern(folder)
    splits = [seen(pattern, split, n=20) for split in ("train", "val", "test")]
    assert [len(split) for split in splits] == [16, 2, 2]
    assert set.union(*splits) == {normalise(np.load(path)).tobytes() for path in folder.glob("*.npy")}
    other = DrawnPattern(folder, split_seed=1)
    assert seen(other, "test", n=20) != splits[2]


def test_folders_and_globs_stand_for_their_files(folder):
    (folder / "notes.md").write_text("no drawing")
    (folder / ".hidden.npy").write_text("no drawing")
    (folder / "below").mkdir()
    np.save(folder / "below" / "x.npy", wobbly(40, seed=20))
    assert len(seen(DrawnPattern(folder, holdout=0), "train", n=1)) == 21
    assert len(seen(DrawnPattern([folder / "0*.npy", folder / "10.npy"], holdout=0), "train", n=1)) == 11


def test_lists_of_ones_own(folder):
    pattern = DrawnPattern(folder / "0*.npy", val_files=folder / "10.npy", test_files=[folder / "11.npy"])
    assert [len(seen(pattern, split, n=20)) for split in ("train", "val", "test")] == [10, 1, 1]
    assert seen(pattern, "test", n=1) == {normalise(np.load(folder / "11.npy")).tobytes()}
    both = DrawnPattern(folder / "0*.npy", test_files=folder / "11.npy")
    assert seen(both, "val", n=1) == seen(both, "test", n=1) == seen(pattern, "test", n=1)
    with pytest.raises(ValueError, match=r"01.npy is in files and in test_files: name it in one of them"):
        DrawnPattern(folder, test_files=folder / "01.npy")


def test_too_short_drawings_are_named_and_left_out(folder, caplog):
    np.save(folder / "short.npy", wobbly(5, seed=0))
    with caplog.at_level(logging.WARNING):
        pattern = DrawnPattern(folder, holdout=0)
    assert len(seen(pattern, "train", n=1)) == 20
    assert "Left out 1 of 21 files" in caplog.text
    assert "short.npy: a drawing needs at least 8 points, got 5" in caplog.text
    with pytest.raises(ValueError, match="needs at least 8 points, got 5"):
        DrawnPattern(folder / "short.npy")


def test_a_drawing_too_short_to_divide_is_used_whole(files, tmp_path, caplog):
    np.save(tmp_path / "c.npy", wobbly(20, seed=1))
    pattern = DrawnPattern([*files, tmp_path / "c.npy"])
    assert [len(points) for points in drawn(pattern, n=3)] == [240, 400, 20]
    assert len(drawn(pattern, "test", n=3)) == 2
    assert "Used whole for training, since too short to divide" in caplog.text


def test_parts_named_by_a_file_are_kept(tmp_path):
    moves = np.random.default_rng(0).integers(0, 50, (9, 40, 3))
    moves[:, :, 2] = np.arange(40) % 7 == 6
    np.savez(tmp_path / "sketches.npz", train=moves[:6], valid=moves[6:7], test=moves[7:])
    pattern = DrawnPattern(tmp_path / "sketches.npz")
    assert [len(drawn(pattern, split, n=9)) for split in ("train", "val", "test")] == [6, 1, 2]


def test_files_that_are_none_or_named_twice(folder):
    with pytest.raises(ValueError, match=r"00.npy is named twice, by .* and by .*: name each file once"):
        DrawnPattern([folder / "00.npy", folder])
    with pytest.raises(ValueError, match=r"\*.svg: no file matches"):
        DrawnPattern(folder / "*.svg")
    (folder / "empty").mkdir()
    with pytest.raises(ValueError, match=r"empty: expected a folder with files of the kinds .npy, .npz"):
        DrawnPattern(folder / "empty")


# ---- renderings ------------------------------------------------------------------------------------------------------


def test_without_jitter_a_rendering_has_constant_speed(files):
    for points in drawn(DrawnPattern(files, speed=0.02, render=STILL), n=4):
        np.testing.assert_allclose(np.hypot(*np.diff(points, axis=0).T), 0.02, rtol=2e-3)


def test_renderings_are_as_many_and_as_long_as_asked(files):
    pattern = DrawnPattern(files, speed=0.2)
    assert [len(points) for points in drawn(pattern, n=7, steps=50)] == [50] * 7
    # All of it: the arc's length in steps, 3 % up or down (five standard deviations: never in a million tests).
    expected = SmoothStroke(normalise(np.load(files[0]))[:240]).length / 0.2
    lengths = [len(points) for points in drawn(pattern, n=60, steps=100_000)[::2]]
    assert expected * 0.85 < min(lengths) < expected < max(lengths) < expected * 1.16


def test_phases_are_spread_over_a_step(files):
    """Starts of whole renderings lie within two steps of the drawing's start, and all over the first."""
    pattern = DrawnPattern(files[0], speed=0.5, render=STILL)
    start = normalise(np.load(files[0]))[0]
    distance = np.array([np.hypot(*(points[0] - start)) for points in drawn(pattern, n=100)])
    assert distance.max() < 1.0
    # 100 uniform draws leave a given fifth empty once in 1e9 times.
    assert (np.histogram(distance, bins=5, range=(0, 0.45))[0] > 0).all()


@pytest.mark.parametrize("steps", [5000])
def test_noises_have_the_size_they_are_given(files, steps):
    """Standard deviations over 10 000 white and some 470 independent smooth values: 5 % and 20 % are over six sigma."""
    rng = np.random.default_rng(0)
    still = np.zeros((steps, 2))
    white = Rendering(0, 0, 0, 0, 0, 6, white=0.3).jittered(still, rng)
    smooth = Rendering(0, 0, 0, 0, 0.3, 6, white=0).jittered(still, rng)
    assert white.std() == pytest.approx(0.3, rel=0.05)
    assert smooth.std() == pytest.approx(0.3, rel=0.2)
    # Between Gaussian windows of width s the correlation at lag k is exp(-k² / 4s²): 0.993 at 1, 0.0001 at 18.
    assert (smooth[1:] * smooth[:-1]).mean() / smooth.var() == pytest.approx(np.exp(-1 / 144), abs=0.005)
    assert abs((smooth[18:] * smooth[:-18]).mean() / smooth.var()) < 0.25
    assert abs((white[1:] * white[:-1]).mean() / white.var()) < 0.06


def test_affine_jitter_turns_scales_and_shifts_as_given():
    """Each figure is a standard deviation over 4000 draws: 8 % is seven of its own standard errors."""
    rng = np.random.default_rng(1)
    cross = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    drawn = np.array([Rendering(0, 0.01, 0.015, 0.02, 0, 0, 0).jittered(cross, rng) for _ in range(4000)])
    origin, right, up = drawn[:, 0], drawn[:, 1] - drawn[:, 0], drawn[:, 2] - drawn[:, 0]
    assert origin.std(axis=0) == pytest.approx([0.02, 0.02], rel=0.08)
    assert np.log(np.hypot(*right.T)).std() == pytest.approx(0.01, rel=0.08)
    assert np.arctan2(right[:, 1], right[:, 0]).std() == pytest.approx(0.015, rel=0.08)
    np.testing.assert_allclose(up, right[:, ::-1] * [-1, 1], atol=1e-12)  # a turn and one scale: no shear


# ---- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"speed": 0.0}, "speed must be a length a step > 0, or null for the drawn points, got 0.0"),
        ({"speed": float("nan")}, "speed must be"),
        ({"speed": 60.0}, "too short for 8 points at speed=60.0"),
        ({"holdout": 1.0}, r"holdout must be a share of the data in \[0, 1\), got 1.0"),
        ({"holdout": -0.1}, "holdout must be"),
        ({"holdout": 0.01}, r"a.npy: holdout=0.01 splits its 300 points into 297 and 3, .* needs 8: .*holdout=0 "),
        ({"division": "half"}, "division must be sequence, tail or null, got 'half'"),
    ],
)
def test_options_out_of_range(files, options, message):
    with pytest.raises(ValueError, match=message):
        DrawnPattern(files, **options)


def test_no_files_and_bad_files():
    with pytest.raises(ValueError, match="expected at least one file"):
        DrawnPattern([])
    with pytest.raises(ValueError, match=r"gone.npy: no such file"):
        DrawnPattern(["gone.npy"])


@pytest.mark.parametrize(("name", "value"), [("white", -0.1), ("speed", float("nan")), ("scale", float("inf"))])
def test_jitter_out_of_range(name, value):
    with pytest.raises(ValueError, match=rf"render.{name} must be a finite number >= 0 \(0 switches it off\), got"):
        Rendering(**{name: value})


@pytest.mark.parametrize(("n", "steps"), [(0, 5), (1, 0)])
def test_nothing_asked_for(files, n, steps):
    with pytest.raises(ValueError, match="expected n >= 1 traces of steps >= 1 points"):
        drawn(DrawnPattern(files), n=n, steps=steps)


def test_the_config_has_every_option_and_the_codes_defaults():
    path = Path(__file__).parents[2] / "conf" / "dataset" / "traces.yaml"
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    render = config.pop("render")
    defaults = {name: p.default for name, p in inspect.signature(DrawnPattern).parameters.items()}
    del defaults["render"]
    assert config == defaults | {"_target_": "vrnn.patterns.DrawnPattern", "files": "???"}
    assert render == {"_target_": "vrnn.patterns.Rendering", **vars(Rendering())}
