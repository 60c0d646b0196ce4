"""Listen on the host that GATEWAY_LISTEN names.

Upstream's TwistedRuntimeServer drops the host of an IPv4 address ("TODO: interface = host?") and
binds all interfaces, which would offer an unauthenticated AWS to the network.
"""

from types import SimpleNamespace
from typing import Any

from localemu import config
from localemu.runtime.server import twisted
from twisted.internet.endpoints import TCP4ServerEndpoint, TCP6ServerEndpoint


def apply() -> None:
    host_of_port = {address.port: address.host for address in config.GATEWAY_LISTEN}

    def bind_to_configured_host(reactor: Any, port: int) -> TCP4ServerEndpoint:
        return TCP4ServerEndpoint(reactor, port, interface=host_of_port[port])

    twisted.endpoints = SimpleNamespace(
        TCP4ServerEndpoint=bind_to_configured_host, TCP6ServerEndpoint=TCP6ServerEndpoint
    )
