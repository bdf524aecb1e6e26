"""moto's whole state, to be kept and brought back: quicker than the calls that made it."""

import copyreg
from copy import deepcopy
from threading import Condition, RLock
from typing import Any

from moto.core.base_backend import BackendDict

# A copy of a queue has a lock of its own.
copyreg.pickle(type(RLock()), lambda _: (RLock, ()))
copyreg.pickle(Condition, lambda condition: (Condition, (vars(condition)["_lock"],)))


class MotoState:
    """What every service holds when this is made."""

    def __init__(self) -> None:
        self._services: list[BackendDict[Any]] = list(_services())
        self._accounts = deepcopy([dict(service) for service in self._services])

    def bring_back(self) -> None:
        """Let moto, which has just been reset, hold the same again."""
        for service, accounts in zip(self._services, deepcopy(self._accounts), strict=True):
            service.update(accounts)
        _services()[:] = self._services


def _services() -> list[BackendDict[Any]]:
    """Return moto's own list of what it has to reset."""
    services: list[BackendDict[Any]] = vars(BackendDict)["_instances"]
    return services
