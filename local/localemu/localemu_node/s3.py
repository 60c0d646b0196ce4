"""Keep the objects of a run in the run's own folder.

Upstream spools them below a fixed folder of the machine, shared by every emulator on it, and leaves
the folders of its buckets behind. Here they lie in the folder that the run's TMPDIR names.
"""

import os
import tempfile

from localemu.services.s3 import provider


def apply() -> None:
    provider.DEFAULT_S3_TMP_DIR = os.path.join(tempfile.gettempdir(), "s3")
