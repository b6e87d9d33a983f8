"""The one place that talks to models: doors, attempts, money, limits, journal and cache."""

from model_gateway.call import Ask, Call, Failure, FailureKind, Reply, Source

__all__ = ["Ask", "Call", "Failure", "FailureKind", "Reply", "Source"]
