"""TLS against a farm of good and bad certificates: what is good works, what is bad is refused, and the text says what to
change."""
import os
import ssl
import warnings

from certificates import Authority, rsa
from harness import Process, accepts, free_port, main, need, squall, wait_until
from proof import errors, run
from servers import Server, answers

warnings.simplefilter("ignore", DeprecationWarning)  # TLS 1.1, which a test must speak
farm = Authority()
farm.issue("good")
foreign = Authority("foreign")
foreign.issue("stranger")
_files = 0


def scenario(server, tls="ca: root.pem", host="localhost", load="{ users: 3, iterations: 30 }", more="", url=None, patience="400ms"):
    """A scenario in the farm's folder, since files are read only below its own."""
    global _files
    _files += 1
    url = url or f"https://{host}:{server.port}"
    return farm.write(f"scenario-{_files}.yaml", f"""squall: 1
targets:
  api: {{ url: "{url}", connect-timeout: {patience}, tls: {{ {tls} }}{more} }}
load: [ {load} ]
flow: [ {{ http: GET / }} ]
""")


def refused(server, words, **options):
    """No connection comes up, for a reason that has these words."""
    process = squall("run", scenario(server, **options), "--trust", "off")
    assert process.returncode == 3 and words in process.err, f"wanted '{words}': {process.returncode} {process.err}"
    return process.err


def test_good():
    for host in ("localhost", "127.0.0.1"):
        with Server(answers(), tls=farm.server("good")) as server:
            summary, _ = run(scenario(server, host=host))
            assert summary["totals"]["ok"] == 30, errors(summary)
            assert summary["steps"][0]["phases_ns"]["tls"]["count"] == server.connections, summary["steps"][0]["phases_ns"]


def test_bad_certificates():
    farm.issue("expired", days=(-20, -10))
    farm.issue("early", days=(10, 20))
    farm.issue("elsewhere", names="DNS:other.test,IP:127.9.9.9")
    farm.issue("short", key=rsa(1024))
    farm.issue("shorter", key=rsa(512))
    farm.issue("sha1", md="sha1")
    farm.issue("for-clients", more=("extendedKeyUsage=clientAuth",))
    farm.self_signed("own")
    farm.borrow(foreign, "root.pem", "foreign.pem")
    for name, words, options in (
            ("expired", "has expired: renew", {}),
            ("early", "not valid yet", {}),
            ("elsewhere", "is not for localhost: see tls: { server-name", {}),
            ("elsewhere", "is not for 127.0.0.1: see tls: { server-name", {"host": "127.0.0.1"}),
            ("own", "self-signed: trust it with tls: { ca", {}),
            ("good", "no authority that we trust", {"tls": "ca: foreign.pem"}),
            ("good", "no authority that we trust", {"tls": "min-version: 1.2"}),
            ("short", "too weak", {}),
            ("shorter", "too weak", {}),
            ("sha1", "too weak", {}),
            ("for-clients", "not made for servers", {})):
        # A key of 512 bits is too short to sign a TLS 1.3 handshake.
        highest = ssl.TLSVersion.TLSv1_2 if name == "shorter" else None
        # What does not verify now will not by waiting: it is said long before the connect time-out.
        options["patience"] = "10m"
        with Server(answers(), tls=farm.server(name, highest=highest)) as server:
            assert "within its connect time-out" not in refused(server, words, **options), name
            assert server.requests == 0, name
            # The same server, unverified: it is the check that refused it.
            summary, _ = run(scenario(server, tls="insecure: true"))
            assert summary["totals"]["ok"] == 30, (name, errors(summary))


def test_own_root_and_name():
    """What the texts say to do helps."""
    with Server(answers(), tls=farm.server("own")) as server:
        summary, _ = run(scenario(server, tls="ca: own.crt"))
        assert summary["totals"]["ok"] == 30, errors(summary)
    names = []
    context = farm.server("elsewhere")
    context.sni_callback = lambda connection, name, _: names.append(name)
    with Server(answers(), tls=context) as server:
        summary, _ = run(scenario(server, tls="ca: root.pem, server-name: other.test"))
        assert summary["totals"]["ok"] == 30 and set(names) == {"other.test"}, (errors(summary), names)
        names.clear()
        run(scenario(server, host="127.0.0.1", tls="insecure: true"))
        assert set(names) == {None}, names  # a literal address is no server name


def test_chain():
    """Signed by an authority between: it must come along, and must be one."""
    farm.issue("between", names="DNS:between", more=("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign"))
    farm.issue("below", signer="between")
    farm.issue("under-a-leaf", signer="good")
    farm.chain("whole", "below.pem", "between.crt")
    farm.chain("false", "under-a-leaf.pem", "good.crt")
    with Server(answers(), tls=farm.server("whole")) as server:
        run(scenario(server))
    with Server(answers(), tls=farm.server("below")) as server:
        refused(server, "or have the server send what leads to a known one")
        for anchor in ("between.crt", "below.crt"):  # trusted by name: that is enough
            run(scenario(server, tls=f"ca: {anchor}"))
    with Server(answers(), tls=farm.server("false")) as server:
        refused(server, "signed by a certificate that is no authority")


def test_wildcard():
    farm.issue("star", names="DNS:*.service.test")
    with Server(answers(), tls=farm.server("star")) as server:
        run(scenario(server, tls="ca: root.pem, server-name: a.service.test"))
        for name in ("service.test", "a.b.service.test"):
            refused(server, f"is not for {name}", tls=f"ca: root.pem, server-name: {name}")


def test_revoked():
    farm.issue("withdrawn")
    farm.revocations("before.pem")
    farm.revoke("withdrawn")
    farm.revocations()
    with Server(answers(), tls=farm.server("withdrawn")) as server:
        refused(server, "revoked by the `crl`", tls="ca: root.pem, crl: crl.pem")
        run(scenario(server, tls="ca: root.pem, crl: before.pem"))
    with Server(answers(), tls=farm.server("good")) as server:
        run(scenario(server, tls="ca: root.pem, crl: crl.pem"))
        process = squall("run", scenario(server, tls="ca: root.pem, crl: root.pem"))
        assert process.returncode == 2 and "no revocation list" in process.err, process.err
        farm.revocations("old.pem", days=(-20, -10))
        farm.revocations("early.pem", days=(10, 20))
        foreign.revocations()
        farm.borrow(foreign, "crl.pem", "foreign-crl.pem")
        for crl, words in (("old", "has expired: fetch"), ("early", "not valid yet"), ("foreign-crl", "says nothing of the server's issuer")):
            refused(server, f"the `crl` {'is ' if crl == 'early' else ''}{words}", tls=f"ca: root.pem, crl: {crl}.pem")


def test_versions():
    old = farm.server("good", lowest=ssl.TLSVersion.TLSv1_1, highest=ssl.TLSVersion.TLSv1_1)
    with Server(answers(), tls=old) as server:
        refused(server, "min-version: 1.2")
    with Server(answers(), tls=farm.server("good", highest=ssl.TLSVersion.TLSv1_2)) as server:
        run(scenario(server))
        refused(server, "min-version", tls="ca: root.pem, min-version: 1.3")
    with Server(answers(), tls=farm.server("good", lowest=ssl.TLSVersion.TLSv1_3)) as server:
        run(scenario(server, tls="ca: root.pem, min-version: 1.3"))


def test_no_common_cipher():
    """A certificate of EC, and nothing but ciphers of RSA."""
    context = farm.server("good", highest=ssl.TLSVersion.TLSv1_2, ciphers="ECDHE-RSA-AES128-GCM-SHA256")
    with Server(answers(), tls=context) as server:
        refused(server, "agrees to no cipher of ours")


def test_not_tls():
    with Server(lambda peer: peer.send(b"220 hello\r\n" * 10).drain()) as server:
        refused(server, "does not speak TLS on this port", url=f"https://127.0.0.1:{server.port}")
    with Server(lambda peer: peer.close()) as server:
        refused(server, "does it speak TLS on this port?", url=f"https://127.0.0.1:{server.port}")
    with Server(lambda peer: peer.reset()) as server: # seen in the handshake, or on a busy machine already as the connect's end
        refused(server, " reset ", url=f"https://127.0.0.1:{server.port}")
    with Server(lambda peer: peer.drain()) as server:
        refused(server, "TLS handshake", url=f"https://127.0.0.1:{server.port}")


def test_alpn():
    tool, port = need("openssl"), free_port()
    argv = [tool, "s_server", "-accept", f"127.0.0.1:{port}", "-cert", farm.path("good.pem"), "-alpn", "other", "-quiet"]
    with Process(argv, stdin=-1) as process:
        wait_until(lambda: accepts(port) or process.child.poll() is not None, "s_server")
        refused(None, "none of the protocols that we offer (ALPN)", url=f"https://localhost:{port}")
    # A server without ALPN, and one that picks ours.
    chosen = []

    def handler(peer):
        chosen.append(peer.socket.selected_alpn_protocol())
        answers()(peer)
    for alpn, expected in ((None, {None}), (["other", "http/1.1"], {"http/1.1"})):
        chosen.clear()
        with Server(handler, tls=farm.server("good", alpn=alpn)) as server:
            run(scenario(server))
        assert set(chosen) == expected, chosen


def test_client_certificate():
    root = farm.path("root.pem")
    farm.issue("client", names="DNS:client")
    farm.issue("expired-client", names="DNS:client", days=(-20, -10))
    farm.borrow(foreign, "stranger.pem", "stranger.pem")
    # TLS 1.2 refuses within the handshake.
    with Server(answers(), tls=farm.server("good", client_root=root, highest=ssl.TLSVersion.TLSv1_2)) as server:
        refused(server, "client certificate")
        refused(server, "does not trust who signed our certificate", tls="ca: root.pem, cert: stranger.pem")
        refused(server, "our certificate has expired", tls="ca: root.pem, cert: expired-client.pem")
        run(scenario(server, tls="ca: root.pem, cert: client.pem"))
    # TLS 1.3 refuses behind it: connections come up, and answers do not.
    with Server(answers(), tls=farm.server("good", client_root=root)) as server:
        summary, _ = run(scenario(server, load="{ users: 2, for: 1s, iterations: 6 }"))
        assert summary["totals"]["ok"] == 0 == server.requests, summary["totals"]
        assert "wants a client certificate: give one" in errors(summary), errors(summary)
        summary, _ = run(scenario(server, tls="ca: root.pem, cert: client.crt, key: client.key"))
        assert summary["totals"]["ok"] == 30, errors(summary)
    process = squall("run", scenario(server, tls="ca: root.pem, cert: client.crt, key: good.key"))
    assert process.returncode == 3 or "no private key of that certificate" in process.err, process.err


def test_files_of_the_command_line():
    """They may lie anywhere, and stand above the scenario's."""
    farm.issue("client", names="DNS:client")
    with Server(answers(), tls=farm.server("good", client_root=farm.path("root.pem"))) as server:
        summary, _ = run(f"https://localhost:{server.port}/", "-n", 5, "--ca", os.path.relpath(farm.path("root.pem")),
                         "--cert", farm.path("client.crt"), "--key", farm.path("client.key"))
        assert summary["totals"]["ok"] == 5, errors(summary)
        # A certificate without the scenario's key, which would not fit.
        path = scenario(server, tls="ca: root.pem, cert: good.crt, key: good.key")
        summary, _ = run(path, "--cert", farm.path("client.pem"))
        assert summary["totals"]["ok"] == 30, errors(summary)
        for words, flags in (("a key without its certificate", ("--key", "x")), ("is not there", ("--ca", "none.pem"))):
            process = squall("run", f"https://localhost:{server.port}/", "-n", 1, *flags)
            assert process.returncode == 2 and words in process.err, process.err
    process = squall("run", "http://127.0.0.1:1/", "-n", 1, "--ca", farm.path("root.pem"))
    assert process.returncode == 2 and "--ca: no target uses TLS" in process.err, process.err


def test_certificate_of_each_user():
    for user in (1, 2, 3):
        farm.issue(str(user), names=f"DNS:user{user}")
    subjects = []

    def handler(peer):
        subjects.append(peer.socket.getpeercert()["subject"][0][0][1])
        answers()(peer)
    cert = 'ca: root.pem, cert: "${user.id}.pem"'
    for connections in ("per-user", "new"):
        subjects.clear()
        with Server(handler, tls=farm.server("good", client_root=farm.path("root.pem"))) as server:
            summary, _ = run(scenario(server, tls=cert, more=f", connections: {connections}"), "-w", 2)
            assert summary["totals"]["ok"] == 30, errors(summary)
            assert set(subjects) == {"1", "2", "3"}, subjects
            assert connections == "new" or len(subjects) == 3, subjects
    # The name may be a variable's, with which the user begins; of all classes and of one.
    for name, variables in (("${device}", 'vars: { device: "${user.id}" }'), ("${1 + number}", "vars: { number: 1 }")):
        subjects.clear()
        with Server(handler, tls=farm.server("good", client_root=farm.path("root.pem"))) as server:
            path = scenario(server, tls=f'ca: root.pem, cert: "{name}.pem", key: "{name}.pem"')
            with open(path, "a", encoding="utf-8") as file:
                file.write(variables + "\n")
            summary, _ = run(path, "-w", 2)
        assert summary["totals"]["ok"] == 30 and set(subjects) == ({"1", "2", "3"} if "device" in name else {"2"}), subjects
    with Server(handler, tls=farm.server("good")) as server:
        process = squall("check", scenario(server, tls='cert: "${devcie}.pem"'))
        assert process.returncode == 2 and ":3:" in process.err and "`devcie` is not known" in process.err, process.err
    with Server(handler, tls=farm.server("good")) as server:
        process = squall("check", scenario(server, tls=cert, more=", connections: 4"))
        assert process.returncode == 2 and ":3:" in process.err and "share its connections" in process.err, process.err
        refused(server, "'nobody-1.pem' is not there", tls='ca: root.pem, cert: "nobody-${user.id}.pem"', load="{ users: 1, for: 1s }")
        foreign.issue("1")
        refused(server, "lies outside", tls='ca: root.pem, cert: "../foreign/${user.id}.pem"', load="{ users: 1, for: 1s }")


def test_files_stay_below():
    outside = foreign.path("root.pem")
    with Server(answers(), tls=farm.server("good")) as server:
        process = squall("check", scenario(server, tls=f'ca: "{outside}"'))
        assert process.returncode == 2 and "lies outside of the scenario's folder" in process.err, process.err


def test_session_reuse():
    reused = []

    def handler(peer):
        reused.append(peer.socket.session_reused)
        answers()(peer)
    for highest in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        for option, expected in (("true", 27), ("false", 0)):
            reused.clear()
            with Server(handler, tls=farm.server("good", highest=highest)) as server:
                summary, _ = run(scenario(server, tls=f"ca: root.pem, session-reuse: {option}", more=", connections: new"))
            assert summary["totals"]["ok"] == 30 == len(reused), errors(summary)
            assert sum(reused) == expected, (highest, option, sum(reused))


def test_long_answers():
    """Many records an answer, several of them a read."""
    size = 3_000_000
    body = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size
    for highest in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        with Server(answers(body), tls=farm.server("good", highest=highest)) as server:
            summary, _ = run(scenario(server))
        assert summary["totals"]["ok"] == 30 and summary["totals"]["bytes_in"] == 30 * len(body), (summary["totals"], errors(summary))


def test_no_close_notify():
    """A server that ends without it is no failure; an answer that is cut short is one."""
    with Server(answers(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", close=True), tls=farm.server("good")) as server:
        summary, _ = run(scenario(server))
        assert summary["totals"]["ok"] == 30, errors(summary)
    cut = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok"
    with Server(answers(cut, close=True), tls=farm.server("good")) as server:
        summary, _ = run(scenario(server))
        assert summary["totals"]["ok"] == 0 and summary["totals"]["begun"] == 30, summary["totals"]


if __name__ == "__main__":
    main(globals())
