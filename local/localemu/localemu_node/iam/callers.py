"""Who makes a call, and what their policies are.

Upstream takes every call between LocalEmu's services for its own. But Step Functions, EventBridge
and Pipes assume the role that they were given and call with its session, so that only those calls
are a service's own that carry no session.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from localemu.aws.api import RequestContext
from localemu.constants import AWS_REGION_US_EAST_1
from localemu.services.iam_enforcement.enforcer import _extract_access_key, _get_user_id
from localemu.services.iam_enforcement.identity import (
    CallerIdentity,
    get_identity_policies,
    get_permission_boundary,
    get_session_policies,
    resolve_caller,
)
from localemu.services.lambda_.invocation.execution_environment import ExecutionEnvironment
from localemu.services.sts.models import sts_store_lock, sts_stores
from localemu.services.sts.provider import StsProvider
from localemu.utils.aws.arns import extract_account_id_from_arn
from moto.iam.models import iam_backends

from .conditions import Keys
from .policies import Policy, Principal

SESSION_KEY_PREFIXES = ("ASIA", "LSIA")

# Services that ask their resource's own policy whether another AWS service may call.
JUDGED_FOR_SERVICES = ("sqs", "sns")


@dataclass(frozen=True)
class Caller:
    principal: Principal
    identity: Sequence[Policy] = ()
    boundary: Sequence[Policy] | None = None
    session: Sequence[Policy] | None = None
    keys: Keys = field(default_factory=dict)
    vpc_id: str | None = None
    """The VPC that the caller runs in, if it is a function that does."""


class Administrator:
    """Whoever works at this machine, and LocalEmu itself: nothing is denied to them."""


vpc_ids_of_functions: dict[str, str] = {}
"""By the access key of the session that a function in a VPC works with."""


def caller_of(context: RequestContext) -> Caller | Administrator | None:
    """Who makes the call; None for an access key that belongs to nobody, or not any more."""
    access_key = _extract_access_key(context)
    is_session = access_key.startswith(SESSION_KEY_PREFIXES)
    if context.internal_request_params is not None and not is_session:
        return service_of(context)
    found = resolve_caller(access_key, context.account_id, context.region)
    if found is None:
        return None
    if found.principal_type == "Root":
        return Administrator()
    role_arn = role_arn_of(found)
    return None if role_arn is None else principal_of(found, role_arn)


def service_of(context: RequestContext) -> Caller | Administrator:
    """An AWS service that says on whose behalf it calls, or LocalEmu."""
    parameters = context.internal_request_params or {}
    service, source_arn = parameters.get("service_principal"), parameters.get("source_arn")
    if not service or not source_arn or context.service.service_name not in JUDGED_FOR_SERVICES:
        return Administrator()
    host = f"{service.removesuffix('.amazonaws.com')}.amazonaws.com"
    keys = {
        "aws:sourcearn": [source_arn],
        "aws:sourceaccount": [source_arn.split(":")[4]],
        "aws:principalisawsservice": ["true"],
    }
    return Caller(Principal(arn=host, service=host), keys=keys)


def role_arn_of(found: CallerIdentity) -> str | None:
    """The ARN of a session's role, nothing for a user, None for a role that was deleted."""
    if not found.role_name:
        return ""
    roles = list(iam_backends[found.account_id]["global"].get_roles())
    return next((role.arn for role in roles if role.name == found.role_name), None)


def principal_of(found: CallerIdentity, role_arn: str) -> Caller:
    boundary, session = get_permission_boundary(found), get_session_policies(found)
    user_id = _get_user_id(found)
    arn = "anonymous" if found.principal_type == "Anonymous" else found.arn
    return Caller(
        Principal(arn=arn, account_id=found.account_id, role_arn=role_arn),
        identity=get_identity_policies(found),
        boundary=[boundary] if boundary else None,
        session=session or None,
        keys={
            "aws:principalarn": [role_arn or found.arn],  # a session's key is its role's ARN
            "aws:principalaccount": [found.account_id],
            "aws:principaltype": [found.principal_type],
            "aws:username": [found.username] if found.username else [],
            "aws:userid": [user_id] if user_id else [],
            **{key.lower(): [value] for key, value in found.tags.items()},
        },
        vpc_id=vpc_ids_of_functions.get(found.access_key_id or ""),
    )


def remember_networks_of_functions() -> None:
    get_credentials = ExecutionEnvironment.get_credentials

    def get_and_remember(self: ExecutionEnvironment) -> Any:
        credentials = get_credentials(self)
        network = self.function_version.config.vpc_config
        if network and network.vpc_id:
            vpc_ids_of_functions[credentials["AccessKeyId"]] = network.vpc_id
        return credentials

    ExecutionEnvironment.get_credentials = get_and_remember


def renew_sessions_of_services() -> None:
    """Sessions that a service assumes for itself do not expire: AWS renews them, while upstream's
    clients of a pipe, a rule or a function's log keep the first one, which ends after an hour."""
    assume_role = StsProvider.assume_role

    def assume_role_for_good(self: StsProvider, context: RequestContext, **kwargs: Any) -> Any:
        response = assume_role(self, context, **kwargs)
        if (context.internal_request_params or {}).get("service_principal"):
            access_key = response["Credentials"]["AccessKeyId"]
            account_id = extract_account_id_from_arn(kwargs["role_arn"])
            with sts_store_lock:
                sessions = sts_stores[account_id][AWS_REGION_US_EAST_1].sessions
                sessions[access_key]["expiration"] = None
        return response

    StsProvider.assume_role = assume_role_for_good
