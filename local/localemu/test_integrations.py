"""Checks against a running emulator that services call with the rights of the role they were given.

    AWS_ENDPOINT_URL=http://127.0.0.1:4566 python -m unittest test_integrations.py
"""

import json
import unittest
from typing import Any

from as_a_role import ACCOUNT, AsARole, Statement, allow, arn, name, policy
from test_plugin import client, eventually

ECHO = "export const handler = (input) => input;"


def make_queue(**attributes: str) -> tuple[str, str]:
    """The URL and the ARN of a new queue."""
    queue = name("queue")
    url = client("sqs").create_queue(QueueName=queue, Attributes=attributes)["QueueUrl"]
    return url, arn("sqs", queue)


def received(queue_url: str) -> list[dict[str, Any]]:
    return (
        client("sqs")
        .receive_message(QueueUrl=queue_url, MessageAttributeNames=["All"], WaitTimeSeconds=1)
        .get("Messages", [])
    )


def events_may_send(queue_arn: str) -> dict[str, str]:
    grant = {
        **allow("sqs:SendMessage", queue_arn),
        "Principal": {"Service": "events.amazonaws.com"},
        "Condition": {"ArnLike": {"aws:SourceArn": arn("events", "rule/*")}},
    }
    return {"Policy": policy(grant)}


class StateMachines(AsARole):
    def run_task(self, role_arn: str, resource: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Runs a state machine of one task with this role, and returns how it ended."""
        machines = client("stepfunctions")
        task = {"Type": "Task", "Resource": f"arn:aws:states:::{resource}", "End": True}
        definition = {
            "QueryLanguage": "JSONata",
            "StartAt": "Task",
            "States": {"Task": {**task, "Arguments": arguments}},
        }
        machine = machines.create_state_machine(
            name=name("machine"), definition=json.dumps(definition), roleArn=role_arn
        )["stateMachineArn"]
        started = machines.start_execution(stateMachineArn=machine)
        key = {"executionArn": started["executionArn"]}
        ended = eventually(lambda: machines.describe_execution(**key)["status"] != "RUNNING", 20)
        self.assertTrue(ended)
        return machines.describe_execution(**key)

    def assert_needs(self, action: str, on: str, resource: str, arguments: dict[str, Any]) -> None:
        states = {"Service": "states.amazonaws.com"}
        without = self.run_task(self.role(trusts=states), resource, arguments)
        self.assertEqual(without["status"], "FAILED")
        self.assertIn(f"not authorized to perform: {action} on resource: {on}", without["cause"])
        having = self.run_task(self.role(allow(action, on), trusts=states), resource, arguments)
        self.assertEqual(having["status"], "SUCCEEDED", having.get("cause"))

    def test_a_task_that_sends_a_message(self) -> None:
        url, queue = make_queue()
        arguments = {"QueueUrl": url, "MessageBody": "x"}
        self.assert_needs("sqs:SendMessage", queue, "sqs:sendMessage", arguments)

    def test_a_task_that_publishes(self) -> None:
        topic = client("sns").create_topic(Name=name("topic"))["TopicArn"]
        arguments = {"TopicArn": topic, "Message": "x"}
        self.assert_needs("sns:Publish", topic, "sns:publish", arguments)

    def test_a_task_that_reads_a_parameter_through_the_sdk(self) -> None:
        parameter = f"/{name('stage')}/kill-switch"
        client("ssm").put_parameter(Name=parameter, Value="off", Type="String")
        arguments = {"Name": parameter}
        on = arn("ssm", f"parameter{parameter}")
        self.assert_needs("ssm:GetParameter", on, "aws-sdk:ssm:getParameter", arguments)

    def test_a_task_that_invokes_a_function(self) -> None:
        function = self.function(self.role(trusts={"Service": "lambda.amazonaws.com"}), ECHO)
        arguments = {"FunctionName": function, "Payload": {"a": 1}}
        on = arn("lambda", f"function:{function}")
        self.assert_needs("lambda:InvokeFunction", on, "lambda:invoke", arguments)


class EventBridge(AsARole):
    def setUp(self) -> None:
        self.bus = name("bus")
        client("events").create_event_bus(Name=self.bus)
        self.undelivered, dead_letters = make_queue()
        client("sqs").set_queue_attributes(
            QueueUrl=self.undelivered, Attributes=events_may_send(dead_letters)
        )
        self.dead_letters = {"Arn": dead_letters}

    def rule_to(self, target: str, **settings: str) -> None:
        key = {"EventBusName": self.bus, "Name": name("rule")}
        client("events").put_rule(**key, EventPattern=json.dumps({"source": ["falco"]}))
        client("events").put_targets(
            EventBusName=self.bus,
            Rule=key["Name"],
            Targets=[
                {
                    "Id": "target",
                    "Arn": target,
                    "DeadLetterConfig": self.dead_letters,
                    "RetryPolicy": {"MaximumRetryAttempts": 0},
                    **settings,
                }
            ],
        )

    def put_event(self) -> None:
        entry = {"EventBusName": self.bus, "Source": "falco", "DetailType": "x", "Detail": "{}"}
        client("events").put_events(Entries=[entry])

    def why_undelivered(self) -> str:
        found: list[dict[str, Any]] = []
        eventually(lambda: bool(found.extend(received(self.undelivered)) or found), 10)
        return found[0]["MessageAttributes"]["ERROR_MESSAGE"]["StringValue"] if found else ""

    def test_a_rule_starts_an_execution_with_the_rights_of_its_role(self) -> None:
        machines = client("stepfunctions")
        definition = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}
        machine = machines.create_state_machine(
            name=name("machine"),
            definition=json.dumps(definition),
            roleArn=self.role(trusts={"Service": "states.amazonaws.com"}),
        )["stateMachineArn"]
        role = self.role(trusts={"Service": "events.amazonaws.com"})
        self.rule_to(machine, RoleArn=role)

        self.put_event()
        self.assertIn("states:StartExecution", self.why_undelivered())
        self.grant(role, allow("states:StartExecution", machine))
        self.put_event()

        key = {"stateMachineArn": machine}
        self.assertTrue(eventually(lambda: bool(machines.list_executions(**key)["executions"])))

    def test_a_rule_without_a_role_needs_the_policy_of_its_target(self) -> None:
        url, queue = make_queue()
        self.rule_to(queue)
        self.put_event()
        self.assertIn("no resource-based policy allows", self.why_undelivered())
        client("sqs").set_queue_attributes(QueueUrl=url, Attributes=events_may_send(queue))
        self.put_event()
        self.assertTrue(eventually(lambda: bool(received(url)), 10))

    def test_each_policy_resource_of_a_bus_is_a_statement_of_its_policy(self) -> None:
        def template(*sources: str) -> str:
            statements = {
                f"No{source}": {
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "events:PutEvents",
                    "Resource": arn("events", f"event-bus/{self.bus}"),
                    "Condition": {"StringEquals": {"events:source": source}},
                }
                for source in sources
            }
            resources = {
                name: {
                    "Type": "AWS::Events::EventBusPolicy",
                    "Properties": {
                        "EventBusName": self.bus,
                        "StatementId": name,
                        "Statement": statement,
                    },
                }
                for name, statement in statements.items()
            }
            return json.dumps({"Resources": resources})

        def names() -> list[str]:
            found = json.loads(client("events").describe_event_bus(Name=self.bus)["Policy"])
            return sorted(statement["Sid"] for statement in found["Statement"])

        stacks, stack = client("cloudformation"), name("stack")
        stacks.create_stack(StackName=stack, TemplateBody=template("one", "two", "three"))
        stacks.get_waiter("stack_create_complete").wait(StackName=stack)
        self.assertEqual(names(), ["Noone", "Nothree", "Notwo"])
        stacks.update_stack(StackName=stack, TemplateBody=template("one", "four"))
        stacks.get_waiter("stack_update_complete").wait(StackName=stack)
        self.assertEqual(names(), ["Nofour", "Noone"])


class Functions(AsARole):
    def test_a_template_reserves_concurrency_and_gives_it_back(self) -> None:
        function, role = name("function"), self.role(trusts={"Service": "lambda.amazonaws.com"})

        def template(**reserved: int) -> str:
            code = {"ZipFile": "export const handler = () => 1;"}
            properties = {
                "FunctionName": function,
                "Role": role,
                "Runtime": "nodejs24.x",
                "Handler": "index.handler",
                "Code": code,
                **reserved,
            }
            made = {"Type": "AWS::Lambda::Function", "Properties": properties}
            return json.dumps({"Resources": {"Made": made}})

        def reserved() -> int | None:
            found = client("lambda").get_function_concurrency(FunctionName=function)
            return found.get("ReservedConcurrentExecutions")

        stacks, stack = client("cloudformation"), name("stack")
        stacks.create_stack(
            StackName=stack, TemplateBody=template(ReservedConcurrentExecutions=3)
        )
        stacks.get_waiter("stack_create_complete").wait(StackName=stack)
        self.assertEqual(reserved(), 3)
        stacks.update_stack(StackName=stack, TemplateBody=template())
        stacks.get_waiter("stack_update_complete").wait(StackName=stack)
        self.assertIsNone(reserved())


class Pipes(AsARole):
    def setUp(self) -> None:
        bus = name("bus")
        client("events").create_event_bus(Name=bus)
        self.bus = arn("events", f"event-bus/{bus}")
        self.putting = allow("events:PutEvents", self.bus)
        self.delivered, delivered = make_queue()
        client("sqs").set_queue_attributes(
            QueueUrl=self.delivered, Attributes=events_may_send(delivered)
        )
        rule = name("rule")
        everything = json.dumps({"account": [ACCOUNT]})
        client("events").put_rule(EventBusName=bus, Name=rule, EventPattern=everything)
        client("events").put_targets(
            EventBusName=bus, Rule=rule, Targets=[{"Id": "queue", "Arn": delivered}]
        )

    def consuming(self, queue: str) -> Statement:
        return allow(["sqs:ReceiveMessage", "sqs:DeleteMessage"], queue)

    def pipe_from(self, queue: str, *rights: Statement) -> str:
        """Makes a pipe to the bus, and returns the role that it works with."""
        role = self.role(*rights, trusts={"Service": "pipes.amazonaws.com"})
        pipe = name("pipe")
        client("pipes").create_pipe(Name=pipe, RoleArn=role, Source=queue, Target=self.bus)
        self.addCleanup(client("pipes").delete_pipe, Name=pipe)
        return role

    def next_delivered(self) -> str:
        found: list[dict[str, Any]] = []
        eventually(lambda: bool(found.extend(received(self.delivered)) or found), 20)
        for message in found:
            receipt = message["ReceiptHandle"]
            client("sqs").delete_message(QueueUrl=self.delivered, ReceiptHandle=receipt)
        return " ".join(message["Body"] for message in found)

    def test_an_event_that_the_role_may_not_put_goes_back_to_the_queue(self) -> None:
        failed_url, failed = make_queue()
        redrive = json.dumps({"deadLetterTargetArn": failed, "maxReceiveCount": 1})
        url, queue = make_queue(VisibilityTimeout="1", RedrivePolicy=redrive)
        role = self.pipe_from(queue, self.consuming(queue))
        client("sqs").send_message(QueueUrl=url, MessageBody="first")
        self.assertTrue(eventually(lambda: bool(received(failed_url)), 20))
        self.grant(role, self.consuming(queue), self.putting)
        client("sqs").send_message(QueueUrl=url, MessageBody="second")
        self.assertIn("second", self.next_delivered())

    def test_a_message_that_the_role_may_not_receive_waits(self) -> None:
        url, queue = make_queue()
        other_url, other = make_queue()
        role = self.pipe_from(queue, self.putting)
        self.pipe_from(other, self.putting, self.consuming(other))
        client("sqs").send_message(QueueUrl=url, MessageBody="first")
        client("sqs").send_message(QueueUrl=other_url, MessageBody="second")
        self.assertIn("second", self.next_delivered())
        self.grant(role, self.putting, self.consuming(queue))
        self.assertIn("first", self.next_delivered())


if __name__ == "__main__":
    unittest.main()
