"""Imports point one way: no module reaches itself again, and packages only import those below them."""

from __future__ import annotations

import ast
import functools
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import pytest

from tests.places import REPOSITORY

NAMESPACE = "scaleflow"

LAYERS = (
    ("cli",),
    ("evaluation", "training"),
    ("roi", "adversarial", "efficient_nets"),
    ("codec",),
    ("entropy",),
)
"""From the top down. Packages of one layer do not import each other; shared ground in ``scaleflow`` itself lies below
all of them and imports none."""

FACE = (NAMESPACE, f"{NAMESPACE}.__main__", f"{NAMESPACE}.files")
"""What users start from: stands above all packages, and none of them imports it."""

NAMED_ROOMS = ("efficient_nets", "training", "evaluation")
"""Packages whose sub-packages do not import each other in circles either."""

KNOWN_ARROWS: frozenset[tuple[str, str]] = frozenset()
"""Imports (module, module) against the layers that are still to be mended. The list may only shrink: an entry that is
no longer needed fails."""

KNOWN_CIRCLES: frozenset[frozenset[str]] = frozenset()
"""Modules that still import each other in a circle; the same holds."""

Graph = Mapping[str, Collection[str]]


def modules_of_the_project() -> dict[str, Path]:
    """Files by the name that they are imported by."""
    folders = [REPOSITORY / package for layer in LAYERS for package in layer]
    files = [path for folder in folders for path in folder.rglob("*.py")]
    found = {}
    for path in files:
        parts = [NAMESPACE, *path.relative_to(REPOSITORY).with_suffix("").parts]
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    for path in (REPOSITORY / "src" / NAMESPACE).glob("*.py"):
        found[NAMESPACE if path.stem == "__init__" else f"{NAMESPACE}.{path.stem}"] = path
    return found


def imported_at_the_top(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Statements that run when the module is imported, and those for type checkers; not those inside functions."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from imported_at_the_top(node)


def imported_anywhere(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """All import statements, those inside functions as well."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom))


def targets(node: ast.Import | ast.ImportFrom, module: str, is_package: bool, known: Collection[str]) -> set[str]:
    """Modules of the project that a statement in ``module`` imports."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names if alias.name in known}
    place = node.module or ""
    if node.level:
        parts = module.split(".")
        base = parts[: len(parts) - node.level + is_package]
        place = ".".join([*base, *([place] if place else [])])
    found = {f"{place}.{alias.name}" for alias in node.names} & set(known)
    # A name that is no module is the package's own.
    return found | ({place} & set(known) if len(found) < len(node.names) else set())


@functools.cache
def import_graph(*, everything: bool = False) -> dict[str, set[str]]:
    """What each module imports at its top, or (``everything``) anywhere."""
    files = modules_of_the_project()
    statements = imported_anywhere if everything else imported_at_the_top
    graph: dict[str, set[str]] = {}
    for module, path in files.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        is_package = path.name == "__init__.py"
        graph[module] = {target for node in statements(tree) for target in targets(node, module, is_package, files)}
        graph[module].discard(module)
    return graph


def circles(graph: Graph) -> set[frozenset[str]]:
    """Groups of nodes that reach each other."""
    reach: dict[str, set[str]] = {}
    for start in graph:
        seen: set[str] = set()
        waiting = list(graph[start])
        while waiting:
            node = waiting.pop()
            if node not in seen:
                seen.add(node)
                waiting += graph[node]
        reach[start] = seen
    return {frozenset(other for other in reach[node] if node in reach[other]) for node in graph if node in reach[node]}


def package_of(module: str) -> str | None:
    """Its package below the namespace; None of shared ground."""
    parts = module.split(".")
    packages = {package for layer in LAYERS for package in layer}
    return parts[1] if len(parts) > 1 and parts[1] in packages else None


def against_the_layers(graph: Graph) -> set[tuple[str, str]]:
    """Imports from a package into one that is not below it."""
    height = {package: len(LAYERS) - number for number, layer in enumerate(LAYERS) for package in layer}
    found: set[tuple[str, str]] = set()
    for module, imported in graph.items():
        if module in FACE:
            continue
        package = package_of(module)
        found |= {(module, target) for target in imported if target in FACE}
        for target in imported:
            other = package_of(target)
            if other is not None and other != package and (package is None or height[other] >= height[package]):
                found.add((module, target))
    return found


def rooms(graph: Graph, package: str) -> dict[str, set[str]]:
    """Which sub-packages (and modules right in the package) import which others."""

    def room(module: str) -> str | None:
        parts = module.split(".")
        return ".".join(parts[:3]) if len(parts) > 2 and parts[1] == package else None

    found: dict[str, set[str]] = {}
    for module, imported in graph.items():
        own = room(module)
        if own is not None:
            others = {other for other in map(room, imported) if other is not None and other != own}
            found.setdefault(own, set()).update(others)
    return found


def with_packages(graph: Graph) -> dict[str, set[str]]:
    """The same, and what Python runs before a module: the ``__init__`` of its packages, for all that lie elsewhere."""

    def around(target: str, module: str) -> set[str]:
        parts = target.split(".")
        packages = {".".join(parts[:end]) for end in range(2, len(parts))}
        return {package for package in packages & set(graph) if not f"{module}.".startswith(f"{package}.")}

    return {
        module: imported.union(*(around(target, module) for target in imported)) for module, imported in graph.items()
    }


def test_no_module_imports_itself_again() -> None:
    found = circles(with_packages(import_graph()))
    assert sorted(map(sorted, found - KNOWN_CIRCLES)) == []
    assert sorted(map(sorted, KNOWN_CIRCLES - found)) == [], "mended: take these off KNOWN_CIRCLES"


def test_packages_import_those_below_them_only() -> None:
    """Wherever the import stands: inside functions too."""
    found = against_the_layers(import_graph(everything=True))
    assert sorted(found - KNOWN_ARROWS) == []
    assert sorted(KNOWN_ARROWS - found) == [], "mended: take these off KNOWN_ARROWS"


@pytest.mark.parametrize("package", NAMED_ROOMS)
def test_rooms_import_each_other_one_way(package: str) -> None:
    assert sorted(map(sorted, circles(rooms(import_graph(), package)))) == []


def test_the_three_kinds_of_training_know_nothing_of_each_other() -> None:
    kinds = {f"{NAMESPACE}.training.{kind}" for kind in ("codec", "networks", "restoration")}
    imported = rooms(import_graph(everything=True), "training")
    for kind in kinds:
        assert imported[kind] & kinds == set(), kind
    for shared in (f"{NAMESPACE}.training.{room}" for room in ("loop", "data")):
        assert imported[shared] & kinds == set(), shared


def test_circles_and_wrong_arrows_are_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == {frozenset("bc")}
    through_a_package: Graph = {
        "s.a": {"s.a.x"},
        "s.a.x": {"s.b.y"},
        "s.b": {"s.b.z"},
        "s.b.y": set(),
        "s.b.z": {"s.a.x"},
    }
    assert circles(with_packages(through_a_package)) == {frozenset(("s.a", "s.a.x", "s.b", "s.b.z"))}
    below, above = "scaleflow.entropy.tables", "scaleflow.codec.model"
    assert against_the_layers({below: {above}, above: {below}}) == {(below, above)}
    assert against_the_layers({below: {"scaleflow"}, "scaleflow": {above}}) == {(below, "scaleflow")}
    assert against_the_layers({"scaleflow.errors": {below}}) == {("scaleflow.errors", below)}
    beside = ("scaleflow.evaluation.sweep", "scaleflow.training.run")
    assert against_the_layers({beside[0]: {beside[1]}}) == {beside}


def test_statements_are_resolved() -> None:
    known = {"scaleflow.codec", "scaleflow.codec.a", "scaleflow.codec.b"}
    tree = ast.parse(
        "from __future__ import annotations\nif TYPE_CHECKING:\n    from scaleflow.codec import a\n"
        "try:\n    from .b import name\nexcept ImportError:\n    pass\ndef later():\n    import scaleflow.codec\n"
    )

    def found(statements: Iterator[ast.Import | ast.ImportFrom]) -> set[str]:
        return {target for node in statements for target in targets(node, "scaleflow.codec.c", False, known)}

    assert found(imported_at_the_top(tree)) == {"scaleflow.codec.a", "scaleflow.codec.b"}
    assert found(imported_anywhere(tree)) == known
