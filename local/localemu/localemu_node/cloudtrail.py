"""CloudTrail: tell EventBridge of no API call.

Upstream puts an event on the default bus for every management call, each in a thread of its own.
AWS does so only where a trail logs them, and no stage has one; it was an eighth of all that the
emulator did. What LookupEvents answers is not touched.
"""

from typing import Any

from localemu.services.cloudtrail import recording_hook


def tell_nobody(**_: Any) -> None:
    return None


def apply() -> None:
    recording_hook._emit_cloudtrail_to_eventbridge = tell_nobody
