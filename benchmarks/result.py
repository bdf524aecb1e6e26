"""What the samples of one variant at one memory size say together."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Self

from benchmarks.price import dollars_per_million
from benchmarks.quartiles import Quartiles
from benchmarks.sample import Sample
from benchmarks.variant import Variant


@dataclass(frozen=True, kw_only=True)
class Result:
    """Times in milliseconds, memory in MB."""

    variant: Variant
    memory_mb: int
    init_processor: Quartiles
    cold: Quartiles
    first: Quartiles
    kept: Quartiles
    new: Quartiles
    processor: Quartiles
    peak_memory: float
    dollars: float  # per million sign-ins

    @classmethod
    def of(cls, variant: Variant, memory_mb: int, samples: Sequence[Sample]) -> Self:
        """Return what the samples of a variant at a memory size say together."""
        new = Quartiles.of(chain.from_iterable(sample.new for sample in samples))
        return cls(
            variant=variant,
            memory_mb=memory_mb,
            init_processor=Quartiles.of(sample.init_processor for sample in samples),
            cold=Quartiles.of(sample.cold for sample in samples),
            first=Quartiles.of(sample.first for sample in samples),
            kept=Quartiles.of(chain.from_iterable(sample.kept for sample in samples)),
            new=new,
            processor=Quartiles.of(chain.from_iterable(sample.processor for sample in samples)),
            peak_memory=max(sample.peak_memory for sample in samples),
            dollars=dollars_per_million(
                memory_mb,
                cold_ms=Quartiles.of(sample.init + sample.first for sample in samples).median,
                warm_ms=new.median,
                decryptions=variant.decryptions,
            ),
        )
