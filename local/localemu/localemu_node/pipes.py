"""EventBridge Pipes from a queue to a bus: fast, and with the message as it was sent.

Upstream

- polls with an interval of one second that grows to ten on an empty queue, so that the first
  message waits for seconds: here the poller waits in the queue and has a message at once;
- parses every body and writes it again before the target sees it, which changes whitespace,
  escapes, duplicate keys and quoted strings: here the parsed body serves filters and input
  templates only, as AWS documents for implicit body parsing;
- ignores EventBridgeEventBusParameters, and the entries that PutEvents refuses: here those
  messages stay in the queue, come back after its visibility timeout and end in its dead-letter
  queue; the events are put with the pipe's role, so that its policies judge them;
- names failed messages by their position, which its own poller then refuses as unknown, so that
  a whole batch is sent again when one message of it fails.
"""

import json
import logging
from functools import lru_cache
from typing import Any

from botocore.client import BaseClient
from botocore.exceptions import ClientError
from localemu.services.lambda_.event_source_mapping.event_processor import (
    PartialBatchFailureError,
)
from localemu.services.lambda_.event_source_mapping.pipe_utils import get_internal_client
from localemu.services.lambda_.event_source_mapping.pollers import sqs_poller
from localemu.services.pipes import event_processor, pipe_worker, pipe_worker_factory
from localemu.services.pipes.target import PipeTargetDispatcher

LOG = logging.getLogger(__name__)

SqsRecord = dict[str, Any]

# How long one ReceiveMessage waits for a message. It bounds how long stopping a pipe takes, not
# how long a message waits.
LONG_POLL_SECONDS = 1
# What SQS allows in one ReceiveMessage.
MAX_BATCH_SIZE = 10


def with_parsed_body(record: SqsRecord) -> SqsRecord:
    """The record as filters and input templates see it: a JSON body by its structure."""
    try:
        return {**record, "body": json.loads(record["body"])}
    except ValueError:
        return record


class QueuePoller(sqs_poller.SqsPoller):
    """Waits for messages in the queue and hands them over unchanged."""

    def poll_events(self) -> None:
        response = self.source_client.receive_message(
            QueueUrl=self.queue_url,
            MaxNumberOfMessages=min(self.batch_size, MAX_BATCH_SIZE),
            WaitTimeSeconds=LONG_POLL_SECONDS,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        )
        if messages := response.get("Messages"):
            self.handle_messages(messages)

    def handle_messages(self, messages: list[dict[str, Any]]) -> None:
        records = sqs_poller.transform_into_events(messages)
        wanted = [record for record in records if self.filter_events([with_parsed_body(record)])]
        failed_ids: set[str] = set()
        if wanted:
            try:
                self.processor.process_events_batch(self.add_source_metadata(wanted))
            except PartialBatchFailureError as failure:
                positions = failure.partial_failure_payload["batchItemFailures"]
                failed = [wanted[int(position["itemIdentifier"])] for position in positions]
                failed_ids = {record["messageId"] for record in failed}
        done_ids = {record["messageId"] for record in records} - failed_ids
        self.delete_messages(messages, done_ids)


@lru_cache
def bus_client(pipe_arn: str, role_arn: str, bus_arn: str) -> BaseClient:
    """Assuming the role for each event would take longer than the event."""
    return get_internal_client(
        arn=bus_arn, role_arn=role_arn, service_principal="pipes", source_arn=pipe_arn
    )


def put_on_bus(dispatcher: PipeTargetDispatcher, details: list[Any]) -> dict | None:
    """Put one event for each record on the bus; answer the positions of those it refused.

    One call for each event: a single oversized event would fail the whole call.
    """
    parameters = dispatcher.target_parameters.get("EventBridgeEventBusParameters") or {}
    refused_positions = []
    for position, detail in enumerate(details):
        event = {
            "EventBusName": dispatcher.target_arn,
            "Source": parameters.get("Source", f"Pipe {dispatcher.pipe_name}"),
            "DetailType": parameters.get("DetailType", "Event from aws:sqs"),
            "Resources": parameters.get("Resources", []),
            "Detail": detail if isinstance(detail, str) else json.dumps(detail, default=str),
        }
        try:
            client = bus_client(dispatcher.pipe_arn, dispatcher.role_arn, dispatcher.target_arn)
            [result] = client.put_events(Entries=[event])["Entries"]
            refusal = result.get("ErrorMessage") if "ErrorCode" in result else None
        except ClientError as error:
            refusal = str(error)
        if refusal:
            LOG.warning("Pipe %s: the bus refused an event: %s", dispatcher.pipe_name, refusal)
            refused_positions.append({"itemIdentifier": str(position)})
    return {"batchItemFailures": refused_positions} if refused_positions else None


def apply() -> None:
    dispatch = PipeTargetDispatcher.dispatch
    apply_input_template = event_processor.apply_input_template

    def dispatch_to_bus_or_other(self: PipeTargetDispatcher, events: list[Any]) -> dict | None:
        if ":event-bus/" in self.target_arn:
            return put_on_bus(self, events)
        return dispatch(self, events)

    def apply_template_to_parsed_body(template: str | None, record: SqsRecord) -> Any:
        return apply_input_template(template, with_parsed_body(record))

    PipeTargetDispatcher.dispatch = dispatch_to_bus_or_other
    event_processor.apply_input_template = apply_template_to_parsed_body
    pipe_worker_factory.SqsPoller = QueuePoller
    # The long poll is the pause between two polls.
    pipe_worker.LAMBDA_EVENT_SOURCE_MAPPING_POLL_INTERVAL_SEC = 0
