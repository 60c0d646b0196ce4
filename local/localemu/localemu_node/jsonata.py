"""Evaluate JSONata in Step Functions with the pure Python engine jsonata-python.

Upstream removed its JVM engine and raises NotImplementedError for every JSONata expression. It
also writes variables into the expression as ``"{value}"`` without escaping, which breaks on the
first quote or newline in the data, and answers "currently not supported" from $uuid and $hash.
"""

import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from typing import Any

from jsonata.jsonata import Jsonata
from jsonata.utils import Utils
from localemu.services.stepfunctions.asl.component.common.string import string_expression
from localemu.services.stepfunctions.asl.component.intrinsic import jsonata as intrinsics
from localemu.services.stepfunctions.asl.eval import states, variable_store
from localemu.services.stepfunctions.asl.jsonata import jsonata, validations
from localemu.services.stepfunctions.asl.jsonata.jsonata import JSONataException

# The functions Step Functions adds to JSONata, as declarations over the natives bound below.
STEP_FUNCTIONS_INTRINSICS = {
    "$uuid": "$uuid:=function(){$nativeUuid()};",
    "$hash": "$hash:=function($value,$algorithm){$nativeHash($value,$algorithm)};",
    "$parse": "$parse:=function($text){$nativeParse($text)};",
}


def hash_value(value: Any, algorithm: str) -> str:
    """Hash as $hash does: algorithm is MD5, SHA-1, SHA-256, SHA-384 or SHA-512."""
    text = value if isinstance(value, str) else json.dumps(value)
    return hashlib.new(algorithm.replace("-", "").lower(), text.encode()).hexdigest()


DECLARATION = re.compile(r"\$(\w+):=")


def number(text: str) -> float:
    """As the engine reads one: 1.0 is 1, and past 2^53 digits are lost."""
    value = float(text)
    return int(value) if value.is_integer() else value


JSON = json.JSONDecoder(parse_float=number, parse_int=number)


def without_declarations(expression: str) -> tuple[str, dict[str, Any]]:
    """Take the variables off that stand in front of a composed expression, each as its value: the
    engine needs a hundred times as long to read them as JSON does."""
    variables: dict[str, Any] = {}
    at = 1
    while expression.startswith("(") and (declared := DECLARATION.match(expression, at)):
        try:
            value, end = JSON.raw_decode(expression, declared.end())
        except ValueError:  # a function, or the expression's own
            break
        if not expression.startswith(";", end):
            break
        variables[declared[1]] = Utils.NULL_VALUE if value is None else value
        at = end + 1
    return expression[:1] + expression[at:], variables


def evaluate(expression: str) -> Any:
    """Evaluate to plain JSON values, or raise the exception LocalEmu turns into
    States.QueryEvaluationError."""
    try:
        rest, variables = without_declarations(expression)
        engine = Jsonata(rest)
        for name, value in variables.items():
            engine.assign(name, value)
        engine.register_lambda("nativeUuid", lambda: str(uuid.uuid4()))
        engine.register_lambda("nativeHash", hash_value)
        engine.register_lambda("nativeParse", lambda text: json.loads(text))
        result = engine.evaluate(None)
        # The engine's own list and number types do not survive LocalEmu's deep copies.
        return None if result is None else json.loads(json.dumps(result, default=str))
    except Exception as cause:
        raise JSONataException("JSONataError", str(cause)) from cause


def declare_variables(bindings: Mapping[str, Any]) -> str:
    """Write variables as JSONata declarations; every JSON text is a JSONata literal."""
    # Not as ASCII: the engine reads an escaped emoji as two characters.
    return "".join(
        f"{name}:={json.dumps(value, default=str, ensure_ascii=False)};"
        for name, value in bindings.items()
    )


def apply() -> None:
    for module in (jsonata, validations, string_expression):
        module.eval_jsonata_expression = evaluate
    for module in (jsonata, states, variable_store):
        module.encode_jsonata_variable_declarations = declare_variables
    intrinsics._DECLARATION_BY_VARIABLE_REFERENCE.update(STEP_FUNCTIONS_INTRINSICS)
