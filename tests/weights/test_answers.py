"""The code in an answer."""

import pytest

from pipeline.weights.answers import code_of, leaves_lazy

ADD = "def add(a, b):\n    return a + b\n"


@pytest.mark.parametrize(
    "answer",
    [
        ADD,
        f"```python\n{ADD}```",
        f"```\n{ADD}```",
        f"Sure!\n\n```py\n{ADD}```\nIt adds.",
        f"```python\n{ADD}",
        f"```bash\npip install x\n```\n```python\n{ADD}```\n```python\nprint(add(1, 2))\n```",
        f"```\nadd(1, 2)\n```\n```\n{ADD}```",
        f"Here is the function:\n\n{ADD}\nThis function adds its two arguments.",
        ADD.replace("\n", "\r\n"),
        f"Here:\n{ADD}\nExample: `add(1, 2)` is 3",
        f"  ```python\n{ADD}  ```",
    ],
)
def test_code_is_found(answer: str) -> None:
    assert code_of(answer).strip() == ADD.strip()


def test_all_that_belongs_to_it_is_kept() -> None:
    code = "import math\nfrom typing import List\n\nLIMIT = 3\n\n@cache\ndef f(x):\n    # why\n\n    return x\n\n"
    code += "if True:\n    y = 1\nelse:\n    y = 2\nprint(f(1))\n"
    assert code_of(f"This works.\n{code}\nNote that it is slow.") == code


@pytest.mark.parametrize("answer", ["", "I can't do that.", "The sum of a and b is a + b.", "import is a word"])
def test_prose_is_no_code(answer: str) -> None:
    assert "def" not in code_of(answer)


@pytest.mark.parametrize(
    "code", ["return reversed(x)", "y = map(f, x)\n    return y", "return (a for a in x)", "return [zip(x, x)]", "return ("]
)
def test_what_outlives_its_expression(code: str) -> None:
    assert leaves_lazy(f"def f(x):\n    {code}\n")


@pytest.mark.parametrize(
    "code",
    [
        "return list(map(str, x))",
        "return ''.join(reversed(x))",
        "return sum(a for a in x)",
        "return [a for a in zip(x, x)]",
        "return dict(zip(x, map(str, x)))",
        "return [*reversed(x)]",
        "return 1 in (a for a in x)",
        "return sorted(enumerate(x))",
        "return next(a for a in x)",
        "return x.map",
    ],
)
def test_what_is_used_up_at_once(code: str) -> None:
    assert not leaves_lazy(f"def f(x):\n    {code}\n")
