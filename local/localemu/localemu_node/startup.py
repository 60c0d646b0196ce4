"""Apply every correction before LocalEmu serves its first request."""

import importlib
import logging

from localemu.runtime import hooks

LOG = logging.getLogger(__name__)

# In this order: the first makes the modules that the others patch importable, and eks_clusters
# builds on eks.
CORRECTIONS = (
    "python_compatibility",
    "listen",
    "shutdown",
    "eks",
    "eks_clusters",
    "sts",
    "assumed_roles",
    "pipes",
    "s3",
    "events",
    "cloudtrail",
    "function_logs",
    "function_concurrency",
    "state_machines",
    "jsonata",
    "redrive",
    "ec2",
    "iam",
)


@hooks.on_infra_start(priority=10_000)
def apply_patches() -> None:
    """Patch LocalEmu, or end the process.

    LocalEmu only logs a hook that fails or cannot be imported, and starts anyway. An emulator with
    half of the corrections would make tests fail far from the cause, and listen on all interfaces.
    So corrections are imported here, and a failure raises SystemExit, which LocalEmu lets through.
    """
    for name in CORRECTIONS:
        try:
            importlib.import_module(f"localemu_node.{name}").apply()
        except Exception as cause:
            LOG.exception("localemu-node: cannot apply %s to this LocalEmu", name)
            raise SystemExit(1) from cause
        LOG.info("localemu-node: applied %s", name)
