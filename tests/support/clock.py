"""A clock that only sleeping and the test move."""


class Clock:
    """Called, it says the time; `slept` is how long each sleep was."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
