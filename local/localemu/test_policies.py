"""Checks of what policies say to an access, without an emulator.

    python -m unittest test_policies.py
"""

import unittest
from typing import Any

from localemu_node.iam.conditions import hold
from localemu_node.iam.patterns import Undetermined
from localemu_node.iam.policies import Access, Policies, Policy, Principal, why_denied

BUCKET = "arn:aws:s3:::evidence"
ACCOUNT = "000000000000"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/responder"
SESSION = Principal(
    arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/responder/now", account_id=ACCOUNT, role_arn=ROLE
)
EVENTS = Principal(arn="events.amazonaws.com", service="events.amazonaws.com")


def statement(action: str = "s3:PutObject", on: str = f"{BUCKET}/*", **parts: Any) -> Policy:
    resource = {} if "NotResource" in parts else {"Resource": on}
    return {"Statement": {"Effect": "Allow", "Action": action, **resource, **parts}}


class Grants(unittest.TestCase):
    def verdict(
        self,
        *identity: Policy,
        action: str = "s3:PutObject",
        on: str = f"{BUCKET}/runs/1/plan.json",
        by: Principal = SESSION,
        keys: dict[str, list[str]] | None = None,
        **others: Any,
    ) -> str | None:
        return why_denied(Access(action, on, keys or {}), by, Policies(identity, **others))

    def assert_allowed(self, *identity: Policy, **asked: Any) -> None:
        self.assertIsNone(self.verdict(*identity, **asked))

    def assert_denied(self, why: str, *identity: Policy, **asked: Any) -> None:
        self.assertIn(why, self.verdict(*identity, **asked) or "allowed")

    def test_nothing_is_allowed_by_default(self) -> None:
        self.assert_denied("no identity-based policy allows the s3:PutObject action")

    def test_a_wildcard_in_the_middle_of_a_key_covers_slashes_and_nothing_else(self) -> None:
        plan = statement(on=f"{BUCKET}/runs/*/plan.json")
        self.assert_allowed(plan)
        self.assert_allowed(plan, on=f"{BUCKET}/runs/1/2/plan.json")
        for key in ("runs/1/policy.json", "runs/plan.json", "x/runs/1/plan.json"):
            self.assert_denied("no identity-based policy", plan, on=f"{BUCKET}/{key}")

    def test_resources_are_compared_with_their_case_and_actions_without(self) -> None:
        self.assert_allowed(statement("S3:putobject"))
        self.assert_denied("no identity", statement(on=f"{BUCKET}/Runs/*"))
        self.assert_denied("no identity", statement(on="arn:aws:s3:::Evidence/*"))

    def test_an_object_is_not_its_bucket(self) -> None:
        listing = {"action": "s3:ListBucket", "on": BUCKET}
        self.assert_allowed(statement("s3:*", on=BUCKET), **listing)
        self.assert_denied("no identity", statement("s3:*", on=f"{BUCKET}/*"), **listing)
        self.assert_denied("no identity", statement("s3:*", on=BUCKET))

    def test_a_wildcard_stays_within_its_part_of_the_arn(self) -> None:
        queue = {"action": "sqs:SendMessage", "on": f"arn:aws:sqs:us-east-1:{ACCOUNT}:alerts"}
        self.assert_allowed(statement("sqs:*", on="arn:aws:sqs:*:*:alerts"), **queue)
        self.assert_denied("no identity", statement("sqs:*", on="arn:aws:sqs:*:alerts"), **queue)
        self.assert_denied("no identity", statement("sqs:*", on="arn:*:alerts"), **queue)

    def test_brackets_are_no_wildcards(self) -> None:
        self.assert_allowed(statement(on=f"{BUCKET}/[1]"), on=f"{BUCKET}/[1]")
        self.assert_denied("no identity", statement(on=f"{BUCKET}/[1]"), on=f"{BUCKET}/1")

    def test_an_action_that_knows_no_resource_is_granted_on_all_of_them_only(self) -> None:
        describing = {"action": "ec2:DescribeInstances", "on": "*"}
        some = f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/*"
        self.assert_allowed(statement("ec2:DescribeInstances", on="*"), **describing)
        self.assert_denied("no identity", statement("ec2:Describe*", on=some), **describing)

    def test_an_explicit_deny_outdoes_any_allow(self) -> None:
        deny = statement(on=f"{BUCKET}/runs/*", Effect="Deny")
        self.assert_denied("explicit deny in an identity-based", statement("*", on="*"), deny)
        self.assert_allowed(statement("*", on="*"), deny, on=f"{BUCKET}/cases/1")

    def test_not_resource_is_everything_else(self) -> None:
        deny = statement("s3:*", Effect="Deny", NotResource=[BUCKET, f"{BUCKET}/runs/*"])
        self.assert_allowed(statement(), deny)
        self.assert_denied("explicit deny", statement(), deny, on=f"{BUCKET}/cases/1")

    def test_not_action_is_everything_else(self) -> None:
        but_reading = {
            "Statement": {"Effect": "Deny", "NotAction": "s3:Get*", "Resource": "*"},
        }
        self.assert_denied("explicit deny", statement(), but_reading)
        self.assert_allowed(statement("s3:GetObject"), but_reading, action="s3:GetObject")

    def test_a_resource_grants_to_roles_and_everybody_but_not_by_naming_an_account(self) -> None:
        for principal in ("*", {"AWS": "*"}, {"AWS": ROLE}, {"AWS": [SESSION.arn]}):
            self.assert_allowed(resource=[statement(Principal=principal)])
        for principal in (
            {"AWS": ACCOUNT},
            {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            {"AWS": f"{ROLE}-2"},
            {"Service": "events.amazonaws.com"},
        ):
            self.assert_denied("no identity", resource=[statement(Principal=principal)])

    def test_a_resource_denies_to_a_role_and_to_all_of_an_account(self) -> None:
        for principal in ("*", {"AWS": ROLE}, {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}):
            deny = statement(Principal=principal, Effect="Deny")
            why = "explicit deny in a resource-based policy"
            self.assert_denied(why, statement(), resource=[deny])

    def test_a_service_has_what_the_resource_grants_it(self) -> None:
        grant = statement(
            Principal={"Service": "events.amazonaws.com"},
            Condition={"ArnLike": {"aws:SourceArn": f"arn:aws:events:*:{ACCOUNT}:rule/*"}},
        )
        rule = [f"arn:aws:events:us-east-1:{ACCOUNT}:rule/bus/falco"]
        self.assert_allowed(by=EVENTS, resource=[grant], keys={"aws:sourcearn": rule})
        bus = {"aws:sourcearn": [f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/bus"]}
        self.assert_denied("no resource-based", by=EVENTS, resource=[grant], keys=bus)

    def test_every_limit_must_allow_too(self) -> None:
        names = {
            "boundary": "permissions boundary",
            "session": "session policy",
            "endpoint": "VPC endpoint policy",
        }
        for limit, name in names.items():
            deny = statement(Effect="Deny", Principal="*")
            reading = statement("s3:GetObject", Principal="*")
            everything = statement("*", on="*", Principal="*")
            self.assert_allowed(statement(), **{limit: [everything]})
            self.assert_denied(f"no {name} allows", statement(), **{limit: [reading]})
            why = f"explicit deny in a {name}"
            self.assert_denied(why, statement(), **{limit: [everything, deny]})

    def test_what_cannot_be_read_is_never_passed_over(self) -> None:
        unreadable = (
            statement(Effect="Deny", Condition={"StringLike": {"s3:unheardOf": "x"}}),
            statement(Effect="Deny", Condition={"StringSounds": {"aws:useragent": "x"}}),
            statement(Effect="Deny", on=BUCKET + "/${aws:username}/*"),
        )
        for policy in unreadable:
            with self.assertRaises(Undetermined):
                self.verdict(statement(), policy, keys={"aws:useragent": ["x"]})
        with self.assertRaises(Undetermined):
            self.verdict(statement(), resource=[statement(Effect="Deny", NotPrincipal="*")])
        with self.assertRaises(Undetermined):
            self.verdict(resource=[statement()])


class Conditions(unittest.TestCase):
    KEYS = {
        "s3:prefix": ["runs/"],
        "aws:tagkeys": ["CaseID", "Reason"],
        "aws:sourcevpce": [],
        "aws:requesttag/": [],
        "aws:securetransport": ["true"],
        "aws:tokenissuetime": ["2026-01-01T00:00:00Z"],
        "aws:sourceip": ["10.40.1.2"],
        "s3:max-keys": ["10"],
    }

    def assert_holds(self, expected: bool, operator: str, key: str, wanted: Any) -> None:
        actual = hold({operator: {key: wanted}}, self.KEYS)
        self.assertEqual(actual, expected, f"{operator} {key} {wanted}")

    def test_names_of_keys_have_no_case_and_values_do(self) -> None:
        self.assert_holds(True, "StringEquals", "S3:Prefix", "runs/")
        self.assert_holds(False, "StringEquals", "s3:prefix", "Runs/")
        self.assert_holds(True, "StringEqualsIgnoreCase", "s3:prefix", "Runs/")

    def test_one_value_of_several_may_match_and_none_of_a_negation(self) -> None:
        self.assert_holds(True, "StringLike", "s3:prefix", ["cases/*", "run?/"])
        self.assert_holds(False, "StringNotEquals", "s3:prefix", ["cases/", "runs/"])
        self.assert_holds(True, "StringNotLike", "s3:prefix", ["cases/*", "open/*"])

    def test_an_absent_key_fails_an_equality_and_passes_a_negation(self) -> None:
        self.assert_holds(False, "StringEquals", "aws:SourceVpce", "vpce-1")
        self.assert_holds(True, "StringNotEquals", "aws:SourceVpce", "vpce-1")
        self.assert_holds(True, "StringEqualsIfExists", "aws:SourceVpce", "vpce-1")
        self.assert_holds(True, "StringNotEqualsIfExists", "aws:SourceVpce", "vpce-1")
        self.assert_holds(False, "StringEquals", "aws:RequestTag/CaseID", "c")

    def test_null_asks_whether_a_key_is_absent(self) -> None:
        self.assert_holds(True, "Null", "aws:SourceVpce", "true")
        self.assert_holds(False, "Null", "aws:SourceVpce", False)
        self.assert_holds(False, "Null", "s3:prefix", True)

    def test_sets(self) -> None:
        self.assert_holds(True, "ForAllValues:StringEquals", "aws:TagKeys", ["CaseID", "Reason"])
        self.assert_holds(False, "ForAllValues:StringEquals", "aws:TagKeys", ["CaseID"])
        self.assert_holds(True, "ForAnyValue:StringEquals", "aws:TagKeys", ["CaseID"])
        self.assert_holds(True, "ForAllValues:StringEquals", "aws:SourceVpce", ["x"])
        self.assert_holds(False, "ForAnyValue:StringEquals", "aws:SourceVpce", ["x"])

    def test_types(self) -> None:
        self.assert_holds(False, "Bool", "aws:SecureTransport", False)
        self.assert_holds(True, "Bool", "aws:SecureTransport", "True")
        self.assert_holds(True, "DateLessThan", "aws:TokenIssueTime", "2026-01-01T00:00:01.5Z")
        self.assert_holds(False, "DateLessThan", "aws:TokenIssueTime", "2026-01-01T00:00:00Z")
        self.assert_holds(True, "IpAddress", "aws:SourceIp", "10.40.0.0/16")
        self.assert_holds(False, "NotIpAddress", "aws:SourceIp", ["10.40.0.0/16", "::1"])
        self.assert_holds(True, "NumericLessThanEquals", "s3:max-keys", 10)
        self.assert_holds(False, "NumericEquals", "s3:prefix", 10)

    def test_all_conditions_must_hold_and_one_that_fails_decides(self) -> None:
        both = {"StringEquals": {"s3:prefix": "runs/", "aws:SecureTransport": "true"}}
        self.assertTrue(hold(both, self.KEYS))
        fails_or_unknown = {"StringEquals": {"aws:never": "heard", "s3:prefix": "cases/"}}
        self.assertFalse(hold(fails_or_unknown, self.KEYS))


if __name__ == "__main__":
    unittest.main()
