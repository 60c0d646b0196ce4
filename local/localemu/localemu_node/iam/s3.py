"""What calls of S3 need: see "Required permissions for Amazon S3 API operations" in its guide.

An action on a bucket is on the bucket's ARN and one on an object on the object's; a call that names
a version, bypasses a retention, or sets one needs actions of their own.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from localemu.constants import AWS_REGION_US_EAST_1
from localemu.services.s3.models import S3Bucket, S3DeleteMarker, s3_stores

from .call import Call, Reading, on_everything
from .conditions import Keys
from .policies import Access

MULTIPART = {"CreateMultipartUpload", "UploadPart", "UploadPartCopy"}

# Condition keys, and the parameters that they take their values from.
PARAMETERS = {
    "s3:if-none-match": "IfNoneMatch",
    "s3:if-match": "IfMatch",
    "s3:prefix": "Prefix",
    "s3:delimiter": "Delimiter",
    "s3:max-keys": "MaxKeys",
    "s3:versionid": "VersionId",
    "s3:object-lock-mode": "ObjectLockMode",
    "s3:object-lock-retain-until-date": "ObjectLockRetainUntilDate",
    "s3:object-lock-legal-hold": "ObjectLockLegalHoldStatus",
    "s3:x-amz-acl": "ACL",
    "s3:x-amz-server-side-encryption": "ServerSideEncryption",
    "s3:x-amz-server-side-encryption-aws-kms-key-id": "SSEKMSKeyId",
}


def find_bucket(account_id: str, name: str) -> S3Bucket | None:
    store = s3_stores[account_id][AWS_REGION_US_EAST_1]  # one namespace for all regions
    owner = store.global_bucket_map.get(name)
    return s3_stores[owner][AWS_REGION_US_EAST_1].buckets.get(name) if owner else None


def bucket_arn(call: Call, bucket: str) -> str:
    return call.arn("s3", bucket, region="", owner="")


def keys_of(call: Call) -> Keys:
    def values(value: Any) -> list[str]:
        return [] if value is None else [str(value)]

    return {
        **{key: values(call.parameters.get(name)) for key, name in PARAMETERS.items()},
        "s3:objectcreationoperation": ["false" if call.operation in MULTIPART else "true"],
        "s3:resourceaccount": [call.account_id],
    }


def on_bucket(action: str) -> Reading:
    return lambda call: [
        Access(f"s3:{action}", bucket_arn(call, call.parameters["Bucket"]), keys_of(call))
    ]


def on_object(*actions: str, if_set: dict[str, str] | None = None) -> Reading:
    """``if_set`` has the actions that a call needs besides when it sets a parameter."""

    def reading(call: Call) -> list[Access]:
        parameters = call.parameters
        arn = f"{bucket_arn(call, parameters['Bucket'])}/{parameters['Key']}"
        besides = [action for name, action in (if_set or {}).items() if parameters.get(name)]
        return [Access(f"s3:{action}", arn, keys_of(call)) for action in [*actions, *besides]]

    return reading


def by_version(plain: str, of_version: str, if_set: dict[str, str] | None = None) -> Reading:
    """Naming a version takes another action."""

    def reading(call: Call) -> list[Access]:
        action = of_version if call.parameters.get("VersionId") else plain
        return on_object(action, if_set=if_set)(call)

    return reading


def get_object(call: Call) -> list[Access]:
    """Whether a key exists is for those to know who may list the bucket: others get a 403."""
    needed = by_version("GetObject", "GetObjectVersion")(call)
    bucket = find_bucket(call.account_id, call.parameters["Bucket"])
    if bucket and not call.parameters.get("VersionId"):
        found = bucket.objects.get(call.parameters["Key"])
        if found is None or isinstance(found, S3DeleteMarker):
            needed = [*needed, *on_bucket("ListBucket")(call)]
    return needed


def delete_objects(call: Call) -> list[Access]:
    """One call, each object judged; S3 itself answers for each object, here all or none."""
    needed: list[Access] = []
    for identified in call.parameters["Delete"]["Objects"]:
        single = Call(**{**vars(call), "parameters": {**call.parameters, **identified}})
        needed += delete_object(single)
    return needed


def copying(write: Reading) -> Callable[[Call], list[Access]]:
    """What writing needs, and reading the source."""

    def reading(call: Call) -> list[Access]:
        source = unquote(call.parameters["CopySource"]).removeprefix("/")
        path, _, version = source.partition("?versionId=")
        action = "s3:GetObjectVersion" if version else "s3:GetObject"
        return [*write(call), Access(action, bucket_arn(call, path), keys_of(call))]

    return reading


put_object = on_object(
    "PutObject",
    if_set={
        "Tagging": "PutObjectTagging",
        "ACL": "PutObjectAcl",
        "ObjectLockMode": "PutObjectRetention",
        "ObjectLockRetainUntilDate": "PutObjectRetention",
        "ObjectLockLegalHoldStatus": "PutObjectLegalHold",
    },
)
BYPASS = {"BypassGovernanceRetention": "BypassGovernanceRetention"}
# Whether an object's ETag is this one is for those to know who may read it.
IF_UNCHANGED = {**BYPASS, "IfMatch": "GetObject"}
delete_object = by_version("DeleteObject", "DeleteObjectVersion", if_set=IF_UNCHANGED)

OPERATIONS: dict[str, Reading] = {
    "GetObject": get_object,
    "HeadObject": get_object,
    "PutObject": put_object,
    "CopyObject": copying(put_object),
    "DeleteObject": delete_object,
    "DeleteObjects": delete_objects,
    "CreateMultipartUpload": put_object,
    "UploadPart": on_object("PutObject"),
    "UploadPartCopy": copying(on_object("PutObject")),
    "CompleteMultipartUpload": on_object("PutObject"),
    "AbortMultipartUpload": on_object("AbortMultipartUpload"),
    "GetObjectRetention": on_object("GetObjectRetention"),
    "PutObjectRetention": on_object("PutObjectRetention", if_set=BYPASS),
    "GetObjectLegalHold": on_object("GetObjectLegalHold"),
    "PutObjectLegalHold": on_object("PutObjectLegalHold"),
    "PutObjectTagging": by_version("PutObjectTagging", "PutObjectVersionTagging"),
    "PutObjectAcl": by_version("PutObjectAcl", "PutObjectVersionAcl"),
    "ListBuckets": on_everything("s3:ListAllMyBuckets"),
    "ListObjects": on_bucket("ListBucket"),
    "ListObjectsV2": on_bucket("ListBucket"),
    "ListObjectVersions": on_bucket("ListBucketVersions"),
    "HeadBucket": on_bucket("ListBucket"),
    "GetBucketLocation": on_bucket("GetBucketLocation"),
    "GetBucketEncryption": on_bucket("GetEncryptionConfiguration"),
    "GetBucketPolicy": on_bucket("GetBucketPolicy"),
    "PutBucketPolicy": on_bucket("PutBucketPolicy"),
    "DeleteBucketPolicy": on_bucket("DeleteBucketPolicy"),
    "PutBucketVersioning": on_bucket("PutBucketVersioning"),
    "PutBucketLifecycleConfiguration": on_bucket("PutLifecycleConfiguration"),
    "PutObjectLockConfiguration": on_bucket("PutBucketObjectLockConfiguration"),
    "DeleteBucket": on_bucket("DeleteBucket"),
}
