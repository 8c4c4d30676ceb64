"""Imports go downwards only, so that the code can be read from the top."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.support.checkout import ROOT

# Each part may import those behind it and no other. A new module has to be given its place.
ORDER = [
    *("wsgi", "app", "tasks", "service", "auth", "settings"),
    *("platform.server", "platform.metrics", "platform.web", "platform.parking", "platform.db"),
    *(
        "platform.options",
        "platform.environment",
        "platform.fetch",
        "platform.casts",
        "platform.waiting",
        "platform.logs",
    ),
]


def part_of(file: Path) -> str:
    """A package counts as one part; of the platform, each of its parts."""
    return part_named(".".join(file.relative_to(ROOT / "todo_api").with_suffix("").parts))


def part_named(module: str) -> str:
    first, second, *_ = [*module.split("."), ""]
    return f"{first}.{second}" if first == "platform" else first


def imported(file: Path) -> Iterator[str]:
    """The parts that a file imports, also inside functions and for types alone."""
    package = ["todo_api", *file.relative_to(ROOT / "todo_api").parent.parts] if file.name != "wsgi.py" else []
    for node in ast.walk(ast.parse(file.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            parents = {"todo_api", "todo_api.platform"}
            names = [f"{module}.{alias.name}" for alias in node.names] if module in parents else [module]
        for name in names:
            top, _, rest = name.partition(".")
            if top in {"wsgi", "tests", "migrations"}:
                yield top
            elif top == "todo_api" and rest not in {"", "__version__"}:
                yield part_named(rest)


def test_every_part_imports_only_what_is_below_it() -> None:
    files = [(part_of(file), file) for file in sorted((ROOT / "todo_api").rglob("*.py")) if file.name != "__init__.py"]
    files.append(("wsgi", ROOT / "wsgi.py"))
    assert len({part for part, _ in files}) > 10
    for part, file in files:
        assert part in ORDER, f"{part} has no place in the order: give it one"
        for name in imported(file):
            assert name in ORDER, f"{file.name} imports {name}"
            below = ORDER.index(part) < ORDER.index(name)
            assert name == part or below, f"{part} imports {name}, which is not below it"


def test_the_package_root_holds_its_version_and_nothing_else() -> None:
    docstring, version = ast.parse((ROOT / "todo_api" / "__init__.py").read_text()).body
    assert isinstance(docstring, ast.Expr)
    assert isinstance(version, ast.Assign)
    assert [ast.unparse(target) for target in version.targets] == ["__version__"]
