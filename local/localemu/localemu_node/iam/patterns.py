"""Texts of policies compared with those of a request: ``*`` and ``?`` are the only wildcards."""

import re
from functools import lru_cache

ARN_PARTS = 6
WILDCARDS = {"*": ".*", "?": "."}


class Undetermined(Exception):
    """What AWS would answer cannot be told here, so the answer is no. The message says why."""


@lru_cache(maxsize=4096)
def compiled(pattern: str) -> re.Pattern[str]:
    if "${" in pattern:
        raise Undetermined(f"policy variables, as in {pattern}, are not read here")
    parts = re.split(r"([*?])", pattern)
    expression = "".join(WILDCARDS.get(part) or re.escape(part) for part in parts)
    return re.compile(expression, re.DOTALL)


def like(pattern: str, text: str) -> bool:
    """Whether all of the text has the pattern's form, case included."""
    return compiled(pattern).fullmatch(text) is not None


def like_arn(pattern: str, arn: str) -> bool:
    """Whether an ARN has the pattern's form, part by part: a ``*`` goes beyond a colon only in the
    last part. ``arn`` is ``*`` for what has no ARN, which only the pattern ``*`` covers."""
    if pattern == "*":
        return True
    patterns, parts = pattern.split(":", ARN_PARTS - 1), arn.split(":", ARN_PARTS - 1)
    if len(patterns) < ARN_PARTS or len(parts) < ARN_PARTS:
        return False
    return all(like(*pair) for pair in zip(patterns, parts, strict=True))
