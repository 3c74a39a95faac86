"""What training needs in addition: extras, imported where they are used and nowhere else."""

from importlib.util import find_spec

from pipeline.errors import UsageError

_SMALL = ("numpy", "gguf")
_LARGE = (*_SMALL, "torch", "transformers", "peft", "trl", "safetensors")


def require_small() -> None:
    """Raises UsageError where what the embedded trainer needs is not installed."""
    _require(_SMALL, "local-train", "make setup-train")


def require_large() -> None:
    """Raises UsageError where what the trainer `trl` needs is not installed."""
    _require(_LARGE, "train", "make setup-trl")


def _require(packages: tuple[str, ...], extra: str, target: str) -> None:
    if missing := [name for name in packages if find_spec(name) is None]:
        raise UsageError(f"{', '.join(missing)}: not installed; next: `{target}`, or `pip install 'distillery[{extra}]'`")
