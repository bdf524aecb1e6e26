"""Bytecode for what is deployed, so that a cold start need not compile it: a third of INIT.

Lambda unpacks a package onto a read-only disk, where Python can keep no bytecode of its own. What
Chalice finds in `vendor/` it packs beside the rest, so there it is written, by the Python that runs
Chalice: Chalice deploys to a runtime of the same version. Each file carries the hash of its source;
where the two do not fit, Python passes the bytecode over ("Cached bytecode invalidation", The
Python Language Reference).

Chalice would pack whatever else lies in `vendor/`, even over a dependency's own files. The folder
is git-ignored, so nobody would see it: anything but bytecode is refused.
"""

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Final

from ops.errors import OpsError

VENDOR: Final = Path("vendor")

_APP: Final = Path("chalicelib")
_CACHE: Final = "__pycache__"
_PACKED: Final = frozenset(
    {"app", "certifi", "chalicelib", "charset_normalizer", "idna", "requests", "urllib3"}
)
_RUNTIME: Final = frozenset({"chalice", "chalice.app"})  # all that Chalice packs of itself
# requests and botocore try to import these, in vain: Python compiles them before they fail.
_TRIED: Final = ("urllib3.contrib.pyopenssl", "urllib3.contrib.socks")
# In a Python of its own: only its command line leaves out which columns of a line an instruction
# came from. With that, docstrings and asserts, the package would be a sixth larger.
_COMPILE: Final = """
import json, py_compile, sys
checked = py_compile.PycInvalidationMode.CHECKED_HASH
for names in json.load(sys.stdin):
    py_compile.compile(*names, doraise=True, optimize=2, invalidation_mode=checked)
"""


def write_bytecode(vendor: Path = VENDOR) -> None:
    """Clear `vendor/` and write the bytecode of what the app has imported into it.

    Call it once the app's modules are imported, before Chalice packs. Raises OpsError if `vendor/`
    holds anything else, or chalicelib bytecode without a source.
    """
    sys.dont_write_bytecode = True
    for folder, stray in ((_APP, "*.pyc"), (vendor, "*")):
        for cache in list(folder.rglob(_CACHE)):
            shutil.rmtree(cache)
        if found := next((path for path in folder.rglob(stray) if not path.is_dir()), None):
            raise OpsError(
                f"{found} would be deployed, but only bytecode that the deployment itself writes "
                "may be packed from there. Remove it."
            )
    shutil.rmtree(vendor, ignore_errors=True)
    files = [
        (str(source), str(vendor / importlib.util.cache_from_source(packed)), str(packed))
        for source, packed in _sources()
    ]
    command = [sys.executable, "-I", "-X", "no_debug_ranges", "-c", _COMPILE]
    subprocess.run(command, input=json.dumps(files), text=True, check=True)  # noqa: S603 — our own


def _sources() -> Iterator[tuple[Path, Path]]:
    """Yield each source file, and where it will be in the package."""
    for spec in _specs():
        source = Path(str(spec.origin))
        depth = spec.name.count(".") + (spec.submodule_search_locations is not None)
        yield source, source.relative_to(source.parents[depth])


def _specs() -> Iterator[ModuleSpec]:
    imported = [getattr(module, "__spec__", None) for module in list(sys.modules.values())]
    for spec in (*imported, *map(importlib.util.find_spec, _TRIED)):
        if spec and (spec.name in _RUNTIME or spec.name.partition(".")[0] in _PACKED):
            yield spec
