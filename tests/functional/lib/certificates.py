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

    def borrow(self, other, file, name):
        with open(other.path(file), encoding="ascii") as text:
            return self.write(name, text.read())

    def _openssl(self, *arguments):
        done = subprocess.run([self.tool, *arguments], cwd=self.folder, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, f"openssl {' '.join(arguments)}: {done.stderr}"

    def _join(self, name):
        with open(self.path(name + ".crt"), encoding="ascii") as crt, open(self.path(name + ".key"), encoding="ascii") as key:
            self.write(name + ".pem", crt.read() + key.read())
        return self.path(name + ".pem")

    def issue(self, name, names="DNS:localhost,IP:127.0.0.1", days=(-1, 30), key=EC, md="sha256"):
        """A certificate that is valid from days[0] to days[1], counted from now."""
        now = datetime.datetime.now(datetime.timezone.utc)
        start, end = ((now + datetime.timedelta(days=day)).strftime("%Y%m%d%H%M%SZ") for day in days)
        self._openssl("req", "-new", *key, "-nodes", "-subj", f"/CN={name}", "-addext", f"subjectAltName={names}",
                      "-keyout", name + ".key", "-out", name + ".csr")
        self._openssl("ca", "-batch", "-notext", "-config", "openssl.cnf", "-in", name + ".csr", "-out", name + ".crt",
                      "-startdate", start, "-enddate", end, "-md", md)
        return self._join(name)

    def self_signed(self, name):
        self._openssl("req", "-x509", "-new", *EC, "-nodes", "-days", "30", "-subj", f"/CN={name}", "-addext",
                      "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", name + ".key", "-out", name + ".crt")
        return self._join(name)

    def revoke(self, name):
        self._openssl("ca", "-config", "openssl.cnf", "-revoke", name + ".crt")

    def revocations(self, file="crl.pem"):
        self._openssl("ca", "-config", "openssl.cnf", "-gencrl", "-out", file)
        return self.path(file)

    def server(self, name, client_root=None, lowest=None, highest=None, alpn=None):
        """What a server with the certificate `name` needs; weak ones are taken too."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
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
