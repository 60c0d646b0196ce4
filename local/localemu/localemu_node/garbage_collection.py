"""Keep Python's garbage collector from stalling requests.

LocalEmu holds millions of long-lived objects (service models, moto backends). A full collection
walks all of them and stalls every request for about a second, once per 50 to 100 events. Freezing
what the start has built takes those objects out of the collector's sight.
"""

import gc

from localemu.runtime import hooks

# Allocations before a collection of generation 0, and how many collections of one generation
# trigger the next: full collections become rare, and cheap once the start is frozen.
THRESHOLDS = (50_000, 20, 1_000)


@hooks.on_infra_ready()
def freeze_startup_objects() -> None:
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
