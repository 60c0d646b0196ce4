"""Run on Python 3.12.

Upstream's metadata allows it, but one of its modules imports ``warnings.deprecated``, which is new
in Python 3.13; without it SQS and Lambda fail with an internal error.
"""

import warnings

import typing_extensions


def apply() -> None:
    if not hasattr(warnings, "deprecated"):
        warnings.deprecated = typing_extensions.deprecated
