"""The policies that resources have themselves: buckets, queues, topics and event buses.

Policies of other kinds of resource are not looked up: nobody here calls, say, KMS by himself.
"""

import json
from collections.abc import Callable

from localemu.services.events.models import events_stores
from localemu.services.sns.models import sns_stores
from localemu.services.sqs.models import sqs_stores

from .policies import Policy
from .s3 import find_bucket


def bucket_policy(account_id: str, region: str, resource: str) -> str | None:
    bucket = find_bucket(account_id, resource.partition("/")[0])
    return bucket.policy if bucket else None


def queue_policy(account_id: str, region: str, resource: str) -> str | None:
    queue = sqs_stores[account_id][region].queues.get(resource)
    return queue.attributes.get("Policy") if queue else None


def topic_policy(account_id: str, region: str, resource: str) -> str | None:
    for arn, topic in sns_stores[account_id][region].topics.items():
        if arn.endswith(f":{resource}"):
            return topic["attributes"].get("Policy")
    return None


def bus_policy(account_id: str, region: str, resource: str) -> Policy | None:
    kind, _, name = resource.partition("/")
    bus = events_stores[account_id][region].event_buses.get(name)
    return bus.policy if bus and kind == "event-bus" else None


Lookup = Callable[[str, str, str], Policy | str | None]

LOOKUPS: dict[str, Lookup] = {
    "s3": bucket_policy,
    "sqs": queue_policy,
    "sns": topic_policy,
    "events": bus_policy,
}


def resource_policies(arn: str, account_id: str, region: str) -> list[Policy]:
    """The policy of the resource, or none: ``*`` and resources without a policy have none."""
    if arn == "*":
        return []
    _, _, service, region_of_arn, owner, resource = arn.split(":", 5)
    lookup = LOOKUPS.get(service)
    policy = lookup(owner or account_id, region_of_arn or region, resource) if lookup else None
    if not policy:
        return []
    return [json.loads(policy) if isinstance(policy, str) else policy]
