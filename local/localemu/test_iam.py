"""Checks against a running emulator that calls are judged by the policies of their role.

    AWS_ENDPOINT_URL=http://127.0.0.1:4566 python -m unittest test_iam.py
"""

import json
import unittest
from typing import Any

import boto3
from as_a_role import AsARole, Statement, allow, arn, name, policy
from botocore.exceptions import ClientError
from test_plugin import ENDPOINT, REGION, client, eventually

LISTER = """
import { ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
const s3 = new S3Client({ forcePathStyle: true });
export const handler = (input) =>
  s3.send(new ListObjectsV2Command(input)).then(() => "listed", ({ name }) => name);
"""


def make_bucket() -> str:
    bucket = name("bucket")
    client("s3").create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    return bucket


class Sessions(AsARole):
    def test_a_denial_has_the_code_and_the_words_of_its_service(self) -> None:
        role = self.role()
        bucket = make_bucket()
        why = "because no identity-based policy allows the"
        s3, eks, ec2 = (self.as_role(service, role) for service in ("s3", "eks", "ec2"))
        self.assertEqual(self.denied(s3.list_objects_v2, why, Bucket=bucket), "AccessDenied")
        self.assertEqual(self.denied(eks.describe_cluster, why, name="c"), "AccessDeniedException")
        self.assertEqual(self.denied(ec2.describe_instances, why), "UnauthorizedOperation")

    def test_what_is_not_known_is_denied_even_to_who_may_do_everything(self) -> None:
        everything = allow("*", "*")
        why = "cannot judge it: what kms:ListKeys needs is not known here"
        self.denied(self.with_rights("kms", everything).list_keys, why)
        odd = {**everything, "Effect": "Deny", "Condition": {"Bool": {"aws:Odd": "true"}}}
        s3 = self.with_rights("s3", everything, odd)
        self.denied(s3.list_buckets, "the condition key aws:Odd is not known here")
        self.with_rights("s3", everything).list_buckets()

    def test_an_access_key_of_nobody_is_refused(self) -> None:
        s3 = boto3.client(
            "s3",
            endpoint_url=ENDPOINT,
            region_name=REGION,
            aws_access_key_id="LSIAQAAAAAAANOBODY00",
            aws_secret_access_key="x",
            aws_session_token="x",
        )
        with self.assertRaises(ClientError) as raised:
            s3.list_buckets()
        self.assertEqual(raised.exception.response["Error"]["Code"], "InvalidClientTokenId")

    def test_a_session_ends_with_its_role(self) -> None:
        role = self.role()
        s3 = self.as_role("s3", role)
        self.denied(s3.list_buckets)
        client("iam").delete_role(RoleName=role.rsplit("/", 1)[-1])
        with self.assertRaises(ClientError) as raised:
            s3.list_buckets()
        self.assertEqual(raised.exception.response["Error"]["Code"], "InvalidClientTokenId")

    def test_a_role_is_assumed_by_whom_it_trusts_only(self) -> None:
        role = self.role(trusts={"Service": "lambda.amazonaws.com"})
        sts = client("sts")
        self.denied(sts.assume_role, RoleArn=role, RoleSessionName="test")

    def test_session_policies_and_boundaries_limit_what_a_role_may_do(self) -> None:
        bucket = make_bucket()
        listing = allow("s3:ListBucket", arn("s3", bucket, "", ""))
        other = policy(allow("s3:GetObject", "*"))
        boundary = client("iam").create_policy(PolicyName=name("limit"), PolicyDocument=other)
        role = self.role(listing)
        bounded = self.role(listing, PermissionsBoundary=boundary["Policy"]["Arn"])
        self.as_role("s3", role).list_objects_v2(Bucket=bucket)
        s3 = self.as_role("s3", role, Policy=other)
        self.denied(s3.list_objects_v2, "no session policy", Bucket=bucket)
        s3 = self.as_role("s3", bounded)
        self.denied(s3.list_objects_v2, "no permissions boundary", Bucket=bucket)


class S3(AsARole):
    def setUp(self) -> None:
        self.name = make_bucket()
        self.arn = arn("s3", self.name, "", "")

    def key(self, key: str) -> dict[str, str]:
        return {"Bucket": self.name, "Key": key}

    def put_policy(self, *statements: Statement) -> None:
        client("s3").put_bucket_policy(Bucket=self.name, Policy=policy(*statements))

    def test_keys_and_buckets(self) -> None:
        s3 = self.with_rights("s3", allow("s3:PutObject", f"{self.arn}/runs/*/plan.json"))
        s3.put_object(**self.key("runs/1/plan.json"), Body=b"{}")
        self.denied(s3.put_object, **self.key("runs/1/policy.json"), Body=b"{}")
        self.denied(s3.get_object, **self.key("runs/1/plan.json"))
        self.denied(s3.list_objects_v2, Bucket=self.name)

    def test_versions_retention_and_bypass_need_rights_of_their_own(self) -> None:
        version = client("s3").put_object(**self.key("a"), Body=b"a")["VersionId"]
        of_a = {**self.key("a"), "VersionId": version}
        plain = ["s3:GetObject", "s3:DeleteObject", "s3:DeleteObjectVersion"]
        s3 = self.with_rights("s3", allow(plain, f"{self.arn}/*"))
        s3.get_object(**self.key("a"))
        self.denied(s3.get_object, "s3:GetObjectVersion", **of_a)
        why = "s3:BypassGovernanceRetention"
        self.denied(s3.delete_object, why, **of_a, BypassGovernanceRetention=True)
        objects = {"Objects": [{"Key": "a", "VersionId": version}]}
        delete = {"Bucket": self.name, "Delete": objects, "BypassGovernanceRetention": True}
        self.denied(s3.delete_objects, why, **delete)
        self.denied(s3.put_object_legal_hold, **of_a, LegalHold={"Status": "OFF"})
        s3.delete_objects(Bucket=self.name, Delete=objects)

    def test_a_copy_needs_to_read_its_source(self) -> None:
        client("s3").put_object(**self.key("secret"), Body=b"a")
        s3 = self.with_rights("s3", allow(["s3:PutObject", "s3:GetObject"], f"{self.arn}/mine/*"))
        source = f"{self.name}/secret"
        self.denied(s3.copy_object, "s3:GetObject", **self.key("mine/1"), CopySource=source)

    def test_who_may_not_list_does_not_learn_that_a_key_is_absent(self) -> None:
        reading = allow("s3:GetObject", f"{self.arn}/*")
        self.denied(self.with_rights("s3", reading).get_object, **self.key("absent"))
        s3 = self.with_rights("s3", reading, allow("s3:ListBucket", self.arn))
        with self.assertRaises(s3.exceptions.NoSuchKey):
            s3.get_object(**self.key("absent"))

    def test_a_bucket_can_demand_conditional_writes_and_tls(self) -> None:
        common = {"Effect": "Deny", "Principal": "*", "Resource": [self.arn, f"{self.arn}/*"]}
        self.put_policy(
            {
                **common,
                "Action": "s3:PutObject",
                "Condition": {"Null": {"s3:if-none-match": "true"}},
            },
            {
                **common,
                "Action": "s3:*",
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            },
        )
        s3 = self.with_rights("s3", allow("s3:*", f"{self.arn}/*"))
        s3.put_object(**self.key("a"), Body=b"a", IfNoneMatch="*")
        self.denied(s3.put_object, "in a resource-based policy", **self.key("a"), Body=b"b")

    def test_a_bucket_can_be_kept_to_a_vpc_endpoint(self) -> None:
        self.put_policy(
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [self.arn, f"{self.arn}/*"],
                "Condition": {
                    "StringNotEquals": {"aws:SourceVpce": self.endpoint()},
                    "Bool": {"aws:ViaAWSService": "false"},
                },
            }
        )
        listing = allow("s3:ListBucket", self.arn)
        outside = self.with_rights("s3", listing).list_objects_v2
        self.denied(outside, "explicit deny in a resource-based", Bucket=self.name)
        self.assertEqual(self.list_from_function(listing, {}), "AccessDenied")
        network = {"SubnetIds": [self.subnet], "SecurityGroupIds": []}
        self.assertEqual(self.list_from_function(listing, network), "listed")
        nothing = policy({**allow("s3:GetObject", "*"), "Principal": "*"})
        client("ec2").modify_vpc_endpoint(VpcEndpointId=self.endpoint_id, PolicyDocument=nothing)
        self.assertEqual(self.list_from_function(listing, network), "AccessDenied")

    def endpoint(self) -> str:
        ec2 = client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")
        self.subnet = subnet["Subnet"]["SubnetId"]
        service = f"com.amazonaws.{REGION}.s3"
        endpoint = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=service)
        self.endpoint_id = endpoint["VpcEndpoint"]["VpcEndpointId"]
        return self.endpoint_id

    def list_from_function(self, listing: Statement, network: dict[str, Any]) -> str:
        """What a function with this right, in this network, gets for an answer."""
        role = self.role(listing, trusts={"Service": "lambda.amazonaws.com"})
        function = self.function(role, LISTER, VpcConfig=network)
        payload = json.dumps({"Bucket": self.name})
        answer = client("lambda").invoke(FunctionName=function, Payload=payload)
        return json.load(answer["Payload"])


class OtherServices(AsARole):
    def test_an_event_needs_the_right_to_its_bus(self) -> None:
        events = client("events")
        buses = [name("bus"), name("bus")]
        for bus in buses:
            events.create_event_bus(Name=bus)
        entries = [
            {"EventBusName": bus, "Source": "a", "DetailType": "b", "Detail": "{}"} for bus in buses
        ]
        one_bus = arn("events", f"event-bus/{buses[0]}")
        events = self.with_rights("events", allow("events:PutEvents", one_bus))
        events.put_events(Entries=entries[:1])
        self.denied(events.put_events, f"event-bus/{buses[1]}", Entries=entries)

    def test_a_function_whose_log_group_exists_needs_no_right_to_create_one(self) -> None:
        role = self.role(trusts={"Service": "lambda.amazonaws.com"})
        function = self.function(role, "export const handler = () => console.log('hello');")
        group = {"logGroupName": f"/aws/lambda/{function}"}
        logs = client("logs")
        logs.create_log_group(**group)
        writing = ["logs:CreateLogStream", "logs:PutLogEvents"]
        self.grant(role, allow(writing, arn("logs", f"log-group:{group['logGroupName']}:*")))
        client("lambda").invoke(FunctionName=function)

        def logged() -> bool:
            events = logs.filter_log_events(**group)["events"]
            return any("hello" in event["message"] for event in events)

        self.assertTrue(eventually(logged))

    def test_snapshots_need_rights_to_what_they_are_made_of_and_tags_only_with_them(self) -> None:
        ec2 = client("ec2")
        image = ec2.describe_images()["Images"][0]["ImageId"]
        run = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)
        instance = run["Instances"][0]["InstanceId"]
        snapshots = arn("ec2", "snapshot/*", owner="")
        own = [arn("ec2", "instance/*"), arn("ec2", "volume/*"), snapshots]
        making = allow("ec2:CreateSnapshots", *own)
        created = {"StringEquals": {"ec2:CreateAction": ["CreateSnapshots"]}}
        tagging = allow("ec2:CreateTags", snapshots, Condition=created)
        tags = [{"ResourceType": "snapshot", "Tags": [{"Key": "CaseID", "Value": "c"}]}]
        request = {"InstanceSpecification": {"InstanceId": instance}, "TagSpecifications": tags}

        ec2 = self.with_rights("ec2", making)
        self.denied(ec2.create_snapshots, "ec2:CreateTags", **request)
        for missing in own:
            some = allow("ec2:CreateSnapshots", *[one for one in own if one != missing])
            ec2 = self.with_rights("ec2", some, tagging)
            self.denied(ec2.create_snapshots, missing.removesuffix("*"), **request)
        ec2 = self.with_rights("ec2", making, tagging)
        [snapshot, *_] = ec2.create_snapshots(**request)["Snapshots"]
        later = {"Resources": [snapshot["SnapshotId"]], "Tags": [{"Key": "CaseID", "Value": "d"}]}
        self.denied(ec2.create_tags, "ec2:CreateTags", **later)
        self.denied(ec2.delete_snapshot, SnapshotId=snapshot["SnapshotId"])

    def test_sharing_a_snapshot_is_judged_by_whom_it_is_given_to(self) -> None:
        ec2 = client("ec2")
        volume = ec2.create_volume(AvailabilityZone=f"{REGION}a", Size=1)["VolumeId"]
        snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
        friend, stranger = "111111111111", "222222222222"
        only = {"StringEquals": {"ec2:Add/userId": friend}, "Null": {"ec2:Add/group": "true"}}
        snapshots = arn("ec2", "snapshot/*", owner="")
        ec2 = self.with_rights(
            "ec2", allow("ec2:ModifySnapshotAttribute", snapshots, Condition=only)
        )
        share: Any = {"SnapshotId": snapshot, "Attribute": "createVolumePermission"}
        for given in (
            {"OperationType": "add", "UserIds": [stranger]},
            {"OperationType": "add", "UserIds": [friend, stranger]},
            {"OperationType": "add", "UserIds": [friend], "GroupNames": ["all"]},
            {"OperationType": "remove", "UserIds": [friend]},
            {"CreateVolumePermission": {"Add": [{"UserId": stranger}]}},
        ):
            self.denied(ec2.modify_snapshot_attribute, **share, **given)
        ec2.modify_snapshot_attribute(**share, OperationType="add", UserIds=[friend])


if __name__ == "__main__":
    unittest.main()
