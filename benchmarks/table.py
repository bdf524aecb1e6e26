"""The results as one Markdown table, with what there is to know to read it."""

import os
import platform
import ssl
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.price import COLD_SHARE
from benchmarks.quota import FULL_PROCESSOR_MB, Quota
from benchmarks.result import Result
from benchmarks.spread import Spread
from benchmarks.trial import WARM_CALLS

_HEADS = (
    "memory, MB",
    "shape",
    "cold start to posted, ms",
    "processor time of INIT, ms",
    "first event, ms",
    "warm, connection kept, ms",
    "warm, new connection, ms",
    "processor time of a warm one, ms",
    "peak memory, MB",
    "package, kB",
    "$ per million",
)

_NOTES = """\
Medians, and quartiles in brackets, of {rounds} cold starts and {warm} warm calls each, taken in
turns, so that noise hits all alike. `make bench` makes this table.

* Each package runs under AWS's own runtime client on {machine}, Python {python}, {openssl},
  boto3 {boto3}. {share}
* Cold: from the start of the process to the message at the receiver. The other times are the
  handler's, the runtime client's work included; so is the processor time.
* KMS and the receiver are on the same machine, both behind TLS, which is checked against a whole CA
  bundle. What the network, KMS and Slack take comes on top, alike for all.
* New connection: the receiver ends the connection after each answer.
* Dollars: {cold:.0%} cold starts, INIT billed; the rest on a new connection. Requests and KMS are
  in it, free tiers are not (us-east-1, x86).
"""
_SHARE = """\
INIT has a full processor; then a cgroup
  holds the process to memory / {full:,} MB of one, in periods of {period:g} ms."""
_NO_QUOTA = """\
This machine allows no quota: the
  handler had a full processor. At a smaller size it takes, at least, processor time x {full:,} MB /
  memory."""


def markdown(results: Sequence[Result], *, rounds: int, quota: Quota | None) -> str:
    """Give the table and the notes below it."""
    lines = [_row(_HEADS), _row(["---:", "---", *["---:"] * (len(_HEADS) - 2)])]
    previous = 0
    for result in results:
        lines.append(_row(_cells(result, new_size=result.memory_mb != previous)))
        previous = result.memory_mb
    return "\n".join([*lines, "", _notes(rounds, quota)])


def _cells(result: Result, *, new_size: bool) -> list[str]:
    name = result.shape.title
    return [
        f"{result.memory_mb:,}" if new_size else "",
        f"**{name}**" if result.shape.name == "signin-monitor" else name,
        *map(str, _spreads(result)),
        f"{result.peak_memory:.0f}",
        f"{result.shape.package_bytes / 1000:,.0f}",
        f"{result.dollars:.2f}",
    ]


def _spreads(result: Result) -> tuple[Spread, ...]:
    cold = result.cold, result.init_processor, result.first
    return *cold, result.kept, result.new, result.processor


def _notes(rounds: int, quota: Quota | None) -> str:
    share = _SHARE if quota else _NO_QUOTA
    return _NOTES.format(
        rounds=rounds,
        warm=rounds * WARM_CALLS,
        machine=_machine(),
        python=platform.python_version(),
        openssl=ssl.OPENSSL_VERSION,
        boto3=version("boto3"),
        share=share.format(full=FULL_PROCESSOR_MB, period=quota and quota.period_ms),
        cold=COLD_SHARE,
    )


def _machine() -> str:
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return f"{os.cpu_count()} processors ({(models or [platform.machine()])[0]}, {sys.platform})"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
