"""MQTT brokers for tests: mosquitto and ejabberd, each with a configuration of its own, on ports that the test picks."""
import os
import pwd
import signal
import socket
import subprocess
import time

from harness import Process, accepts, free_port, need, scratch, wait_until


def deliveries(step):
    """The counts of a step that subscribes."""
    return {name: value for name, value in step["deliveries"].items() if name != "rate_per_s"}


class Mosquitto(Process):
    """Any version, any client; `lines` are added to its configuration."""

    def __init__(self, lines="", port=None, prefix=()):
        self.port = port or free_port()
        config = scratch(f"mosquitto-{self.port}.conf")
        with open(config, "w", encoding="utf-8") as out:
            # $SYS once a second, nothing is dropped for being too much, no delay of small packets.
            out.write(f"listener {self.port} 127.0.0.1\nallow_anonymous true\nsys_interval 1\nmax_queued_messages 0\n"
                      f"set_tcp_nodelay true\nlog_dest none\n{lines}\n")
        super().__init__([*prefix, need("mosquitto"), "-c", config])
        wait_until(lambda: accepts(self.port) or self.child.poll() is not None, "mosquitto to listen")
        assert self.child.poll() is None, self.child.stderr.read()

    def url(self, topic=""):
        return f"mqtt://127.0.0.1:{self.port}/{topic}"


EJABBERD_CONFIG = """hosts: [localhost]
loglevel: 4
listen: [ {{ port: {port}, ip: "127.0.0.1", module: mod_mqtt, backlog: 1000 }} ]
auth_method: anonymous
anonymous_protocol: login_anon
modules: {{ mod_mqtt: {{ db_type: mnesia, max_queue: 100000 }} }}
"""


class Ejabberd:
    """ejabberd with its MQTT module and nothing else, in a folder of its own. Users are NAME@localhost, with any password."""

    def __init__(self):
        erl = need("erl")
        need("ejabberdctl")
        self.port = free_port()
        self.folder = scratch(f"ejabberd-{self.port}")
        os.mkdir(self.folder)
        config = os.path.join(self.folder, "ejabberd.yml")
        with open(config, "w", encoding="utf-8") as out:
            out.write(EJABBERD_CONFIG.format(port=self.port))
        beams = [os.path.join(root, "ebin") for root in self._libraries()]
        environment = {**os.environ, "EJABBERD_CONFIG_PATH": config, "HOME": self.folder}
        self.child = subprocess.Popen(
            [erl, "-noinput", "-pa", *beams, "-mnesia", "dir", f'"{self.folder}/mnesia"', "-ejabberd", "log_rate_limit", "1000",
             "-s", "ejabberd"], cwd=self.folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            start_new_session=True)
        try:
            wait_until(lambda: accepts(self.port) or self.child.poll() is not None, "ejabberd to listen", 60)
            assert self.child.poll() is None, self.child.stderr.read()
        except BaseException:
            self.__exit__()
            raise

    @staticmethod
    def _libraries():
        for parent in ("/usr/lib/x86_64-linux-gnu", "/usr/lib", "/usr/lib/aarch64-linux-gnu"):
            for name in sorted(os.listdir(parent)) if os.path.isdir(parent) else ():
                if name.startswith("ejabberd-"):
                    yield os.path.join(parent, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()
        self.child.stderr.close()

    def url(self, topic=""):
        return f"mqtt://127.0.0.1:{self.port}/{topic}"
