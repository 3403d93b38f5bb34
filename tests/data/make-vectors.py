#!/usr/bin/python3
"""Makes vectors-crypto.json from the written formats, with no code of the vault.

Uses hashlib and PyNaCl (python3-nacl) only. Inputs are fixed, so the output is too:
    tests/data/make-vectors.py > tests/data/vectors-crypto.json
"""
import base64
import hashlib
import json
import struct
import sys

import nacl.bindings as sodium
import nacl.pwhash
import nacl.signing

le16 = lambda n: struct.pack("<H", n)
le32 = lambda n: struct.pack("<I", n)
le64 = lambda n: struct.pack("<Q", n)


def fixed(label, n=32):
    """n bytes that depend on the label only."""
    return hashlib.shake_128(label.encode()).digest(n)


def kdf(key, label, parts, out_len):
    h = hashlib.blake2b(key=key, digest_size=out_len)
    h.update(le16(len(label)) + label.encode())
    for part in parts:
        h.update(le32(len(part)) + part)
    return h.digest()


def seal(key, nonce, ad, plain):
    return sodium.crypto_aead_chacha20poly1305_ietf_encrypt(plain, ad, nonce, key)


def kdf_vectors():
    for i, parts in enumerate([[], [b""], [b"a", b"b"], [b"ab"], [fixed("part", 300), b"", b"z"]]):
        for out_len in (16, 32, 64):
            key = fixed(f"kdf key {i}")
            label = f"vault test v{i}"
            yield {"key": key.hex(), "label": label, "parts": [p.hex() for p in parts],
                   "out": kdf(key, label, parts, out_len).hex()}


def segment_vectors():
    for i, (tenant, segment, start) in enumerate([("a", 0, 0), ("acme-calls", 7, 1234567890123), ("a" * 32, 0xffffffff, 2**63)]):
        key, salt, rid = fixed(f"recording {i}"), fixed(f"salt {i}"), fixed(f"id {i}", 16)
        out = kdf(key, "vault segment v1", [salt, tenant.encode(), rid, le32(segment), le64(start)], 64)
        yield {"recording_key": key.hex(), "salt": salt.hex(), "tenant": tenant, "id": rid.hex(), "segment": segment,
               "start_us": str(start), "key": out[:32].hex(), "commit": out[32:].hex()}


def chunk_vectors():
    for i, (n, number, flag) in enumerate([(0, 0, 0), (1, 1, 0), (160, 255, 0), (1000, 2**40 + 3, 1), (64, 2**64 - 1, 2)]):
        key, ad, plain = fixed(f"chunk key {i}"), fixed(f"chunk ad {i}", 48), fixed(f"chunk {i}", n)
        nonce = number.to_bytes(11, "big") + bytes([flag])
        yield {"key": key.hex(), "ad": ad.hex(), "number": f"{number:016x}", "flag": flag, "plain": plain.hex(),
               "sealed": seal(key, nonce, ad, plain).hex()}


def wrap_vectors():
    for i, (n, ad) in enumerate([(32, b"tenant a"), (0, b""), (500, fixed("wrap ad", 60))]):
        parent, salt, secret = fixed(f"parent {i}"), fixed(f"wrap salt {i}", 8), fixed(f"secret {i}", n)
        key = kdf(parent, "vault wrap v1", [salt, ad], 32)
        yield {"parent": parent.hex(), "ad": ad.hex(), "secret": secret.hex(),
               "wrapped": (salt + seal(key, bytes(12), ad, secret)).hex()}


def metadata_vectors():
    for i, text in enumerate([b"{}", b'{"caller":"+31200000000"}', fixed("text", 8192)]):
        key, salt, rid, tenant = fixed(f"meta {i}"), fixed(f"meta salt {i}", 16), fixed(f"meta id {i}", 16), f"tenant-{i}"
        meta_key = kdf(key, "vault metadata v1", [salt, tenant.encode(), rid], 32)
        yield {"recording_key": key.hex(), "tenant": tenant, "id": rid.hex(), "text": text.hex(), "key": meta_key.hex(),
               "blob": (b"\x01" + salt + seal(meta_key, bytes(12), rid, text)).hex()}


def sha(data):
    return hashlib.sha256(data).digest()


def tree(leaves):
    """RFC 6962, section 2.1, as it is written there."""
    if not leaves:
        return sha(b"")
    if len(leaves) == 1:
        return sha(b"\0" + leaves[0])
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha(b"\1" + tree(leaves[:k]) + tree(leaves[k:]))


def merkle_vectors():
    for n in list(range(0, 20)) + [255, 256, 257, 513]:
        yield {"size": n, "root": tree([f"leaf {i}".encode() for i in range(n)]).hex()}


def checkpoint_vectors():
    for i, (origin, size) in enumerate([("vault.example/log", 0), ("vault.example/audit 1", 12345678901)]):
        name = "vault.example/log"
        signing = nacl.signing.SigningKey(fixed(f"signer {i}"))
        pub = bytes(signing.verify_key)
        root = sha(f"root {i}".encode())
        text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
        keyid = sha(name.encode() + b"\n\x01" + pub)[:4]
        line = base64.b64encode(keyid + signing.sign(text.encode()).signature).decode()
        yield {"seed": bytes(signing).hex(), "name": name, "origin": origin, "size": str(size), "root": root.hex(),
               "text": text, "note": f"{text}\n\u2014 {name} {line}\n",
               "vkey": f"{name}+{keyid.hex()}+{base64.b64encode(bytes([1]) + pub).decode()}"}


def key_file_vectors():
    pair = fixed("key pair", 64)
    pub = bytes(nacl.signing.SigningKey(pair[:32]).verify_key)
    age_pub = sodium.crypto_scalarmult_base(pair[32:])
    first = f"# vault key {sha(pub)[:8].hex()} role contact demo\n"
    b64 = lambda b: base64.b64encode(b).decode()
    common = {"pub": pub.hex(), "age_pub": age_pub.hex(), "age_secret": pair[32:].hex()}
    yield {**common, "pass": None, "file": f"{first}VAULT-KEY-1 {b64(pair)}\n"}
    phrase, salt, wrap_salt, ops, mem = b"correct horse", fixed("pw salt", 16), fixed("pw wrap salt", 8), 1, 8192
    parent = nacl.pwhash.argon2id.kdf(32, phrase, salt, opslimit=ops, memlimit=mem)
    wrapped = wrap_salt + seal(kdf(parent, "vault wrap v1", [wrap_salt, b"VAULT-KEY-1"], 32), bytes(12), b"VAULT-KEY-1", pair)
    yield {**common, "pass": phrase.decode(), "file": f"{first}VAULT-KEY-1-ARGON2ID {ops} {mem} {b64(salt)} {b64(wrapped)}\n"}


json.dump({
    "kdf": list(kdf_vectors()),
    "segment": list(segment_vectors()),
    "chunk": list(chunk_vectors()),
    "wrap": list(wrap_vectors()),
    "metadata": list(metadata_vectors()),
    "merkle": list(merkle_vectors()),
    "checkpoint": list(checkpoint_vectors()),
    "key_file": list(key_file_vectors()),
}, sys.stdout, indent=1)
print()
