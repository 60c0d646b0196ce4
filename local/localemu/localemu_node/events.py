"""EventBridge rule -> Step Functions: start the execution whatever the target's input is.

Upstream names the execution after ``event["id"]``, which raises KeyError as soon as InputPath or
an InputTransformer has replaced the event, and refuses the second delivery of the same event,
although EventBridge delivers at least once.
"""

import uuid
from typing import Any

from localemu.services.events.target import StatesTargetSender, to_json_str

EXECUTION_NAME_MAX_CHARACTERS = 80


def send_event(self: StatesTargetSender, event: Any, trace_header: Any) -> None:
    self.service = "stepfunctions"
    event_id = event.get("id") if isinstance(event, dict) else None
    name = f"{event_id or uuid.uuid4()}_{uuid.uuid4()}"
    self.client.start_execution(
        stateMachineArn=self.target["Arn"],
        name=name[:EXECUTION_NAME_MAX_CHARACTERS],
        input=event if isinstance(event, str) else to_json_str(event),
    )


def apply() -> None:
    StatesTargetSender.send_event = send_event
