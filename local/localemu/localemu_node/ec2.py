"""EBS snapshot locks, the state of new snapshots, copies of snapshots that another account shared,
DNS of VPCs, and the id of S3's prefix list.

Upstream has no LockSnapshot and DescribeLockedSnapshots, and moto answers CreateSnapshots with a
``<status>`` element where EC2's SnapshotInfo has ``<state>``, so that the SDK sees no state. The
locks live in memory and describe themselves; a locked snapshot cannot be deleted. Which error code
EC2 answers to that is not documented: the one here is a guess.

moto copies snapshots of the caller's own account only, whatever was shared.

moto gives AWS's prefix lists another id in every run; `stages.ts` names that of S3. A VPC of a
template gets none of the DNS settings that the template gives it.

To filter by a tag moto looks at every tag of the account for every resource, which after a hundred
containments was a fifth of all that the emulator did.
"""

import datetime
from typing import Any

from localemu.aws.api import CommonServiceException, RequestContext, handler
from localemu.services.cloudformation.resource_provider import ProgressEvent, ResourceRequest
from localemu.services.ec2.provider import Ec2Provider
from localemu.services.ec2.resource_providers.aws_ec2_vpc import EC2VPCProvider
from localemu.services.stores import AccountRegionBundle, BaseStore, LocalAttribute
from moto.ec2.exceptions import EC2ClientError, InvalidSnapshotIdError
from moto.ec2.models import ec2_backends
from moto.ec2.models.core import TaggedEC2Resource
from moto.ec2.models.elastic_block_store import EBSBackend, Snapshot
from moto.ec2.models.managed_prefixes import ManagedPrefixList
from moto.ec2.responses import elastic_block_store
from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE, get_prefix, random_snapshot_id

S3_PREFIX_LIST_ID = "pl-00000000"

SnapshotLock = dict[str, Any]


class SnapshotLockStore(BaseStore):
    locks: dict[str, SnapshotLock] = LocalAttribute(default=dict)


snapshot_locks = AccountRegionBundle("ec2", SnapshotLockStore)


def locks_of(context: RequestContext) -> dict[str, SnapshotLock]:
    return snapshot_locks[context.account_id][context.region].locks


def as_of(lock: SnapshotLock, now: datetime.datetime) -> SnapshotLock:
    """The lock as EC2 describes it: a compliance lock hardens when its cooling-off period ends."""
    described = {name: value for name, value in lock.items() if value is not None}
    cool_off_end = described.get("CoolOffPeriodExpiresOn")
    if described["LockState"] == "compliance-cooloff" and cool_off_end and now >= cool_off_end:
        described["LockState"] = "compliance"
    return described


def new_lock(request: dict[str, Any], owner_id: str, now: datetime.datetime) -> SnapshotLock:
    """Build the lock that a LockSnapshot request asks for. Durations: days; cooling off: hours."""
    duration_days = request.get("LockDuration")
    cool_off_hours = request.get("CoolOffPeriod")
    mode = request["LockMode"]
    cooling_off = mode == "compliance" and cool_off_hours
    expires_on = request.get("ExpirationDate") or now + datetime.timedelta(days=duration_days or 1)
    return {
        "OwnerId": owner_id,
        "SnapshotId": request["SnapshotId"],
        "LockState": "compliance-cooloff" if cooling_off else mode,
        "LockDuration": duration_days,
        "CoolOffPeriod": cool_off_hours,
        "CoolOffPeriodExpiresOn": (
            now + datetime.timedelta(hours=cool_off_hours) if cooling_off else None
        ),
        "LockCreatedOn": now,
        "LockDurationStartTime": now,
        "LockExpiresOn": expires_on,
    }


@handler("LockSnapshot", expand=False)
def lock_snapshot(
    self: Ec2Provider, context: RequestContext, request: dict[str, Any]
) -> dict[str, Any]:
    now = datetime.datetime.now(tz=datetime.UTC)
    # Raises what EC2 does for a snapshot that does not exist.
    ec2_backends[context.account_id][context.region].get_snapshot(request["SnapshotId"])
    locks = locks_of(context)
    lock = new_lock(request, context.account_id, now)
    current = locks.get(lock["SnapshotId"])
    if current and as_of(current, now)["LockState"] == "compliance":
        if lock["LockExpiresOn"] < current["LockExpiresOn"]:
            raise CommonServiceException(
                "OperationNotPermitted", "A compliance lock can be extended, not shortened.", 400
            )
    locks[lock["SnapshotId"]] = lock
    described = as_of(lock, now)
    del described["OwnerId"]
    return described


@handler("DescribeLockedSnapshots", expand=False)
def describe_locked_snapshots(
    self: Ec2Provider, context: RequestContext, request: dict[str, Any]
) -> dict[str, Any]:
    now = datetime.datetime.now(tz=datetime.UTC)
    wanted_ids = request.get("SnapshotIds")
    return {
        "Snapshots": [
            as_of(lock, now)
            for snapshot_id, lock in locks_of(context).items()
            if not wanted_ids or snapshot_id in wanted_ids
        ]
    }


delete_unconditionally = EBSBackend.delete_snapshot


def delete_snapshot(self: EBSBackend, snapshot_id: str) -> Snapshot:
    lock = snapshot_locks[self.account_id][self.region_name].locks.get(snapshot_id)
    if lock and datetime.datetime.now(tz=datetime.UTC) < lock["LockExpiresOn"]:
        raise EC2ClientError(
            "OperationNotPermitted", f"Snapshot {snapshot_id} is locked and cannot be deleted."
        )
    return delete_unconditionally(self, snapshot_id)


copy_own_snapshot = EBSBackend.copy_snapshot


def copy_snapshot(
    self: EBSBackend,
    source_snapshot_id: str,
    source_region: str,
    description: str,
    kms_key_id: str | None,
) -> Snapshot:
    for account_id, backends in list(ec2_backends.items()):
        shared = backends[source_region].snapshots.get(source_snapshot_id)
        if account_id == self.account_id or shared is None:
            continue
        if self.account_id not in shared.create_volume_permission_userids:
            raise InvalidSnapshotIdError()  # whoever may not copy it does not see it
        copy = Snapshot(
            self,
            random_snapshot_id(),
            volume=shared.volume,
            description=description,
            encrypted=shared.encrypted,
            kms_key_id=kms_key_id,
        )
        self.snapshots[copy.id] = copy
        return copy
    return copy_own_snapshot(self, source_snapshot_id, source_region, description, kms_key_id)


def name_the_prefix_list_of_s3() -> None:
    initialize = ManagedPrefixList.__init__

    def initialize_with_known_id(self: ManagedPrefixList, *args: Any, **kwargs: Any) -> None:
        initialize(self, *args, **kwargs)
        if self.owner_id == "AWS" and str(self.prefix_list_name).endswith(".s3"):
            self.id = S3_PREFIX_LIST_ID

    ManagedPrefixList.__init__ = initialize_with_known_id


def give_vpcs_of_templates_their_dns() -> None:
    create = EC2VPCProvider.create

    def create_with_dns(self: EC2VPCProvider, request: ResourceRequest) -> ProgressEvent:
        # The model that comes back is what EC2 says: what the template says is read before.
        names = ("EnableDnsSupport", "EnableDnsHostnames")
        wanted = {n: request.desired_state[n] for n in names if n in request.desired_state}
        event = create(self, request)
        vpc_id = event.resource_model.get("VpcId")
        for name, value in wanted.items() if vpc_id else ():
            request.aws_client_factory.ec2.modify_vpc_attribute(
                VpcId=vpc_id, **{name: {"Value": value}}
            )
            event.resource_model[name] = value
        return event

    EC2VPCProvider.create = create_with_dns


def tags_of(self: TaggedEC2Resource) -> list[dict[str, str]]:
    resource_id = self.id
    resource_type = EC2_PREFIX_TO_RESOURCE.get(get_prefix(resource_id), "") if resource_id else ""
    tags = dict(self.ec2_backend.tags.get(resource_id, {}))
    return [
        {
            "resource_id": resource_id,
            "key": key,
            "value": value,
            "resource_type": resource_type,
        }
        for key, value in tags.items()
    ]


def apply() -> None:
    TaggedEC2Resource.get_tags = tags_of
    EBSBackend.delete_snapshot = delete_snapshot
    EBSBackend.copy_snapshot = copy_snapshot
    give_vpcs_of_templates_their_dns()
    name_the_prefix_list_of_s3()
    Ec2Provider.lock_snapshot = lock_snapshot
    Ec2Provider.describe_locked_snapshots = describe_locked_snapshots
    template = elastic_block_store.CREATE_SNAPSHOTS_RESPONSE
    elastic_block_store.CREATE_SNAPSHOTS_RESPONSE = template.replace(
        "<status>pending</status>", "<state>pending</state>"
    )
