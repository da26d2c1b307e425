"""One node's share of a vLLM server that spans several nodes, without Ray.

`python -m thoughtline.traces.vllm_node OPTIONS --nnodes N --node-rank R --master-addr A --master-port P` is started on each node
with the same OPTIONS. Node 0 serves; the others hold workers only and end with it.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct

SIOCGIFADDR = 0x8915
INTERFACE = ("NCCL_SOCKET_IFNAME", "GLOO_SOCKET_IFNAME")
"""Variables of the machine's file that name the interface between nodes."""


def address_of(interface: str) -> str | None:
    """The IPv4 address of a network interface of this node (Linux); None if it has none, or there is no such interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            answer = fcntl.ioctl(probe.fileno(), SIOCGIFADDR, struct.pack("256s", interface.encode()[:15]))
        except OSError:
            return None
    return socket.inet_ntoa(answer[20:24])


def own_address() -> str | None:
    """This node's address on the network between nodes, if the machine's file names it.

    By itself vLLM takes the interface that leads to the internet, and finds none on nodes that have no internet.
    """
    names = [os.environ[name] for name in INTERFACE if name in os.environ]
    return next((found for found in map(address_of, names) if found), None)


def main() -> None:
    """Serve, or work for node 0."""
    if address := own_address():
        os.environ.setdefault("VLLM_HOST_IP", address)
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
