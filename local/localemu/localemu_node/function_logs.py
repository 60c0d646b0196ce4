"""Write a function's log as Lambda does: into a stream of its own, with the function's role.

Upstream creates the log group whenever the stream is new. A function whose group exists needs no
right to create groups, and without that right its log would be lost.
"""

import logging
import time
from typing import Any

from botocore.client import BaseClient
from localemu.aws.connect import connect_to
from localemu.services.lambda_.invocation.logs import QUEUE_SHUTDOWN, LogHandler, LogItem
from localemu.utils.aws.client_types import ServicePrincipal

LOG = logging.getLogger(__name__)


def write(client: BaseClient, item: LogItem) -> None:
    now_ms = int(time.time() * 1000)
    lines = [line for line in item.logs.split("\n") if line]
    stream = {"logGroupName": item.log_group, "logStreamName": item.log_stream}
    events = [{"timestamp": now_ms, "message": f"{line}\n"} for line in lines]
    absent = client.exceptions.ResourceNotFoundException
    try:
        client.put_log_events(**stream, logEvents=events)
    except absent:
        try:
            client.create_log_stream(**stream)
        except absent:
            client.create_log_group(logGroupName=item.log_group)
            client.create_log_stream(**stream)
        client.put_log_events(**stream, logEvents=events)


def run_log_loop(self: LogHandler, *_: Any, **__: Any) -> None:
    client = connect_to.with_assumed_role(
        region_name=self.region,
        role_arn=self.role_arn,
        service_principal=ServicePrincipal.lambda_,
    ).logs
    while not self._shutdown_event.is_set():
        item = self.log_queue.get()
        if item is QUEUE_SHUTDOWN:
            return
        try:
            write(client, item)
        except Exception as cause:
            LOG.warning("Some log of %s is lost: %s", item.log_group, cause)


def apply() -> None:
    LogHandler.run_log_loop = run_log_loop
