"""The names of IAM Identity Center's users, where AWS records their ids alone.

Source: "DescribeUser" (Identity Store API Reference).
"""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Final

from chalicelib import log
from chalicelib.aws.json_protocol import JSONClient
from chalicelib.errors import AWSCallError
from chalicelib.settings import REGION
from chalicelib.signin.model import SignIn
from chalicelib.timeout import IDENTITY_STORE_SECONDS, call_with_timeout

_MOST: Final = 1_000  # names that are kept
# An event may come out of the untrusted queue: what is made into an address and a request.
_REGION: Final = re.compile(REGION)
_USER_ID: Final = re.compile(r"(?:[0-9a-f]{10}-)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class IdentityStore:
    """Names the users of one identity store, and remembers them while a function is warm."""

    def __init__(
        self,
        store_id: str,
        client_in: Callable[[str], JSONClient] = lambda region: JSONClient("identitystore", region),
    ) -> None:
        self._id = store_id
        self._client_in = cache(client_in)
        self._names: dict[str, str] = {}

    def named(self, sign_in: SignIn) -> SignIn:
        """Return a sign-in with its user's name before the id; as it is if that is not known."""
        user_id = sign_in.principal.user_id
        is_unnamed = user_id is not None and sign_in.principal.name == user_id
        if not is_unnamed or sign_in.principal.identity_store != self._id:
            return sign_in
        name = self._name_of(user_id or "", sign_in.region or "")
        if not name:
            return sign_in
        return replace(sign_in, principal=replace(sign_in.principal, name=f"{name} ({user_id})"))

    def _name_of(self, user_id: str, region: str) -> str | None:
        if user_id in self._names:
            return self._names[user_id]
        if not (_USER_ID.fullmatch(user_id) and _REGION.fullmatch(region)):
            return None
        try:
            answer = call_with_timeout(
                IDENTITY_STORE_SECONDS,
                lambda: self._client_in(region).call(
                    "DescribeUser", IdentityStoreId=self._id, UserId=user_id
                ),
            )
        except (AWSCallError, TimeoutError) as error:
            why = str(error) or "identitystore:DescribeUser took too long."
            log.write(level="WARNING", message=f"A user is shown by the id alone. {why}")
            return None
        name = answer.get("UserName")
        if not isinstance(name, str):
            return None
        if len(self._names) >= _MOST:
            self._names.clear()
        self._names[user_id] = name
        return name
