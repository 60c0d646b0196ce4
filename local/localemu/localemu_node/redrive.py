"""RedriveExecution, which upstream does not implement, and what status-change events say of it.

A failed, aborted or timed-out execution continues at the top-level state that it was in, with
that state's input and the variables of that moment. States that succeeded are not run again and
retry counters start afresh. AWS restarts only the failed branches of a Parallel or Map state;
here such a state starts again as a whole.
"""

import copy
import dataclasses
import datetime
import json
import logging
import threading
from typing import Any

from localemu.aws.api import CommonServiceException, RequestContext, handler
from localemu.aws.api.stepfunctions import (
    ExecutionStatus,
    HistoryEventType,
    RedriveExecutionOutput,
)
from localemu.services.stepfunctions.asl.component.common.flow.start_at import StartAt
from localemu.services.stepfunctions.asl.component.state.state import CommonStateField
from localemu.services.stepfunctions.asl.eval.environment import Environment
from localemu.services.stepfunctions.asl.eval.event.event_detail import EventDetails
from localemu.services.stepfunctions.asl.eval.variable_store import VariableStore
from localemu.services.stepfunctions.backend.execution import Execution
from localemu.services.stepfunctions.backend.execution_worker import ExecutionWorker
from localemu.services.stepfunctions.provider import StepFunctionsProvider

LOG = logging.getLogger(__name__)

REDRIVABLE_STATUSES = {
    ExecutionStatus.FAILED,
    ExecutionStatus.ABORTED,
    ExecutionStatus.TIMED_OUT,
}


@dataclasses.dataclass
class Checkpoint:
    """What a redrive needs to enter a state again."""

    state_name: str
    state_input: Any
    variables: VariableStore


@dataclasses.dataclass
class Redrives:
    """How often and when an execution was redriven."""

    count: int = 0
    last_date: datetime.datetime | None = None


def redrives_of(execution: Execution) -> Redrives:
    return execution.__dict__.setdefault("redrives", Redrives())


def describe_redrives(execution: Execution) -> dict[str, Any]:
    redrives = redrives_of(execution)
    described: dict[str, Any] = {"redriveCount": redrives.count}
    if redrives.last_date:
        described["redriveDate"] = redrives.last_date
    return described


def describe_redrive_status(execution: Execution) -> dict[str, Any]:
    if execution.exec_status in REDRIVABLE_STATUSES:
        return {"redriveStatus": "REDRIVABLE"}
    return {
        "redriveStatus": "NOT_REDRIVABLE",
        "redriveStatusReason": f"Execution is {execution.exec_status} and cannot be redriven",
    }


def milliseconds(date: datetime.datetime | None) -> int | None:
    return None if date is None else round(date.timestamp() * 1000)


def publish_status_change(self: Execution) -> None:
    """As AWS sends it: times in milliseconds, and whether and how often it can be redriven."""
    redrives = redrives_of(self)
    detail = {
        "executionArn": self.exec_arn,
        "stateMachineArn": self.state_machine.arn,
        "name": self.name,
        "status": self.exec_status,
        "startDate": milliseconds(self.start_date),
        "stopDate": milliseconds(self.stop_date),
        "input": json.dumps(self.input_data or {}),
        "inputDetails": {"included": True},
        "output": None if self.output is None else json.dumps(self.output),
        "outputDetails": None if self.output is None else {"included": True},
        "error": self.error,
        "cause": self.cause,
        "redriveCount": redrives.count,
        "redriveDate": milliseconds(redrives.last_date),
        "redriveStatusReason": None,
        **describe_redrive_status(self),
    }
    entry = {
        "Source": "aws.states",
        "Resources": [self.exec_arn],
        "DetailType": "Step Functions Execution Status Change",
        "Detail": json.dumps(detail),
    }
    try:
        self._get_events_client().put_events(Entries=[entry])
    except Exception:
        LOG.exception("Cannot tell that %s is %s", self.exec_arn, self.exec_status)


def rewind(env: Environment, checkpoint: Checkpoint) -> None:
    """Put the execution's environment back to where it entered the checkpoint's state."""
    env._program_state = None
    env._frames.clear()
    env.stack.clear()
    env.heap.clear()
    env.states.reset(copy.deepcopy(checkpoint.state_input))
    env.variable_store = copy.deepcopy(checkpoint.variables)


def run_from(execution: Execution, checkpoint: Checkpoint) -> None:
    worker = execution.exec_worker
    program = worker._get_evaluation_entrypoint()
    program.start_at = StartAt(checkpoint.state_name)
    program.eval(worker.env)
    worker._execution_communication.terminated()


def not_redrivable(execution_arn: str, reason: str) -> CommonServiceException:
    message = f"Execution '{execution_arn}' is not redrivable: {reason}"
    return CommonServiceException("ExecutionNotRedrivable", message, 400)


@handler("RedriveExecution")
def redrive_execution(
    self: StepFunctionsProvider,
    context: RequestContext,
    execution_arn: str,
    client_token: str | None = None,
    **_: Any,
) -> RedriveExecutionOutput:
    execution = self._get_execution(context=context, execution_arn=execution_arn)
    if execution.exec_status not in REDRIVABLE_STATUSES:
        raise not_redrivable(execution_arn, f"it is {execution.exec_status}")
    env = execution.exec_worker.env
    checkpoint: Checkpoint | None = getattr(env, "checkpoint", None)
    if checkpoint is None:
        raise not_redrivable(execution_arn, "the emulator restarted since it failed")

    redrives = redrives_of(execution)
    redrives.count += 1
    redrives.last_date = datetime.datetime.now(tz=datetime.UTC)

    rewind(env, checkpoint)
    env.states.context_object.context_object_data["Execution"].update(
        RedriveCount=redrives.count,
        RedriveTime=execution._to_serialized_date(redrives.last_date),
    )
    execution.stop_date = execution.error = execution.cause = None
    execution.exec_status = ExecutionStatus.RUNNING
    env.event_manager.add_event(
        context=env.event_history_context,
        event_type=HistoryEventType.ExecutionRedriven,
        event_details=EventDetails(
            executionRedrivenEventDetails={"redriveCount": redrives.count}
        ),
    )
    execution.publish_execution_status_change_event()
    threading.Thread(target=run_from, args=(execution, checkpoint), daemon=True).start()
    return RedriveExecutionOutput(redriveDate=redrives.last_date)


def apply() -> None:
    eval_state = CommonStateField._eval_body
    evaluation_environment = ExecutionWorker._get_evaluation_environment
    describe_execution = Execution.to_describe_output
    list_execution = Execution.to_execution_list_item

    def eval_state_after_checkpoint(self: CommonStateField, env: Environment) -> None:
        # States within Parallel and Map run in frames; only the outermost can be entered again.
        if not env.is_frame():
            env.checkpoint = Checkpoint(
                state_name=self.name,
                state_input=copy.deepcopy(env.states.get_input()),
                variables=copy.deepcopy(env.variable_store),
            )
        eval_state(self, env)

    def environment_with_redrive_count(self: ExecutionWorker) -> Environment:
        # AWS has RedriveCount in the context object from the first run on.
        env = evaluation_environment(self)
        env.states.context_object.context_object_data["Execution"]["RedriveCount"] = 0
        return env

    def describe_with_redrives(self: Execution) -> dict[str, Any]:
        return {
            **describe_execution(self),
            **describe_redrives(self),
            **describe_redrive_status(self),
        }

    def list_with_redrives(self: Execution) -> dict[str, Any]:
        return {**list_execution(self), **describe_redrives(self)}

    CommonStateField._eval_body = eval_state_after_checkpoint
    ExecutionWorker._get_evaluation_environment = environment_with_redrive_count
    Execution.to_describe_output = describe_with_redrives
    Execution.to_execution_list_item = list_with_redrives
    Execution.publish_execution_status_change_event = publish_status_change
    StepFunctionsProvider.redrive_execution = redrive_execution
