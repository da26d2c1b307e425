"""One node's share of a vLLM server that spans several nodes, without Ray.

`python -m thoughtline.traces.vllm_node OPTIONS --nnodes N --node-rank R --master-addr A --master-port P` is started on each node
with the same OPTIONS. Node 0 serves; the others hold workers only and end with it.
"""

from __future__ import annotations


def main() -> None:
    """Serve, or work for node 0."""
    from vllm.entrypoints.cli.serve import ServeSubcommand
    from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args
    from vllm.entrypoints.serve.utils.api_utils import cli_env_setup
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    cli_env_setup()
    args = make_arg_parser(FlexibleArgumentParser()).parse_args()
    args.headless = args.node_rank > 0
    validate_parsed_serve_args(args)
    ServeSubcommand.cmd(args)


if __name__ == "__main__":
    main()
