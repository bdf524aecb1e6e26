"""Certificates for the tests' TLS servers: one good, and three that must be refused."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

NAMES = ("localhost", "127.0.0.1", "hooks.slack.com", "hooks.slack-gov.com")


@dataclass(frozen=True, kw_only=True)
class Certificates:
    """Contexts for servers, and the CA that a client must trust to accept the good certificate."""

    ca_file: Path
    good: ssl.SSLContext
    wrong_host: ssl.SSLContext
    expired: ssl.SSLContext
    unknown_ca: ssl.SSLContext


def make_certificates(directory: Path) -> Certificates:
    """Make a CA, write it to `directory`, and let it issue certificates."""
    ca, stranger = trustme.CA(), trustme.CA()
    ca_file = directory / "ca.pem"
    ca.cert_pem.write_to_path(str(ca_file))
    yesterday = datetime.now(UTC) - timedelta(days=1)
    return Certificates(
        ca_file=ca_file,
        good=_server(ca.issue_cert(*NAMES)),
        wrong_host=_server(ca.issue_cert("elsewhere.example")),
        expired=_server(
            ca.issue_cert(*NAMES, not_before=yesterday - timedelta(days=1), not_after=yesterday)
        ),
        unknown_ca=_server(stranger.issue_cert(*NAMES)),
    )


def _server(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    return context
