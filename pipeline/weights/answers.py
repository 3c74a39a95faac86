"""The Python in what a model answered: out of a fence, or out of the prose around it."""

import ast
import re
from itertools import takewhile

_FENCE = re.compile(r"^[ \t]*```[ \t]*(\w*)[^\n]*\n(.*?)(?:^[ \t]*```|\Z)", re.MULTILINE | re.DOTALL)
_PYTHON = frozenset({"", "python", "python3", "py"})
_BEGINS = re.compile(r"(?:async )?def |class |import |from \w+ import |@\w|\w+ = lambda")
_CONTINUES = re.compile(
    r"\s|#|[)\]}]|(?:async )?def |class |import |from \w+ import |@\w|(?:if|elif|for|while|with|assert|return|print)\b.*"
    r"|(?:else|try|finally|except\b.*):|[\w.\[\]'\", ]+ ?[-+*/]?= ?\S|\w+\(.*\)\s*$"
)
# Python evaluates these when somebody asks for their items; the sandbox makes lists of them at once.
_LAZY = frozenset({"map", "filter", "zip", "reversed", "enumerate"})
_TAKES_ALL = frozenset(
    {"list", "tuple", "set", "frozenset", "dict", "sum", "sorted", "min", "max", "any", "all", "join"}
    | {"extend", "update", "Counter", "reduce", "next", "print"}
)


def code_of(answer: str) -> str:
    """Returns the Python of an answer: the first fenced block that defines something, else the lines that look like code.

    >>> code_of("Sure:\\n```python\\ndef add(a, b):\\n    return a + b\\n```\\nThat adds.")
    'def add(a, b):\\n    return a + b\\n'
    """
    answer = answer.replace("\r\n", "\n")
    blocks = [found[2] for found in _FENCE.finditer(answer) if found[1].lower() in _PYTHON]
    if blocks:
        return next((block for block in blocks if _defines(block)), blocks[0])
    lines = answer.split("\n")
    start = next((number for number, line in enumerate(lines) if _BEGINS.match(line)), None)
    if start is None:
        return ""
    kept = takewhile(lambda line: not line.strip() or _CONTINUES.match(line), lines[start:])
    return "\n".join(kept).rstrip() + "\n"


def _defines(block: str) -> bool:
    return any(_BEGINS.match(line) for line in block.split("\n"))


def leaves_lazy(code: str) -> bool:
    """True where a `map`, a generator or the like may outlive the expression that it stands in, or the code can't be read.

    There the sandbox has a list where Python has none, so it can't tell whether the answer is right.
    """
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True
    used = {id(inner) for node in ast.walk(tree) for inner in _used_up(node)}
    return any(_is_lazy(node) and id(node) not in used for node in ast.walk(tree))


def _is_lazy(node: ast.AST) -> bool:
    return isinstance(node, ast.GeneratorExp) or (isinstance(node, ast.Call) and _name(node.func) in _LAZY)


def _used_up(node: ast.AST) -> list[ast.AST]:
    """Returns the expressions whose items are all taken where they stand; what one lazy thing takes goes with it."""
    if isinstance(node, ast.Call) and _name(node.func) in _TAKES_ALL | _LAZY:
        return list(node.args)
    if isinstance(node, ast.For | ast.comprehension):
        return [node.iter]
    if isinstance(node, ast.Assign) and all(isinstance(target, ast.Tuple | ast.List) for target in node.targets):
        return [node.value]
    if isinstance(node, ast.Compare) and all(isinstance(sign, ast.In | ast.NotIn) for sign in node.ops):
        return list(node.comparators)
    return [node.value] if isinstance(node, ast.Starred) else []


def _name(node: ast.expr) -> str | None:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else None
