"""What Linux says about another process: its processor time, its memory."""

import re
import time
from pathlib import Path


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process has taken so far (clock_getcpuclockid(3))."""
    clock = (~pid << 3) | 2
    return time.clock_gettime(clock)


def memory_mb(pid: int) -> float:
    """Return the memory that a process holds now."""
    return _status_mb(pid, "VmRSS")


def peak_memory_mb(pid: int) -> float:
    """Return the most memory that a process has held so far."""
    return _status_mb(pid, "VmHWM")


def _status_mb(pid: int, name: str) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(rf"^{name}:\s*(\d+) kB", status, re.MULTILINE)
    assert found
    return int(found[1]) / 1024
