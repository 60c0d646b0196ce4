"""EventBridge rule -> Step Functions, and its dead-letter queue.

Upstream names the execution after ``event["id"]``, which raises KeyError as soon as InputPath or
an InputTransformer has replaced the event, and refuses the second delivery of the same event,
although EventBridge delivers at least once.

And it sends undelivered events to the dead-letter queue as LocalEmu itself. Here EventBridge does,
on behalf of the rule, so that the queue's policy is asked as on AWS.

Each AWS::Events::EventBusPolicy is one statement of its bus's policy. Upstream puts each as the whole
policy, so that only the last one stays, and cannot update one.
"""

import json
import logging
import threading
import uuid
from typing import Any

from botocore.client import BaseClient
from botocore.exceptions import ClientError
from localemu.aws.connect import connect_to
from localemu.services.cloudformation.resource_provider import (
    OperationStatus,
    ProgressEvent,
    ResourceRequest,
)
from localemu.services.events.resource_providers.aws_events_eventbuspolicy import (
    EventsEventBusPolicyProvider,
)
from localemu.services.events.target import StatesTargetSender, TargetSender, to_json_str
from localemu.utils.aws.arns import sqs_queue_url_for_arn
from localemu.utils.aws.client_types import ServicePrincipal

LOG = logging.getLogger(__name__)

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


def send_to_dead_letter_queue(
    self: TargetSender, event: Any, queue_arn: str, error: Exception
) -> None:
    attributes = {
        "RULE_ARN": self.rule_arn,
        "TARGET_ARN": self.arn,
        "ERROR_CODE": "TARGET_DELIVERY_FAILED",
        "ERROR_MESSAGE": str(error),
    }
    queues = connect_to(region_name=self.region).sqs.request_metadata(
        source_arn=self.rule_arn, service_principal=ServicePrincipal.events
    )
    try:
        queues.send_message(
            QueueUrl=sqs_queue_url_for_arn(queue_arn),
            MessageBody=to_json_str(event),
            MessageAttributes={
                name: {"StringValue": value, "DataType": "String"}
                for name, value in attributes.items()
            },
        )
    except ClientError:
        LOG.exception("An event of %s is lost: %s refuses it", self.rule_arn, queue_arn)


statements_lock = threading.Lock()


def put_statement(events: BaseClient, bus: str, statement: dict[str, Any]) -> None:
    """Put one statement beside those of the bus that bear another name."""
    with statements_lock:
        policy = json.loads(events.describe_event_bus(Name=bus).get("Policy") or "{}")
        others = [one for one in policy.get("Statement", []) if one.get("Sid") != statement["Sid"]]
        policy = {"Version": "2012-10-17", "Statement": [*others, statement]}
        events.put_permission(EventBusName=bus, Policy=json.dumps(policy))


def apply() -> None:
    create_permission = EventsEventBusPolicyProvider.create

    def create(self: EventsEventBusPolicyProvider, request: ResourceRequest) -> ProgressEvent:
        model = request.desired_state
        if not model.get("Statement"):
            return create_permission(self, request)
        previous = request.previous_state or {}
        model["Id"] = previous.get("Id") or f"EventBusPolicy-{uuid.uuid4()}"
        put_statement(
            request.aws_client_factory.events,
            model.get("EventBusName") or "default",
            {**model["Statement"], "Sid": model["StatementId"]},
        )
        return ProgressEvent(status=OperationStatus.SUCCESS, resource_model=model)

    EventsEventBusPolicyProvider.create = create
    EventsEventBusPolicyProvider.update = create
    StatesTargetSender.send_event = send_event
    TargetSender._send_to_dlq = send_to_dead_letter_queue
