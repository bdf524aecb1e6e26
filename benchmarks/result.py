"""What the trials of one shape at one memory size say together."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Self

from benchmarks.price import dollars_per_million
from benchmarks.shape import Shape
from benchmarks.spread import Spread
from benchmarks.trial import Trial


@dataclass(frozen=True, kw_only=True)
class Result:
    """Times in milliseconds, memory in MB."""

    shape: Shape
    memory_mb: int
    init_processor: Spread
    cold: Spread
    first: Spread
    kept: Spread
    new: Spread
    processor: Spread
    peak_memory: float
    dollars: float  # per million sign-ins

    @classmethod
    def of(cls, shape: Shape, memory_mb: int, trials: Sequence[Trial]) -> Self:
        """Sum up."""
        new = Spread.of(chain.from_iterable(trial.new for trial in trials))
        return cls(
            shape=shape,
            memory_mb=memory_mb,
            init_processor=Spread.of(trial.init_processor for trial in trials),
            cold=Spread.of(trial.cold for trial in trials),
            first=Spread.of(trial.first for trial in trials),
            kept=Spread.of(chain.from_iterable(trial.kept for trial in trials)),
            new=new,
            processor=Spread.of(chain.from_iterable(trial.processor for trial in trials)),
            peak_memory=max(trial.peak_memory for trial in trials),
            dollars=dollars_per_million(
                memory_mb,
                cold_ms=Spread.of(trial.init + trial.first for trial in trials).median,
                warm_ms=new.median,
                decryptions=shape.decryptions,
            ),
        )
