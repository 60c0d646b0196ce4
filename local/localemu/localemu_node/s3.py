"""Keep the objects of a run in the run's own folder, and delete on condition.

Upstream spools them below a fixed folder of the machine, shared by every emulator on it, and leaves
the folders of its buckets behind. Here they lie in the folder that the run's TMPDIR names.

Upstream refuses a DeleteObject with If-Match, which S3 has for general purpose buckets since 2025:
it is judged on the current version, 412 where that is another one and 404 where there is none.
"""

import os
import tempfile
from typing import Any

from localemu.services.s3 import provider
from localemu.services.s3.provider import S3Provider, verify_object_equality_precondition_write

_delete_object = S3Provider.delete_object


def delete_object(
    self: S3Provider,
    context: Any,
    bucket: str,
    key: str,
    if_match: str | None = None,
    **parameters: Any,
) -> Any:
    if not if_match:
        return _delete_object(self, context, bucket, key, **parameters)
    _, s3_bucket = self._get_cross_account_bucket(context, bucket)
    with self._preconditions_locks[bucket][key]:
        verify_object_equality_precondition_write(s3_bucket, key, if_match)
        return _delete_object(self, context, bucket, key, **parameters)


def apply() -> None:
    provider.DEFAULT_S3_TMP_DIR = os.path.join(tempfile.gettempdir(), "s3")
    S3Provider.delete_object = delete_object
