"""EventBridge rule -> Step Functions, and its dead-letter queue.

Upstream names the execution after ``event["id"]``, which raises KeyError as soon as InputPath or
an InputTransformer has replaced the event, and refuses the second delivery of the same event,
although EventBridge delivers at least once.

And it sends undelivered events to the dead-letter queue as LocalEmu itself. Here EventBridge does,
on behalf of the rule, so that the queue's policy is asked as on AWS.
"""

import logging
import uuid
from typing import Any

from botocore.exceptions import ClientError
from localemu.aws.connect import connect_to
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


def apply() -> None:
    StatesTargetSender.send_event = send_event
    TargetSender._send_to_dlq = send_to_dead_letter_queue
