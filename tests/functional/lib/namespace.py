"""A network of a test program's own: what it breaks there breaks nothing else, and is gone when the program ends."""
import os
import subprocess
import sys

from harness import need

_INSIDE = "SQUALL_TEST_NETWORK"
_PORTS = "/proc/sys/net/ipv4/ip_local_port_range"


def own_network():
    """Starts this program again in a new network namespace, with nothing but loopback; returns when inside.

    Where the machine does not let us, by root or by a user namespace, the test is skipped.
    """
    unshare, _ = need("unshare"), need("ip")
    if os.environ.get(_INSIDE):
        ip("link set lo up")
        return
    for flags in (["--net"], ["--net", "--map-root-user"]):
        inside = [unshare, *flags, "--"]
        probe = f"ip link set lo up && range=$(cat {_PORTS}) && echo $range >{_PORTS}"
        if subprocess.run([*inside, "sh", "-c", probe], capture_output=True, check=False, timeout=20).returncode == 0:
            os.execve(unshare, [*inside, sys.executable, *sys.argv], {**os.environ, _INSIDE: "1"})
    print("SKIP: this test needs a network namespace: run it as root, or allow user namespaces")
    sys.exit(77)


def ip(words):
    """The ip program; everything in this namespace is ours."""
    assert os.environ.get(_INSIDE), "not in a network of our own"
    subprocess.run([need("ip"), *words.split()], check=True, timeout=20)


def setting(name, value):
    """net.ipv4.NAME, which each network namespace has for itself; returns what it was."""
    assert os.environ.get(_INSIDE), "not in a network of our own"
    path = f"/proc/sys/net/ipv4/{name}"
    with open(path, encoding="ascii") as text:
        old = text.read().strip()
    with open(path, "w", encoding="ascii") as out:
        out.write(value)
    return old
