"""A real S3 server, versitygw on a folder, and a client of its own for the tests."""

import datetime
import hashlib
import hmac
import http.client
import os
import re
import socket
import ssl
import subprocess
from pathlib import Path
from urllib.parse import quote

from funcd.certificates import Certificate
from funcd.waiting import wait_until

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "funcd"
VERSION = "1.8.0"  # as tools/setup installs it
REGION = "us-east-1"
KEY, SECRET = "AKIATESTKEY", "a-secret-of-the-test"


def find_gateway() -> Path:
    """$FUNCD_VERSITYGW, else where tools/setup puts it."""
    named = os.environ.get("FUNCD_VERSITYGW")
    path = Path(named) if named else CACHE / "bin" / f"versitygw-{VERSION}"
    if not os.access(path, os.X_OK):
        raise FileNotFoundError(f"no versitygw at {path}; run: tools/setup test")
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Gateway:
    """Keeps its port from one start to the next, as a server that comes back does."""

    def __init__(self, folder: Path, port: int | None = None,
                 certificate: Certificate | None = None):
        self.folder = folder
        self.certificate = certificate
        self.data = folder / "data"
        self.data.mkdir(parents=True)
        self.port = port or free_port()
        self.process: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What funcd has to know; nothing of the machine's own AWS settings gets through."""
        return {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET,
                "AWS_REGION": REGION, "AWS_SESSION_TOKEN": "",
                "AWS_SHARED_CREDENTIALS_FILE": str(self.folder / "credentials"),
                "AWS_CONFIG_FILE": str(self.folder / "config"),
                "AWS_EC2_METADATA_DISABLED": "true"}

    def start(self) -> "Gateway":
        assert self.process is None
        log = open(self.folder / "log", "ab")
        tls = []
        if self.certificate:
            tls = ["--cert", self.certificate.chain, "--key", self.certificate.key]
        self.process = subprocess.Popen(
            [find_gateway(), "--port", f"127.0.0.1:{self.port}", "--region", REGION, *tls,
             "posix", self.data],
            env={**os.environ, "ROOT_ACCESS_KEY": KEY, "ROOT_SECRET_KEY": SECRET},
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        wait_until(self._answers, "the S3 server answers")
        return self

    def _answers(self) -> bool:
        assert self.process.poll() is None, (self.folder / "log").read_text()
        try:
            return self.request("GET", "/").status == 200
        except OSError:
            return False

    def stop(self) -> None:
        """By its id, and at once: an S3 server that is killed."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(timeout=20)
            self.process = None

    def lines(self) -> list[str]:
        """What it was asked for: 'GET /functions/prod/hello.wasm'."""
        text = (self.folder / "log").read_text(errors="replace")
        found = re.findall(r"\| (\d{3}) \|[^|]*\|[^|]*\| (\w+) \| (\S+) \|", text)
        return [f"{status} {method} {path}" for status, method, path in found]

    def create_bucket(self, name: str) -> None:
        answer = self.request("PUT", f"/{name}")
        assert answer.status == 200, answer.body

    def _connection(self) -> http.client.HTTPConnection:
        if not self.certificate:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        trusting = ssl.create_default_context(cafile=self.certificate.authority)
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=20, context=trusting)

    def request(self, method: str, path: str, body: bytes = b"", fields: dict | None = None):
        """One signed request (AWS Signature Version 4), written down again for the tests."""
        now = datetime.datetime.now(datetime.timezone.utc)
        time, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
        digest = hashlib.sha256(body).hexdigest()
        signed = {"host": f"127.0.0.1:{self.port}", "x-amz-content-sha256": digest,
                  "x-amz-date": time} | {k.lower(): v for k, v in (fields or {}).items()}
        names = ";".join(sorted(signed))
        target = quote(path)
        canonical = "\n".join([method, target, "", *(f"{k}:{signed[k]}" for k in sorted(signed)),
                               "", names, digest])
        scope = f"{day}/{REGION}/s3/aws4_request"
        to_sign = "\n".join(["AWS4-HMAC-SHA256", time, scope,
                             hashlib.sha256(canonical.encode()).hexdigest()])
        key = f"AWS4{SECRET}".encode()
        for part in (day, REGION, "s3", "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
        signed["authorization"] = (f"AWS4-HMAC-SHA256 Credential={KEY}/{scope}, "
                                   f"SignedHeaders={names}, Signature={signature}")
        connection = self._connection()
        try:
            connection.request(method, target, body=body or None, headers=signed)
            answer = connection.getresponse()
            answer.body = answer.read()
            return answer
        finally:
            connection.close()


class Bucket:
    """Objects below one prefix of a bucket."""

    def __init__(self, gateway: Gateway, name: str, prefix: str = ""):
        self.gateway = gateway
        self.name = name
        self.prefix = prefix

    @property
    def url(self) -> str:
        return f"s3://{self.name}/{self.prefix}".rstrip("/")

    def path_of(self, key: str) -> Path:
        """Where the S3 server has the object; to do what no S3 client can."""
        return self.gateway.data / self.name / f"{self.prefix}{key}"

    def _request(self, method: str, key: str, *arguments):
        return self.gateway.request(method, f"/{self.name}/{self.prefix}{key}", *arguments)

    def put(self, key: str, content: bytes | str, fields: dict | None = None) -> None:
        content = content.encode() if isinstance(content, str) else content
        answer = self._request("PUT", key, content, fields)
        assert answer.status == 200, answer.body

    def get(self, key: str) -> bytes | None:
        answer = self._request("GET", key)
        assert answer.status in (200, 404), answer.body
        return answer.body if answer.status == 200 else None

    def remove(self, key: str) -> None:
        answer = self._request("DELETE", key)
        assert answer.status in (200, 204), answer.body
