"""What has to hold before Chalice packs: that Lambda's user can read it all, and bytecode.

Chalice's archive keeps the modes of files, and Lambda does not run the functions as the user that
packed: under a umask of 077 every cold start would end in PermissionError (AWS Knowledge Center,
"How do I resolve permission denied errors when I use Lambda deployment packages").
"""

import os
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import chalice.app

from ops.errors import OpsError
from ops.project.bytecode import VENDOR, write_bytecode
from ops.project.config_file import FOLDER

_UMASK: Final = 0o022
_READABLE: Final = 0o444
_BY_OTHERS: Final = 0o004


def prepare_packing() -> None:
    """Make readable what Chalice packs, write bytecode, and drop archives that cannot be used.

    Call it once app.py is imported. Raises OpsError for a file that stays unreadable.
    """
    os.umask(_UMASK)
    for archive in (FOLDER / "deployments").glob("*.zip"):
        if not _is_usable(archive):
            archive.unlink()
    write_bytecode()
    for source in _packed():
        mode = source.stat().st_mode
        if mode & _READABLE != _READABLE:
            _make_readable(source, stat.S_IMODE(mode))


def _packed() -> Iterator[Path]:
    runtime = Path(chalice.app.__file__)
    yield from (Path("app.py"), runtime, runtime.with_name("__init__.py"))
    for folder in (Path("chalicelib"), VENDOR):
        yield from (path for path in folder.rglob("*") if path.is_file())


def _make_readable(source: Path, mode: int) -> None:
    try:
        source.chmod(mode | _READABLE)
    except OSError:
        raise OpsError(
            f"{source} can be read by its owner alone, so Lambda could not read it. "
            f"As its owner: chmod a+r {source}"
        ) from None


def _is_usable(archive: Path) -> bool:
    """Whether an archive that Chalice would use again is whole and its entries readable."""
    try:
        with zipfile.ZipFile(archive) as content:
            return all(entry.external_attr >> 16 & _BY_OTHERS for entry in content.infolist())
    except (OSError, zipfile.BadZipFile):
        return False
