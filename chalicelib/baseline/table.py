"""The DynamoDB table that remembers from where and with what each person signs in."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from chalicelib.aws.json_protocol import JSONClient
from chalicelib.baseline.item import Request, habits, lookup, removal, update
from chalicelib.baseline.sighting import Sighting
from chalicelib.errors import AWSCallError, AWSUnreachable
from chalicelib.signin.origin import Habits


class BaselineTable:
    """Asks one stage's table."""

    def __init__(self, dynamodb: JSONClient, name: str, days: int) -> None:
        self._dynamodb = dynamodb
        self._name = name
        self._days = days

    def connect(self) -> None:
        """Open the connection ahead. Raises AWSUnreachable."""
        self._dynamodb.connect()

    def learn(self, sighting: Sighting) -> Habits:
        """Add a sighting to what is known of the person, and return how it compares.

        Raises AWSCallError.
        """
        attributes = self._attributes(update(sighting, self._name, self._days))
        if request := removal(attributes, sighting, self._name, self._days):
            with suppress(AWSCallError):
                self._dynamodb.call("UpdateItem", **request)  # else the next sign-in removes it
        return habits(attributes, sighting)

    def compare(self, sighting: Sighting) -> Habits:
        """Return how a sighting compares with what is known, which stays as it is.

        Raises AWSCallError.
        """
        try:
            attributes = self._attributes(lookup(sighting.person, self._name))
        except AWSCallError as error:
            if error.code != "ConditionalCheckFailedException":
                raise
            attributes = {}
        return habits(attributes, sighting)

    def _attributes(self, request: Request) -> Mapping[str, Any]:
        attributes = self._dynamodb.call("UpdateItem", **request).get("Attributes")
        if not isinstance(attributes, Mapping):
            raise AWSUnreachable("dynamodb:UpdateItem", "no item in the answer")
        return attributes
