"""Reserve the concurrency of a function that its template asks for.

Upstream limits functions for which it was reserved through Lambda's API, and drops the property when
CloudFormation creates or updates one: a flood would start a process for every call.
"""

import functools
from collections.abc import Callable
from typing import Any

from localemu.services.cloudformation.resource_provider import OperationStatus, ProgressEvent
from localemu.services.lambda_.resource_providers.aws_lambda_function import LambdaFunctionProvider

Operation = Callable[[LambdaFunctionProvider, Any], ProgressEvent]


def reserving(operation: Operation) -> Operation:
    @functools.wraps(operation)
    def wrapped(self: LambdaFunctionProvider, request: Any) -> ProgressEvent:
        event = operation(self, request)
        if event.status is OperationStatus.SUCCESS:
            reserve(request.aws_client_factory.lambda_, request)
        return event

    return wrapped


def reserve(client: Any, request: Any) -> None:
    function = {"FunctionName": name_of(request)}
    units = request.desired_state.get("ReservedConcurrentExecutions")
    if units is not None:
        client.put_function_concurrency(**function, ReservedConcurrentExecutions=int(units))
    elif "ReservedConcurrentExecutions" in (request.previous_state or {}):
        client.delete_function_concurrency(**function)


def name_of(request: Any) -> str:
    return request.desired_state.get("FunctionName") or request.previous_state["FunctionName"]


def apply() -> None:
    LambdaFunctionProvider.create = reserving(LambdaFunctionProvider.create)
    LambdaFunctionProvider.update = reserving(LambdaFunctionProvider.update)
