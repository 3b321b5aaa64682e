"""Hosts of their own on this machine: network namespaces whose connections can be cut."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import Final, Self

_numbers: Final = count()


class Network:
    """A network of this machine and some hosts; *address* is that of this machine in it.

    Made by `network`.
    """

    def __init__(self, number: int) -> None:
        self._prefix = f"10.{os.getpid() % 200 + 20}.{number}"
        self._bridge = f"ad{os.getpid() % 100_000}b{number}"
        self._number = number
        self.address = f"{self._prefix}.1"
        _ip("link", "add", self._bridge, "type", "bridge")
        _ip("address", "add", f"{self.address}/24", "dev", self._bridge)
        _ip("link", "set", self._bridge, "up")

    def join(self, host: Host) -> None:
        """Connect a host."""
        here, there = self._link(host), f"net{self._number}"
        _ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", host.name)
        _ip("link", "set", here, "master", self._bridge, "up")
        _ip("-n", host.name, "address", "add", f"{self.address_of(host)}/24", "dev", there)
        _ip("-n", host.name, "link", "set", there, "up")

    def address_of(self, host: Host) -> str:
        """Return the address of a host in this network."""
        return f"{self._prefix}.{host.number + 2}"

    def cut(self, host: Host) -> None:
        """Lose everything between this network and a host, without a word to either."""
        _ip("link", "set", self._link(host), "nomaster")

    def mend(self, host: Host) -> None:
        """Undo a cut."""
        _ip("link", "set", self._link(host), "master", self._bridge)

    def remove(self) -> None:
        """Remove the network."""
        _ip("link", "delete", self._bridge)

    def _link(self, host: Host) -> str:
        return f"ad{os.getpid() % 100_000}v{self._number}{host.number}"


class Host:
    """A host with a network stack of its own; a context manager."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.name = f"actions-{os.getpid()}-{number}"

    def command(self, command: Sequence[str]) -> list[str]:
        """Return the command that runs *command* on the host."""
        return ["ip", "netns", "exec", self.name, *command]

    def __enter__(self) -> Self:
        _ip("netns", "add", self.name)
        _ip("-n", self.name, "link", "set", "lo", "up")
        return self

    def __exit__(self, *_: object) -> None:
        _ip("netns", "delete", self.name)


@contextmanager
def networks(number: int, hosts: int) -> Iterator[tuple[list[Network], list[Host]]]:
    """Yield so many networks, and so many hosts that are in all of them.

    Raises OSError where there can be none: that takes a privileged user and `ip` of iproute2.
    """
    with ExitStack() as stack:
        found = [stack.enter_context(Host(one)) for one in range(hosts)]
        made: list[Network] = []
        for _ in range(number):
            network = Network(next(_numbers) % 200)
            stack.callback(network.remove)
            made.append(network)
            for host in found:
                network.join(host)
        yield made, found


def _ip(*arguments: str) -> None:
    try:
        done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)  # noqa: S607 - of the system
    except FileNotFoundError as error:
        raise OSError("There is no `ip`, which iproute2 provides.") from error
    if done.returncode:
        raise OSError(f"`ip {' '.join(arguments)}` failed: {done.stderr.strip()}")
