"""Stop at once.

Upstream stops its services one after another, waits for their threads and lets Python tear down
millions of objects: up to nine seconds for a state that lives in memory and is thrown away. The
Lambda workers end by themselves when their pipes close. With PERSISTENCE the orderly way stays,
because it writes the state.
"""

import logging
import os

from localemu import config
from localemu.runtime.runtime import LocalemuRuntime


def exit_at_once(self: LocalemuRuntime, code: int = 0) -> None:
    self._clear_tmp_directory()
    logging.shutdown()
    os._exit(code)


def apply() -> None:
    if not config.PERSISTENCE:
        LocalemuRuntime.exit = exit_at_once
