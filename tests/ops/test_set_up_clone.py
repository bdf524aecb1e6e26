"""A clone whose operator has run `setup` and committed `.chalice` passes the suite as well."""

import json
import os
import subprocess
import sys
from pathlib import Path
from shutil import copytree, ignore_patterns

from ops.project.default_config import default_config
from playground.aws.deployment import PROJECT

SET_UP = {
    "WEBHOOK_URL_ENCRYPTED": "AAAA",
    "UNDELIVERED_QUEUE": "signin-monitor-prod-undelivered",
    "FAILURES": "digest",
    "MESSAGE_LANGUAGE": "ko",
    "SELF_CHECK_SCHEDULE": "rate(1 hour)",
}
POLICIES = "tests/ops/test_policies.py"
CONFIGURATION = (
    "tests/ops/test_config_file.py",
    f"{POLICIES}::test_what_upstream_tracks_of_the_configuration_never_changes",
    f"{POLICIES}::test_handlers_that_shared_a_file_get_one_each",
)


def test_the_tests_of_the_configuration_pass_in_a_set_up_clone(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    skipped = ignore_patterns(".*", "__pycache__", "mutants", "vendor", "golden", "results")
    copytree(PROJECT, clone, ignore=skipped)
    config = default_config()
    config["stages"]["prod"]["environment_variables"] |= SET_UP
    (clone / ".chalice").mkdir()
    (clone / ".chalice" / "config.json").write_text(json.dumps(config))
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
    command += [f"--basetemp={tmp_path / 'base'}"]  # or it clears away what other runs have left
    without_xdist = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COV"))}
    run = subprocess.run(
        [*command, *CONFIGURATION],
        cwd=clone,
        env=without_xdist,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout
