"""Models with a fault on purpose, wrapped around those that would run otherwise."""

import shutil
from pathlib import Path

from pipeline import models

TABLES = "tables.txt"


def plant(fault: Path, folders: tuple[Path, ...], target: Path) -> Path:
    """Writes a folder of models for `--sql`: a team's own, where it has some, and over them those of `fault`.

    `{model}` in a file of `fault` stands for the model that it takes the place of. The tables that `fault` lists in a file
    are declared anew without their conditions, so that the faulty rows come as far as the gates.
    """
    target.mkdir(parents=True)
    for own in folders[1:]:
        shutil.copytree(own, target, dirs_exist_ok=True)
    library = models.load(folders)
    for path in sorted(fault.rglob("*.sql")):
        wrapped = models.read_model(path, fault)
        _write(target / path.relative_to(fault), wrapped.sql.replace("{model}", f"(\n{library[wrapped.name].sql}\n)"))
    for name in (fault / TABLES).read_text(encoding="utf-8").split() if (fault / TABLES).exists() else ():
        declared = next(path for folder in reversed(folders) if (path := folder / "tables" / f"{name}.sql").exists())
        _write(target / "tables" / declared.name, declared.read_text(encoding="utf-8").replace(" not null", ""))
    return target


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
