"""A person's item in the table: the one request for a sign-in, and what its answer means.

Each attribute holds the id of the event that introduced it, so "new" means that it is this event's.
That needs no condition, and gives the same answer to a retry, to the undelivered queue and to two
functions at once. The attributes of an item:

    person                          the key
    first                           the event that introduced the person
    network NAME, client NAME       the event that introduced a network or a client
    network_seen NAME, client_seen  the day that it was last seen
    expires                         when DynamoDB may delete the item ("Time to Live")

Source: "Update expressions" (Amazon DynamoDB Developer Guide).
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from chalicelib.baseline.person import is_role
from chalicelib.baseline.sighting import Sighting
from chalicelib.signin.origin import Habits

KEY: Final = "person"
EXPIRY: Final = "expires"

Attributes = Mapping[str, Mapping[str, str]]
Request = dict[str, Any]

_MOST: Final = {"network": 50, "client": 20}


def update(sighting: Sighting, table: str, days: int) -> Request:
    """Return the UpdateItem that adds a sighting to the person's item and returns all of it."""
    expires = sighting.time + timedelta(days=days)
    return {
        **_request(sighting.person, table),
        "UpdateExpression": "SET #first = if_not_exists(#first, :event), "
        "#network = if_not_exists(#network, :event), #client = if_not_exists(#client, :event), "
        "#network_seen = :day, #client_seen = :day, #expires = :expires",
        "ExpressionAttributeNames": {
            "#first": "first",
            "#network": f"network {sighting.network}",
            "#client": f"client {sighting.client}",
            "#network_seen": f"network_seen {sighting.network}",
            "#client_seen": f"client_seen {sighting.client}",
            "#expires": EXPIRY,
        },
        "ExpressionAttributeValues": {
            ":event": {"S": sighting.event_id},
            ":day": {"S": sighting.day},
            ":expires": {"N": str(int(expires.timestamp()))},
        },
        "ReturnValues": "ALL_NEW",
    }


def lookup(person: str, table: str) -> Request:
    """Return the UpdateItem that changes nothing: the functions may call no other action.

    DynamoDB refuses it with ConditionalCheckFailedException where the person has no item.
    """
    return {
        **_request(person, table),
        "UpdateExpression": "REMOVE #nothing",
        "ConditionExpression": "attribute_exists(#person)",
        "ExpressionAttributeNames": {"#nothing": "nothing", "#person": KEY},
        "ReturnValues": "ALL_NEW",
    }


def habits(attributes: Attributes, sighting: Sighting) -> Habits:
    """Return how a sighting compares with the person's item."""

    def is_new(name: str) -> bool:
        return attributes.get(name, {}).get("S", sighting.event_id) == sighting.event_id

    def usual(kind: str) -> tuple[str, ...]:
        names = _newest_first(dict(seen(attributes, kind)))
        return tuple(name for name in names if not is_new(f"{kind} {name}"))

    return Habits(
        is_of_role=is_role(sighting.person),
        is_first=is_new("first"),
        network=sighting.network,
        client=sighting.client,
        is_new_network=is_new(f"network {sighting.network}"),
        is_new_client=is_new(f"client {sighting.client}"),
        usual_networks=usual("network"),
        usual_clients=usual("client"),
    )


def removal(attributes: Attributes, sighting: Sighting, table: str, days: int) -> Request | None:
    """Return the UpdateItem that removes what is out of date or too much; None if nothing is."""
    oldest = (sighting.time - timedelta(days=days)).date().isoformat()
    names = {
        f"#{number}": attribute
        for number, attribute in enumerate(
            f"{prefix} {name}"
            for kind in _MOST
            for name in _outdated(attributes, kind, oldest)
            for prefix in (kind, f"{kind}_seen")
        )
    }
    if not names:
        return None
    return {
        **_request(sighting.person, table),
        "UpdateExpression": f"REMOVE {', '.join(names)}",
        "ExpressionAttributeNames": names,
    }


def _request(person: str, table: str) -> Request:
    return {"TableName": table, "Key": {KEY: {"S": person}}}


def seen(attributes: Attributes, kind: str) -> Iterator[tuple[str, str]]:
    """Return the networks or clients of an item, each with the day that it was last seen."""
    prefix = f"{kind}_seen "
    for attribute, value in attributes.items():
        if attribute.startswith(prefix):
            yield attribute.removeprefix(prefix), value.get("S", "")


def _newest_first(days: Mapping[str, str]) -> list[str]:
    return sorted(days, key=lambda name: days[name], reverse=True)


def _outdated(attributes: Attributes, kind: str, oldest: str) -> list[str]:
    days = dict(seen(attributes, kind))
    return [
        name
        for place, name in enumerate(_newest_first(days))
        if place >= _MOST[kind] or days[name] < oldest
    ]
