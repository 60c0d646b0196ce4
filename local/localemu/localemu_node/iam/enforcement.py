"""The handler that lets a call pass or refuses it, in upstream's place in the chain of handlers."""

import logging
import os
from dataclasses import replace
from datetime import UTC, datetime

from localemu.aws.api import CommonServiceException, RequestContext
from localemu.aws.chain import HandlerChain
from localemu.http import Response
from localemu.services.iam_enforcement.enforcer import IAMEnforcementHandler

from .call import Call
from .callers import Administrator, Caller, caller_of
from .operations import accesses
from .patterns import Undetermined
from .policies import Policies, why_denied
from .request_context import endpoint_of, keys_of_request, policies_of
from .resource_policies import resource_policies

LOG = logging.getLogger(__name__)

# Everybody may ask who he is.
OPEN = {("sts", "GetCallerIdentity")}

# Where a service's word for a denial is not that of its protocol.
CODES = {"ec2": "UnauthorizedOperation", "sns": "AuthorizationError"}
JSON_PROTOCOLS = ("json", "rest-json")


def enforce(
    self: IAMEnforcementHandler, chain: HandlerChain, context: RequestContext, response: Response
) -> None:
    if os.environ.get("IAM_ENFORCEMENT") != "1" or not context.service:
        return
    operation = context.operation.name if context.operation else ""
    if (context.service.service_name, operation) in OPEN:
        return
    caller = caller_of(context)
    if isinstance(caller, Administrator):
        return
    if caller is None:
        raise CommonServiceException(
            "InvalidClientTokenId", "The security token included in the request is invalid.", 403
        )
    judge(context, caller, operation)


def judge(context: RequestContext, caller: Caller, operation: str) -> None:
    """Return if every permission that the call needs is given, else raise its service's error."""
    call = Call(
        service=context.service.service_name,
        operation=operation,
        parameters=context.service_request or {},
        account_id=context.account_id,
        region=context.region,
        partition=context.partition,
    )
    needed = f"{call.service}:{operation}"
    try:
        endpoint = endpoint_of(context, caller)
        keys = keys_of_request(context, caller, endpoint, datetime.now(tz=UTC))
        for access in accesses(call):
            policies = Policies(
                identity=caller.identity,
                resource=resource_policies(access.resource, call.account_id, call.region),
                boundary=caller.boundary,
                session=caller.session,
                endpoint=policies_of(endpoint),
            )
            needed = f"{access.action} on resource: {access.resource}"
            complete = replace(access, keys={**keys, **access.keys})
            if why := why_denied(complete, caller.principal, policies):
                raise denial(context, caller, f"{needed} {why}")
    except Undetermined as cause:
        raise denial(
            context, caller, f"{needed} because the emulator cannot judge it: {cause}"
        ) from cause


def denial(context: RequestContext, caller: Caller, what: str) -> CommonServiceException:
    message = f"User: {caller.principal.arn} is not authorized to perform: {what}"
    LOG.warning("IAM denies: %s", message)
    in_json = context.protocol in JSON_PROTOCOLS
    code = CODES.get(
        context.service.service_name, "AccessDeniedException" if in_json else "AccessDenied"
    )
    return CommonServiceException(code, message, 400 if context.protocol == "json" else 403)
