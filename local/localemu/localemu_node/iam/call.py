"""An API call as it arrived, and what it takes to say which permissions it needs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .conditions import Keys
from .policies import Access


@dataclass(frozen=True)
class Call:
    service: str
    operation: str
    parameters: Mapping[str, Any]
    account_id: str
    region: str
    partition: str

    def arn(
        self, service: str, resource: str, region: str | None = None, owner: str | None = None
    ) -> str:
        """Of a resource in the call's own region and account, unless others are given."""
        region = self.region if region is None else region
        owner = self.account_id if owner is None else owner
        return f"arn:{self.partition}:{service}:{region}:{owner}:{resource}"


Reading = Callable[[Call], Sequence[Access]]
"""The permissions that a call of one operation needs, all of them."""


def on(action: str, resource: Callable[[Call], str]) -> Reading:
    """An operation that needs one action on one resource."""
    return lambda call: [Access(action, resource(call))]


def on_everything(action: str) -> Reading:
    """An operation whose action knows no resources."""
    return lambda _: [Access(action, "*")]


def named(service: str, prefix: str, parameter: str) -> Callable[[Call], str]:
    """The ARN of what a parameter names, which may be an ARN itself."""

    def resource(call: Call) -> str:
        name = call.parameters[parameter]
        return name if name.startswith("arn:") else call.arn(service, f"{prefix}{name}")

    return resource


def request_tags(tags: Sequence[Mapping[str, str]]) -> Keys:
    """The keys by which policies see the tags that a request sets."""
    values = {tag["Key"]: [tag.get("Value", "")] for tag in tags}
    return {
        "aws:requesttag/": [],
        **{f"aws:requesttag/{name.lower()}": value for name, value in values.items()},
        "aws:tagkeys": list(values),
    }
