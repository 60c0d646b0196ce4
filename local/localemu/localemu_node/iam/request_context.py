"""The condition keys of a request.

This is the one place where the local stage adds to a request what it lacks here and has on AWS:

- ``aws:SecureTransport`` is true and ``s3:TlsVersion`` 1.3. LocalEmu is plain HTTP on loopback;
  the SDKs speak TLS on AWS.
- ``aws:SourceVpce`` and ``aws:SourceVpc`` are those of the function's own VPC and of the endpoint
  for the called service in it, both as deployed to the emulated EC2. A function that is in no VPC,
  or whose VPC has no such endpoint, has none, and neither does a service or a person. The
  endpoint's policy has a say, as on AWS.

Everything else is the request's own. Keys that AWS gives only to requests of another kind, as of a
service on behalf of its caller, are known and absent.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from localemu.aws.api import RequestContext
from moto.ec2.models import ec2_backends
from moto.ec2.models.vpcs import VPCEndPoint

from .callers import Caller
from .conditions import Keys
from .policies import Policy

ABSENT = (
    "aws:calledvia",
    "aws:calledviafirst",
    "aws:calledvialast",
    "aws:multifactorauthpresent",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:principaltag/",
    "aws:requesttag/",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:sourceorgid",
    "aws:sourceowner",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:tagkeys",
    "aws:vpcsourceip",
)


def endpoint_of(context: RequestContext, caller: Caller) -> VPCEndPoint | None:
    """The VPC endpoint that the request of a function in a VPC comes through."""
    if caller.vpc_id is None:
        return None
    service_name = f"com.amazonaws.{context.region}.{context.service.endpoint_prefix}"
    endpoints = ec2_backends[context.account_id][context.region].vpc_end_points.values()
    for endpoint in list(endpoints):
        if (endpoint.vpc_id, endpoint.service_name) == (caller.vpc_id, service_name):
            return endpoint
    return None


def policies_of(endpoint: VPCEndPoint | None) -> Sequence[Policy] | None:
    if endpoint is None:
        return None
    document = endpoint.policy_document
    return [json.loads(document) if isinstance(document, str) else document]


def keys_of_request(
    context: RequestContext, caller: Caller, endpoint: VPCEndPoint | None, now: datetime
) -> Keys:
    if endpoint:
        source = {"aws:sourcevpce": [endpoint.id], "aws:sourcevpc": [endpoint.vpc_id]}
    else:
        source = {"aws:sourceip": [context.request.remote_addr or "127.0.0.1"]}
    return {
        **{key: [] for key in ABSENT},
        "aws:currenttime": [now.astimezone(UTC).isoformat()],
        "aws:epochtime": [str(int(now.timestamp()))],
        "aws:principalisawsservice": ["false"],
        "aws:requestedregion": [context.region],
        "aws:resourceaccount": [context.account_id],
        "aws:securetransport": ["true"],
        "aws:useragent": [context.request.headers.get("User-Agent", "")],
        "aws:viaawsservice": ["false"],
        "s3:tlsversion": ["1.3"],
        **source,
        **caller.keys,
    }
