"""A real Slurm cluster on this machine, for tests: `python -m tests.slurm.cluster up FOLDER`, later `down FOLDER`.

Each node has its own network, host name, mounts and processes (Linux namespaces), so ranks meet over real addresses and
the end of a node's first process is a power cut. Needs root, and of Debian slurmctld, slurmd, slurm-client, munge and
iproute2.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PROGRAMS", "SlurmCluster", "what_is_missing"]

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "munged", "ip", "unshare")
NETWORK, BRIDGE = "10.78.0", "mcli-slurm"
SERVER = f"{NETWORK}.1"
"""Where nodes reach this machine."""
PATIENCE = 60.0

CONF = """
ClusterName=tested
SlurmctldHost={host}({server})
SlurmctldPort=46917
SlurmdPort=46918
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={root}/run/munge.socket
CredType=cred/munge
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool/%n
SlurmctldPidFile={root}/run/slurmctld.pid
SlurmdPidFile={root}/spool/%n.pid
SlurmctldLogFile={root}/log/slurmctld.log
SlurmdLogFile={root}/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=1,batch_sched_delay=0
PriorityType=priority/multifactor
PriorityWeightPartition=1000
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
SlurmdParameters=config_overrides
MpiDefault=none
SwitchType=switch/none
SlurmdTimeout=10
KillWait=5
MinJobAge=300
GresTypes=gpu
NodeName=DEFAULT CPUs=16 Boards=1 SocketsPerBoard=1 CoresPerSocket=16 ThreadsPerCore=1 RealMemory=64000
{nodes}
PartitionName=low Nodes=ALL PriorityTier=1 PreemptMode=REQUEUE MaxTime=INFINITE State=UP
PartitionName=main Nodes=ALL Default=YES PriorityTier=10 PreemptMode=OFF MaxTime=INFINITE State=UP
PartitionName=high Nodes=ALL PriorityTier=20 PreemptMode=OFF MaxTime=INFINITE State=UP
"""


def what_is_missing() -> str:
    """Say why there can be no cluster here; empty if there can."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"these programs are not installed: {', '.join(missing)}"
    return "" if os.geteuid() == 0 else "it needs root, for the namespaces of the nodes"


@dataclass
class SlurmCluster:
    """Three nodes with eight pretended GPUs each; partitions low (preemptible), main, high."""

    root: Path
    nodes: int = 3
    gpus: int = 8

    @property
    def conf(self) -> Path:
        """What SLURM_CONF must be."""
        return self.root / "slurm.conf"

    def up(self) -> None:
        """Start what does not run, and wait until all nodes are idle."""
        os.environ["SLURM_CONF"] = str(self.conf)
        self._write()
        self.start_munge()
        self._make_network()
        self.start_controller()
        for number in range(self.nodes):
            self.start_node(number)
        self.wait_for_nodes()

    def down(self) -> None:
        """End all of it."""
        for number in range(self.nodes):
            self.cut_power(number)
            _run("ip", "netns", "del", f"mcli-slurm-{number}", check=False)
            shutil.rmtree(f"/etc/netns/mcli-slurm-{number}", ignore_errors=True)
        for name in ("slurmctld", "munged"):
            _end(self.root / "run" / f"{name}.pid", name)
        _run("ip", "link", "del", BRIDGE, check=False)

    def start_munge(self) -> None:
        if not _is_alive(self.root / "run" / "munged.pid"):
            run, etc, log = (self.root / name for name in ("run", "etc", "log"))
            _run(
                "munged",
                "--force",
                f"--key-file={etc}/munge.key",
                f"--socket={run}/munge.socket",
                f"--pid-file={run}/munged.pid",
                f"--log-file={log}/munged.log",
                f"--seed-file={etc}/munge.seed",
            )

    def start_controller(self) -> None:
        if not _is_alive(self.root / "run" / "slurmctld.pid"):
            _run("slurmctld", "-f", str(self.conf), "-i")

    def kill_controller(self) -> None:
        """End Slurm's controller as a crash does."""
        pid = int((self.root / "run" / "slurmctld.pid").read_text())
        os.kill(pid, signal.SIGKILL)
        _wait_until(lambda: not Path(f"/proc/{pid}").exists() or _state(pid) == "Z")
        (self.root / "run" / "slurmctld.pid").unlink(missing_ok=True)

    def start_node(self, number: int) -> None:
        """Start a node that does not run."""
        if self._first_process(number):
            return
        enter = ["ip", "netns", "exec", f"mcli-slurm-{number}"]
        command = f"hostname node-{number}; exec slurmd -D -N node-{number} -f {self.conf}"
        with (self.root / "log" / f"node-{number}.log").open("ab") as log:
            host = subprocess.Popen(
                [
                    *enter,
                    "unshare",
                    "--uts",
                    "--mount",
                    "--pid",
                    "--fork",
                    "--mount-proc",
                    "bash",
                    "-c",
                    command,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        (self.root / "run" / f"node-{number}.pid").write_text(str(host.pid))
        host.returncode = 0  # it goes on without us

    def cut_power(self, number: int) -> None:
        """End all that runs on a node at once."""
        if (process := self._first_process(number)) is None:
            return
        host = int((self.root / "run" / f"node-{number}.pid").read_text())
        os.kill(process, signal.SIGKILL)
        _wait_until(lambda: not Path(f"/proc/{host}").exists() or _state(host) == "Z")
        with contextlib.suppress(ChildProcessError):
            os.waitpid(host, 0)
        (self.root / "run" / f"node-{number}.pid").unlink()

    def wait_for_nodes(self, states: str = "idle,mix,alloc") -> None:
        """Return when all nodes are in these states."""

        def are_up() -> bool:
            table = _run("sinfo", "-h", "-N", "-p", "main", "-t", states, "-o", "%N", check=False)
            return self.nodes == len(set(table.split()))

        _wait_until(are_up)

    def _first_process(self, number: int) -> int | None:
        try:
            host = int((self.root / "run" / f"node-{number}.pid").read_text())
            return int(Path(f"/proc/{host}/task/{host}/children").read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return None

    def _write(self) -> None:
        for name in ("run", "log", "state", "spool", "etc"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        key = self.root / "etc" / "munge.key"
        if not key.exists():
            key.touch(mode=0o600)
            key.write_bytes(os.urandom(1024))
        lines = [
            f"NodeName=node-{number} NodeHostname=node-{number} NodeAddr={NETWORK}.1{number} "
            f"Gres=gpu:a100_80gb:{self.gpus} State=UNKNOWN"
            for number in range(self.nodes)
        ]
        text = CONF.format(
            host=socket.gethostname().partition(".")[0], server=SERVER, root=self.root, nodes="\n".join(lines)
        )
        self.conf.write_text(text)
        # Slurm takes no GPUs without device files: copies of /dev/null will do
        for number in range(self.gpus):
            device = self.root / "etc" / f"gpu{number}"
            if not device.exists():
                os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        (self.root / "gres.conf").write_text(
            f"Name=gpu Type=a100_80gb File={self.root}/etc/gpu[0-{self.gpus - 1}]\n"
        )
        (self.root / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")

    def _make_network(self) -> None:
        if not Path(f"/sys/class/net/{BRIDGE}").exists():
            _run("ip", "link", "add", BRIDGE, "type", "bridge")
            _run("ip", "addr", "add", f"{SERVER}/24", "dev", BRIDGE)
            _run("ip", "link", "set", BRIDGE, "up")
        for number in range(self.nodes):
            space, outside = f"mcli-slurm-{number}", f"mslurm{number}"
            if Path(f"/run/netns/{space}").exists():
                continue
            etc = Path(f"/etc/netns/{space}")
            etc.mkdir(parents=True, exist_ok=True)
            names = [f"{NETWORK}.1{each} node-{each}" for each in range(self.nodes)]
            hosts = ["127.0.0.1 localhost", f"{SERVER} {socket.gethostname().partition('.')[0]}", *names]
            (etc / "hosts").write_text("\n".join(hosts) + "\n")
            _run("ip", "netns", "add", space)
            _run("ip", "link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", space)
            _run("ip", "link", "set", outside, "master", BRIDGE, "up")
            _run("ip", "-n", space, "link", "set", "lo", "up")
            _run("ip", "-n", space, "addr", "add", f"{NETWORK}.1{number}/24", "dev", "eth0")
            _run("ip", "-n", space, "link", "set", "eth0", "up")


def _run(*words: str, check: bool = True) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=PATIENCE)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr}{done.stdout}")
    return done.stdout


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def _is_alive(file: Path) -> bool:
    try:
        return _state(int(file.read_text())) != "Z"
    except (OSError, ValueError):
        return False


def _end(file: Path, program: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        pid = int(file.read_text())
        if Path(f"/proc/{pid}/comm").read_text().strip() == program:
            os.kill(pid, signal.SIGKILL)
            _wait_until(lambda: _state(pid) == "Z")
        file.unlink()


def _wait_until(is_so) -> None:
    end = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > end:
            raise TimeoutError("The cluster does not do what it should; see its logs.")
        time.sleep(0.1)


if __name__ == "__main__":
    verb, folder = sys.argv[1:]
    getattr(SlurmCluster(Path(folder).absolute()), {"up": "up", "down": "down"}[verb])()
    print(f"export SLURM_CONF={Path(folder).absolute()}/slurm.conf")
