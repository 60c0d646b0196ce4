"""What checks of rights share: roles that may do what a check says, and calls as these roles."""

import io
import json
import unittest
import uuid
import zipfile
from typing import Any

import boto3
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from test_plugin import ENDPOINT, REGION, client

ACCOUNT = "000000000000"
ADMINISTRATORS = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
DENIALS = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"}

Statement = dict[str, Any]


def name(what: str) -> str:
    return f"{what}-{uuid.uuid4().hex[:8]}"


def arn(service: str, resource: str, region: str = REGION, owner: str = ACCOUNT) -> str:
    return f"arn:aws:{service}:{region}:{owner}:{resource}"


def allow(actions: str | list[str], *resources: str, **parts: Any) -> Statement:
    return {"Effect": "Allow", "Action": actions, "Resource": list(resources), **parts}


def policy(*statements: Statement) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


class AsARole(unittest.TestCase):
    def role(self, *statements: Statement, trusts: Any = ADMINISTRATORS, **settings: Any) -> str:
        """Makes a role that may do what the statements say, and returns its ARN."""
        trust = {"Effect": "Allow", "Principal": trusts, "Action": "sts:AssumeRole"}
        role = client("iam").create_role(
            RoleName=name("role"), AssumeRolePolicyDocument=policy(trust), **settings
        )["Role"]
        if statements:
            self.grant(role["Arn"], *statements)
        return role["Arn"]

    def grant(self, role_arn: str, *statements: Statement) -> None:
        """Replaces what a role may do."""
        key = {"RoleName": role_arn.rsplit("/", 1)[-1], "PolicyName": "rights"}
        if statements:
            client("iam").put_role_policy(**key, PolicyDocument=policy(*statements))
        else:
            client("iam").delete_role_policy(**key)

    def as_role(self, service: str, role_arn: str, **session: Any) -> BaseClient:
        assumed = client("sts").assume_role(RoleArn=role_arn, RoleSessionName="test", **session)
        keys = assumed["Credentials"]
        return boto3.client(
            service,
            endpoint_url=ENDPOINT,
            region_name=REGION,
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
        )

    def with_rights(self, service: str, *statements: Statement) -> BaseClient:
        return self.as_role(service, self.role(*statements))

    def denied(self, operation: Any, why: str = "", **request: Any) -> str:
        """Asserts that the call is denied, for the reason given, and returns the error's code."""
        with self.assertRaises(ClientError) as raised:
            operation(**request)
        error = raised.exception.response["Error"]
        self.assertIn(error["Code"], DENIALS, error)
        self.assertIn(why, error["Message"])
        return error["Code"]

    def function(self, role_arn: str, source: str, **settings: Any) -> str:
        """Makes a function of the text of an ES module, and returns its name when it is active."""
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("index.mjs", source)
        functions = client("lambda")
        function = name("function")
        functions.create_function(
            FunctionName=function,
            Runtime="nodejs24.x",
            Role=role_arn,
            Handler="index.handler",
            Code={"ZipFile": code.getvalue()},
            Timeout=20,
            **settings,
        )
        functions.get_waiter("function_active_v2").wait(FunctionName=function)
        self.addCleanup(functions.delete_function, FunctionName=function)
        return function
