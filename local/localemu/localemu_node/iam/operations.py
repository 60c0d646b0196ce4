"""Which permissions an API call needs.

Only what is listed here is judged: the calls that the product's roles make, and what somebody who
got hold of one would try. Any other call of theirs is refused, so that a new one has to be added
here, from the Service Authorization Reference, before it can work.
"""

from collections.abc import Sequence

from . import ec2, s3
from .call import Call, Reading, named, on, on_everything
from .patterns import Undetermined
from .policies import Access


def put_events(call: Call) -> list[Access]:
    """One permission for each bus; whichever is refused, the whole call is."""
    needed = []
    for entry in call.parameters["Entries"]:
        bus = entry.get("EventBusName") or "default"
        arn = bus if bus.startswith("arn:") else call.arn("events", f"event-bus/{bus}")
        keys = {
            "events:source": [entry.get("Source", "")],
            "events:detail-type": [entry.get("DetailType", "")],
        }
        needed.append(Access("events:PutEvents", arn, keys))
    return needed


def queue_of(call: Call) -> str:
    # https://sqs.<region>.amazonaws.com/<account>/<name>
    account_id, name = call.parameters["QueueUrl"].rstrip("/").split("/")[-2:]
    return call.arn("sqs", name, owner=account_id)


def parameter_of(call: Call) -> str:
    name = call.parameters["Name"]
    # A leading slash of the name is not doubled: parameter/a/b for /a/b.
    return name if name.startswith("arn:") else call.arn("ssm", f"parameter/{name.lstrip('/')}")


def publish(call: Call) -> list[Access]:
    topic = call.parameters.get("TopicArn") or call.parameters.get("TargetArn")
    return [Access("sns:Publish", topic or "*")]  # without a topic it is a text message


def invoke(call: Call) -> list[Access]:
    name, qualifier = call.parameters["FunctionName"], call.parameters.get("Qualifier")
    arn = name if name.startswith("arn:") else call.arn("lambda", f"function:{name}")
    return [Access("lambda:InvokeFunction", f"{arn}:{qualifier}" if qualifier else arn)]


def auto_scaling_group_of(call: Call) -> str:
    # Its ARN has an id that a caller who has only the name does not know.
    name = call.parameters["AutoScalingGroupName"]
    return call.arn("autoscaling", f"autoScalingGroup:*:autoScalingGroupName/{name}")


def log_stream_of(call: Call) -> str:
    group, stream = call.parameters["logGroupName"], call.parameters["logStreamName"]
    return call.arn("logs", f"log-group:{group}:log-stream:{stream}")


def log_group_of(call: Call) -> str:
    # All but the actions on tags know a group by what is in it.
    return call.arn("logs", f"log-group:{call.parameters['logGroupName']}:*")


def association_of(call: Call) -> str:
    cluster, association = call.parameters["clusterName"], call.parameters["associationId"]
    return call.arn("eks", f"podidentityassociation/{cluster}/{association}")


def stack_of(call: Call) -> str:
    # Its ARN ends in an id that a caller who has only the name does not know.
    name = call.parameters.get("StackName", "*")
    return name if name.startswith("arn:") else call.arn("cloudformation", f"stack/{name}/*")


def role_of(call: Call) -> str:
    return call.arn("iam", f"role/{call.parameters['RoleName']}", region="")


def instance_profile_of(call: Call) -> str:
    name = call.parameters["InstanceProfileName"]
    return call.arn("iam", f"instance-profile/{name}", region="")


DETECTOR = named("guardduty", "detector/", "DetectorId")

OPERATIONS: dict[str, dict[str, Reading]] = {
    "s3": s3.OPERATIONS,
    "ec2": ec2.OPERATIONS,
    "eks": {
        "DescribeCluster": on("eks:DescribeCluster", named("eks", "cluster/", "name")),
        "ListPodIdentityAssociations": on(
            "eks:ListPodIdentityAssociations", named("eks", "cluster/", "clusterName")
        ),
        "DescribePodIdentityAssociation": on("eks:DescribePodIdentityAssociation", association_of),
        "DeleteCluster": on("eks:DeleteCluster", named("eks", "cluster/", "name")),
        "ListClusters": on("eks:ListClusters", lambda _: "*"),
        "CreateAccessEntry": on("eks:CreateAccessEntry", named("eks", "cluster/", "clusterName")),
    },
    "events": {"PutEvents": put_events},
    "autoscaling": {
        "DescribeAutoScalingInstances": on_everything("autoscaling:DescribeAutoScalingInstances"),
        "SetInstanceProtection": on("autoscaling:SetInstanceProtection", auto_scaling_group_of),
    },
    "sqs": {
        action: on(f"sqs:{action.removesuffix('Batch')}", queue_of)
        for action in (
            "SendMessage",
            "SendMessageBatch",
            "ReceiveMessage",
            "DeleteMessage",
            "DeleteMessageBatch",
            "ChangeMessageVisibility",
            "ChangeMessageVisibilityBatch",
            "GetQueueAttributes",
            "PurgeQueue",
        )
    },
    "sns": {"Publish": publish},
    "ssm": {
        "GetParameter": on("ssm:GetParameter", parameter_of),
        "PutParameter": on("ssm:PutParameter", parameter_of),
    },
    "lambda": {"Invoke": invoke},
    "stepfunctions": {
        "StartExecution": on("states:StartExecution", lambda c: c.parameters["stateMachineArn"]),
    },
    "logs": {
        "StartQuery": on("logs:StartQuery", log_group_of),
        "GetQueryResults": on_everything("logs:GetQueryResults"),
        "CreateLogGroup": on("logs:CreateLogGroup", named("logs", "log-group:", "logGroupName")),
        "CreateLogStream": on("logs:CreateLogStream", log_stream_of),
        "PutLogEvents": on("logs:PutLogEvents", log_stream_of),
    },
    "cloudtrail": {"LookupEvents": on_everything("cloudtrail:LookupEvents")},
    "guardduty": {
        "ListDetectors": on_everything("guardduty:ListDetectors"),
        "ListFindings": on("guardduty:ListFindings", DETECTOR),
        "GetFindings": on("guardduty:GetFindings", DETECTOR),
    },
    "sts": {"AssumeRole": on("sts:AssumeRole", lambda call: call.parameters["RoleArn"])},
    "cloudformation": {"DescribeStacks": on("cloudformation:DescribeStacks", stack_of)},
    "iam": {
        "GetInstanceProfile": on("iam:GetInstanceProfile", instance_profile_of),
        "PutRolePolicy": on("iam:PutRolePolicy", role_of),
        "AttachRolePolicy": on("iam:AttachRolePolicy", role_of),
    },
}


def accesses(call: Call) -> Sequence[Access]:
    """The permissions that a call needs. Raises Undetermined for one that is not listed."""
    reading = OPERATIONS.get(call.service, {}).get(call.operation)
    if reading is None:
        raise Undetermined(
            f"what {call.service}:{call.operation} needs is not known here; add it to "
            "OPERATIONS in localemu_node/iam"
        )
    try:
        needed = reading(call)
    except (KeyError, ValueError) as cause:
        raise Undetermined(f"{call.operation} names no resource: {cause!r}") from cause
    if not needed:
        raise Undetermined(f"{call.operation} names nothing")
    return needed
