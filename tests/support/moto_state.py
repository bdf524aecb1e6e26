"""moto's whole state, to be kept and brought back: quicker than the calls that made it."""

import copyreg
from copy import deepcopy
from threading import Condition, RLock
from typing import Any, TypeVar
from unittest import mock
from weakref import WeakValueDictionary

from moto.core.base_backend import BackendDict

T = TypeVar("T")

# A copy of a queue has a lock of its own.
copyreg.pickle(type(RLock()), lambda _: (RLock, ()))
copyreg.pickle(Condition, lambda condition: (Condition, (vars(condition)["_lock"],)))


class MotoState:
    """What every service holds when this is made."""

    def __init__(self) -> None:
        self._services: list[BackendDict[Any]] = list(_services())
        self._accounts = _copy([dict(service) for service in self._services])

    def bring_back(self) -> None:
        """Let moto, which has just been reset, hold the same again."""
        for service, accounts in zip(self._services, _copy(self._accounts), strict=True):
            service.update(accounts)
        _services()[:] = self._services


def _services() -> list[BackendDict[Any]]:
    """Return moto's own list of what it has to reset."""
    services: list[BackendDict[Any]] = vars(BackendDict)["_instances"]
    return services


def _copy(value: T) -> T:
    """Copy deeply, also what is held weakly: functions by their ARNs."""

    def copy_held(held: "WeakValueDictionary[str, object]", memo: dict[int, Any]) -> object:
        return WeakValueDictionary({key: deepcopy(each, memo) for key, each in held.items()})

    with mock.patch.object(WeakValueDictionary, "__deepcopy__", copy_held):
        return deepcopy(value)
