"""`thoughtline traces ...`."""

from __future__ import annotations

import argparse
import json
import textwrap
from pathlib import Path

from ..common.command import add_common, deadline_of, recorded, settings_of
from ..common.lease import Lease
from ..common.rows import TRACES, read_rows
from .generate import Options, generate
from .sharing import stop_servers


def register(subparsers: argparse._SubParsersAction) -> None:
    """Add the verbs of `traces`."""
    _generate(subparsers)
    show = subparsers.add_parser(
        "show", help="print prompts and responses", description="Print prompts and responses of a file of traces."
    )
    show.add_argument("file", type=Path, help="a Parquet file of traces")
    show.add_argument("--limit", type=int, default=3, metavar="N", help="how many traces (default: 3)")
    show.add_argument("--status", help="only traces with this status: finished, truncated, refused or failed")
    show.set_defaults(run=run_show)
    stop = subparsers.add_parser(
        "stop-servers",
        help="end vLLM servers that linger on this machine",
        description="End the vLLM servers that `generate --linger` left running on this machine.",
    )
    stop.add_argument(
        "--servers", type=Path, required=True, metavar="DIR", help="the folder given to generate, or its default"
    )
    stop.add_argument("--in-use", action="store_true", help="end servers that jobs are using, too")
    stop.set_defaults(run=run_stop)


def _generate(subparsers: argparse._SubParsersAction) -> None:
    defaults = Options()
    parser = subparsers.add_parser(
        "generate",
        help="answer a shard of questions with a model",
        description="Answer a shard of questions with a model. Each (question, sample) ends as one row: finished, truncated, "
        "refused or failed. Finished rows are kept in the work folder's journal: an interrupted run goes on when the same "
        "command is run again, and rows whose identity is unchanged are never made twice.",
    )
    add_common(parser)
    parser.add_argument(
        "--model", type=Path, metavar="MODEL.json", help="the model's model.json (an endpoint needs none)"
    )
    parser.add_argument("--questions", type=Path, required=True, metavar="SHARD.parquet", help="questions to answer")
    parser.add_argument("--out", type=Path, required=True, metavar="SHARD.parquet", help="traces to write")
    parser.add_argument(
        "--rewrites", type=Path, metavar="SHARD.parquet", help="traces to write anew (with a `rewrites` setting)"
    )
    parser.add_argument(
        "--concurrency",
        type=int,
        default=defaults.concurrency,
        metavar="N",
        help="requests in flight (default: %(default)s)",
    )
    parser.add_argument(
        "--retries", type=int, default=defaults.retries, metavar="N",
        help="further tries after a passing failure: 429, 5xx, time-out, disconnect (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--request-seconds", type=float, default=defaults.request_seconds, metavar="S",
        help="time limit of one try (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--linger", type=float, default=defaults.linger, metavar="SECONDS",
        help="let the vLLM server wait this long for further jobs with the same model (default: it ends with the job)",
    )  # fmt: skip
    parser.add_argument(
        "--servers", type=Path, metavar="DIR",
        help="folder through which jobs share servers (default with --linger: servers/ beside the work folder)",
    )  # fmt: skip
    parser.add_argument("--port", type=int, metavar="P", help="the vLLM server's port (default: a free one)")
    parser.add_argument(
        "--start-seconds", type=float, default=defaults.start_seconds, metavar="S",
        help="how long the vLLM server may take to start (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--sharing", type=Path, metavar="PLAN.json",
        help="help other jobs of this answerer, and be helped, by the plan that the pipeline writes (see docs/slurm.md)",
    )  # fmt: skip
    parser.add_argument(
        "--sharing-seconds", type=float, default=defaults.sharing_seconds, metavar="S",
        help="how often to look at what other jobs do; one that gave no sign for 20 times as long is taken for dead "
        "(default: %(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--nodes", type=int, default=defaults.nodes, metavar="N",
        help="nodes of the Slurm job that share the vLLM server's tensor and pipeline parallel workers (default: %(default)s)",
    )  # fmt: skip
    for name in ("tensor", "pipeline"):
        parser.add_argument(
            f"--{name}-parallel", type=int, metavar="N",
            help=f"{name} parallel size of the vLLM server, where engine.arguments does not say",
        )  # fmt: skip
    parser.set_defaults(run=run_generate)


def run_generate(args: argparse.Namespace) -> None:
    """`thoughtline traces generate`."""
    settings = settings_of(args)
    work = args.work or args.out.with_name(f"{args.out.name}.work")
    options = Options(
        concurrency=max(1, args.concurrency),
        retries=max(0, args.retries),
        request_seconds=args.request_seconds,
        linger=args.linger,
        port=args.port,
        servers=args.servers,
        start_seconds=args.start_seconds,
        sharing=args.sharing,
        sharing_seconds=args.sharing_seconds,
        nodes=args.nodes,
        tensor=args.tensor_parallel,
        pipeline=args.pipeline_parallel,
    )
    model = None if settings.get("endpoint") else args.model
    inputs = [args.questions, *([model] if model else []), *([args.rewrites] if args.rewrites else [])]
    with Lease(work), recorded([args.out], inputs, settings) as record:
        record.counts, record.details = generate(
            settings, model, args.questions, args.out, work, options, deadline_of(args), args.rewrites
        )


def run_stop(args: argparse.Namespace) -> None:
    """`thoughtline traces stop-servers`."""
    ended, left = stop_servers(args.servers, args.in_use)
    print(f"{ended} ended" + (f", {left} in use and left running (--in-use ends them)" if left else ""))


def run_show(args: argparse.Namespace) -> None:
    """`thoughtline traces show`."""
    rows = [row for row in read_rows(args.file, TRACES) if args.status in (None, row["status"])]
    for row in rows[: args.limit]:
        tokens = f"{row['prompt_tokens']} + {row['completion_tokens']} tokens"
        print(
            f"=== {row['trace_id']} (question {row['question_id']}, sample {row['sample']}): {row['status']}, {tokens}"
        )
        for message in json.loads(row["messages"]):
            print(f"--- {message['role']}\n{textwrap.indent(message['content'], '    ')}")
        for part in ("reasoning", "response", "error"):
            if row[part] is not None:
                print(f"--> {part}\n{textwrap.indent(row[part], '    ')}")
        print()
    print(f"{min(len(rows), args.limit)} of {len(rows)} traces")
