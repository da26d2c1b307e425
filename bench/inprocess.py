"""Run a program on all its inputs in this process, with nothing between it and us: what the baselines have in common.

As a script (a fresh interpreter) it reads {"program", "inputs", "function"} as JSON from standard input and writes the list of
outputs. It imports little, since its imports would count as the baseline's cost.
"""

import io
import json
import sys


def outputs_of(program, inputs, function):
    """The text that the program prints on each input, or what its function returns for each list of arguments.

    An output is None when the program raised.
    """
    code = compile(program, "program.py", "exec", dont_inherit=True)
    if function:
        namespace = {"__name__": "program"}
        exec(code, namespace)
        call = getattr(namespace["Solution"](), function) if "Solution" in namespace else namespace[function]
        return [_result(call, arguments) for arguments in inputs]
    return [_printed(code, text) for text in inputs]


def _result(call, arguments):
    try:
        return call(*arguments)
    except Exception:
        return None


def _printed(code, text):
    before = sys.stdin, sys.stdout
    sys.stdin, sys.stdout = io.StringIO(text), io.StringIO()
    try:
        exec(code, {"__name__": "__main__"})
        return sys.stdout.getvalue()
    except Exception:
        return None
    finally:
        sys.stdin, sys.stdout = before


def right(outputs, tests):
    """Whether every output is the expected one: results equal, lines of text equal token by token."""
    expected = tests["outputs"]
    if not tests.get("fn_name"):
        outputs, expected = map(_tokens, outputs), map(_tokens, expected)
    return all(got == wanted for got, wanted in zip(outputs, expected, strict=True))


def _tokens(text):
    return None if text is None else [line.split() for line in text.rstrip().split("\n")]


if __name__ == "__main__":
    request = json.load(sys.stdin)
    outputs = outputs_of(request["program"], request["inputs"], request["function"])
    json.dump(outputs, sys.stdout)
