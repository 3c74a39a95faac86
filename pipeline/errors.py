"""What can go wrong, by what the user can do about it. Every message says what, where, and what to do next."""


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


class LockedError(WarehouseError):
    """Another run holds the warehouse."""


class ModelError(DistillError):
    """A file below sql/ is not what it should be."""


class GateError(DistillError):
    """A gate or a check failed; nothing was published."""

    exit_code = 1
