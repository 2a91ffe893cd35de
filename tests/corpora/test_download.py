"""Downloads from a server on this machine that breaks off, ignores ranges or has nothing."""

import hashlib
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from dynotes.corpora import download as module
from dynotes.corpora.download import download
from dynotes.corpora.errors import InputError

BODY = np.random.default_rng(1).bytes(300_000)
DIGEST = hashlib.sha256(BODY).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves BODY; the server object holds what goes wrong and what was asked."""

    def do_GET(self):
        plan = self.server
        asked = self.headers.get("Range")
        plan.asked.append(asked)
        status = plan.answers.pop(0) if plan.answers else 200
        if status != 200:
            self.send_error(status)
            return
        start = int(asked[6:-1]) if asked and plan.ranges else 0
        if start >= len(BODY):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(BODY) - 1}/{len(BODY)}")
        self.send_header("Content-Length", str(len(BODY) - start))
        self.end_headers()
        stop = start + plan.cuts.pop(0) if plan.cuts else len(BODY)
        self.wfile.write(BODY[start:stop])  # fewer bytes than announced: the line drops

    def log_message(self, *args):
        """Keep quiet."""


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    plan = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    plan.asked, plan.cuts, plan.answers, plan.ranges = [], [], [], True
    plan.url = f"http://127.0.0.1:{plan.server_port}/file"
    thread = threading.Thread(target=plan.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield plan
    plan.shutdown()
    thread.join()
    plan.server_close()


def fetch(server, path, **options):
    download(server.url, path, options.pop("sha256", DIGEST), pause=0.001, **options)


def test_a_file_arrives_whole_and_alone(server, tmp_path):
    seen = []
    fetch(server, tmp_path / "f", progress=lambda done, total: seen.append((done, total)))
    assert (tmp_path / "f").read_bytes() == BODY
    assert os.listdir(tmp_path) == ["f"]
    assert seen[-1] == (len(BODY), len(BODY))
    assert seen == sorted(seen)


def test_a_dropped_connection_is_resumed_where_it_broke(server, tmp_path):
    server.cuts = [100_000, 50_000]
    fetch(server, tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == BODY
    assert server.asked == [None, "bytes=100000-", "bytes=150000-"]


def test_a_later_call_resumes_what_an_earlier_one_left(server, tmp_path):
    server.cuts = [100_000]
    with pytest.raises(InputError, match=r"lost after 100000 of 300000 bytes \(1 attempts\)"):
        fetch(server, tmp_path / "f", retries=0)
    assert os.listdir(tmp_path) == ["f.part"]
    fetch(server, tmp_path / "f")
    assert os.listdir(tmp_path) == ["f"]
    assert server.asked[-1] == "bytes=100000-"


def test_a_connection_dropped_within_a_chunk_is_resumed(server, tmp_path, monkeypatch):
    whole = Handler.do_GET

    def chunked(self):
        monkeypatch.setattr(Handler, "do_GET", whole)
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"%x\r\n" % len(BODY) + BODY[:200_000])

    monkeypatch.setattr(Handler, "do_GET", chunked)
    fetch(server, tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == BODY
    assert len(server.asked) == 1
    assert int(server.asked[0][6:-1]) > 0


def test_a_server_without_ranges_starts_again(server, tmp_path):
    server.ranges, server.cuts = False, [100_000]
    fetch(server, tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == BODY
    assert len(server.asked) == 2


def test_a_complete_part_is_only_checked(server, tmp_path):
    (tmp_path / "f.part").write_bytes(BODY)
    fetch(server, tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == BODY


@pytest.mark.parametrize("part", [b"x" * 1000, b"x" * 400_000])
def test_a_part_of_another_file_is_found_out_and_removed(server, tmp_path, part):
    (tmp_path / "f.part").write_bytes(part)
    with pytest.raises(InputError, match="expected " + DIGEST):
        fetch(server, tmp_path / "f")
    assert os.listdir(tmp_path) == []


def test_a_wrong_checksum_leaves_nothing(server, tmp_path):
    with pytest.raises(InputError, match=f"has SHA-256 {DIGEST}, expected {'0' * 64}"):
        fetch(server, tmp_path / "f", sha256="0" * 64)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("status", [403, 404])
def test_a_refusal_is_final(server, tmp_path, status):
    server.answers = [status]
    with pytest.raises(InputError, match=f"f: .*/file: {status} "):
        fetch(server, tmp_path / "f")
    assert len(server.asked) == 1
    assert os.listdir(tmp_path) == []


def test_a_busy_server_is_asked_again_with_longer_pauses(server, tmp_path, monkeypatch):
    pauses = []
    monkeypatch.setattr(module.time, "sleep", pauses.append)
    server.answers = [503, 429, 500]
    fetch(server, tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == BODY
    assert pauses == [0.001, 0.002, 0.004]


def test_no_server_is_one_clear_error(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(InputError, match=r"127\.0\.0\.1:1/f: .*refused \(2 attempts\)"):
        download("http://127.0.0.1:1/f", tmp_path / "f", DIGEST, retries=1, pause=0.001)
    assert os.listdir(tmp_path) == []


def test_silence_counts_as_a_drop(server, tmp_path, monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(Handler, "do_GET", lambda self: release.wait(5))
    with pytest.raises(InputError, match="timed out"):
        fetch(server, tmp_path / "f", retries=0, timeout=0.05)
    release.set()


def test_a_file_that_is_there_is_not_fetched_again(server, tmp_path):
    (tmp_path / "f").write_bytes(BODY)
    fetch(server, tmp_path / "f", sha256=DIGEST.upper())
    assert server.asked == []


def test_another_file_at_that_place_is_left_alone(server, tmp_path):
    (tmp_path / "f").write_bytes(b"mine")
    with pytest.raises(InputError, match="exists with another SHA-256"):
        fetch(server, tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == b"mine"
    assert server.asked == []


def test_a_missing_folder_is_named(server, tmp_path):
    with pytest.raises(InputError, match="nowhere/f: No such file or directory"):
        fetch(server, tmp_path / "nowhere" / "f")


@pytest.mark.parametrize(
    ("url", "digest", "message"),
    [
        ("file:///etc/passwd", DIGEST, "expected http"),
        ("http:///x", DIGEST, "expected http"),
        ("https://a b", DIGEST, "expected http"),
        ("http://127.0.0.1/x", "abc", "64 hexadecimal digits"),
    ],
)
def test_wrong_addresses_and_digests_are_refused(tmp_path, url, digest, message):
    with pytest.raises(ValueError, match=message):
        download(url, tmp_path / "f", digest)
