"""What policies say to an access: AWS's evaluation logic within one account.

See "Policy evaluation logic" in the IAM user guide. A deny anywhere decides; then an
identity-based or a resource-based policy must allow, and so must every limit that there is: a
permissions boundary, session policies, the policy of the VPC endpoint that the request came
through.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .conditions import Keys, hold
from .patterns import Undetermined, like, like_arn

Policy = dict[str, Any]
Statement = dict[str, Any]

IDENTITY_BASED = "identity-based policy"
RESOURCE_BASED = "resource-based policy"
ENDPOINT = "VPC endpoint policy"
NAMING_PRINCIPALS = {RESOURCE_BASED, ENDPOINT}


@dataclass(frozen=True)
class Access:
    """One permission that a request needs."""

    action: str
    resource: str
    """An ARN, or ``*`` for an action that knows no resources."""
    keys: Keys = field(default_factory=dict)
    """Condition keys of this access, besides those of the whole request."""


@dataclass(frozen=True)
class Principal:
    """Whom policies name: a role's session, a user, an AWS service, or nobody known."""

    arn: str
    account_id: str = ""
    role_arn: str = ""
    service: str = ""


@dataclass(frozen=True)
class Policies:
    """All that has a say. A limit that does not exist is None."""

    identity: Sequence[Policy] = ()
    resource: Sequence[Policy] = ()
    boundary: Sequence[Policy] | None = None
    session: Sequence[Policy] | None = None
    endpoint: Sequence[Policy] | None = None

    @property
    def limits(self) -> dict[str, Sequence[Policy]]:
        limits = {
            "permissions boundary": self.boundary,
            "session policy": self.session,
            ENDPOINT: self.endpoint,
        }
        return {kind: policies for kind, policies in limits.items() if policies is not None}


def why_denied(access: Access, principal: Principal, policies: Policies) -> str | None:
    """Why the access is refused, in the words of AWS's error messages; None if it is allowed.

    Raises Undetermined if a statement that matters cannot be read. A resource-based policy's grant
    is bounded by the limits here, which for grants to a session's own ARN is stricter than AWS.
    """

    def says(effect: str, kind: str, documents: Iterable[Policy]) -> bool:
        return any(
            statement.get("Effect") == effect
            and (kind not in NAMING_PRINCIPALS or concerns(statement, principal))
            and covers(statement, access)
            and hold(statement.get("Condition", {}), access.keys)
            for document in documents
            for statement in many(document.get("Statement"))
        )

    grants = {IDENTITY_BASED: policies.identity, RESOURCE_BASED: policies.resource}
    for kind, documents in {**grants, **policies.limits}.items():
        if says("Deny", kind, documents):
            article = "an" if kind == IDENTITY_BASED else "a"
            return f"with an explicit deny in {article} {kind}"
    if not any(says("Allow", *grant) for grant in grants.items()):
        kind = RESOURCE_BASED if principal.service else IDENTITY_BASED
        return f"because no {kind} allows the {access.action} action"
    for kind, documents in policies.limits.items():
        if not says("Allow", kind, documents):
            return f"because no {kind} allows the {access.action} action"
    return None


def covers(statement: Statement, access: Access) -> bool:
    """Whether the statement is about this action on this resource."""
    actions, but_not_actions = many(statement.get("Action")), many(statement.get("NotAction"))
    action = access.action.lower()  # service and action are compared without case, ARNs with it
    if but_not_actions:
        if any(like(pattern.lower(), action) for pattern in but_not_actions):
            return False
    elif not any(like(pattern.lower(), action) for pattern in actions):
        return False
    resources, but_not = many(statement.get("Resource")), many(statement.get("NotResource"))
    if but_not:
        return not any(like_arn(pattern, access.resource) for pattern in but_not)
    return any(like_arn(pattern, access.resource) for pattern in resources)


def concerns(statement: Statement, principal: Principal) -> bool:
    """Whether the statement names this principal.

    An account as principal means everybody in it for a deny. For an allow it only leaves the
    decision to the account's identity-based policies, so by itself it grants nothing.
    """
    if "NotPrincipal" in statement:
        raise Undetermined("statements with NotPrincipal are not read here")
    named = statement.get("Principal")
    if named == "*":
        return True
    if not isinstance(named, dict):
        raise Undetermined(f"a statement has the principal {named}")
    arns = many(named.get("AWS"))
    if "*" in arns or {principal.arn, principal.role_arn} & set(arns):
        return True
    if principal.service and principal.service in many(named.get("Service")):
        return True
    in_account = {principal.account_id, f"arn:aws:iam::{principal.account_id}:root"}
    return statement.get("Effect") == "Deny" and bool(in_account & set(arns))


def many(value: Any) -> list[Any]:
    """Policies write one thing as itself or as a list."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
