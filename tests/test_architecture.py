"""What linters cannot check: the shape of the source itself."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "sseproxy"
MODULES = sorted(PACKAGE.rglob("*.py"))
MOST_LINES_OF_A_MODULE = 400
MOST_LINES_OF_A_FUNCTION = 50
# Dialects are told apart in `dialect`; a signature says by its scheme whose it is; the embedded store is a server of
# its own that speaks both protocols and shares nothing with the proxy but signatures.
MAY_COMPARE_DIALECTS = {"dialect", "signing", "store"}
DIALECT_NAMES = {"s3", "oss"}
DIALECT_VALUES = {"S3", "OSS"}

every_module = pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _names_a_dialect(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and node.value in DIALECT_NAMES
    if isinstance(node, ast.Name):
        return node.id in DIALECT_VALUES
    if isinstance(node, ast.Attribute):
        return node.attr == "name" and ast.unparse(node.value).endswith("dialect")
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return any(_names_a_dialect(inner) for inner in node.elts)
    return False


def comparisons_with_a_dialect(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and any(map(_names_a_dialect, (node.left, *node.comparators))):
            yield node.lineno
        elif isinstance(node, ast.MatchValue) and _names_a_dialect(node.value):
            yield node.value.lineno
        elif isinstance(node, ast.Match) and _names_a_dialect(node.subject):
            yield node.lineno


@every_module
def test_every_module_says_what_it_is_for(path: Path) -> None:
    source = path.read_text(encoding="utf-8")

    assert not source.strip() or ast.get_docstring(ast.parse(source))


@every_module
def test_no_module_is_longer_than_400_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES_OF_A_MODULE


@every_module
def test_no_function_is_longer_than_50_lines(path: Path) -> None:
    long = [
        f"{node.name}, line {node.lineno}"
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno >= MOST_LINES_OF_A_FUNCTION
    ]

    assert long == []


@every_module
def test_nothing_outside_the_dialects_asks_which_one_it_serves(path: Path) -> None:
    if path.relative_to(PACKAGE).parts[0] in MAY_COMPARE_DIALECTS:
        return

    assert list(comparisons_with_a_dialect(_tree(path))) == []


@pytest.mark.parametrize(
    "source",
    [
        "dialect is OSS",
        "services.dialect.name == 's3'",
        "request.dialect.name != other",
        "settings.upstream.dialect == 'oss'",
        "name in ('s3', 'oss')",
        "S3 == dialect",
        "match kind:\n    case 's3':\n        pass",
        "match dialect.name:\n    case x:\n        pass",
    ],
)
def test_a_comparison_with_a_dialect_is_found(source: str) -> None:
    assert list(comparisons_with_a_dialect(ast.parse(source)))


@pytest.mark.parametrize("source", ["name == 'other'", "DIALECTS['s3']", "error.name == 'x'", "log(dialect.name)"])
def test_a_dialect_that_is_only_used_is_not_found(source: str) -> None:
    assert list(comparisons_with_a_dialect(ast.parse(source))) == []
