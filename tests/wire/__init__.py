"""Servers on loopback that speak the wire formats of model servers, faults included."""

from tests.wire.script import Cut, Drip, Hang, Raw, Reset, Say, Seen, Status, Step
from tests.wire.server import WireServer

__all__ = [
    "Cut", "Drip", "Hang", "Raw", "Reset", "Say", "Seen", "Status", "Step", "WireServer",
]  # fmt: skip
