"""Step Functions: read a definition's strings as JSON, and send message bodies as AWS does.

Upstream cuts the quotes off most string literals of a definition and leaves their escapes in, so
that an Assign of ``"line\\nbreak"`` holds a backslash and an n; elsewhere it turns an escaped
emoji into two lone surrogates. And it writes an object given for a string parameter, such as a
MessageBody, with spaces between its parts, where AWS writes none. It does not know CloudWatch Logs by
the name that Step Functions has for it, and writes services that are acronyms in capitals where it
names an error (``SSM.ParameterNotFoundException``), which then no Retry or Catch for AWS matches.
And it builds the grammar of JSONPath anew for every state that it leaves, and parses a definition
anew, for a second, for every execution that it starts or redrives.
"""

import functools
import json
from typing import Any

from localemu.services.stepfunctions.asl.component.common.path import result_path
from localemu.services.stepfunctions.asl.component.eval_component import EvalComponent
from localemu.services.stepfunctions.asl.component.state.state_execution.state_task.service import (
    state_task_service,
    state_task_service_aws_sdk,
)
from localemu.services.stepfunctions.asl.parse import asl_parser, preprocessor
from localemu.services.stepfunctions.asl.utils.encoding import to_json_str

ACRONYMS = ("ec2", "eks", "iam", "sns", "sqs", "ssm", "sts")


def read_literal(parser_rule_context: Any) -> str | None:
    """The value of a string or null in the definition; bare words stand for themselves."""
    text = parser_rule_context.getText()
    if text == "null":
        return None
    return json.loads(text, strict=False) if text.startswith('"') else text


@functools.lru_cache(maxsize=32)
def tree_of(definition: str) -> asl_parser.ParserRuleContext:
    """The syntax tree, which whoever visits it leaves as it is."""
    errors = asl_parser.SyntaxErrorListener()
    lexer = asl_parser.ASLLexer(asl_parser.InputStream(definition))
    parser = asl_parser.ASLParser(asl_parser.CommonTokenStream(lexer))
    parser.removeErrorListeners()
    parser.addErrorListener(errors)
    tree = parser.state_machine()
    if errors.errors:
        raise asl_parser.ASLParserException(errors=errors.errors)
    return tree


def parse(definition: str) -> tuple[EvalComponent, asl_parser.ParserRuleContext]:
    """The program, made anew each time as it holds what an execution counts, and its tree."""
    tree = tree_of(definition)
    return preprocessor.Preprocessor().visit(tree), tree


def apply() -> None:
    asl_parser.AmazonStateLanguageParser.parse = staticmethod(parse)
    preprocessor.Preprocessor._inner_string_of = staticmethod(read_literal)
    preprocessor.from_string_literal = read_literal
    names = state_task_service.StateTaskService._SERVICE_NAME_SFN_TO_BOTO_OVERRIDES
    names["cloudwatchlogs"] = "logs"
    state_task_service_aws_sdk._SERVICE_ERROR_NAMES.update(
        {name: name.capitalize() for name in ACRONYMS}
    )
    result_path.parse = functools.cache(result_path.parse)
    state_task_service.to_json_str = functools.partial(to_json_str, separators=(",", ":"))
