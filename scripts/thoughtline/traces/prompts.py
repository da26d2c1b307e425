"""A question and a prompt of the recipe become the exact chat messages that are sent."""

from __future__ import annotations

import functools
import json
from typing import Any

import jinja2

from ..common.errors import UserError
from ..common.names import MULTIPLE_CHOICE_LETTERS

Messages = list[dict[str, str]]

_JINJA = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False)


@functools.cache
def _compiled(template: str) -> jinja2.Template:
    try:
        return _JINJA.from_string(template)
    except jinja2.TemplateSyntaxError as error:
        raise UserError(
            "prompt template", f"is no Jinja template (line {error.lineno}: {error.message})", "mend the recipe"
        ) from None


def render(template: str, **variables: Any) -> str:
    """The text of a Jinja `template`; a variable that is not given is an error, never an empty text.

    Raises:
        UserError: the template has a syntax error, or uses a variable that there is not.
    """
    try:
        return _compiled(template).render(**variables)
    except jinja2.TemplateError as error:
        raise UserError("prompt template", str(error), f"it may use {', '.join(sorted(variables))}") from None


def user_turn(
    template: str,
    problem: str,
    choices: list[str] | None = None,
    starter_code: str | None = None,
    function: bool = False,
    trace: dict[str, str] | None = None,
) -> str:
    """The user's message for one question.

    The template sees problem, choices (a list, empty without options), letters (A, B, ... one for each
    option), starter_code ("" without one) and function (True for a function-style code problem); with a `trace` that is
    to be written anew also its reasoning and response.
    """
    options = choices or []
    return render(
        template,
        problem=problem,
        choices=options,
        letters=list(MULTIPLE_CHOICE_LETTERS[: len(options)]),
        starter_code=starter_code or "",
        function=function,
        **(trace or {}),
    )


def is_function(tests: str | None) -> bool:
    """True when a question's `tests` (JSON text) call functions instead of running a program."""
    found = json.loads(tests) if tests else {}
    return bool(found.get("fn_name") or found.get("asserts"))


def messages_of(prompt: dict[str, Any], question: dict[str, Any], trace: dict[str, str] | None = None) -> Messages:
    """Chat messages for a row of QUESTIONS: system message, worked examples as earlier turns, the question.

    Args:
        prompt: settings["prompt"]: system, template, examples.
        question: a row of rows.QUESTIONS.
        trace: {"reasoning", "response"} of a trace to write anew. Worked examples show their own (`rewrites`), or none.
    """
    messages: Messages = []
    if prompt.get("system") is not None:
        messages.append({"role": "system", "content": prompt["system"]})
    template = prompt["template"]
    for example in prompt.get("examples") or []:
        turn = user_turn(
            template,
            example["problem"],
            example.get("choices"),
            example.get("starter_code"),
            bool(example.get("function")),
            trace and (example.get("rewrites") or dict.fromkeys(trace, "")),
        )
        messages.append({"role": "user", "content": turn})
        messages.append({"role": "assistant", "content": example["response"]})
    turn = user_turn(
        template,
        question["problem"],
        question["choices"],
        question["starter_code"],
        is_function(question["tests"]),
        trace,
    )
    messages.append({"role": "user", "content": turn})
    return messages
