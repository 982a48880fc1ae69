"""The small changes that a file of code allows, and the import of a file with one of them made.

Law: the files stay as they are. Types, texts and named constants are not changed: type checkers read the first, tests
of other folders the second, and the third are figures that somebody chose.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import subprocess
from collections.abc import Iterator, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
CALLS = {"min": "max", "max": "min", "any": "all", "all": "any"}


class Place(NamedTuple):
    """Where a change is made."""

    # The function around it, by its qualified name; the module or class at whose import it runs has a name without one.
    function: str
    # The line of the outermost function around it; 0 where it runs at the import of its module.
    outermost: int
    # The lines of its statement, without those of the statements in it.
    first: int
    last: int


class Mutant(NamedTuple):
    """One change: where it is, and the code before and after it."""

    file: Path
    number: int
    line: int
    before: str
    after: str
    place: Place

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.before}  ->  {self.after}"


def replacements(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand in the place of a node."""
    match node:
        case ast.Compare(ops=[operation]):
            for other in COMPARISONS[type(operation)]:
                yield ast.Compare(node.left, [other()], node.comparators)
        case ast.BoolOp(op, values):
            yield ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
        case ast.UnaryOp(ast.Not(), operand):
            yield operand
        case ast.BinOp(left, operation, right) if type(operation) in OPERATORS:
            yield ast.BinOp(left, OPERATORS[type(operation)](), right)
        case ast.Constant(bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(int() | float() as value):
            yield from (ast.Constant(value + 1), ast.Constant(value - 1))
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield ast.Return(ast.Constant(None))
        case ast.If(ast.Name() | ast.Attribute() | ast.Call() | ast.BoolOp() | ast.NamedExpr() as test, body, orelse):
            yield ast.If(ast.UnaryOp(ast.Not(), test), body, orelse)
        case ast.Expr(value=ast.Call()) | ast.AugAssign():
            yield ast.Pass()
        case ast.Break():
            yield ast.Continue()
        case ast.Continue():
            yield ast.Break()
        case ast.Call(ast.Name(name), args, keywords) if name in CALLS:
            yield ast.Call(ast.Name(CALLS[name], ast.Load()), args, keywords)


class Changer(ast.NodeTransformer):
    """Makes the change that is wanted; without one, lists those that a file allows, in the order of its lines."""

    def __init__(self, file: Path, wanted: int | None = None) -> None:
        self.file, self.wanted = file, wanted
        self.counted = 0
        self.place = Place("", 0, 0, 0)
        self.mutants: list[Mutant] = []

    def visit(self, node: ast.AST) -> ast.AST:
        around = self.place
        self.place = within(around, node)
        try:
            for other in replacements(node):
                number = self.counted
                self.counted += 1
                if self.wanted is None:
                    line = getattr(node, "lineno", 0)
                    self.mutants.append(Mutant(self.file, number, line, head(node), head(other), self.place))
                elif number == self.wanted:
                    return ast.copy_location(other, node)
            return self.generic_visit(node)
        finally:
            self.place = around

    def visit_body(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        """What runs when it is called, or at the import of a class."""
        around = self.place
        name = f"{around.function}.{node.name}".lstrip(".")
        is_class = isinstance(node, ast.ClassDef)
        self.place = around._replace(function=name, outermost=around.outermost or (0 if is_class else node.lineno))
        node.body = [self.visit(statement) for statement in node.body]
        self.place = around

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Types and the options of a class are for type checkers; a constant is a figure that somebody chose."""
        match node:
            case ast.Assign(targets=[ast.Name(name) | ast.Tuple([ast.Name(name), *_])]) if name.isupper():
                pass
            case ast.AnnAssign(value=ast.expr() as value) if ast.unparse(node.annotation) != "TypeAlias":
                node.value = self.visit(value)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                node.returns = None
                body, node.body = node.body, []
                super().generic_visit(node)
                node.body = body
                self.visit_body(node)
            case ast.ClassDef():
                self.visit_body(node)
            case ast.arg() | ast.AnnAssign():
                pass
            case _:
                super().generic_visit(node)
        return node


def within(around: Place, node: ast.AST) -> Place:
    """The place of what is directly in a statement, case or handler; what is in an expression stays where it was."""
    if not isinstance(node, (ast.stmt, ast.match_case, ast.ExceptHandler)):
        return around
    first = node.pattern.lineno if isinstance(node, ast.match_case) else node.lineno
    inside = getattr(node, "body", None) or getattr(node, "cases", None)
    if not inside:
        return around._replace(first=first, last=node.end_lineno)  # type: ignore[union-attr]
    begun = inside[0].pattern.lineno if isinstance(inside[0], ast.match_case) else inside[0].lineno
    return around._replace(first=first, last=max(first, begun - 1))


def head(node: ast.AST) -> str:
    """The first line of a node's code."""
    return ast.unparse(ast.fix_missing_locations(node)).partition("\n")[0]


@functools.cache
def code_of(file: Path) -> str:
    """What a file holds when it is first asked for: who edits it while its changes are tried alters none of them."""
    return file.read_text(encoding="utf-8")


def changed(file: Path, wanted: int) -> ast.Module:
    """The code of a file with that change made."""
    tree = Changer(file, wanted).visit(ast.parse(code_of(file)))
    assert isinstance(tree, ast.Module)
    return ast.fix_missing_locations(tree)


class ChangedModule(MetaPathFinder, Loader):
    """Imports the changed code under the name of its file."""

    def __init__(self, mutant: Mutant) -> None:
        parts = mutant.file.with_suffix("").parts
        self.name = ".".join(parts).removesuffix(".__init__")
        self.path = str(mutant.file.resolve())
        self.code = compile(changed(mutant.file, mutant.number), self.path, "exec")

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(fullname, self.path, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        exec(self.code, module.__dict__)


def mutants_of(sources: Sequence[str]) -> list[Mutant]:
    files = [path for source in sources for path in (sorted(Path(source).rglob("*.py")) or [Path(source)])]
    return [mutant for file in files for mutant in mutants_in(file)]


def mutants_in(file: Path) -> list[Mutant]:
    changer = Changer(file)
    changer.visit(ast.parse(code_of(file)))
    return changer.mutants


def newer(mutants: Sequence[Mutant], commit: str) -> list[Mutant]:
    """Those in functions, and in statements outside of any, that their file did not hold at that commit."""
    subprocess.run(["git", "rev-parse", "--quiet", "--verify", f"{commit}^{{commit}}"], check=True, capture_output=True)
    return [mutant for mutant in mutants if _is_newer(mutant, _code_at(commit, mutant.file))]


def _is_newer(mutant: Mutant, before: str) -> bool:
    code, place = code_of(mutant.file), mutant.place
    if place.outermost:
        return _functions(code)[place.outermost] not in _functions(before).values()
    return "\n".join(code.splitlines()[place.first - 1 : place.last]) not in before


@functools.cache
def _functions(code: str) -> dict[int, str]:
    """The code of each outermost function by its line; who moves it or writes it in other lines does not change it."""
    found: dict[int, str] = {}
    stack: list[ast.AST] = [ast.parse(code)]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found[node.lineno] = ast.unparse(node)
        else:
            stack += ast.iter_child_nodes(node)
    return found


@functools.cache
def _code_at(commit: str, file: Path) -> str:
    """Nothing where the file was not there."""
    show = ["git", "show", f"{commit}:./{file}"]
    return subprocess.run(show, capture_output=True, text=True, check=False).stdout
