"""What a million sign-ins cost.

Prices without the free tier, from the pages "AWS Lambda Pricing" (x86, US East (N. Virginia), first
tier) and "AWS Key Management Service Pricing"; Lambda bills INIT since August 2025 ("AWS Lambda
standardizes billing for INIT Phase"). A key's own dollar a month is not in it, nor are logs.
"""

import math

LAMBDA_GB_SECOND = 0.0000166667
LAMBDA_MILLION_REQUESTS = 0.20
KMS_MILLION_REQUESTS = 3.00

COLD_SHARE = 0.9  # sign-ins are minutes apart: most find no warm function


def dollars_per_million(
    memory_mb: int, *, cold_ms: float, warm_ms: float, decryptions: tuple[int, int]
) -> float:
    """Return the dollars for a million sign-ins of which `COLD_SHARE` start cold.

    `cold_ms` is INIT and handler together; `decryptions` are those of a cold and a warm sign-in.
    """
    shares = COLD_SHARE, 1 - COLD_SHARE
    durations = math.ceil(cold_ms), math.ceil(warm_ms)
    milliseconds = sum(map(math.prod, zip(shares, durations, strict=True)))
    requests = sum(map(math.prod, zip(shares, decryptions, strict=True)))
    gb_seconds = 1_000_000 * milliseconds / 1000 * memory_mb / 1024
    return gb_seconds * LAMBDA_GB_SECOND + LAMBDA_MILLION_REQUESTS + requests * KMS_MILLION_REQUESTS
