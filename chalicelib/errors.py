"""Every error of signin-monitor, drawn as one tree.

SigninMonitorError
├── SettingsError           the stage's settings are wrong
├── DeliveryError           a message did not reach the channel
│   ├── WebhookError        … because the webhook cannot be had
│   │   ├── WebhookUnavailable      for now: KMS is busy or out of reach
│   │   └── WebhookUnusable         until the operator repairs it
│   └── PostError           … because the receiver did not take it
│       ├── NoAnswer                nobody knows whether it arrived
│       ├── RefusedForNow           busy or broken: later it may work
│       ├── WebhookDead             until the operator replaces the webhook
│       └── PayloadInvalid          our message is wrong
├── QueueError              the undelivered queue did not take an event
├── StillUndelivered        part of a batch stays in the undelivered queue
├── AWSCallError            AWS refused a call of the hot path
│   └── AWSUnreachable          … or did not answer it
└── AWSReadError            AWS did not give what a check needs to read

No error carries the webhook, in its text or in its attributes.
"""

from typing import Literal, NamedTuple

Act = Literal["nobody", "operator", "developers"]


class SigninMonitorError(Exception):
    """Raised never itself: the root of the tree."""


class SettingFault(NamedTuple):
    """What is wrong with one setting; its text is a sentence that begins with the setting."""

    setting: str
    predicate: str

    def __str__(self) -> str:
        return f"{self.setting}{'' if self.predicate.startswith('=') else ' '}{self.predicate}"


class SettingsError(SigninMonitorError):
    """Raised if a stage's settings are wrong; `faults` names each, with its remedy."""

    def __init__(self, faults: tuple[SettingFault, ...]) -> None:
        self.faults = faults
        super().__init__(
            "\n".join(("The settings are wrong.", *(f"  * {fault}" for fault in faults)))
        )


class DeliveryError(SigninMonitorError):
    """Raised if a message did not reach the channel.

    `reason` is one word for logs and metrics, `act` says who must act: `nobody` (it may work
    later by itself), the `operator`, or the `developers` of signin-monitor. `possibly_posted` says
    that the message may be in the channel all the same.
    """

    act: Act = "nobody"
    possibly_posted: bool = False

    def __init__(self, reason: str, sentence: str, *, act: Act | None = None) -> None:
        self.reason = reason
        self.act = act or self.act
        super().__init__(sentence)


class WebhookError(DeliveryError):
    """Raised if the webhook cannot be had from its ciphertext."""


class WebhookUnavailable(WebhookError):
    """Raised if KMS is busy, out of reach or failing: later it may work."""


class WebhookUnusable(WebhookError):
    """Raised if the ciphertext, its key, a right or the plaintext is wrong."""

    act = "operator"


class PostError(DeliveryError):
    """Raised if the receiver did not take a payload."""


class NoAnswer(PostError):
    """Raised if the receiver did not answer.

    `unsent` says that the payload cannot have arrived: none of it was sent, or nobody read it.
    """

    def __init__(self, reason: str, sentence: str, *, unsent: bool, act: Act | None = None) -> None:
        self.unsent = unsent
        self.possibly_posted = not unsent
        super().__init__(reason, sentence, act=act)


class RefusedForNow(PostError):
    """Raised if the receiver said that it is busy or broken.

    `retry_after` is how many seconds it asked to wait, or None.
    """

    def __init__(self, reason: str, sentence: str, *, retry_after: float | None) -> None:
        self.retry_after = retry_after
        super().__init__(reason, sentence)


class WebhookDead(PostError):
    """Raised if the receiver refuses for good: the webhook or its channel is gone."""

    act = "operator"


class PayloadInvalid(PostError):
    """Raised if the receiver calls our payload wrong."""

    act = "developers"


class QueueError(SigninMonitorError):
    """Raised if the undelivered queue is missing, forbidden, busy or refuses an event."""


class StillUndelivered(SigninMonitorError):
    """Raised if part of a batch could not be posted, so that it stays in the queue."""


class AWSCallError(SigninMonitorError):
    """Raised if AWS refused a call such as `kms:Decrypt`.

    `code` and `message` are AWS's own, `status` is HTTP's or 0, and `request_id` is what AWS
    Support asks for.
    """

    def __init__(
        self, call: str, code: str, *, message: str = "", status: int = 0, request_id: str = ""
    ) -> None:
        self.code = code
        self.message = message
        self.status = status
        self.request_id = request_id
        super().__init__(f"{call} failed ({code}). {message}".rstrip())


class AWSUnreachable(AWSCallError):
    """Raised if AWS did not answer a call, or if something on the way answered in its place.

    `code` then says what happened instead.
    """


class AWSReadError(SigninMonitorError):
    """Raised if AWS did not give what an audit or a check must read."""
