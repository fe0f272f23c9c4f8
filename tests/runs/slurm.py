"""A Slurm of one node on the loopback, for the tests: Debian's slurm-wlm and munge, started by hand, gone afterwards."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "scancel", "squeue")

CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={munge}/socket,cred_expire=5
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
JobRequeue=1
KillWait=5
SchedulerParameters=sched_interval=2,default_queue_depth=10
SlurmctldDebug=info
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=test Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str | None:
    """Why it cannot be started here; None if it can."""
    absent = [name for name in PROGRAMS if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None]
    if absent:
        return f"needs Debian's slurm-wlm and munge: no {', '.join(absent)}"
    return None if getpass.getuser() == "root" else "needs root, to start munged and slurmd"


def free_ports(n: int) -> list[int]:
    sockets = [socket.socket() for _ in range(n)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@contextmanager
def slurm(folder: Path) -> Iterator[dict[str, str]]:
    """Start it; yields the environment in which its commands find it."""
    munge = Path("/run") / f"munge-{os.getpid()}"  # munged wants a directory none of whose parents others may write
    munge.mkdir(mode=0o755)
    (munge / "key").write_bytes(os.urandom(128))
    (munge / "key").chmod(0o400)
    for path in (munge, munge / "key"):
        shutil.chown(path, "munge", "munge")
    host = socket.gethostname().split(".")[0]
    for name in ("state", "spool"):
        (folder / name).mkdir()
    (folder / "slurm.conf").write_text(CONF.format(folder=folder, munge=munge, ports=free_ports(2), host=host))
    environment = {
        **os.environ,
        "SLURM_CONF": str(folder / "slurm.conf"),
        "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin",
    }
    files = [f"--{name}={munge / name}" for name in ("socket", "pid-file", "log-file", "seed-file")]
    daemons = [
        ["runuser", "-u", "munge", "--", "munged", "--foreground", f"--key-file={munge / 'key'}", *files],
        ["slurmctld", "-D", "-i"],
        ["slurmd", "-D"],
    ]
    running: list[subprocess.Popen] = []
    try:
        for daemon in daemons:
            running.append(
                subprocess.Popen(daemon, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            )
            time.sleep(1.0)
        wait_for(lambda: "idle" in output(environment, "sinfo", "-h", "-o", "%t"), 30, "Slurm's node to be idle")
        yield environment
    finally:
        subprocess.run(["scancel", "--me", "--signal=KILL"], env=environment, check=False, capture_output=True)
        for process in reversed(running):
            process.terminate()
            process.wait(timeout=20)
        shutil.rmtree(munge)


def output(environment: dict[str, str], *command: str) -> str:
    """What a command of Slurm's prints; nothing where it fails."""
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout


def wait_for(condition, seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.1)
