"""Holds a process to a share of one processor, as Lambda holds a handler.

By a cgroup's quota: the first version's where the machine has it, else the second's in a group
beside this process's own, which root may make and so may a user of systemd.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

FULL_PROCESSOR_MB = 1769  # "Configure Lambda function memory": one vCPU at this size
PERIOD_MS = 100  # Linux's own; Lambda's is not published

_CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True, kw_only=True)
class Quota:
    """A cgroup whose processes get a share of one processor in each period."""

    group: Path
    version: int
    period_ms: float

    def hold(self, pid: int, memory_mb: int) -> None:
        """Limit a process, from now on, to what a handler gets at that memory size."""
        period = round(self.period_ms * 1000)
        allowed = round(period * min(1.0, memory_mb / FULL_PROCESSOR_MB))
        if self.version == 1:
            (self.group / "cpu.cfs_period_us").write_text(str(period))
            (self.group / "cpu.cfs_quota_us").write_text(str(allowed))
        else:
            (self.group / "cpu.max").write_text(f"{allowed} {period}")
        (self.group / "cgroup.procs").write_text(str(pid))


@contextmanager
def open_quota(period_ms: float = PERIOD_MS) -> Iterator[Quota | None]:
    """Make a group for one process at a time; yield None where this machine does not allow it."""
    for version, group in _places():
        try:
            group.mkdir()
        except OSError:
            continue
        # The process gets all that its quota allows, whatever else runs here.
        weight, most = ("cpu.shares", 262_144) if version == 1 else ("cpu.weight", 10_000)
        (group / weight).write_text(str(most))
        try:
            yield Quota(group=group, version=version, period_ms=period_ms)
        finally:
            group.rmdir()
        return
    yield None


def _places() -> Iterator[tuple[int, Path]]:
    """Find where a group could be made, with the version of its cgroups."""
    name = f"signin-monitor-bench-{os.getpid()}"
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, own = line.split(":", 2)
        if "cpu" in controllers.split(","):
            yield 1, _CGROUPS / controllers / own.lstrip("/") / name
        elif not controllers and (_CGROUPS / own.lstrip("/") / "cpu.max").exists():
            yield 2, (_CGROUPS / own.lstrip("/")).parent / name
