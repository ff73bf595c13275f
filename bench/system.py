"""What the kernel says of processes (Linux): resident memory and CPU time, children included."""

from pathlib import Path

CLOCK = 100
"""Ticks a second of /proc (USER_HZ)."""


def family(pid: int) -> tuple[int, ...]:
    """`pid` and all its descendants."""
    found = [pid]
    for one in found:
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            found += map(int, task.read_text().split())
    return tuple(found)


def resident(pid: int) -> float:
    """MB of memory."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def cpu(pid: int) -> float:
    """Seconds of CPU, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK


def role(pid: int) -> str:
    """What a process of the gateway does."""
    command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    module = next((one.decode() for one in command if one.startswith(b"gateway.pipeline.")), "")
    return module.rpartition(".")[2].removesuffix("_process") or "intake"
