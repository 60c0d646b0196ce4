"""Let services keep the session of a role that they assume for a minute.

Upstream assumes the role anew for every call that a service makes, and with each session makes a
client anew, which takes longer than the call and pushes the clients that are in use out of its cache.
"""

import time
from collections.abc import Hashable
from typing import Any

from localemu.aws.connect import ClientFactory

KEPT_SECONDS = 60

assume = ClientFactory.with_assumed_role
# As many as there are roles that services assume, in each region.
kept: dict[Hashable, tuple[float, Any]] = {}


def key_of(factory: ClientFactory, options: dict[str, Any]) -> Hashable:
    """Configurations are made anew for each call and count by what they say."""
    config = getattr(options.get("config"), "_user_provided_options", None)
    others = sorted((name, value) for name, value in options.items() if name != "config")
    return (factory, tuple(others), repr(config))


def with_assumed_role(self: ClientFactory, **options: Any) -> Any:
    """The same session for the same role, service and region; a refusal is not kept."""
    if options.get("session_name"):
        return assume(self, **options)
    key = key_of(self, options)
    until, session = kept.get(key, (0.0, None))
    if time.monotonic() >= until:
        session = assume(self, **options)
        kept[key] = (time.monotonic() + KEPT_SECONDS, session)
    return session


def apply() -> None:
    ClientFactory.with_assumed_role = with_assumed_role
