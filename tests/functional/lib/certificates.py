"""A small authority of the tests' own, by the openssl program: good certificates, and each kind of bad one."""
import datetime
import os
import ssl
import subprocess

from harness import need, scratch

CONFIG = """[ca]
default_ca = own
[own]
dir = {folder}
database = $dir/index
new_certs_dir = $dir
serial = $dir/serial
crlnumber = $dir/crlnumber
certificate = $dir/root.pem
private_key = $dir/root.key
default_md = sha256
default_crl_days = 30
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
"""
EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")


def rsa(bits):
    return ("-newkey", f"rsa:{bits}")


def stamp(day):
    """So many days from now, as OpenSSL wants it."""
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=day)).strftime("%Y%m%d%H%M%SZ")


class Authority:
    """Files in `folder`: root.pem, and NAME.pem (certificate and key) of each issue(NAME)."""

    def __init__(self, name="farm"):
        self.tool = need("openssl")
        self.folder = scratch(name)
        os.mkdir(self.folder)
        for file, text in (("openssl.cnf", CONFIG.format(folder=self.folder)), ("index", ""), ("serial", "1000\n"), ("crlnumber", "1000\n")):
            self.write(file, text)
        self._openssl("req", "-x509", "-new", *EC, "-nodes", "-days", "30", "-subj", f"/CN=root of {name}",
                      "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", "root.key", "-out", "root.pem")

    def path(self, file):
        return os.path.join(self.folder, file)

    def write(self, file, text):
        with open(self.path(file), "w", encoding="utf-8") as out:
            out.write(text)
        return self.path(file)

    def read(self, file):
        with open(self.path(file), encoding="ascii") as text:
            return text.read()

    def borrow(self, other, file, name):
        return self.write(name, other.read(file))

    def _openssl(self, *arguments):
        done = subprocess.run([self.tool, *arguments], cwd=self.folder, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, f"openssl {' '.join(arguments)}: {done.stderr}"

    def _join(self, name):
        return self.chain(name, name + ".crt", name + ".key")

    def issue(self, name, names="DNS:localhost,IP:127.0.0.1", days=(-1, 30), key=EC, md="sha256", more=(), signer="root"):
        """A certificate that is valid from days[0] to days[1], counted from now. `more`: extensions; `signer`: who signs it."""
        start, end = (stamp(day) for day in days)
        extensions = [text for extension in (f"subjectAltName={names}", *more) for text in ("-addext", extension)]
        self._openssl("req", "-new", *key, "-nodes", "-subj", f"/CN={name}", *extensions, "-keyout", name + ".key",
                      "-out", name + ".csr")
        issuer = () if signer == "root" else ("-cert", signer + ".crt", "-keyfile", signer + ".key")
        self._openssl("ca", "-batch", "-notext", "-config", "openssl.cnf", "-in", name + ".csr", "-out", name + ".crt",
                      "-startdate", start, "-enddate", end, "-md", md, *issuer)
        return self._join(name)

    def chain(self, name, *files):
        """NAME.pem of one or more files behind each other: a certificate with its key, then those who signed it."""
        return self.write(name + ".pem", "".join(self.read(file) for file in files))

    def self_signed(self, name):
        self._openssl("req", "-x509", "-new", *EC, "-nodes", "-days", "30", "-subj", f"/CN={name}", "-addext",
                      "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", name + ".key", "-out", name + ".crt")
        return self._join(name)

    def revoke(self, name):
        self._openssl("ca", "-config", "openssl.cnf", "-revoke", name + ".crt")

    def revocations(self, file="crl.pem", days=(-1, 30)):
        self._openssl("ca", "-config", "openssl.cnf", "-gencrl", "-out", file, "-crl_lastupdate", stamp(days[0]), "-crl_nextupdate",
                      stamp(days[1]))
        return self.path(file)

    def server(self, name, client_root=None, lowest=None, highest=None, alpn=None, ciphers="DEFAULT"):
        """What a server with the certificate `name` needs; weak ones are taken too."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
        context.load_cert_chain(self.path(name + ".pem"))
        if client_root:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(client_root)
        if lowest:
            context.minimum_version = lowest
        if highest:
            context.maximum_version = highest
        if alpn:
            context.set_alpn_protocols(alpn)
        return context
