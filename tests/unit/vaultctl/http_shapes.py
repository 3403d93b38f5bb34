#!/usr/bin/python3
"""http_shapes.py VAULTCTL: the program against a small server that answers in the shapes of docs/HTTP.md:
https with a pinned CA or public key, unix socket, signed commands (checked here with PyNaCl), paging, problem
documents, approval, age streams that are whole, cut or changed, a pinned audit key."""
import base64, hashlib, http.server, json, os, shutil, socketserver, ssl, subprocess, sys, tempfile, threading
from nacl.signing import VerifyKey

CTL = sys.argv[1]
WORK = tempfile.mkdtemp(prefix="vaultctl-http.")
VAULT = "01890000-0000-7000-8000-00000000000a"
REC = "01890000-0000-7000-8000-0000000000%02x"
state = {"mode": "", "commands": [], "jti": set(), "public": None}
os.environ.update(HOME=WORK, XDG_CONFIG_HOME=WORK + "/config", XDG_STATE_HOME=WORK + "/state")
for name in ("VAULT_PROFILE", "VAULT_PROFILE_DIR"):
    os.environ.pop(name, None)


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def check_token(token):
    head, body, sig = token.split(".")
    VerifyKey(state["public"]).verify(f"{head}.{body}".encode(), unb64(sig))
    kid = hashlib.sha256(state["public"]).hexdigest()[:16]
    assert json.loads(unb64(head)) == {"alg": "EdDSA", "kid": kid, "typ": "vault-command+jwt"}, unb64(head)
    claims = json.loads(unb64(body))
    assert set(claims) == {"iss", "aud", "iat", "nbf", "exp", "jti", "cmd", "args"}, claims
    assert claims["iss"] == kid and claims["aud"] == VAULT and 0 < claims["exp"] - claims["iat"] <= 900, claims
    assert claims["jti"] not in state["jti"], "a jti was used twice"
    state["jti"].add(claims["jti"])
    state["commands"].append((claims["cmd"], claims["args"]))
    return claims["cmd"], claims["args"]


def row(n):
    return {"id": REC % n, "tenant": "demo", "media": ["voice"], "container": "wav", "tracks": [], "state": "ended",
            "start": "2026-11-23T20:55:13.000Z", "expires": "2026-12-23T20:55:13.000Z", "bytes": 96044, "duration_ms": 6000,
            "gap_ms": 0, "policy": 1, "source": 1, "held": False, "restricted": False}


def sealed(plain):
    return subprocess.run(["age", "-r", state["age"]], input=plain, stdout=subprocess.PIPE, check=True).stdout


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def address_string(self):
        return "client"

    def answer(self, status, body, kind="application/json", length=None):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
        if length is not None:
            self.close_connection = True

    def json(self, value, status=200):
        self.answer(status, json.dumps(value).encode())

    def problem(self, status, title, detail):
        self.answer(status, json.dumps({"type": "https://vault.invalid/problems/" + title, "title": title, "status": status,
                                        "detail": detail}).encode(), "application/problem+json")

    def do_GET(self):
        if self.path == "/v1/vault":
            return self.json({"vault": VAULT, "audit_key": "vault.invalid/x+00000000+AQ==", "origin": "vault.invalid/x",
                              "version": "0"})
        return self.problem(404, "not_found", "There is no such thing here.")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        assert self.path == "/v1/commands" and self.headers["Content-Type"] == "application/jose"
        cmd, args = check_token(body)
        mode = state["mode"]
        if mode == "refuse":
            return self.problem(403, "forbidden", "This key may not do\x1b[31m this.")
        if mode == "html":
            return self.answer(502, b"<html>no", "text/html")
        if mode == "nonsense":
            return self.answer(200, b'{"a":1,"a":2}')
        if cmd == "principal.add":
            return self.json({"pending": "ab" * 32}, 202)
        if cmd == "pending.list":
            return self.json({"pending": [{"sha256": "ab" * 32, "cmd": "principal.add", "by": "0" * 16,
                                           "since": "2026-11-23T20:55:13.000Z"}]})
        if cmd == "approve":
            assert args == {"sha256": "ab" * 32}, args
            return self.json({"kid": "0" * 16, "role": "contact", "tenant": "demo"})
        if cmd == "status":
            return self.json({"version": "0", "vault": VAULT, "time": "2026-11-23T20:55:13.000Z",
                              "keeper": {"protections": 63}, "front": {"protections": ["no-core", "seccomp"], "streams": 3}})
        if cmd == "list":
            at = int(args["after"][-2:], 16) if "after" in args else 0
            most = min(args.get("limit", 2), 2)
            page = {"recordings": [row(n) for n in range(at + 1, min(at + most, 5) + 1)]}
            if at + most < 5:
                page["next"] = REC % (at + most)
            return self.json(page)
        if cmd == "show":
            return self.json(row(1)) if args["id"] == REC % 1 else self.problem(404, "not_found", "There is no such thing here.")
        if cmd == "read.metadata":
            line = dict(row(1), personal={"caller": "+31201234567", "agent": "d\u00e9sk"})
            return self.answer(200, sealed(json.dumps(line).encode() + b"\n"), "application/age")
        if cmd == "authenticate":
            line = {"id": args["id"], "segments": 1, "chunks": 6, "bytes": 96044, "complete": mode != "incomplete"}
            return self.answer(200, sealed(json.dumps(line).encode() + b"\n"), "application/age")
        if cmd == "fetch":
            age = sealed(state["media"])
            if mode == "cut":
                return self.answer(200, age[:-70000], "application/age", len(age))
            if mode == "short":
                return self.answer(200, age[:-1], "application/age")
            if mode == "empty":
                return self.answer(200, b"", "application/age")
            if mode == "changed":
                return self.answer(200, age[:-1] + bytes([age[-1] ^ 1]), "application/age")
            return self.answer(200, age, "application/age")
        return self.json({"done": cmd})


class Tcp(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


class Unix(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


def run(*args, code=0, mode=""):
    state["mode"] = mode
    p = subprocess.run([CTL, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    text = p.stdout.decode() + p.stderr.decode()
    assert p.returncode == code, f"vaultctl {' '.join(args)}: exit {p.returncode}, not {code}: {text}"
    return p.stdout.decode() if code == 0 else text


def start(server):
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main():
    os.chdir(WORK)
    key = json.loads(run("key", "new", "-o", "me.key", "--role", "contact", "--json"))
    state["public"], state["age"] = unb64(key["public"]), key["age"]
    state["media"] = os.urandom(300000)
    for name in ("vault", "other"):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=vault", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", name + ".pem", "-out",
                        name + ".crt"], check=True, stderr=subprocess.DEVNULL)
    tcp = Tcp(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("vault.crt", "vault.pem")
    tcp.socket = context.wrap_socket(tcp.socket, server_side=True)
    start(tcp)
    start(Unix(WORK + "/v.sock", Handler))
    url = f"https://127.0.0.1:{tcp.server_address[1]}"

    # Who is at the other end.
    remote = ("--url", url, "--ca", "vault.crt", "--key", "me.key")
    local = ("--socket", "v.sock", "--key", "me.key")
    for way in (remote, local):
        out = run(*way, "status")
        assert "landlock" in out and "OFF" in out and "Not every protection" in out, out
    assert "does not verify" in run("--url", url, "--ca", "other.crt", "--key", "me.key", "status", code=3)
    run("--url", url, "--key", "me.key", "status", code=3)
    run("--url", url, "--ca", "none.crt", "--key", "me.key", "status", code=6)
    der = subprocess.run("openssl x509 -in vault.crt -pubkey -noout | openssl pkey -pubin -outform DER", shell=True,
                         stdout=subprocess.PIPE, check=True).stdout
    pin = "sha256//" + base64.b64encode(hashlib.sha256(der).digest()).decode()
    run("profile", "add", "pinned", "--url", url, "--pin", pin, "--key", "me.key", "--tenant", "demo")
    assert json.loads(run("--profile", "pinned", "status", "--json"))["vault"] == VAULT
    wrong = "sha256//" + base64.b64encode(bytes(32)).decode()
    run("profile", "add", "wrong", "--url", url, "--pin", wrong, "--key", "me.key")
    assert "not the pinned one" in run("--profile", "wrong", "status", code=3)

    # A profile makes daily commands short, and pins the vault's id and audit key.
    run("profile", "add", "office", "--url", url, "--ca", "vault.crt", "--key", "me.key", "--tenant", "demo")
    ini = open(WORK + "/config/vault/profiles/office.ini").read()
    assert f"vault = {VAULT}" in ini and "audit_key = vault.invalid/x+" in ini, ini
    run("profile", "use", "office")
    rows = json.loads(run("list", "--json"))["recordings"]
    assert [r["id"] for r in rows] == [REC % n for n in range(1, 6)], rows
    assert len(json.loads(run("list", "--json", "--limit", "3"))["recordings"]) == 3
    table = run("list")
    assert "93.8 KiB" in table and "0:06" in table and "2026-11-23T20:55:13Z" in table, table

    # Personal fields come sealed.
    assert json.loads(run("show", REC % 1, "--personal", "--purpose", "quality", "--json"))["personal"]["agent"] == "d\u00e9sk"
    assert "+31201234567" in run("list", "--personal", "--purpose", "quality")
    assert "personal" not in json.loads(run("show", REC % 1, "--json"))

    # Answers that are none, refusals, approval.
    out = run("status", code=1, mode="refuse")
    assert "forbidden: This key may not do" in out and "\x1b[31m this" not in out, out
    assert "HTTP 502" in run("status", code=1, mode="html")
    assert "not JSON" in run("status", code=1, mode="nonsense")
    assert "not_found" in run("show", REC % 9, code=1)
    assert "vaultctl approve " + "ab" * 32 in run("principal", "add", "me.pub", code=5)
    assert json.loads(run("principal", "add", "me.pub", "--json", code=5)) == {"pending": "ab" * 32}
    run("approve", "ab" * 32)
    run("approve", "abababab")
    run("approve", "cccccccc", code=2)

    # Arguments as docs/HTTP.md names them.
    def sent(*args):
        run(*args)
        return state["commands"][-1]
    assert sent("tenant", "add", "x") == ("tenant.add", {"tenant": "x"})
    assert sent("subscribe", "x", "voice", "--from", "2026-12-01") == ("subscribe", {
        "tenant": "x", "medium": "voice", "from": "2026-12-01T00:00:00Z"})
    assert sent("unsubscribe", "voice") == ("unsubscribe", {"tenant": "demo", "medium": "voice"})
    assert sent("retention", "set", "voice", "P90D") == ("retention.set", {"tenant": "demo", "medium": "voice", "keep": "P90D"})
    assert sent("purpose", "quality", "complaint") == ("purpose.set", {"tenant": "demo", "purposes": ["quality", "complaint"]})
    assert sent("schema") == ("schema.set", {"tenant": "demo", "tags": []})
    assert sent("basis", "consent") == ("basis.set", {"tenant": "demo", "consent": True})
    assert sent("rotate", "tenant", "x") == ("rotate.tenant", {"tenant": "x"})
    assert sent("rotate", "root") == ("rotate.root", {})
    assert sent("keys") == ("key.status", {})
    assert sent("clock", "confirm") == ("clock.confirm", {})
    assert sent("shred", REC % 1, "--reason", "asked", "--yes") == ("shred", {"id": REC % 1, "reason": "asked"})
    assert sent("source", "revoke", "7") == ("source.revoke", {"source": 7})
    cmd, args = sent("source", "add", "--tenant", "demo,x", "--media", "voice", "-o", "pbx.secret")
    secret = open("pbx.secret").read().strip()
    assert args == {"tenants": ["demo", "x"], "media": ["voice"], "secret_sha256": hashlib.sha256(secret.encode()).hexdigest()}
    assert secret.startswith("vs_") and len(secret) == 46 and os.stat("pbx.secret").st_mode & 0o777 == 0o600
    cert = subprocess.run(["openssl", "x509", "-in", "vault.crt", "-outform", "DER"], stdout=subprocess.PIPE, check=True).stdout
    assert sent("source", "add", "--certificate", "vault.crt")[1]["certificate_sha256"] == hashlib.sha256(cert).hexdigest()
    run("source", "add", "-o", "refused.secret", code=1, mode="refuse")
    assert not os.path.exists("refused.secret")

    # Exports: whole or not at all.
    fetch = ("fetch", REC % 1, "--purpose", "quality")
    run(*fetch, "-o", "call.wav")
    assert open("call.wav", "rb").read() == state["media"] and os.stat("call.wav").st_mode & 0o777 == 0o600
    run(*fetch, "-o", "call.age", "--sealed")
    run("key", "identity", "me.key", "-o", "me.identity")
    opened = subprocess.run(["age", "-d", "-i", "me.identity", "call.age"], stdout=subprocess.PIPE, check=True).stdout
    assert opened == state["media"]
    piped = subprocess.run([CTL, *fetch, "-o", "-"], stdout=subprocess.PIPE, check=True).stdout
    assert piped == state["media"]
    assert sent(*fetch, "-o", "part.wav", "--format", "wav", "--from", "1:30", "--to", "95.5")[1] == {
        "id": REC % 1, "purpose": "quality", "format": "wav", "from_ms": 90000, "to_ms": 95500}
    before = sorted(os.listdir("."))
    for mode in ("cut", "short", "changed", "empty"):
        run(*fetch, "-o", "bad.wav", code=4, mode=mode)
        run(*fetch, "-o", "bad.age", "--sealed", code=4, mode=mode)
    run(*fetch, "-o", "bad.wav", code=1, mode="refuse")
    run(*fetch, "-o", "none/bad.wav", code=6)
    assert sorted(os.listdir(".")) == before, set(os.listdir(".")) - set(before)
    assert json.loads(run("verify", REC % 1, "--purpose", "quality", "--json"))["complete"] is True
    run("verify", REC % 1, "--purpose", "quality", code=4, mode="incomplete")
    print("ok: every shape")


try:
    main()
finally:
    shutil.rmtree(WORK, ignore_errors=True)
