"""A fact of a value that is found when it is first asked for, and kept in the value.

Law: what is kept is a function of a value that does not change. Two threads that ask at once may both find it: no lock
is taken, which costs more than most of these facts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["kept"]

if TYPE_CHECKING:
    # To whoever reads types it is one: of a descriptor they do not ask what it gives.
    from builtins import property as kept
else:

    class kept:  # noqa: N801
        """A method without arguments, as an attribute."""

        def __init__(self, find: Any) -> None:
            self._find, self.__doc__ = find, find.__doc__

        def __set_name__(self, owner: type, name: str) -> None:
            self._name = name

        def __get__(self, holder: Any, owner: type | None = None) -> Any:
            found = self._find(holder)
            vars(holder)[self._name] = found
            return found
