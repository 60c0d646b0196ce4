"""What calls of EC2 need: see "Actions, resources, and condition keys for Amazon EC2".

A call that makes something is judged on what it is made of and on what is made, whose id nobody
knows yet; tags that it sets at once need CreateTags on that, with the call's name as
``ec2:CreateAction``. Snapshots have no owner in their ARNs.
"""

from collections.abc import Callable

from moto.ec2.models import ec2_backends

from .call import Call, Reading, on_everything, request_tags
from .conditions import Keys
from .patterns import Undetermined
from .policies import Access

RESOURCE_TYPES = {"i": "instance", "vol": "volume", "snap": "snapshot"}
NEW_SNAPSHOT = "snap-*"


def arn_of(call: Call, resource_id: str) -> str:
    kind = RESOURCE_TYPES.get(resource_id.partition("-")[0])
    if kind is None:
        raise Undetermined(f"which kind of resource {resource_id} is, is not known here")
    name = "*" if resource_id == NEW_SNAPSHOT else resource_id
    return call.arn("ec2", f"{kind}/{name}", owner="" if kind == "snapshot" else None)


def keys_of(call: Call, resource_id: str) -> Keys:
    tags = ec2_backends[call.account_id][call.region].tags.get(resource_id, {})
    families = ("aws:resourcetag/", "ec2:resourcetag/")
    return {
        **{family: [] for family in families},
        **{f"{family}{key.lower()}": [value] for family in families for key, value in tags.items()},
        **request_tags([]),
        "ec2:createaction": [],
    }


def on_resources(action: str, resource_ids: list[str]) -> Reading:
    return lambda call: [
        Access(f"ec2:{action}", arn_of(call, one), keys_of(call, one)) for one in resource_ids
    ]


def naming(action: str, *parameters: str) -> Reading:
    """An operation on what some parameters name, each by an id or a list of ids."""

    def reading(call: Call) -> list[Access]:
        ids: list[str] = []
        for parameter in parameters:
            value = call.parameters.get(parameter, [])
            ids += value if isinstance(value, list) else [value]
        return list(on_resources(action, ids)(call))

    return reading


def making_snapshots(sources: Callable[[Call], list[str]]) -> Reading:
    def reading(call: Call) -> list[Access]:
        operation = call.operation
        tags = [
            tag
            for specification in call.parameters.get("TagSpecifications", [])
            for tag in specification.get("Tags", [])
        ]
        set_tags = request_tags(tags)
        needed = [
            Access(access.action, access.resource, {**access.keys, **set_tags})
            for access in on_resources(operation, [*sources(call), NEW_SNAPSHOT])(call)
        ]
        if tags:
            created = {"ec2:createaction": [operation]}
            keys = {**keys_of(call, NEW_SNAPSHOT), **set_tags, **created}
            needed.append(Access("ec2:CreateTags", arn_of(call, NEW_SNAPSHOT), keys))
        return needed

    return reading


def instance_and_its_volumes(call: Call) -> list[str]:
    wanted = call.parameters["InstanceSpecification"]
    instance_id = wanted["InstanceId"]
    backend = ec2_backends[call.account_id][call.region]
    attached = [
        volume.id
        for volume in list(backend.volumes.values())
        if volume.attachment and volume.attachment.instance.id == instance_id
    ]
    left_out = wanted.get("ExcludeDataVolumeIds", [])
    return [instance_id, *(volume for volume in attached if volume not in left_out)]


def tagging(action: str) -> Reading:
    def reading(call: Call) -> list[Access]:
        tags = request_tags(call.parameters.get("Tags", []))
        return [
            Access(access.action, access.resource, {**access.keys, **tags})
            for access in naming(action, "Resources")(call)
        ]

    return reading


def sharing_a_snapshot(call: Call) -> list[Access]:
    """Whom it is given to, or taken from, are condition keys: accounts, or the group of everybody."""
    listed = call.parameters.get("CreateVolumePermission", {})
    keys: dict[str, list[str]] = {}
    for change in ("add", "remove"):
        now = call.parameters.get("OperationType") == change
        given = listed.get(change.capitalize(), [])
        keys[f"ec2:{change}/userid"] = [
            *(call.parameters.get("UserIds", []) if now else []),
            *(one["UserId"] for one in given if "UserId" in one),
        ]
        keys[f"ec2:{change}/group"] = [
            *(call.parameters.get("GroupNames", []) if now else []),
            *(one["Group"] for one in given if "Group" in one),
        ]
    return [
        Access(access.action, access.resource, {**access.keys, **keys})
        for access in naming("ModifySnapshotAttribute", "SnapshotId")(call)
    ]


def modifying_an_instance(call: Call) -> list[Access]:
    """The attribute that is set is a condition key, with its value."""
    changed = {
        f"ec2:attribute/{name.lower()}": [str(value["Value"]).lower()]
        for name, value in call.parameters.items()
        if isinstance(value, dict) and "Value" in value
    }
    return [
        Access(access.action, access.resource, {"ec2:attribute/": [], **access.keys, **changed})
        for access in naming("ModifyInstanceAttribute", "InstanceId")(call)
    ]


# Actions that only list things know no resources.
DESCRIBING = (
    "DescribeInstances",
    "DescribeSnapshots",
    "DescribeVolumes",
    "DescribeTags",
    "DescribeNetworkInterfaces",
    "DescribeSecurityGroups",
    "DescribeLockedSnapshots",
    "DescribeInstanceAttribute",
)

OPERATIONS: dict[str, Reading] = {
    **{operation: on_everything(f"ec2:{operation}") for operation in DESCRIBING},
    "CreateSnapshot": making_snapshots(lambda call: [call.parameters["VolumeId"]]),
    "CreateSnapshots": making_snapshots(instance_and_its_volumes),
    "CreateTags": tagging("CreateTags"),
    "DeleteTags": tagging("DeleteTags"),
    "DeleteSnapshot": naming("DeleteSnapshot", "SnapshotId"),
    "LockSnapshot": naming("LockSnapshot", "SnapshotId"),
    "UnlockSnapshot": naming("UnlockSnapshot", "SnapshotId"),
    "ModifySnapshotAttribute": sharing_a_snapshot,
    "CopySnapshot": making_snapshots(lambda call: [call.parameters["SourceSnapshotId"]]),
    "DeleteVolume": naming("DeleteVolume", "VolumeId"),
    "DetachVolume": naming("DetachVolume", "VolumeId", "InstanceId"),
    "ModifyInstanceAttribute": modifying_an_instance,
    "StopInstances": naming("StopInstances", "InstanceIds"),
    "TerminateInstances": naming("TerminateInstances", "InstanceIds"),
}
