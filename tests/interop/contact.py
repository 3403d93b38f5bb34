"""A contact written from docs/HTTP.md alone: reads a key file, signs commands with PyNaCl, talks HTTPS with the standard library.

usage: contact.py URL CA KEYFILE RECORDING OUTPUT.age
Fetches with GET and a bearer token, then tries what must be refused (R21).
"""
import base64
import hashlib
import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request

from nacl.signing import SigningKey

url, ca, key_file, recording, output = sys.argv[1:6]
context = ssl.create_default_context(cafile=ca)
words = [row.split() for row in open(key_file) if not row.startswith("#")][0]
assert words[0] == "VAULT-KEY-1"
secret = base64.b64decode(words[1])
assert len(secret) == 64
key = SigningKey(secret[:32])
kid = hashlib.sha256(bytes(key.verify_key)).hexdigest()[:16]


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def call(path, body=None, token=None, method=None):
    headers = {"Content-Type": "application/jose"} if body else {}
    if token:
        headers["Authorization"] = "Bearer " + token.decode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url + path, body, headers, method=method), context=context) as r:
            return r.status, r.read(), r.headers
    except urllib.error.HTTPError as e:
        return e.code, e.read(), e.headers


vault = json.loads(call("/v1/vault")[1])["vault"]


def sign(cmd, args, header=None, by=key, **changes):
    now = int(time.time())
    payload = {"iss": kid, "aud": vault, "iat": now, "nbf": now, "exp": now + 60, "jti": os.urandom(12).hex(), "cmd": cmd, "args": args}
    payload.update(changes)
    head = b64(json.dumps(header or {"alg": "EdDSA", "kid": kid, "typ": "vault-command+jwt"}).encode())
    signed = head + b"." + b64(json.dumps({k: v for k, v in payload.items() if v is not None}).encode())
    return signed + b"." + b64(by.sign(signed).signature)


fetch = {"id": recording, "purpose": "quality"}
token = sign("fetch", fetch)
status, body, headers = call("/v1/recordings/" + recording, token=token)
assert status == 200 and headers["Content-Type"] == "application/age", (status, body[:200])
open(output, "wb").write(body)
print("ok: GET with a bearer token gives an age stream")

HEAD = {"alg": "EdDSA", "kid": kid, "typ": "vault-command+jwt"}
now = int(time.time())
REFUSED = [
    ("the same token again", token, 409),
    ("an expired token", sign("fetch", fetch, iat=now - 900, nbf=now - 900, exp=now - 600), 401),
    ("a token of tomorrow", sign("fetch", fetch, iat=now + 86400, nbf=now + 86400, exp=now + 86460), 401),
    ("a life of an hour", sign("fetch", fetch, exp=now + 3600), 401),
    ("another vault's audience", sign("fetch", fetch, aud="01890000-0000-7000-8000-000000000000"), 401),
    ("another person's signature", sign("fetch", fetch, by=SigningKey.generate()), 401),
    ("alg none", sign("fetch", fetch, header=dict(HEAD, alg="none")), 401),
    ("alg HS256", sign("fetch", fetch, header=dict(HEAD, alg="HS256")), 401),
    ("a key in the header", sign("fetch", fetch, header=dict(HEAD, jwk={"kty": "OKP"})), 401),
    ("a critical extension", sign("fetch", fetch, header=dict(HEAD, crit=["b64"])), 401),
    ("another type", sign("fetch", fetch, header=dict(HEAD, typ="JWT")), 401),
    ("an issuer that is not the signer", sign("fetch", fetch, iss="0000000000000000"), 401),
    ("no jti", sign("fetch", fetch, jti=None), 401),
    ("an unknown argument", sign("fetch", dict(fetch, colour="red")), 400),
    ("an unknown command", sign("open.everything", {}), 400),
    ("an operator's command", sign("rotate.root", {}), 403),
    ("no purpose", sign("fetch", {"id": recording}), 403),
    ("padding in the token", sign("fetch", fetch) + b"==", 401),
]
bad = 0
for name, attempt, wanted in REFUSED:
    status, body, _ = call("/v1/commands", attempt)
    good = status == wanted or (wanted in (400, 401, 403) and status in (400, 401, 403))
    print(("ok: " if good else "FAIL: ") + f"{name}: {status} {json.loads(body).get('title')}")
    bad += not good
sys.exit(1 if bad else 0)
