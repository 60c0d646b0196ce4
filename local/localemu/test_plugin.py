"""Checks of the plugin's AWS behaviour against a running emulator.

    AWS_ENDPOINT_URL=http://127.0.0.1:4566 python -m unittest test_plugin.py
"""

import json
import os
import time
import unittest
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import boto3
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.client import BaseClient
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
REGION = "us-east-1"
STS_HOST = f"sts.{REGION}.amazonaws.com"
CLUSTER_HEADER = "x-k8s-aws-id"
# The token webhook knows no secret: LocalEmu reads the service and region only.
UNSIGNED_AUTHORIZATION = (
    f"AWS4-HMAC-SHA256 Credential=test/20260101/{REGION}/eks/aws4_request, "
    "SignedHeaders=host, Signature=0"
)

Answer = tuple[int, dict[str, Any]]


def client(service: str) -> BaseClient:
    return boto3.client(
        service,
        endpoint_url=ENDPOINT,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def get(path: str, headers: dict[str, str]) -> Answer:
    request = urllib.request.Request(f"{ENDPOINT}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def eventually(condition: Callable[[], bool], timeout_seconds: float = 5) -> bool:
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


class PresignedGetCallerIdentity(unittest.TestCase):
    """What an EKS token proves, and what it must not."""

    def setUp(self) -> None:
        self.role_name = f"containment-{uuid.uuid4().hex[:8]}"
        trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
        role = client("iam").create_role(
            RoleName=self.role_name, AssumeRolePolicyDocument=json.dumps({"Statement": [trust]})
        )
        assumed = client("sts").assume_role(
            RoleArn=role["Role"]["Arn"], RoleSessionName="responder"
        )
        session = assumed["Credentials"]
        self.user_id = assumed["AssumedRoleUser"]["AssumedRoleId"]
        self.credentials = Credentials(
            session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"]
        )

    def presign(self, credentials: Credentials, expires_seconds: int = 60) -> str:
        request = AWSRequest(
            "GET",
            f"https://{STS_HOST}/?Action=GetCallerIdentity&Version=2011-06-15",
            headers={CLUSTER_HEADER: "prod"},
        )
        SigV4QueryAuth(credentials, "sts", REGION, expires_seconds).add_auth(request)
        return request.url.removeprefix(f"https://{STS_HOST}")

    def present(self, path: str, cluster: str = "prod") -> Answer:
        headers = {"Host": STS_HOST, "Accept": "application/json", CLUSTER_HEADER: cluster}
        return get(path, headers)

    def assert_refused(self, answer: Answer, code: str) -> None:
        status, body = answer
        self.assertEqual((status, body["Error"]["Code"]), (403, code))

    def test_names_the_assumed_role_of_a_good_signature(self) -> None:
        status, body = self.present(self.presign(self.credentials))
        self.assertEqual(status, 200)
        self.assertEqual(
            body["GetCallerIdentityResponse"]["GetCallerIdentityResult"],
            {
                "Account": "000000000000",
                "Arn": f"arn:aws:sts::000000000000:assumed-role/{self.role_name}/responder",
                "UserId": self.user_id,
            },
        )

    def test_names_an_iam_user(self) -> None:
        iam = client("iam")
        user = iam.create_user(UserName=f"operator-{uuid.uuid4().hex[:8]}")["User"]
        key = iam.create_access_key(UserName=user["UserName"])["AccessKey"]
        credentials = Credentials(key["AccessKeyId"], key["SecretAccessKey"])
        status, body = self.present(self.presign(credentials))
        identity = body["GetCallerIdentityResponse"]["GetCallerIdentityResult"]
        self.assertEqual((status, identity["Arn"]), (200, user["Arn"]))

    def test_refuses_a_wrong_secret(self) -> None:
        forged = Credentials(self.credentials.access_key, "guess", self.credentials.token)
        self.assert_refused(self.present(self.presign(forged)), "SignatureDoesNotMatch")

    def test_refuses_a_token_made_for_another_cluster(self) -> None:
        answer = self.present(self.presign(self.credentials), cluster="other")
        self.assert_refused(answer, "SignatureDoesNotMatch")

    def test_refuses_an_expired_signature(self) -> None:
        path = self.presign(self.credentials, expires_seconds=1)
        refused = eventually(lambda: self.present(path)[0] == 403)
        self.assertTrue(refused)
        self.assert_refused(self.present(path), "SignatureDoesNotMatch")

    def test_refuses_an_unknown_access_key(self) -> None:
        unknown = Credentials("ASIAUNKNOWN000000000", "secret", "token")
        self.assert_refused(self.present(self.presign(unknown)), "InvalidClientTokenId")

    def test_refuses_the_session_token_of_another_session(self) -> None:
        mixed = Credentials(self.credentials.access_key, self.credentials.secret_key, "other")
        self.assert_refused(self.present(self.presign(mixed)), "InvalidClientTokenId")


class AccessEntries(unittest.TestCase):
    """Who may talk to the cluster, as the API server's token webhook asks for it."""

    def setUp(self) -> None:
        self.eks = client("eks")
        self.cluster = f"cluster-{uuid.uuid4().hex[:8]}"
        self.principal = "arn:aws:iam::000000000000:role/path/responder"
        self.key = {"clusterName": self.cluster, "principalArn": self.principal}
        self.create_cluster()
        self.addCleanup(self.eks.delete_cluster, name=self.cluster)

    def create_cluster(self) -> None:
        self.eks.create_cluster(
            name=self.cluster,
            roleArn="arn:aws:iam::000000000000:role/cluster",
            resourcesVpcConfig={"subnetIds": ["subnet-1", "subnet-2"]},
        )

    def create(self, **properties: Any) -> dict[str, Any]:
        return self.eks.create_access_entry(**self.key, **properties)["accessEntry"]

    def ask_as_webhook(self) -> Answer:
        path = f"/clusters/{self.cluster}/access-entries/{quote(self.principal, safe='')}"
        return get(path, {"Authorization": UNSIGNED_AUTHORIZATION})

    def assert_fails(self, code: str, status: int, operation: str, **request: Any) -> None:
        with self.assertRaises(ClientError) as raised:
            getattr(self.eks, operation)(**request)
        answer = raised.exception.response
        self.assertEqual(
            (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]), (code, status)
        )

    def test_webhook_reads_the_groups_and_the_default_username_of_a_role(self) -> None:
        self.create(kubernetesGroups=["containment"])
        status, body = self.ask_as_webhook()
        entry = body["accessEntry"]
        self.assertEqual(status, 200)
        self.assertEqual(entry["kubernetesGroups"], ["containment"])
        self.assertEqual(
            entry["username"],
            "arn:aws:sts::000000000000:assumed-role/responder/{{SessionName}}",
        )
        self.assertEqual(entry["type"], "STANDARD")

    def test_webhook_gets_404_for_a_principal_without_entry(self) -> None:
        self.assertEqual(self.ask_as_webhook()[0], 404)

    def test_update_replaces_the_groups(self) -> None:
        self.create(kubernetesGroups=["before"])
        self.eks.update_access_entry(**self.key, kubernetesGroups=["after"])
        described = self.eks.describe_access_entry(**self.key)["accessEntry"]
        self.assertEqual(described["kubernetesGroups"], ["after"])

    def test_lists_and_deletes(self) -> None:
        self.create()
        listed = self.eks.list_access_entries(clusterName=self.cluster)["accessEntries"]
        self.assertEqual(listed, [self.principal])
        self.eks.delete_access_entry(**self.key)
        listed = self.eks.list_access_entries(clusterName=self.cluster)["accessEntries"]
        self.assertEqual(listed, [])

    def test_errors_are_those_of_eks(self) -> None:
        not_found = "ResourceNotFoundException"
        self.assert_fails(not_found, 404, "describe_access_entry", **self.key)
        self.assert_fails(not_found, 404, "update_access_entry", **self.key)
        self.assert_fails(not_found, 404, "delete_access_entry", **self.key)
        self.assert_fails(not_found, 404, "list_access_entries", clusterName="absent")
        self.create()
        self.assert_fails("ResourceInUseException", 409, "create_access_entry", **self.key)

    def test_refuses_reserved_groups(self) -> None:
        request = {**self.key, "kubernetesGroups": ["system:masters"]}
        self.assert_fails("InvalidParameterException", 400, "create_access_entry", **request)

    def test_entries_end_with_their_cluster(self) -> None:
        self.create()
        self.eks.delete_cluster(name=self.cluster)
        self.create_cluster()
        self.assert_fails("ResourceNotFoundException", 404, "describe_access_entry", **self.key)

    def test_clusters_describe_how_they_authenticate_and_where_they_lie(self) -> None:
        described = self.eks.describe_cluster(name=self.cluster)["cluster"]
        self.assertEqual(described["accessConfig"]["authenticationMode"], "CONFIG_MAP")
        self.assertNotIn("vpcId", described["resourcesVpcConfig"])

        ec2 = client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]
        name = f"placed-{uuid.uuid4().hex[:8]}"
        self.eks.create_cluster(
            name=name,
            roleArn="arn:aws:iam::000000000000:role/cluster",
            resourcesVpcConfig={"subnetIds": [subnet]},
            accessConfig={"authenticationMode": "API"},
        )
        self.addCleanup(self.eks.delete_cluster, name=name)
        placed = self.eks.describe_cluster(name=name)["cluster"]
        self.assertEqual(placed["accessConfig"]["authenticationMode"], "API")
        network = placed["resourcesVpcConfig"]
        self.assertEqual(network["vpcId"], vpc)
        groups = ec2.describe_security_groups(GroupIds=[network["clusterSecurityGroupId"]])
        self.assertEqual(groups["SecurityGroups"][0]["VpcId"], vpc)

    def test_changes_of_a_cluster_keep_what_they_do_not_name(self) -> None:
        def change(**request: Any) -> None:
            self.eks.update_cluster_config(name=self.cluster, **request)

        change(accessConfig={"authenticationMode": "API_AND_CONFIG_MAP"})
        change(resourcesVpcConfig={"endpointPrivateAccess": True})
        change(logging={"clusterLogging": [{"types": ["audit"], "enabled": True}]})
        change(logging={"clusterLogging": [{"types": ["api"], "enabled": True}]})

        described = self.eks.describe_cluster(name=self.cluster)["cluster"]
        self.assertEqual(described["accessConfig"]["authenticationMode"], "API_AND_CONFIG_MAP")
        network = described["resourcesVpcConfig"]
        self.assertTrue(network["endpointPrivateAccess"])
        self.assertEqual(network["subnetIds"], ["subnet-1", "subnet-2"])
        self.assertEqual(described["logging"]["clusterLogging"][0]["types"], ["api", "audit"])

    def test_addons_keep_their_version_and_configuration(self) -> None:
        key = {"clusterName": self.cluster, "addonName": "vpc-cni"}
        not_found = "ResourceNotFoundException"
        self.assert_fails(not_found, 404, "describe_addon", **key)
        self.eks.create_addon(**key, addonVersion="v1.21.1-eksbuild.1")
        self.eks.update_addon(**key, configurationValues='{"enableNetworkPolicy":"true"}')
        addon = self.eks.describe_addon(**key)["addon"]
        self.assertEqual(addon["addonVersion"], "v1.21.1-eksbuild.1")
        self.assertEqual(addon["configurationValues"], '{"enableNetworkPolicy":"true"}')
        self.eks.delete_addon(**key)
        self.assertEqual(self.eks.list_addons(clusterName=self.cluster)["addons"], [])

    def test_a_cluster_that_is_not_there_is_said_as_eks_says_it(self) -> None:
        self.assert_fails("ResourceNotFoundException", 404, "describe_cluster", name="absent")


class Preservation(unittest.TestCase):
    """What keeps a node's disks and its instance from being taken away."""

    def setUp(self) -> None:
        self.ec2 = client("ec2")
        volume = self.ec2.create_volume(AvailabilityZone=f"{REGION}a", Size=1)["VolumeId"]
        self.snapshot = self.ec2.create_snapshot(VolumeId=volume)["SnapshotId"]

    def assert_refused(self, code: str, operation: str, **request: Any) -> None:
        with self.assertRaises(ClientError) as raised:
            getattr(self.ec2, operation)(**request)
        self.assertEqual(raised.exception.response["Error"]["Code"], code)

    def run_instance(self) -> str:
        image = self.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        started = self.ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)
        return str(started["Instances"][0]["InstanceId"])

    def test_a_snapshot_that_is_pending_is_locked_and_cannot_be_deleted(self) -> None:
        self.ec2.lock_snapshot(SnapshotId=self.snapshot, LockMode="governance", LockDuration=1)
        described = self.ec2.describe_locked_snapshots(SnapshotIds=[self.snapshot])["Snapshots"]
        self.assertEqual([each["LockState"] for each in described], ["governance"])
        self.assert_refused("OperationNotPermitted", "delete_snapshot", SnapshotId=self.snapshot)

    def test_a_snapshot_without_a_lock_can_be_deleted(self) -> None:
        self.ec2.delete_snapshot(SnapshotId=self.snapshot)
        self.assert_refused(
            "InvalidSnapshot.NotFound", "describe_snapshots", SnapshotIds=[self.snapshot]
        )

    def test_a_snapshot_that_does_not_exist_cannot_be_locked(self) -> None:
        absent = {"SnapshotId": "snap-00000000000000000", "LockMode": "governance"}
        self.assert_refused("InvalidSnapshot.NotFound", "lock_snapshot", LockDuration=1, **absent)

    def test_termination_protection_is_described_and_keeps_the_instance(self) -> None:
        instance = self.run_instance()
        on: Any = {"InstanceId": instance, "Attribute": "disableApiTermination"}
        described = self.ec2.describe_instance_attribute(**on)
        self.assertEqual(described["DisableApiTermination"], {"Value": False})
        self.ec2.modify_instance_attribute(
            InstanceId=instance, DisableApiTermination={"Value": True}
        )
        described = self.ec2.describe_instance_attribute(**on)
        self.assertEqual(described["DisableApiTermination"], {"Value": True})
        self.assert_refused("OperationNotPermitted", "terminate_instances", InstanceIds=[instance])

    def test_scale_in_protection_is_set_and_described(self) -> None:
        scaling = client("autoscaling")
        instance = self.run_instance()
        group = f"group-{uuid.uuid4().hex[:8]}"
        scaling.create_auto_scaling_group(
            AutoScalingGroupName=group,
            InstanceId=instance,
            MinSize=0,
            MaxSize=1,
            DesiredCapacity=0,
            AvailabilityZones=[f"{REGION}a"],
        )
        self.assertEqual(self.membership(instance), [])
        scaling.attach_instances(AutoScalingGroupName=group, InstanceIds=[instance])
        self.assertEqual(self.membership(instance), [(group, False)])
        scaling.set_instance_protection(
            AutoScalingGroupName=group, InstanceIds=[instance], ProtectedFromScaleIn=True
        )
        self.assertEqual(self.membership(instance), [(group, True)])

    def membership(self, instance: str) -> list[tuple[str, bool]]:
        described = client("autoscaling").describe_auto_scaling_instances(InstanceIds=[instance])
        return [
            (each["AutoScalingGroupName"], each["ProtectedFromScaleIn"])
            for each in described["AutoScalingInstances"]
        ]


if __name__ == "__main__":
    unittest.main()
