"""The conditions of a policy's statement, over the condition keys of a request.

Operators behave as the IAM user guide's "Condition operators" says: a key that is not in the
request fails a test for equality and passes one for inequality, and of the values of a policy any
one may match, so that of those of an inequality none may.
"""

import ipaddress
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .patterns import Undetermined, like, like_arn

Keys = Mapping[str, Sequence[str]]
"""Condition keys by name in lower case. One that is known and not in the request has no values; a
name that ends in a slash, as ``aws:requesttag/``, says that all keys that begin so are known."""

Comparison = Callable[[Any, Any], bool]


def instant(text: str) -> datetime:
    """A date of a policy or request: ISO 8601, or seconds since 1970."""
    if re.fullmatch(r"\d+", text):
        return datetime.fromtimestamp(int(text), tz=UTC)
    read = datetime.fromisoformat(text)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def in_network(address: str, network: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)


def ignoring_case(compare: Comparison) -> Comparison:
    return lambda value, wanted: compare(value.casefold(), wanted.casefold())


def as_type(read: Callable[[str], Any], compare: Comparison) -> Comparison:
    return lambda value, wanted: compare(read(value), read(wanted))


ORDERS = {
    "Equals": operator.eq,
    "LessThan": operator.lt,
    "LessThanEquals": operator.le,
    "GreaterThan": operator.gt,
    "GreaterThanEquals": operator.ge,
}

COMPARISONS: dict[str, Comparison] = {
    "StringEquals": operator.eq,
    "StringEqualsIgnoreCase": ignoring_case(operator.eq),
    "StringLike": lambda value, wanted: like(wanted, value),
    "ArnEquals": lambda value, wanted: like_arn(wanted, value),
    "ArnLike": lambda value, wanted: like_arn(wanted, value),
    "Bool": ignoring_case(operator.eq),
    "BinaryEquals": operator.eq,
    "IpAddress": in_network,
    **{f"Numeric{order}": as_type(float, compare) for order, compare in ORDERS.items()},
    **{f"Date{order}": as_type(instant, compare) for order, compare in ORDERS.items()},
}

NEGATIONS = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
    "NotIpAddress": "IpAddress",
}

OPERATOR = re.compile(r"(?:(ForAllValues|ForAnyValue):)?(\w+?)(IfExists)?")


@dataclass(frozen=True)
class Test:
    """One condition operator, taken apart."""

    comparison: Comparison
    negated: bool
    if_exists: bool
    quantifier: str | None

    @classmethod
    def parse(cls, name: str) -> "Test":
        match = OPERATOR.fullmatch(name)
        quantifier, base, if_exists = match.groups() if match else (None, "", None)
        comparison = COMPARISONS.get(NEGATIONS.get(base, base))
        if comparison is None:
            raise Undetermined(f"the condition operator {name} is not known here")
        return cls(comparison, base in NEGATIONS, if_exists is not None, quantifier)

    def passes(self, values: Sequence[str], wanted: Sequence[str]) -> bool:
        if not values:
            if self.quantifier:
                return self.quantifier == "ForAllValues"
            return self.if_exists or self.negated
        one_of = any if self.quantifier == "ForAnyValue" else all
        return one_of(self._matches(value, wanted) != self.negated for value in values)

    def _matches(self, value: str, wanted: Iterable[str]) -> bool:
        return any(self._compare(value, one) for one in wanted)

    def _compare(self, value: str, wanted: str) -> bool:
        try:
            return self.comparison(value, wanted)
        except ValueError:  # no number, date or address
            return False


def values_of(key: str, keys: Keys) -> Sequence[str]:
    name = key.lower()
    family = name.partition("/")[0] + "/"
    if name not in keys and family not in keys:
        raise Undetermined(f"the condition key {key} is not known here for this action")
    return keys.get(name, ())


def texts(wanted: Any) -> list[str]:
    """A policy's value or values; JSON's true and false are written as AWS writes them."""
    values = wanted if isinstance(wanted, list) else [wanted]
    return [str(value).lower() if isinstance(value, bool) else str(value) for value in values]


def passes(name: str, key: str, wanted: list[str], keys: Keys) -> bool:
    values = values_of(key, keys)
    if name == "Null":
        return any((one.lower() == "true") == (not values) for one in wanted)
    return Test.parse(name).passes(values, wanted)


def hold(conditions: Mapping[str, Mapping[str, Any]], keys: Keys) -> bool:
    """Whether all conditions of a statement hold. Raises Undetermined if that hangs on a key or
    operator that is not known here."""
    unknown: Undetermined | None = None
    for name, block in conditions.items():
        for key, wanted in block.items():
            try:
                if not passes(name, key, texts(wanted), keys):
                    return False
            except Undetermined as why:
                unknown = why
    if unknown:
        raise unknown
    return True
