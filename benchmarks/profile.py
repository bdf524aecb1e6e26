"""Shows where the processor time of INIT goes: `make profile`.

    python -m benchmarks.profile [--rounds 11]

Takes INIT apart, ours and the lean variant's, and writes `benchmarks/results/profile.md`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from statistics import median

from benchmarks.harness import Harness, row, write_result
from benchmarks.variant import LEAN, OURS, Variant, deploy_signin_monitor, make_lean, variant_of

ROUNDS = 11

# What INIT does, step by step; each step's code runs after that of the steps before.
_BEFORE = {
    "Python itself": "",
    "AWS's runtime client": "import awslambdaric.bootstrap",
}
_LEAN = {
    "importing boto3, with botocore": "import boto3",
    "the KMS client": "kms = boto3.client('kms')",
    "decrypting": """
import base64, os
kms.decrypt(CiphertextBlob=base64.b64decode(os.environ["WEBHOOK_URL_ENCRYPTED"]))
""",
}
_OURS = {
    "importing requests, with urllib3": "import requests",
    "importing botocore's signer": "import botocore.auth",
    "importing Chalice's runtime": "import chalice.app",
    "importing our own modules": """
import chalicelib.notifier, os
from chalicelib import http
from chalicelib.aws.json_protocol import JSONClient
from chalicelib.delivery import channel, webhook
from chalicelib.settings import Settings, stage_variables
""",
    "reading the settings": "stage = Settings.from_environment(dict(stage_variables(os.environ)))",
    "the TLS context": "http.tls_context(os.environ['AWS_CA_BUNDLE'])",
    "decrypting": """
kms = JSONClient("kms", stage.sign_in_region)
main = webhook.WebhookLookup(kms, stage).webhook(webhook.MAIN)
""",
    "connecting": "channel.Slack(main, stage).connect()",
}
_READING = "import time\nreadings = []\n"
_READ = "\nreadings.append(time.process_time())\n"


def main() -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, Harness(Path(scratch)) as harness:
        ours = variant_of(deploy_signin_monitor(harness, Path(scratch)), harness)
        lean = make_lean(harness)
        of_ours, of_lean = [], []
        for _ in range(chosen.rounds):
            of_ours.append(_profile(ours, _BEFORE | _OURS))
            of_lean.append(_profile(lean, _BEFORE | _LEAN))
    write_result("profile.md", _table(_medians(of_ours), _medians(of_lean)))


def _profile(variant: Variant, steps: Mapping[str, str]) -> dict[str, float]:
    """Run the steps in a process of their own; return the milliseconds of each."""
    script = _READING + "".join(code + _READ for code in steps.values())
    run = subprocess.run(
        [sys.executable, "-c", f"{script}\nprint(readings)"],
        cwd=variant.package,
        env={**variant.environment, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        check=True,
    )
    readings = json.loads(run.stdout)
    taken = [1000 * (after - before) for before, after in pairwise([0, *readings])]
    return dict(zip(steps, taken, strict=True))


def _medians(profiles: list[dict[str, float]]) -> dict[str, float]:
    return {step: median(profile[step] for profile in profiles) for step in profiles[0]}


def _table(ours: dict[str, float], lean: dict[str, float]) -> str:
    lines = [row(("step of INIT, processor time (ms)", OURS, LEAN)), row(("---", "---:", "---:"))]
    lines += [
        row((step, *(f"{of[step]:.0f}" if step in of else "" for of in (ours, lean))))
        for step in dict.fromkeys([*_BEFORE, *_OURS, *_LEAN])
    ]
    sums = (f"{sum(of.values()):.0f}" for of in (ours, lean))
    return "\n".join(
        (*lines, row(("**together**", *sums)), "", "`make profile` makes this table.", "")
    )


if __name__ == "__main__":
    main()
