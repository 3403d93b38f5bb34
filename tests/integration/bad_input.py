"""Raw bytes against the HTTPS port: (name, request bytes, acceptable statuses; 0 = closed without an answer)."""
import base64
import json
import socket
import ssl
import struct
import sys
import time

PORT, SECRET, WAV = int(sys.argv[1]), sys.argv[2], open(sys.argv[3], "rb").read()
CTX = ssl._create_unverified_context()
AUTH = f"Authorization: Bearer {SECRET}\r\n"
PATH = "/v1/tenants/demo/recordings"


def is_whole(got):
    """An answer with a length that has all of its body: the connection may stay open."""
    head, found, body = got.partition(b"\r\n\r\n")
    length = [row.split(b":")[1] for row in head.lower().split(b"\r\n") if row.startswith(b"content-length:")]
    return bool(found and length) and len(body) >= int(length[0])


def talk(data, timeout=20, slow=None):
    """Sends data, gives (status or 0, body)."""
    with socket.create_connection(("127.0.0.1", PORT), timeout=timeout) as raw:
        with CTX.wrap_socket(raw, server_hostname="localhost") as s:
            try:
                if slow:
                    for part in slow:
                        s.sendall(part)
                        time.sleep(0.02)
                else:
                    s.sendall(data)
            except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
                pass
            got = b""
            try:
                while True:
                    part = s.recv(65536)
                    if not part:
                        break
                    got += part
                    if b"\r\n\r\n" in got and got.startswith(b"HTTP/1.1 100"):
                        got = got.split(b"\r\n\r\n", 1)[1]
                    if is_whole(got):
                        break
            except (ConnectionResetError, ssl.SSLError, socket.timeout, TimeoutError):
                pass
    if not got.startswith(b"HTTP/1.1 "):
        return 0, got
    return int(got[9:12]), got.split(b"\r\n\r\n", 1)[-1]


def put(headers="", path=PATH, body=b"", auth=AUTH, method="PUT"):
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{auth}{headers}\r\n".encode("latin-1") + body


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def meta(text):
    return put(f"Content-Length: {len(WAV)}\r\nConnection: close\r\nVault-Metadata: {text}\r\n", body=WAV)


def riff(size, data_size, rate=8000, channels=1):
    return (b"RIFF" + struct.pack("<I", size) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, channels, rate, min(rate * 2 * channels, 0xFFFFFFFF), min(2 * channels, 65535), 16)
            + b"data" + struct.pack("<I", data_size))


def whole(body, extra="Connection: close\r\n"):
    return put(f"Content-Length: {len(body)}\r\n{extra}", body=body)


ebml_head = bytes.fromhex("1a45dfa3a34286810142f7810142f2810442f381084282847765626d42878104428581021853806701ffffffffffffff")
CASES = [
    ("two lengths", put("Content-Length: 5\r\nContent-Length: 6\r\n", body=b"hello"), {400}),
    ("length and chunked", put("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", body=b"0\r\n\r\n"), {400}),
    ("negative length", put("Content-Length: -1\r\n"), {400}),
    ("length overflow", put("Content-Length: 99999999999999999999999\r\n"), {400, 413}),
    ("bad chunk size", put("Transfer-Encoding: chunked\r\n", body=b"zz\r\n"), {400}),
    ("chunk without its end", put("Transfer-Encoding: chunked\r\n", body=b"4\r\nRIFFxx\r\n"), {400}),
    ("endless chunk extension", put("Transfer-Encoding: chunked\r\n", body=b"4;" + b"a" * 200000), {400, 431, 413, 0}),
    ("header of 40 KiB", put("X-Big: " + "a" * 40000 + "\r\n"), {431}),
    ("10,000 header fields", put("".join(f"X-{i}: 1\r\n" for i in range(10000))), {431}),
    ("request line of 100 KiB", put(path="/" + "a" * 100000), {431, 414}),
    ("folded header", put("X-A: 1\r\n folded\r\n"), {400}),
    ("not HTTP", b"\x16\x03\x01hello there\r\n\r\n", {400, 0}),
    ("NUL in a header", put("X-A: a\x00b\r\n"), {400}),
    ("name with ..", put(path=PATH + "/..%2f..%2fetc%2fpasswd"), {400}),
    ("name ..", put(path=PATH + "/.."), {400, 404}),
    ("name with a NUL", put(path=PATH + "/a%00b"), {400}),
    ("name not UTF-8", put(path=PATH + "/%ff%fe"), {400}),
    ("bad percent", put(path=PATH + "/%zz"), {400}),
    ("name of 300 bytes", put(path=PATH + "/" + "n" * 300), {400}),
    ("tenant with tricks", put(path="/v1/tenants/..%2fdemo/recordings"), {400, 403, 404}),
    ("10,000 metadata fields", put(path=PATH + "?" + "&".join(f"f{i}=1" for i in range(3000))), {400, 431}),
    ("metadata not UTF-8", put(f"Content-Length: {len(WAV)}\r\nVault-Metadata: {{\"agent\":\"\xff\xfe\"}}\r\n", body=WAV), {400}),
    ("metadata twice", meta('{"agent":"a","agent":"b"}'), {400}),
    ("metadata depth 10,000", meta('{"channels":' + "[" * 10000 + "]" * 10000 + "}"), {400}),
    ("metadata not an object", meta('["agent"]'), {400}),
    ("metadata with a huge number", meta('{"ring_ms":1e400}'), {400}),
    ("metadata with a long value", meta('{"agent":"' + "a" * 3000 + '"}'), {400}),
    ("WAV that says 4 GiB", whole(riff(0xFFFFFFF0, 0xFFFFFFE0) + b"\0" * 3200), {201}),
    ("WAV with no rate", whole(riff(36, 3200, rate=0) + b"\0" * 3200), {400, 415, 422}),
    ("WAV with 30,000 channels", whole(riff(36, 3200, channels=30000) + b"\0" * 3200), {400, 415, 422}),
    ("WAV with an endless fmt", whole(b"RIFF\xff\xff\xff\xffWAVEfmt \xff\xff\xff\x7f" + b"\0" * 3000), {400, 415, 422}),
    ("Ogg with a broken page", whole(b"OggS\0\x02" + b"\xff" * 3000), {400, 415, 422}),
    ("Ogg that is noise behind its name", whole(b"OggS" + bytes(range(256)) * 20), {400, 415, 422}),
    ("EBML of unknown size", whole(ebml_head + b"\xec\xff" * 2000), {400, 415, 422}),
    ("EBML with a size of 8 bytes of ones", whole(b"\x1aE\xdf\xa3\x01" + b"\xff" * 7 + b"\0" * 3000), {400, 415, 422}),
    ("MP4 box of size 0", whole(b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + b"\0\0\0\0moov" + b"\0" * 3000), {400, 415, 422}),
    ("MP4 box of size 1 and overflow", whole(b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + b"\0\0\0\1moov" + b"\xff" * 8 + b"\0" * 3000), {400, 415, 422}),
    ("MP4 box smaller than its head", whole(b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + b"\0\0\0\4moov" + b"\0" * 3000), {400, 415, 422}),
    ("method nobody has", put(method="BREW"), {400, 405}),
    ("DELETE", put(method="DELETE", headers="Content-Length: 0\r\n"), {405, 404}),
    ("command that is no JWS", put(path="/v1/commands", method="POST", headers="Content-Length: 5\r\n", body=b"hello"), {400, 401}),
    ("command of 100 KiB", put(path="/v1/commands", method="POST", headers="Content-Length: 100000\r\n", body=b"a" * 100000), {413}),
    ("command with alg none", put(path="/v1/commands", method="POST", headers="Content-Length: 60\r\n",
     body=(base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=") + b".e30.").ljust(60, b"A")), {400, 401}),
    ("audit path tricks", put(path="/v1/audit/tile/../../keys/data.mdb", method="GET"), {400, 404}),
    ("audit entries in public", put(path="/v1/audit/tile/entries/000", method="GET"), {401, 403, 404}),
    ("recording id that is none", put(path="/v1/recordings/xyz/state", method="GET"), {400, 404}),
    ("empty body", put("Content-Length: 0\r\n"), {400, 415, 422}),
    ("chunked empty body", put("Transfer-Encoding: chunked\r\n", body=b"0\r\n\r\n"), {400, 415, 422}),
]

bad = 0
for name, data, wanted in CASES:
    status, body = talk(data)
    good = status in wanted
    if good and status >= 400:
        try:
            problem = json.loads(body.split(b"\r\n0\r\n")[0] if body[:1] == b"{" else body)
            good = "title" in problem and SECRET not in body.decode("utf-8", "replace")
        except ValueError:
            good = False
    print(("ok: " if good else "FAIL: ") + f"{name}: {status}" + ("" if good else f", wanted {sorted(wanted)}: {body[:200]!r}"))
    bad += not good

# A length that lies: the connection ends early; what was durable is kept, nothing hangs.
with socket.create_connection(("127.0.0.1", PORT)) as raw:
    with CTX.wrap_socket(raw, server_hostname="localhost") as s:
        s.sendall(put(f"Content-Length: {len(WAV) * 2}\r\n", path=PATH + "/liar.wav", body=WAV))
print("ok: a Content-Length that lies leaves the vault alone")

# A header a byte at a time is cut off within the header time-out; others are served meanwhile.
with socket.create_connection(("127.0.0.1", PORT), timeout=30) as raw:
    with CTX.wrap_socket(raw, server_hostname="localhost") as s:
        s.sendall(b"PUT / HT")
        status, _ = talk(put(path="/v1/vault", method="GET", headers="Connection: close\r\n"))
        if status != 200:
            print(f"FAIL: others are not served beside a slow sender: {status}")
            bad += 1
        s.settimeout(25)
        got = b""
        try:
            while True:
                part = s.recv(4096)
                if not part:
                    break
                got += part
        except (ConnectionResetError, ssl.SSLError):
            pass
        except (socket.timeout, TimeoutError):
            print("FAIL: a header that never ends is waited for")
            bad += 1
print("ok: a header that never ends is cut off")
sys.exit(1 if bad else 0)
