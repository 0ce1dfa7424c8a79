"""A real Slurm on this machine alone, for tests: one node, a stand-in for a GPU, no database.

    python tests/support/cluster.py start FOLDER
    python tests/support/cluster.py stop FOLDER

Its daemons listen on the loopback device only, keep all they have in FOLDER, and leave the
system's own munge alone. Slurm's programs find it by links in /etc/slurm, as no variable
reaches all of them; a machine that has a Slurm of its own is refused.
"""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SYSTEM = Path("/etc/slurm")
FILES = ("slurm.conf", "gres.conf")
# In the order in which they start.
DAEMONS = ("munged", "slurmctld", "slurmd")
COMMANDS = (*DAEMONS, "sbatch", "squeue", "srun", "scontrol", "scancel")
PATIENCE = 30.0  # seconds, for a daemon to start or to end

# Memory and cores are those that a test declares, not the machine's.
SLURM_CONF = """\
ClusterName=actrepro
SlurmctldHost={host}(127.0.0.1)
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmctldPort=16817
SlurmdPort=16818
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
MailProg=/bin/true
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=500
GresTypes=gpu
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=2,bf_interval=2
ReturnToService=2
MinJobAge=3600
KillWait=30
PlugStackConfig=/dev/null
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory=64000 Gres=gpu:1 State=UNKNOWN
PartitionName=cpu Nodes={host} Default=YES State=UP
PartitionName=gpu Nodes={host} State=UP
"""
# Slurm schedules a device, and this is one; a count alone makes the node invalid.
GRES_CONF = "NodeName={host} Name=gpu File=/dev/null\n"


def obstacle() -> str | None:
    """Return the reason why no cluster can be started here; None when one can."""
    missing = [command for command in COMMANDS if shutil.which(command, path=_path()) is None]
    if missing:
        return f"needs Slurm, which is not installed (no {missing[0]}; Debian: slurm-wlm, munge)"
    if os.geteuid() != 0:
        return "needs root, to start Slurm's daemons"
    if any(_in_use(SYSTEM / name) for name in FILES):
        return f"this machine has a Slurm of its own ({SYSTEM})"
    return None


@contextmanager
def running(folder: Path, cores: int = 4) -> Iterator[None]:
    """Run a cluster until the block ends."""
    try:
        start(folder, cores)
        yield
    finally:
        stop(folder)


def start(folder: Path, cores: int = 4) -> None:
    """Start a cluster that keeps everything in a folder of its own."""
    reason = obstacle()
    if reason is not None:
        raise RuntimeError(reason)
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    _write_settings(folder, cores)
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    _run(
        "munged",
        # It would rather have its folder open to others.
        "--force",
        f"--key-file={key}",
        f"--socket={folder}/munge.socket",
        f"--pid-file={folder}/munged.pid",
        f"--log-file={folder}/munged.log",
        f"--seed-file={folder}/munged.seed",
    )
    _run("slurmctld")
    _run("slurmd")
    _wait_for(lambda: _states() == "idle", "the node to be idle", folder)


def stop(folder: Path) -> None:
    """End the jobs and daemons that were started with this folder, and remove the links."""
    if all(_is_link_into(SYSTEM / name, folder) for name in FILES):
        with suppress(subprocess.SubprocessError):
            _run("scancel", "--full", "--user=root")
            _wait_for(lambda: not _run("squeue", "--noheader"), "jobs to end", folder)
    for daemon in reversed(DAEMONS):
        _end(folder, daemon)
    for name in FILES:
        if _is_link_into(SYSTEM / name, folder):
            (SYSTEM / name).unlink()


def _write_settings(folder: Path, cores: int) -> None:
    host = platform.node().split(".")[0]
    SYSTEM.mkdir(exist_ok=True)
    for name, text in zip(FILES, (SLURM_CONF, GRES_CONF), strict=True):
        (folder / name).write_text(text.format(folder=folder, host=host, cores=cores))
        (SYSTEM / name).unlink(missing_ok=True)
        (SYSTEM / name).symlink_to(folder / name)


def _path() -> str:
    # Daemons lie where a user's path may not lead.
    return f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


def _in_use(path: Path) -> bool:
    """Check whether a file belongs to somebody else, or to a running cluster of ours."""
    if not path.is_symlink():
        return path.exists()
    return path.exists() and any(_process(path.resolve().parent, daemon) for daemon in DAEMONS)


def _is_link_into(path: Path, folder: Path) -> bool:
    return path.is_symlink() and path.readlink().parent == folder


def _run(*command: str) -> str:
    environment = {**os.environ, "PATH": _path()}
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env=environment, timeout=PATIENCE
    )
    return done.stdout.strip()


def _states() -> str:
    with suppress(subprocess.SubprocessError):
        return _run("sinfo", "--noheader", "--Node", "--partition=cpu", "--format=%T")
    return ""


def _wait_for(condition: Callable[[], object], what: str, folder: Path) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > until:
            logs = {path.name: path.read_text()[-2000:] for path in folder.glob("*.log")}
            raise RuntimeError(f"waited {PATIENCE:.0f} seconds for {what}: {logs}")
        time.sleep(0.1)


def _process(folder: Path, daemon: str) -> int | None:
    """Return the process of a daemon that was started with this folder; None when it has ended."""
    with suppress(OSError, ValueError):
        process = int((folder / f"{daemon}.pid").read_text())
        # The number may be another's by now.
        if Path(f"/proc/{process}/comm").read_text().strip() == daemon:
            return process
    return None


def _end(folder: Path, daemon: str) -> None:
    process = _process(folder, daemon)
    if process is None:
        return
    os.kill(process, signal.SIGTERM)
    _wait_for(lambda: _process(folder, daemon) is None, f"{daemon} to end", folder)


if __name__ == "__main__":
    {"start": start, "stop": stop}[sys.argv[1]](Path(sys.argv[2]).resolve())
