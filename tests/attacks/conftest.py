from tests.notifier.conftest import baseline, critical_receiver, harness, receiver

__all__ = ["baseline", "critical_receiver", "harness", "receiver"]
