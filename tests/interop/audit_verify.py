"""Independent check of the audit log from its files: RFC 6962 hashing and a C2SP signed note, written from docs/AUDIT.md.

usage: audit_verify.py AUDIT_DIRECTORY VERIFIER_KEY
"""
import base64
import hashlib
import os
import sys

from nacl.signing import VerifyKey


def leaf(data):
    return hashlib.sha256(b"\0" + data).digest()


def root_of(hashes):
    """RFC 6962 section 2.1, the recursive definition."""
    n = len(hashes)
    if n == 0:
        return hashlib.sha256(b"").digest()
    if n == 1:
        return hashes[0]
    k = 1
    while k * 2 < n:
        k *= 2
    return hashlib.sha256(b"\1" + root_of(hashes[:k]) + root_of(hashes[k:])).digest()


def tile_name(n):
    text = "%03d" % (n % 1000)
    while n >= 1000:
        n //= 1000
        text = "x%03d/" % (n % 1000) + text
    return text


def read(base, n, width):
    path = os.path.join(base, tile_name(n) + ("" if width == 256 else ".p/%d" % width))
    full = os.path.join(base, tile_name(n))
    return open(path if os.path.exists(path) else full, "rb").read()


directory, vkey = sys.argv[1], sys.argv[2]
name, keyid, key = vkey.split("+", 2)
key = base64.b64decode(key)
assert key[0] == 1
note = open(os.path.join(directory, "checkpoint"), "rb").read()
text, signatures = note.split(b"\n\n", 1)
text += b"\n"
line = signatures.decode().splitlines()[0]
dash, signer, blob = line.split(" ")
assert dash == "\u2014" and signer == name
blob = base64.b64decode(blob)
assert blob[:4].hex() == keyid == hashlib.sha256(name.encode() + b"\n" + key).digest()[:4].hex()
VerifyKey(key[1:]).verify(text, blob[4:])
origin, size, root = text.decode().splitlines()
size, root = int(size), base64.b64decode(root)

hashes = []
for n in range((size + 255) // 256):
    width = min(256, size - n * 256)
    bundle, tile = read(directory + "/tile/entries", n, width), read(directory + "/tile/0", n, width)
    entries = []
    while len(entries) < width:
        length = int.from_bytes(bundle[:2], "big")
        entries.append(bundle[2:2 + length])
        bundle = bundle[2 + length:]
    for i, entry in enumerate(entries):
        assert tile[i * 32:i * 32 + 32] == leaf(entry), "entry %d" % (n * 256 + i)
        hashes.append(leaf(entry))
assert root_of(hashes) == root, "root"
print("ok: %d entries under one signed root" % size)
