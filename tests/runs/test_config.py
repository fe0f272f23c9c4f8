"""Every YAML composes and trains; bad configurations are refused with a cure; a request names its directory."""

import dataclasses
import inspect
import os
import re
import shlex
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import omegaconf
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from torch.nn.utils import parameters_to_vector

from tests.conftest import ROOT
from tests.handwriting import write_lines
from tests.rolls import write_mat
from vrnn.data import TraceDataModule
from vrnn.data.gaps import Gaps
from vrnn.errors import ConfigError
from vrnn.networks import SixNetworks
from vrnn.runs.build import build_run, validate_data
from vrnn.runs.config import check, run_settings
from vrnn.runs.instantiate import instantiate
from vrnn.runs.name import differences, digest, flat, run_name
from vrnn.runs.parts import build_vrnn, check_parts, make_callbacks
from vrnn.runs.run import run
from vrnn.runs.schema import DataConfig, GapsConfig, ModelConfig, OptimConfig, register
from vrnn.training.lightning_module import VRNNModule
from vrnn.training.signals import Interruption
from vrnn.training.trainer import fit

GROUP_FILES = sorted(path.relative_to(ROOT / "conf") for path in (ROOT / "conf").glob("*/*.yaml"))
GROUP_FILES = [file for file in GROUP_FILES if file.parts[0] != "search"]  # of scripts/search.py, not of a run
DDP = Path("trainer/ddp.yaml")  # of several processes
ALL_FILES = sorted((ROOT / "conf").rglob("*.yaml"))


COMPANIONS = {  # what a choice wants beside it
    ("latent", "none"): ["w_schedule=constant"],
    ("likelihood", "bernoulli"): ["dataset=digits"],
    ("likelihood", "bernoulli_means"): ["dataset=digits"],
    ("likelihood", "nade"): ["dataset=piano_rolls"],
    ("condition", "label"): ["dataset=classes"],
    ("condition", "series"): ["dataset=series", "dataset.condition_columns=[0]"],
    ("recurrence", "none"): ["prior=standard", "model.h_dim=0"],
}


TWO_STEPS = [
    *(
        f"data.{name}"
        for name in ("traces=4", "steps=64", "window=16", "batch_size=2", "val_traces=2", "eval_steps=32")
    ),
    *(f"training.{name}" for name in ("steps=2", "log_every=1", "val_every=2", "checkpoint_every=1", "figure_every=2")),
]
ELSEWHERE = [] if torch.cuda.is_available() else [Path("trainer/gpu.yaml")]  # what this machine must refuse


@pytest.fixture
def drawing(tmp_path):
    angle = np.linspace(0, 30, 300)
    np.save(tmp_path / "drawing.npy", np.stack([np.cos(angle), np.sin(angle)], -1))
    return tmp_path / "drawing.npy"


@pytest.fixture
def lines(tmp_path):
    return write_lines(tmp_path / "lines", 5)


def test_the_trainer_of_several_processes_trains_two_steps(tmp_path):
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command = [*torchrun, "scripts/train.py", "trainer=ddp", *TWO_STEPS, f"hydra.run.dir={tmp_path}"]
    subprocess.run(command, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, check=True, timeout=300)
    assert torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == 2


@pytest.mark.parametrize("file", [file for file in GROUP_FILES if file != DDP], ids=str)
def test_every_file_of_every_group_trains_two_steps(composed, file, drawing, lines, tmp_path):
    group, name = file.parts[0], file.stem
    pen = [f"dataset.directory={lines}"]
    files = [f"dataset.files=[{drawing}]"]
    of_files = dict.fromkeys(("traces", "series", "strokes", "drawn_laps", "drawing"), files)
    music = [f"dataset.file={write_mat(tmp_path / 'tiny.mat')}"]
    of_files |= dict.fromkeys(
        ("piano_rolls", "nade", "jsb", "jsb_nade", "nottingham", "piano_midi", "muse_data"), music
    )
    given = {**of_files, "iam": pen, "pen": ["dataset=iam", *pen]}
    extra = [*given.get(name, []), *COMPANIONS.get((group, name), [])]
    settings = check(composed(f"{group}={name}", *extra, *TWO_STEPS))
    pattern, module, data = build_run(settings)
    validate_data(module, data)
    assert pattern is data.pattern
    callbacks = make_callbacks(settings)
    before = parameters_to_vector(module.vrnn.parameters()).detach().clone()
    with Interruption() as interruption, pytest.raises(ConfigError) if file in ELSEWHERE else nullcontext():
        fit(module, data, tmp_path, "", settings["training"], settings["trainer"], interruption, callbacks)
    if file in ELSEWHERE:
        return
    after = parameters_to_vector(module.vrnn.parameters())
    assert torch.isfinite(after).all()
    assert not torch.equal(after, before)
    assert torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == 2


FILELESS = [path.stem for path in sorted((ROOT / "conf" / "dataset").glob("*.yaml")) if "???" not in path.read_text()]


@pytest.mark.parametrize("dataset", FILELESS)
def test_quick_trains_on_every_dataset(composed, dataset, tmp_path):
    """With the sizes of `quick`, which are those of another dataset."""
    pace = ["model=tiny", "training={steps: 2, log_every: 1, val_every: 2, checkpoint_every: 2, figure_every: 4}"]
    settings, _ = run_settings(composed("experiment=quick", f"dataset={dataset}", *pace))
    _, module, data = build_run(settings)
    validate_data(module, data)
    with Interruption() as interruption:
        fit(module, data, tmp_path, "", settings["training"], settings["trainer"], interruption, [])
    assert torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == 2


def test_quick_generates_images_of_their_own_length(composed, tmp_path):
    pace = ["model=tiny", "training={steps: 2, log_every: 1, val_every: 2, checkpoint_every: 2, figure_every: 4}"]
    run(composed("experiment=quick", "dataset=digits", *pace), tmp_path, progress_bar=False)
    assert np.load(tmp_path / "sample.npy").shape == (8, 8)


def commands(file):
    """The commands in a YAML's head: comment lines `#   vrnn …`, by torchrun or not, or `#   python scripts/…`."""
    for line in file.read_text().splitlines():
        start = r"#\s+(?:python scripts/|(?:torchrun \S+ \S+ --no-python )?vrnn )"
        match = re.match(start + r"(\w+)(?:\.py)? ?(.*?)(\s{2,}.*)?$", line)
        if match:
            yield match[1], shlex.split(match[2])


@pytest.mark.parametrize("file", ALL_FILES, ids=lambda file: str(file.relative_to(ROOT / "conf")))
def test_every_file_is_headed_by_commands_that_compose(file):
    register()
    found = list(commands(file))
    assert found
    for script, overrides in found:
        overrides = [part for part in overrides if part != "-m"]
        single = [re.sub(r"^([\w./]+)=([^\[{]*?),.*$", r"\1=\2", part) for part in overrides]  # a sweep's first job
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            config = compose(script, overrides=single)
        needs_data = any(part == "dataset=iam" or part.startswith("dataset.file") for part in overrides)
        if script == "train" and not needs_data:
            build_run(check(config))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.h_dim=0", "model.h_dim must be at least 1, but is 0"),
        ("+trainer.max_epochs=3", "trainer.max_epochs is not a setting"),
        ("+training.step=3", r"training.step is not a setting: did you mean training.steps"),
        ("+config=3", "config is not a setting"),
        ("sweep=..", "sweep must be a directory's name"),
        ("seed=${foo}", "seed: Interpolation key 'foo' not found"),
        ("data.window=0", "data.window must be at least 1, but is 0"),
        ("training.steps=0", "training.steps must be at least 1"),
        ("optim.learning_rate=-1", "optim.learning_rate must be positive"),
        ("optim.clip=0", "optim.clip must be positive"),
        ("+trainer.accumulate_grad_batches=0", r"accumulate_grad_batches must be an integer in \[1, 10000\], but is 0"),
        ("+trainer.gradient_clip_algorithm=max", "gradient_clip_algorithm must be one of norm, value, but is 'max'"),
        ("+trainer.accumulate_grad_batches=many", "accumulate_grad_batches must be an integer"),
        ("optim.final_fraction=2", r"optim.final_fraction must be in \[0, 1\]"),
        ("evaluation.checkpoint=first", "evaluation.checkpoint must be one of last, best"),
        ("evaluation.particles=0", "evaluation.particles must be at least 1"),
        ("seed=-1", "seed must be at least 0"),
        ("seed=4294967296", "seed must be at most 4294967295"),
        ("optim.learning_rate=nan", "optim.learning_rate must be a finite number, but is nan"),
        ("w_schedule.end=inf", "w_schedule.end must be a finite number, but is inf"),
        ("model.phi_z=[]", r"model.phi_z must be the widths of one layer or more, as in \[64\], but is \[\]"),
        ("model.decoder=[64,0]", r"model.decoder must be .* but is \[64, 0\]"),
        ("data.min_steps=2049", "data.min_steps must be at most data.steps = 2048, but is 2049"),
        ("data.min_steps=0", "data.min_steps must be at least 1"),
        ("data.gaps.share=1", r"data.gaps.share must be in \[0, 1\), so that some points are left, but is 1"),
        ("data.gaps.length=0", "data.gaps.length must be at least 1"),
    ],
)
def test_numbers_out_of_range(composed, override, message):
    with pytest.raises(ConfigError, match=message):
        check(composed(override))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.window=2049", "data.window must be at most data.steps = 2048, but is 2049"),
        ("data.batch_size=257", "data.batch_size must be at most data.traces = 256, but is 257"),
        ("threads=100000", r"threads must be at most \d+ on this machine, but is 100000"),
        ("optim.clip=null +trainer.gradient_clip_algorithm=value", "needs a limit, but optim.clip is null"),
        ("trainer.precision=bf16", "trainer.precision must be 32-true or 64-true, but is bf16"),
    ],
)
def test_settings_without_effect_are_refused_for_new_runs(composed, override, message):
    """Stored runs that have them still load: `check` alone passes."""
    config = composed(*override.split())
    check(config)
    with pytest.raises(ConfigError, match=message):
        run_settings(config)


@pytest.mark.parametrize("override", ["model.h_dims=3", "training.steps=many", "seed=1.5"])
def test_typos_and_wrong_types(composed, override):
    with pytest.raises(Exception, match=r"h_dims|Integer|many|1\.5"):
        composed(override)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("recurrence._target_=os._exit", "names os._exit"),
        (
            "recurrence._target_=vrnn.cli.commands.hydra.utils.get_class",
            "vrnn.cli.commands.hydra.utils.get_class is",
        ),
        ("recurrence._target_=vrnn.runs.instantiate.instantiate", "vrnn.runs.instantiate.instantiate is"),
        ("recurrence._target_=vrnn.networks.GUR", "vrnn.networks.GUR, which does not exist"),
        ("frame.scale=-1", "frame.scale must be positive"),
        ("dataset.automaton.transitions.wide={wide: 0.5}", "wide"),
        ("likelihood.floor=0", "likelihood.floor must be positive"),
        ("model.std=relu", "model.std must be softplus or sigmoid, but is 'relu'"),
        ("engine=fast", "engine must be one of auto, reference, native, but is 'fast'"),
        ("w_schedule.steps=-3", "w_schedule.steps must be"),
        ("+likelihood.wings=2", "wings"),
    ],
)
def test_objects_that_cannot_be(composed, override, message):
    with pytest.raises(ConfigError, match=message) as caught:
        build_run(check(composed(override)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["likelihood=bernoulli"], "likelihood=bernoulli"),
        (["latent=none"], "no KL to weigh"),
        (["latent=none", "w_schedule=free_bits"], "no KL to weigh"),
        (["recurrence=none"], "h_dim must be 0 .*architecture=vae"),
        (["latent=none", "w_schedule=constant", "recurrence=none", "model.h_dim=0"], "needs a memory"),
        (["frame=velocity", "+frame.predicts=next"], "relative_to=nothing"),
        (["w_schedule=sigma_vae", "likelihood=mse"], "unexpected keyword argument 'sigma'.*another choice did"),
        (["latent=categorical", "w_schedule=sigma_vae"], "latent.estimator=exact"),
        (["likelihood=pen"], "x_dim = 3"),
        (["bound=iwae", "bound.particles=0"], "bound.particles must be at least 1, but is 0"),
        (["bound=fivo", "likelihood=mse"], "MSELikelihood trains on something else"),
        (["bound=fivo", "w_schedule=adaptive"], "AdaptiveW has none"),
        (["frame=predictive", "evaluation.particles=4"], "frame.predicts=next has no bound"),
        (
            ["w_schedule=control_vae", "+trainer.accumulate_grad_batches=2"],
            "accumulate_grad_batches must be 1 with Contr",
        ),
        (["frame=predictive", "data.gaps.share=0.1"], "frame.predicts=next cannot fill in missing points"),
    ],
)
def test_choices_that_contradict_each_other(composed, overrides, message):
    """Each is refused at the start, in one line."""
    settings = check(composed(*overrides, "data={traces: 4, steps: 16, window: 16, batch_size: 4}"))

    def start():
        _, module, data = build_run(settings)
        validate_data(module, data)

    with pytest.raises(ConfigError, match=message) as caught:
        start()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("own", [False, True])
def test_gaps_are_filled_in_training_wherever_they_come_from(composed, monkeypatch, own):
    """A pattern that hides points by itself is trained on as data.gaps would be."""
    _, module, data = build_run(check(composed("data={traces: 2, steps: 30, window: 30, batch_size: 2}")))
    draw = data.pattern.draw

    def with_gap(*arguments):
        traces = draw(*arguments)
        traces[1].observed[10:20] = False
        return traces

    if own:
        monkeypatch.setattr(data.pattern, "draw", with_gap)
    validate_data(module, data)
    assert module.fill is own


def test_a_missing_file_of_traces_is_named(composed):
    with pytest.raises(ConfigError, match=r"dataset\.files must be given"):
        check(composed("dataset=traces"))
    with pytest.raises(ConfigError, match=r"nowhere\.npy"):
        build_run(check(composed("dataset=traces", "dataset.files=[nowhere.npy]")))


def test_a_directory_of_handwriting_must_be_given_and_hold_some(composed, tmp_path):
    with pytest.raises(ConfigError, match=r"dataset\.directory must be given"):
        check(composed("dataset=iam"))
    with pytest.raises(ConfigError, match=r"expected three \*\.xml files or more"):
        build_run(check(composed("dataset=iam", f"dataset.directory={tmp_path}")))


@pytest.mark.parametrize(("dataset", "x_dim"), [("eye", 2), ("digits", 8), ("iam", 3)])
def test_the_model_is_as_wide_as_the_data_without_reading_any(composed, dataset, x_dim):
    settings = check(composed(f"dataset={dataset}", *(["dataset.directory=nowhere"] if dataset == "iam" else [])))
    assert build_vrnn(settings).x_dim == x_dim


class Shapeless:
    """A pattern that does not tell how wide its sequences are."""


def test_a_pattern_must_tell_its_width(composed):
    settings = check(composed("allow=[vrnn,tests]"))
    with pytest.raises(
        ConfigError, match=r"Shapeless has no class attribute x_dim: derive it from vrnn.patterns.Pattern"
    ):
        build_vrnn(settings | {"dataset": {"_target_": "tests.runs.test_config.Shapeless"}})


def test_build_takes_a_user_s_package_once_it_is_allowed():
    node = {"_target_": "fractions.Fraction", "numerator": 2, "denominator": 3}
    with pytest.raises(ConfigError, match=r"allow=\[vrnn,my_package\]"):
        instantiate(node, ["vrnn"])
    assert str(instantiate(node, ["vrnn", "fractions"])) == "2/3"


def test_run_names():
    assert run_name(None, "eye", "eye", []) == "eye/defaults-e3b0c442"
    assert run_name(None, "eye", "circle", ["experiment=eye", "fresh=true"]) == "eye/defaults-e3b0c442"
    assert re.fullmatch(r"circle/seed-1-[0-9a-f]{8}", run_name(None, None, "circle", ["seed=1"]))
    assert run_name(None, None, "circle", ["a=1", "+trainer.max_time=01:00:00:00"]) == run_name(
        None, None, "circle", ["a=1"]
    )
    assert run_name(None, None, "circle", ["a=1"]) != run_name(None, None, "circle", ["a=2"])
    assert run_name(None, None, "circle", ["a=1", "b={c: 2}"]) == run_name(None, None, "circle", ["b={c:2}", "a=1"])
    in_sweep = [run_name("mine", name, "eye", ["sweep=mine", f"experiment={name}"]) for name in ("eye", "quick")]
    assert in_sweep[0] != in_sweep[1]
    assert {name.split("/")[0] for name in in_sweep} == {"mine"}
    odd = run_name(None, None, "traces", ["dataset.files=[../a b/x.npy]", "k=" + "v" * 300])
    task, directory = odd.split("/")
    assert task == "traces"
    assert len(directory) <= 120 + 1 + 8
    assert re.fullmatch(r"[\w.-]+", directory)


def test_warm_up_scales_with_the_steps(composed):
    assert check(composed("training.steps=1000"))["w_schedule"]["steps"] == 300


def test_differences_and_flat():
    old, new = {"a": {"b": 1, "c": [1, 2]}, "d": None}, {"a": {"b": 2, "c": [1, 2]}, "e": 3}
    assert differences(old, new) == ["a.b: 1 -> 2", "e: None -> 3"]
    assert flat(old) == {"a.b": 1, "a.c": "[1, 2]", "d": None}


def test_the_order_of_an_automaton_s_states_is_part_of_a_run(composed):
    """Its random numbers lead elsewhere."""
    old, new = (check(composed("dataset=eye")) for _ in range(2))
    states = new["dataset"]["automaton"]["states"]
    new["dataset"]["automaton"]["states"] = dict(reversed(states.items()))
    assert differences(old, old) == []
    assert differences(old, new) == ["dataset.automaton.states.order: wide, thin -> thin, wide"]
    assert pens(old) != pens(new)


def pens(settings) -> list[list[float]]:
    """Where the first training trace goes."""
    _, _, data = build_run(settings)
    return data.traces("train")[0].points[:50].tolist()


def test_resolved_settings_are_plain(composed):
    """Plain containers only, so that a checkpoint that holds them loads with weights_only=True."""
    settings = check(composed())
    assert not OmegaConf.is_config(settings["model"])
    assert isinstance(settings["model"]["phi_x"], list)


@pytest.mark.parametrize(
    ("schema", "made"),
    [(ModelConfig, SixNetworks), (DataConfig, TraceDataModule), (GapsConfig, Gaps), (OptimConfig, VRNNModule)],
)
def test_defaults_of_the_schema_are_those_of_the_classes(schema, made):
    """A run and a notebook that leave a setting out get the same value."""
    parameters = inspect.signature(made).parameters
    compared = 0
    for entry in dataclasses.fields(schema):
        has_defaults = entry.default not in (dataclasses.MISSING, omegaconf.MISSING)
        if has_defaults and parameters[entry.name].default is not inspect.Parameter.empty:
            assert parameters[entry.name].default == entry.default, entry.name
            compared += 1
    assert compared >= 2


def test_folders_are_part_of_what_a_run_is(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((8, 2)))
    listed = digest({"files": [str(tmp_path / "a.npy")]})
    assert digest({"files": [str(tmp_path)]}) == digest({"files": f"{tmp_path}/*.npy"}) == listed
    np.save(tmp_path / "b.npy", np.ones((8, 2)))
    assert digest({"files": [str(tmp_path)]}) != listed
    assert digest({"files": [str(tmp_path / "a.npy")], "test_files": [str(tmp_path / "b.npy")]}) != listed
    assert digest({"files": [str(tmp_path / "*.svg")]}) is None


def test_the_digest_knows_what_a_file_is_for_and_its_label(tmp_path):
    """A file that moves to another class, or from training to validation, makes other data; runs from before still match."""
    for name in ("cats/1", "cats/2", "dogs/1"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.csv").write_text(name)
    files = [str(tmp_path / f"{name}.csv") for name in ("cats/1", "cats/2", "dogs/1")]
    plain = digest({"files": files})
    labelled, split = digest({"files": files, "label": "folder"}), digest({"files": files[:1], "val_files": files[1:]})
    assert len({plain, labelled, split}) == 3
    assert split != digest({"files": files[:2], "val_files": files[2:]})
    (tmp_path / "cats" / "2.csv").rename(tmp_path / "dogs" / "0.csv")
    moved = digest({"files": [files[0], str(tmp_path / "dogs" / "0.csv"), files[2]], "label": "folder"})
    assert moved != labelled
    old, new = ({"dataset": {"digest": found}} for found in (plain, labelled))
    assert differences(old, new) == []
    assert differences(new, {"dataset": {"digest": moved}}) != []


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["optimizer._target_=torch.optim.LBFGS"], "treats each weight by itself, such as .* but is torch.optim.LBFGS"),
        (["optimizer._target_=torch.optim.Adm"], "such as Adam.* but is torch.optim.Adm"),
        (["optimizer._target_=torch.nn.Linear"], r"names torch.nn.Linear"),
        (["optimizer._target_=torch.optim.lr_scheduler.StepLR"], "names torch.optim.lr_scheduler.StepLR"),
        (["+optimizer.lr=0.1"], "optimizer.lr must be left out, but is 0.1: set optim.learning_rate"),
        (["+optimizer.momentum=0.9"], "unexpected keyword argument 'momentum'"),
        (["optimizer=adamw", "optimizer.weight_decay=-1"], "weight_decay"),
        (
            ["lr_schedule=plateau", "training.val_every=1000"],
            "validations to lower the rate, but there are 2: lower training",
        ),
        (
            ["lr_schedule=constant", "optim.final_fraction=0.1"],
            "optim.final_fraction must be left out with lr_schedule=const",
        ),
        (["lr_schedule=one_cycle", "lr_schedule.rise=1.5"], r"lr_schedule.rise must be in \(0, 1\), but is 1.5"),
    ],
)
def test_optimisers_and_schedules_that_cannot_be_are_refused(composed, overrides, message):
    config = composed(*overrides)
    with pytest.raises(ConfigError, match=message):
        check_parts(run_settings(config)[0], None)
