"""scalars.csv: a run that goes on keeps the rows up to its checkpoint, and writes the later ones again."""

from vrnn.training.scalars_file import ScalarsFile


def write(directory, last_step, steps):
    scalars = ScalarsFile(directory, last_step)
    for step in steps:
        scalars.log_metrics({"train/elbo": step / 8, "w/w": 0.1}, step=step)
    return scalars


def test_a_killed_run_that_goes_on_writes_the_same_rows(tmp_path):
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    write(undisturbed, 0, [25, 50, 75, 100]).finalize("success")
    write(killed, 0, [25, 50, 75]).finalize("failed")
    with (killed / "scalars.csv").open("a") as file:
        file.write("100,train/el")
    write(killed, 50, [75, 100]).finalize("success")
    assert (killed / "scalars.csv").read_bytes() == (undisturbed / "scalars.csv").read_bytes()


def test_a_run_that_starts_over_keeps_no_row(tmp_path):
    write(tmp_path, 0, [25, 50]).finalize("success")
    write(tmp_path, 0, [25]).finalize("success")
    assert (tmp_path / "scalars.csv").read_text() == "step,name,value\n25,train/elbo,3.125\n25,w/w,0.1\n"


def test_a_link_at_its_place_is_replaced(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("mine\n")
    (tmp_path / "scalars.csv").symlink_to(elsewhere)
    write(tmp_path, 0, [25]).finalize("success")
    assert elsewhere.read_text() == "mine\n"
    assert not (tmp_path / "scalars.csv").is_symlink()
