"""Verify presigned GetCallerIdentity requests, the substance of an EKS token.

Upstream looks for the caller in the Authorization header only, so it answers every presigned
request as ``user/moto`` without looking at its signature. Here the credentials in the query
string are looked up and the signature is computed again, over the Host header and the signed
headers as they arrived, as real STS does. So a forged, altered or expired token is refused.
"""

import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from localemu.aws.api import CommonServiceException, RequestContext
from localemu.http import Request, Response
from localemu.services.sts.provider import StsProvider
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

AMAZON_TIMESTAMP = "%Y%m%dT%H%M%SZ"
ALGORITHM = "AWS4-HMAC-SHA256"


class SignatureDoesNotMatch(CommonServiceException):
    def __init__(self, message: str) -> None:
        super().__init__("SignatureDoesNotMatch", message, 403, sender_fault=True)


class ExpiredToken(CommonServiceException):
    def __init__(self) -> None:
        message = "The security token included in the request is expired"
        super().__init__("ExpiredToken", message, 403, sender_fault=True)


class InvalidClientTokenId(CommonServiceException):
    def __init__(self) -> None:
        message = "The security token included in the request is invalid."
        super().__init__("InvalidClientTokenId", message, 403, sender_fault=True)


class IncompleteSignature(CommonServiceException):
    def __init__(self, message: str) -> None:
        super().__init__("IncompleteSignature", message, 400, sender_fault=True)


@dataclass(frozen=True)
class Caller:
    """Whom an access key belongs to, and what it takes to prove it."""

    account_id: str
    arn: str
    user_id: str
    secret_access_key: str
    session_token: str | None = None
    expires_on: datetime | None = None


@dataclass(frozen=True)
class PresignedQuery:
    """The signature parameters of a presigned request, and the rest of its query."""

    access_key_id: str
    region: str
    service: str
    timestamp: str
    signed_on: datetime
    valid_for: timedelta
    signed_headers: list[str]
    signature: str
    security_token: str | None
    signed_parameters: dict[str, str]

    @classmethod
    def parse(cls, query: str) -> "PresignedQuery":
        parameters = dict(parse_qsl(query, keep_blank_values=True))
        try:
            signature = parameters.pop("X-Amz-Signature")
            if parameters["X-Amz-Algorithm"] != ALGORITHM:
                raise ValueError(parameters["X-Amz-Algorithm"])
            timestamp = parameters["X-Amz-Date"]
            access_key_id, day, region, service, _ = parameters["X-Amz-Credential"].split("/")
            if not timestamp.startswith(day):
                raise ValueError("the credential's day is not that of X-Amz-Date")
            return cls(
                access_key_id=access_key_id,
                region=region,
                service=service,
                timestamp=timestamp,
                signed_on=datetime.strptime(timestamp, AMAZON_TIMESTAMP).replace(tzinfo=UTC),
                valid_for=timedelta(seconds=int(parameters["X-Amz-Expires"])),
                signed_headers=parameters["X-Amz-SignedHeaders"].split(";"),
                signature=signature,
                security_token=parameters.get("X-Amz-Security-Token"),
                signed_parameters=parameters,
            )
        except (KeyError, ValueError) as cause:
            raise IncompleteSignature(f"The presigned query is malformed: {cause!r}") from cause


def is_presigned(request: Request) -> bool:
    return "X-Amz-Signature" in request.args


#: Whoever works at this machine, as local/environment.ts has it: the owner of the account.
ACCOUNT_OWNER = Caller(
    account_id="000000000000",
    arn="arn:aws:iam::000000000000:root",
    user_id="000000000000",
    secret_access_key="test",
)


def find_account_owner(access_key_id: str) -> Caller | None:
    return ACCOUNT_OWNER if access_key_id == "test" else None


def find_assumed_role(access_key_id: str) -> Caller | None:
    for backends in list(sts_backends.values()):
        for backend in list(backends.values()):
            if role := backend.get_assumed_role_from_access_key(access_key_id):
                return Caller(
                    account_id=role.account_id,
                    arn=role.arn,
                    user_id=role.user_id,
                    secret_access_key=role.secret_access_key,
                    session_token=role.session_token,
                    expires_on=role.expiration.replace(tzinfo=UTC),
                )
    return None


def find_user(access_key_id: str) -> Caller | None:
    for backends in list(iam_backends.values()):
        for backend in list(backends.values()):
            for user in list(backend.users.values()):
                for key in user.access_keys:
                    if key.access_key_id == access_key_id and key.status == "Active":
                        return Caller(
                            account_id=user.account_id,
                            arn=user.arn,
                            user_id=user.id,
                            secret_access_key=key.secret_access_key,
                        )
    return None


def expected_signature(request: Request, presigned: PresignedQuery, caller: Caller) -> str:
    """Sign the request as it arrived with the secret that the caller should have used."""
    credentials = Credentials(
        presigned.access_key_id, caller.secret_access_key, caller.session_token
    )
    auth = SigV4QueryAuth(credentials, presigned.service, presigned.region)
    received = AWSRequest(
        method=request.method,
        url=f"https://{request.headers['Host']}{request.path}",
        headers={name: request.headers.get(name, "") for name in presigned.signed_headers},
        params=presigned.signed_parameters,
    )
    received.context["timestamp"] = presigned.timestamp
    canonical_request = auth.canonical_request(received)
    return auth.signature(auth.string_to_sign(received, canonical_request), received)


def verify(request: Request, now: datetime) -> Caller:
    """Answer whose presigned request this is, or raise the error of STS."""
    presigned = PresignedQuery.parse(request.query_string.decode())
    caller = (
        find_assumed_role(presigned.access_key_id)
        or find_user(presigned.access_key_id)
        or find_account_owner(presigned.access_key_id)
    )
    if caller is None or caller.session_token != presigned.security_token:
        raise InvalidClientTokenId()
    if caller.expires_on and caller.expires_on <= now:
        raise ExpiredToken()
    expiry = presigned.signed_on + presigned.valid_for
    if expiry <= now:
        raise SignatureDoesNotMatch(
            f"Signature expired: {expiry:{AMAZON_TIMESTAMP}} is now earlier than "
            f"{now:{AMAZON_TIMESTAMP}}"
        )
    if "host" not in presigned.signed_headers or not hmac.compare_digest(
        expected_signature(request, presigned, caller), presigned.signature
    ):
        raise SignatureDoesNotMatch(
            "The request signature we calculated does not match the signature you provided. "
            "Check your AWS Secret Access Key and signing method. Consult the service "
            "documentation for details."
        )
    return caller


def json_response(status: int, body: dict[str, Any]) -> Response:
    return Response(json.dumps(body), status=status, content_type="application/json")


def json_answer(context: RequestContext, identity: dict[str, str]) -> Response:
    # LocalEmu would otherwise parse this body for its metrics, as XML.
    context.service_response = identity
    return json_response(
        200,
        {
            "GetCallerIdentityResponse": {
                "GetCallerIdentityResult": identity,
                "ResponseMetadata": {"RequestId": context.request_id},
            }
        },
    )


def json_error(context: RequestContext, error: CommonServiceException) -> Response:
    context.service_exception = error
    described = {"Code": error.code, "Message": error.message, "Type": "Sender"}
    return json_response(
        error.status_code, {"Error": described, "RequestId": context.request_id}
    )


def answer_presigned(context: RequestContext) -> dict[str, str] | Response:
    """STS answers in XML, or in JSON to whoever accepts exactly that, as the EKS webhook does."""
    wants_json = context.request.headers.get("Accept") == "application/json"
    try:
        caller = verify(context.request, datetime.now(tz=UTC))
    except CommonServiceException as error:
        if wants_json:
            return json_error(context, error)
        raise
    identity = {"Account": caller.account_id, "Arn": caller.arn, "UserId": caller.user_id}
    return json_answer(context, identity) if wants_json else identity


def apply() -> None:
    get_caller_identity = StsProvider.get_caller_identity

    def get_verified_caller_identity(
        self: StsProvider, context: RequestContext, **kwargs: Any
    ) -> Any:
        if is_presigned(context.request):
            return answer_presigned(context)
        return get_caller_identity(self, context, **kwargs)

    StsProvider.get_caller_identity = get_verified_caller_identity
