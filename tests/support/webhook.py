"""The webhook of the stages under test, whose path must never be shown."""

import socket

SECRET_PATH = "/services/T0/B0/never-to-be-shown"
SLACK = "hooks.slack.com"


def closed_port() -> str:
    """Return a loopback address, as host:port, where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"
