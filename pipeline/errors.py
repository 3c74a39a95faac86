"""What can go wrong, by what the user can do about it. Every message says what, where, and what to do next."""

from pipeline.advice import try_again, way_out

NOT_NEEDED = "next: put it back from a copy; all else is read and written without it"
NO_MEMORY = (
    "memory ran out; next: give the same command with `--threads 1` or a smaller `--max-line`, "
    "or where the machine has more memory"
)
_SURROUNDINGS = (
    *("No space left", "Disk quota exceeded", "File too large", "Read-only file system", "Permission denied"),
    *("Operation not permitted", "Too many open files"),
)


def explained(said: object) -> str:
    """Returns the gist of what a library said, and what to do next: damage is one thing, a full disk another."""
    # All but the first line may be SQL of ours or the stack of native code, which helps nobody, or hold the cause.
    lines = str(said).splitlines() or [type(said).__name__]
    cause = [line.strip() for line in lines[1:] if is_of_surroundings(line)]
    gist = ": ".join(line[:300] for line in (lines[0], *cause[:1]))
    return f"{gist}; {try_again() if is_of_surroundings(said) else way_out()}"


def is_of_surroundings(said: object) -> bool:
    """True where an error tells of the machine around the warehouse, not of a damaged file."""
    return any(sign in str(said) for sign in _SURROUNDINGS)


class DistillError(Exception):
    """The root of all errors that are shown to a user; `exit_code` is what the command ends with."""

    exit_code = 3


class UsageError(DistillError):
    """The command was called in a way that makes no sense."""

    exit_code = 2


class InputError(DistillError):
    """The input can't be read: a missing folder, a file that shrank or was rewritten."""


class WarehouseError(DistillError):
    """The warehouse can't be read or written."""


class DamageError(WarehouseError):
    """A file of the warehouse is not whole."""


class ForeignError(DamageError):
    """A file can't be read that a query names, while all files of the warehouse behind it can."""


class LockedError(WarehouseError):
    """Another run holds the warehouse."""


class ModelError(DistillError):
    """A file below sql/ is not what it should be."""


class ServerError(DistillError):
    """A server with a model can't be reached, or can't do what it is asked."""


class TrainingError(DistillError):
    """An adapter could not be trained, or a model could not be measured."""


class GateError(DistillError):
    """A gate or a check failed; nothing was published."""

    exit_code = 1
