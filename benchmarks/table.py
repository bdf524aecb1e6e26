"""The results as a Markdown page, with what there is to know to read them."""

import os
import platform
import ssl
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

from benchmarks.bars import bars
from benchmarks.harness import row
from benchmarks.price import COLD_SHARE
from benchmarks.quota import FULL_PROCESSOR_MB, Quota
from benchmarks.result import Result
from benchmarks.sample import WARM_CALLS
from benchmarks.variant import OURS

_HEADS: Final = (
    "memory size (MB)",
    "variant",
    "cold start until posted (ms)",
    "… processor time of its INIT (ms)",
    "… its handler (ms)",
    "warm, same connection (ms)",
    "warm, new connection (ms)",
    "warm, processor time (ms)",
    "peak memory (MB)",
    "package (kB)",
    "a million sign-ins ($)",
)

_NOTES: Final = """\
`make bench` makes this page. Medians, with quartiles in brackets, of {rounds} cold starts and
{warm} warm sign-ins each, taken in turns, so that noise hits all alike.

* **signin-monitor** is the deployed package, **… with a baseline** the same with a table: each
  sign-in is familiar and one `UpdateItem`. **The article's** makes a KMS client, decrypts and
  opens a connection for each sign-in. **Lean, as published** is boto3 and the standard library,
  decrypted once at import, as in AWS's own blueprint. **Lean, tuned** also makes its TLS context at
  import and lets urllib3 keep the connection. **The floor** posts over a connection opened at
  import, without KMS or boto3. Their code is in `benchmarks/variants`.
* A cold start is measured from the start of the process to the message at the receiver; the other
  times are the handler's, AWS's runtime client included.
* "New connection": the receiver ends the connection after each answer.
* Each package runs under AWS's own runtime client on {machine}, Python {python}, {openssl},
  boto3 {boto3}. {share}
* AWS and the receiver are on the same machine, both behind TLS, which is checked against a whole CA
  bundle. What the network, AWS and Slack take comes on top, alike for all.
* Dollars: {cold:.0%} cold starts, INIT billed; the rest on a new connection. Requests and KMS are
  included, free tiers are not (us-east-1, x86).
"""
_SHARE: Final = """\
INIT has a full processor; then a cgroup holds the
  process to its share of one, memory size / {full:,} MB, in periods of {period:g} ms."""
_NO_QUOTA: Final = """\
This machine allows no quota: the handler
  had a full processor. At a smaller size it takes at least its processor time, times {full:,} MB,
  divided by the memory size."""


def markdown(results: Sequence[Result], *, rounds: int, quota: Quota | None) -> str:
    """Return the results, how they stand against the bars, and the notes."""
    lines = [row(_HEADS), row(("---:", "---", *["---:"] * (len(_HEADS) - 2)))]
    previous = 0
    for result in results:
        lines.append(row(_cells(result, new_size=result.memory_mb != previous)))
        previous = result.memory_mb
    return "\n".join((*lines, "", *bars(results), "", _notes(rounds, quota)))


def _cells(result: Result, *, new_size: bool) -> Iterable[str]:
    variant = result.variant
    quartiles = result.cold, result.init_processor, result.first
    return (
        f"{result.memory_mb:,}" if new_size else "",
        f"**{variant.title}**" if variant.title == OURS else variant.title,
        *map(str, (*quartiles, result.kept, result.new, result.processor)),
        f"{result.peak_memory:.0f}",
        f"{variant.package_bytes / 1000:,.0f}",
        f"{result.dollars:.2f}",
    )


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
