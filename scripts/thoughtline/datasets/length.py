"""Length of a training text in the tokens of a model."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from ..common.errors import UserError
from ..common.files import read_json

GENERATION_TAGS = re.compile(r"\{%-?\s*(?:end)?generation\s*-?%\}")
"""Marks of the assistant's tokens in training templates: they write nothing, and are no Jinja."""


def _refuse(message: str) -> None:
    raise TemplateError(message)


def _some_date(form: str) -> str:
    # Some templates write today's date; a fixed one keeps lengths the same every day.
    return datetime.datetime(2025, 1, 1).strftime(form)


class ChatTokenizer:
    """Counts the tokens of conversations as the model's chat template writes them.

    Args:
        manifest: a model's model.json; tokenizer.json and the chat template are in its weights folder.

    Raises:
        UserError: a file is missing, or there is no chat template.
    """

    def __init__(self, manifest: str | Path) -> None:
        self._folder = Path(manifest).parent / read_json(manifest)["weights"]
        path = self._folder / "tokenizer.json"
        if not path.is_file():
            raise UserError(str(path), "there is no such file", "give `tokenizer` a model with a tokenizer.json")
        self._tokenizer = Tokenizer.from_file(str(path))
        # A file may carry the limits that its model was trained with; they would hide long texts.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        config_path = self._folder / "tokenizer_config.json"
        config = read_json(config_path) if config_path.is_file() else {}
        tokens = {
            name: config[name] for name in ("bos_token", "eos_token", "unk_token", "pad_token") if config.get(name)
        }
        self._special = {name: token["content"] if isinstance(token, dict) else token for name, token in tokens.items()}
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.globals.update(raise_exception=_refuse, strftime_now=_some_date)
        self._template = environment.from_string(GENERATION_TAGS.sub("", self._chat_template(config)))

    def _chat_template(self, config: dict[str, Any]) -> str:
        own = self._folder / "chat_template.jinja"
        if own.is_file():
            return own.read_text(encoding="utf-8")
        template = config.get("chat_template")
        if isinstance(template, list):
            template = next((each["template"] for each in template if each["name"] == "default"), None)
        if not isinstance(template, str):
            raise UserError(
                str(self._folder), "has no chat template", "give `tokenizer` a model with one (chat_template.jinja)"
            )
        return template

    def chat(self, system: str, user: str, assistant: str) -> str:
        """The whole conversation as the model is trained on it.

        Raises:
            UserError: the chat template refuses such a conversation.
        """
        messages = [{"role": "system", "content": system}] if system else []
        messages += [{"role": "user", "content": user}, {"role": "assistant", "content": assistant}]
        try:
            return self._template.render(messages=messages, add_generation_prompt=False, **self._special)
        except TemplateError as error:
            raise UserError(
                str(self._folder), f"its chat template failed ({error})", "choose another tokenizer"
            ) from None

    def count(self, conversations: Sequence[tuple[str, str, str]]) -> list[int]:
        """Tokens of each (system, user, assistant), special ones among them."""
        texts = [self.chat(*each) for each in conversations]
        return [len(each) for each in self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)]
