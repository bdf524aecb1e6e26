"""Bytecode for what is deployed, so that a cold start need not compile it: a fifth of INIT.

Lambda unpacks a package onto a read-only disk, where Python can keep no bytecode of its own. What
Chalice finds in `vendor/` it packs beside the dependencies, so there it is written, by the Python
that runs Chalice: Chalice deploys to a runtime of the same version. Each file carries the hash of
its source; where the two do not fit, Python passes the bytecode over ("Cached bytecode
invalidation", The Python Language Reference).

The app's own is left out: the package would grow beyond a megabyte.
"""

import importlib.util
import py_compile
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

VENDOR: Final = Path("vendor")

_DEPENDENCIES: Final = ("idna", "requests", "urllib3")
_RUNTIME: Final = ("chalice", "chalice.app")  # all that Chalice packs of itself


def write_bytecode(vendor: Path = VENDOR) -> None:
    """Write the bytecode of what the app has imported, and clear away what Chalice would pack else.

    Call it once the app's modules are imported, before Chalice packs.
    """
    sys.dont_write_bytecode = True
    for folder in (Path("chalicelib"), vendor):
        for cache in list(folder.rglob("__pycache__")):
            shutil.rmtree(cache)
    for source, packed in _sources():
        py_compile.compile(
            str(source),
            str(vendor / importlib.util.cache_from_source(packed)),
            dfile=str(packed),
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH,
        )


def _sources() -> Iterator[tuple[Path, Path]]:
    """Return each source file, and where it will be in the package."""
    for module in list(sys.modules.values()):
        spec = getattr(module, "__spec__", None)
        if not spec:
            continue
        if spec.name in _RUNTIME or spec.name.partition(".")[0] in _DEPENDENCIES:
            source = Path(spec.origin)
            depth = spec.name.count(".") + (spec.submodule_search_locations is not None)
            yield source, source.relative_to(source.parents[depth])
