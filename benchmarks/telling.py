"""What a receiver was told: which sign-ins alone, how many in digests."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from playground.slack.receiver import Receiver

_DIGEST = re.compile(r"This digest tells of (\d+) ")
_LINE = re.compile(r"(\d+) \N{MULTIPLICATION SIGN} ")
_MORE = re.compile(r"… and (\d+) more")


@dataclass(frozen=True, kw_only=True)
class Telling:
    """Counts and seconds of one storm."""

    counted: int  # sign-ins, by the messages' own words
    messages: int
    alone: int  # messages that tell of one sign-in
    root_rank: int  # root's message, counted from 1; it is told alone
    root_seconds: float  # … from its sign-in
    root_waited_for: int  # messages that came in that time
    refused: int
    hits_while_limited: int
    seconds: float  # from the first sign-in to the last message

    @classmethod
    def of(cls, receiver: Receiver, *, began: float, root_came_at: float) -> Self:
        """Read the messages. Raises ValueError if a digest's sentence and its lines disagree."""
        posts = receiver.messages
        counts = [_count(post.payload) for post in posts]
        [root] = [n for n, post in enumerate(posts) if "root signed in" in post.payload["text"]]
        if counts[root] is not None:
            raise ValueError("root is in a digest")
        return cls(
            counted=sum(1 if count is None else count for count in counts),
            messages=len(posts),
            alone=counts.count(None),
            root_rank=root + 1,
            root_seconds=posts[root].received_at - root_came_at,
            root_waited_for=sum(post.received_at > root_came_at for post in posts[:root]),
            refused=len(receiver.refused),
            hits_while_limited=receiver.hits_while_limited,
            seconds=posts[-1].received_at - began,
        )


def _count(payload: Mapping[str, Any]) -> int | None:
    """Give how many sign-ins a digest says that it sums up; None for a message of one."""
    found = _DIGEST.match(payload["text"])
    if not found:
        return None
    said = int(found[1])
    told = sum(int(match[1]) for line in _lines(payload) for match in _counts(line))
    if said != told:
        raise ValueError(f"the sentence says {said}, the lines {told}: {payload}")
    return said


def _counts(line: str) -> Iterator[re.Match[str]]:
    for pattern in (_LINE, _MORE):
        if match := pattern.match(line):
            yield match


def _lines(payload: Mapping[str, Any]) -> Iterator[str]:
    for attachment in payload["attachments"]:
        for block in attachment["blocks"]:
            if block["type"] == "section":
                yield from block["text"]["text"].splitlines()
