from tests.notifier.conftest import baseline, harness, receiver

__all__ = ["baseline", "harness", "receiver"]
