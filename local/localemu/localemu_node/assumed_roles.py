"""Let services keep the session of a role that they assume for a minute.

Upstream assumes the role anew for every call that a service makes, and with each session makes a
client anew, which takes longer than the call and pushes the clients that are in use out of its cache.
"""

import functools
import time
from typing import Any

from localemu.aws.connect import ClientFactory

KEPT_SECONDS = 60

assume = ClientFactory.with_assumed_role


@functools.lru_cache(maxsize=128)
def session_of(_: int, factory: ClientFactory, options: frozenset[tuple[str, Any]]) -> Any:
    return assume(factory, **dict(options))


def with_assumed_role(self: ClientFactory, **options: Any) -> Any:
    """The same session for the same role, service and region; a refusal is not kept."""
    if options.get("session_name"):
        return assume(self, **options)
    return session_of(int(time.monotonic() / KEPT_SECONDS), self, frozenset(options.items()))


def apply() -> None:
    ClientFactory.with_assumed_role = with_assumed_role
