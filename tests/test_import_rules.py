"""Which rooms may import which: LAYOUT of the house, held over its syntax trees."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).parent.parent

# Imports run downwards only: from a floor to those below it, never up and never across.
FLOORS = (
    {"app"},
    {"reports"},
    {"self_check", "mfa_audit"},
    {"notifier"},
    {"decision"},
    {"health"},
    {"delivery"},
    {"messages", "baseline"},
    {"aws"},
    {"signin", "http"},
    {"resource_names"},
    {"settings"},
    {"timeout", "log", "errors"},
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}

# What has a clock, an environment or a network: `signin` and `messages` are pure.
IMPURE = (
    *("boto3", "botocore", "requests", "urllib3", "http", "urllib.request", "socket", "ssl"),
    *("time", "os", "subprocess", "random", "threading", "chalicelib.http", "chalicelib.timeout"),
    *("chalicelib.aws.clients", "chalicelib.aws.json_protocol", "chalicelib.log"),
)
MOST_ENTRIES = {"chalicelib": 18, "ops": 14, "playground": 12}


class Import(NamedTuple):
    """A file of the project, as a path in it, and a module that it imports."""

    file: str
    module: str

    def breaks(self, rule: str) -> str:
        return f"{self.file} imports {self.module}: {rule}"

    def is_of(self, *modules: str) -> bool:
        return any(f"{self.module}.".startswith(f"{module}.") for module in modules)


@cache
def parse(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def trees(*folders: str) -> Iterator[tuple[str, ast.Module]]:
    for folder in folders:
        place = PROJECT / folder
        for file in [place] if place.is_file() else sorted(place.rglob("*.py")):
            name = file.relative_to(PROJECT).as_posix()
            yield name, parse(file)


def imports(*folders: str) -> Iterator[Import]:
    """Return every import, those within functions and for types alone as well."""
    for file, tree in trees(*folders):
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                yield from (Import(file, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                module = node.module or ""
                yield from (Import(file, f"{module}.{alias.name}") for alias in node.names)


def room_of(path: str) -> str:
    """Name the room of a file or a module of chalicelib."""
    parts = path.removesuffix(".py").replace("/", ".").split(".")
    return parts[1] if parts[0] == "chalicelib" and len(parts) > 1 else parts[0]


def test_imports_run_one_way() -> None:
    broken = []
    for imported in imports("app.py", "chalicelib"):
        room, used = room_of(imported.file), room_of(imported.module)
        here, there = FLOOR.get(room), FLOOR.get(used)
        if here is None or there is None or not imported.is_of("chalicelib"):
            continue
        if here >= there and room != used:
            broken.append(imported.breaks(f"{room} is not above {used}"))
    assert broken == []


def test_each_room_has_a_floor() -> None:
    rooms = {room_of(file) for file, _ in trees("chalicelib")}
    assert rooms - {"__init__"} == FLOOR.keys() - {"app"}


def test_signin_and_messages_are_pure() -> None:
    rooms = "chalicelib/signin", "chalicelib/messages"
    broken = [
        imported.breaks("it has no clock, environment or network")
        for imported in imports(*rooms)
        if imported.is_of(*IMPURE)
    ]
    broken += [
        f"{file}:{node.lineno} asks a clock"
        for file, tree in trees(*rooms)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in ("now", "utcnow", "today", "monotonic")
    ]
    assert broken == []


def test_only_the_wiring_imports_chalice_and_only_http_requests() -> None:
    chalice_in = ("app.py", "ops/project/", "playground/local/", "playground/aws/invocation.py")
    broken = []
    for imported in imports("app.py", "chalicelib", "ops", "playground"):
        if imported.is_of("chalice") and not imported.file.startswith(chalice_in):
            broken.append(imported.breaks(f"only {', '.join(chalice_in)} import chalice"))
        is_product = imported.file.startswith(("app", "chalicelib", "ops"))
        if imported.is_of("requests") and is_product and imported.file != "chalicelib/http.py":
            broken.append(imported.breaks("only chalicelib/http.py imports requests"))
    assert broken == []


def test_what_is_deployed_and_the_operators_tools_stand_without_the_rest() -> None:
    broken = [
        imported.breaks(f"{folder} imports nothing of {', '.join(others)}")
        for folder, others in {
            "chalicelib": ("ops", "playground", "tests", "benchmarks"),
            "ops": ("playground", "tests", "benchmarks"),
            "playground": ("tests", "benchmarks"),
            "benchmarks": ("tests",),
        }.items()
        for imported in imports(folder)
        if imported.is_of(*others)
    ]
    assert broken == []


def test_no_module_is_loaded_by_a_name_in_a_string() -> None:
    broken = [
        f"{file}:{node.lineno} loads a module by its name"
        for file, tree in trees("app.py", "chalicelib", "ops", "playground")
        for node in ast.walk(tree)
        if isinstance(node, ast.Name | ast.Attribute | ast.alias)
        and {getattr(node, kind, None) for kind in ("id", "attr", "name")}
        & {"import_module", "__import__"}
    ]
    assert broken == []


def test_no_package_shadows_a_module_of_its_own() -> None:
    broken = []
    for file, tree in trees("chalicelib", "ops", "playground"):
        if not file.endswith("/__init__.py"):
            continue
        modules = {path.stem for path in (PROJECT / file).parent.iterdir()}
        names = {
            alias.asname or alias.name
            for node in tree.body
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        broken += [f"{file} shadows its module {name}" for name in names & modules]
    assert broken == []


def test_no_room_is_crowded() -> None:
    entries = {
        room: sum(entry.name != "__pycache__" for entry in (PROJECT / room).iterdir())
        for room in MOST_ENTRIES
    }
    crowded = {room: count for room, count in entries.items() if count > MOST_ENTRIES[room]}
    assert crowded == {}
