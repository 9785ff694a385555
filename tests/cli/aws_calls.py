"""Has the AWS CLI itself look at calls that were noted, and send none of them.

Its own parser reads the arguments and the documents, and botocore checks what would be sent against the
model of the service; that a word is one of the model's words is checked here, because botocore leaves it to
the server. Run by the interpreter that the AWS CLI 2 belongs to: aws_calls.py NOTES
"""

import json
import os
import pathlib
import sys

from awscli import clidriver
from awscli.botocore import validate
from awscli.customizations import waiters

PLACEHOLDERS = ("ACCOUNT_ID", "DISTRIBUTION_ID", "ACCESS_CONTROL_ID")


def unknown_words(value, shape, where="input"):
    """Strings that the model does not list."""
    if shape.type_name == "structure":
        for name, member in value.items():
            yield from unknown_words(member, shape.members[name], f"{where}.{name}")
    elif shape.type_name == "list":
        for member in value:
            yield from unknown_words(member, shape.member, where)
    elif shape.type_name == "map":
        for member in value.values():
            yield from unknown_words(member, shape.value, where)
    elif shape.type_name == "string" and shape.enum and value not in shape.enum:
        yield f"{where}: {value!r} is none of {', '.join(shape.enum)}"


def check(session, service, operation, parameters):
    """What is wrong with these parameters of this operation."""
    shape = session.get_service_model(service).operation_model(operation).input_shape
    if shape is None:
        return []
    report = validate.ParamValidator().validate(parameters, shape)
    if report.has_errors():
        return [report.generate_report()]
    # Policies are documents within documents.
    for value in [*parameters.values(), *parameters.get("Attributes", {}).values()]:
        if isinstance(value, str) and value.lstrip().startswith("{"):
            json.loads(value)
    return list(unknown_words(parameters, shape))


def told(problems):
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def nothing_sent(driver):
    """Makes the AWS CLI check where it would send."""

    def call(_, service, operation, parameters, _globals):
        return told(check(driver.session, service, operation, parameters))

    def wait(caller, service, _operation, parameters, _globals):
        waiter = driver.session.get_waiter_model(service).get_waiter(caller._waiter_name)
        return told(check(driver.session, service, waiter.operation, parameters))

    clidriver.CLIOperationCaller.invoke = call
    waiters.WaiterCaller.invoke = wait
    # Read once, before the processes below part.
    for service in ("s3", "iam", "cloudfront"):
        driver.session.get_service_model(service)


def main(notes):
    driver = clidriver.create_clidriver()
    nothing_sent(driver)
    refused = 0
    calls = sorted(notes.iterdir())
    for note in calls:
        arguments = (note / "arguments").read_bytes().decode().split("\0")[:-1]
        words = " ".join(arguments)
        document = note / "document.json"
        if document.exists():
            words += "\n" + document.read_text()
        problems = [f"{name} was not filled in" for name in PLACEHOLDERS if name in words]
        # A process of its own: the CLI is made to run one command and end.
        child = os.fork()
        if child == 0:
            try:
                os._exit(driver.main(arguments))
            except BaseException as error:
                print(repr(error), file=sys.stderr)
                os._exit(1)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0:
            problems.append("the AWS CLI refuses it")
        if problems:
            refused += 1
            print(f"{words}\n  {'; '.join(problems)}", file=sys.stderr)
    print(f"{len(calls)} calls, {refused} refused")
    return 1 if refused or not calls else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
