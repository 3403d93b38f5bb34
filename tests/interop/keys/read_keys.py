#!/usr/bin/python3
"""Reads a vault's keys from root/ and keys/, written from docs/FORMAT.md alone.

  read_keys.py ROOT_DIR KEYS_DIR [PASSPHRASE]   prints every item with its recording key
  read_keys.py --test MAKE_KEYS                 compares with what the vault itself says
"""
import hashlib
import os
import shutil
import struct
import subprocess
import sys
import uuid

import lmdb
from nacl import pwhash
from nacl.bindings import crypto_aead_chacha20poly1305_ietf_decrypt as aead_open
from nacl.exceptions import CryptoError


def kdf(size, key, label, *parts):
    h = hashlib.blake2b(digest_size=size, key=key)
    h.update(struct.pack("<H", len(label)) + label.encode())
    for part in parts:
        h.update(struct.pack("<I", len(part)) + part)
    return h.digest()


def unwrap(wrapped, ad, parent):
    key = kdf(32, parent, "vault wrap v1", wrapped[:8], ad)
    return aead_open(wrapped[8:], ad, bytes(12), key)


def slots(root_dir):
    """{epoch: half key} of the whole slots."""
    found = {}
    with open(os.path.join(root_dir, "slots"), "rb") as f:
        for i in range(2):
            page = f.read(4096)
            if page[:8] != b"VAULTRT1":
                continue
            if hashlib.blake2b(page[:4064], digest_size=32).digest() != page[4064:]:
                continue
            epoch, = struct.unpack_from("<Q", page, 8)
            assert epoch % 2 == i
            found[epoch] = page[24:56]
    return found


def static_half(root_dir, passphrase):
    path = os.path.join(root_dir, "passphrase")
    if not os.path.exists(path):
        return bytes(32)
    with open(path, "rb") as f:
        magic, version, zero, ops, memory, salt = struct.unpack("<8sIIQQ16s", f.read())
    assert magic == b"VAULTPAS" and version == 1 and zero == 0
    return pwhash.argon2id.kdf(32, passphrase.encode(), salt, opslimit=ops, memlimit=memory)


class Keys:
    def __init__(self, root_dir, keys_dir, passphrase=None):
        self.env = lmdb.open(keys_dir, readonly=True, lock=False, max_dbs=64)
        names = ("head", "tenant", "tenant_name", "bucket", "member", "item", "due", "work", "secret")
        self.db = {n: self.env.open_db(n.encode(), dupsort=n == "member", dupfixed=n == "member", create=False)
                   for n in names}
        self.txn = self.env.begin()
        head = self.get("head", b"head")
        fmt, self.next_tenant, self.epoch, _, zero, self.vault, canary = struct.unpack("<IIQQQ16s40s", head)
        assert fmt == 1 and zero == 0
        half = slots(root_dir)[self.epoch]
        self.root = kdf(32, half, "vault root v1", static_half(root_dir, passphrase), struct.pack("<Q", self.epoch))
        ad = b"C" + self.vault + struct.pack(">Q", self.epoch)
        assert unwrap(canary, ad, self.root) == b"vault canary v1\0"
        self.tenants = {}
        self.names = {}
        for key, row in self.txn.cursor(db=self.db["tenant"]):
            number, = struct.unpack(">I", key)
            generation, zero, _, name, wrapped = struct.unpack("<IIQ32s88s", row)
            name = name.rstrip(b"\0")
            assert self.get("tenant_name", name) == key
            plain = unwrap(wrapped, b"T" + self.vault + struct.pack(">II", number, generation), self.root)
            self.tenants[number] = plain[:32], plain[32:]
            self.names[number] = name.decode()

    def get(self, db, key):
        return self.txn.get(key, db=self.db[db])

    def bucket(self, key):
        tenant, = struct.unpack(">I", key[:4])
        flags, count, earliest, wrapped = struct.unpack("<IIQ56s", self.get("bucket", key))
        members = self.txn.cursor(db=self.db["member"])
        assert members.set_key(key) and members.count() == count
        if earliest != 2**64 - 1:
            assert self.get("due", struct.pack(">Q", earliest) + key) == b""
        assert (self.get("work", b"B" + key) is not None) == bool(flags & 1)
        return unwrap(wrapped, b"B" + self.vault + key, self.tenants[tenant][0])

    def items(self):
        for id_, row in self.txn.cursor(db=self.db["item"]):
            tenant = int.from_bytes(row[0:3], "little")
            part = int.from_bytes(row[3:6], "little")
            expires = int.from_bytes(row[6:11], "little")
            assert len(row) == 110
            key = struct.pack(">III", tenant, expires // 86400, part)
            secret = unwrap(row[30:], b"I" + self.vault + key + id_, self.bucket(key))
            yield id_, tenant, expires, secret

    def token(self, tenant, label, text):
        return kdf(16, self.tenants[tenant][1], "vault token v1", label.encode(), text.encode())[:8]

    def lines(self):
        return ["item %s %s %d %s" % (uuid.UUID(bytes=id_), self.names[tenant], expires, secret.hex())
                for id_, tenant, expires, secret in self.items()]


def vector():
    root = kdf(32, bytes(range(32)), "vault root v1", bytes(32), struct.pack("<Q", 7))
    assert root.hex() == "8191ed47875f562d5abb7c2a324028f9f129d257bdd62b07a12ffacfa8c80509"
    token = kdf(16, bytes(range(32, 64)), "vault token v1", b"number", b"+31201234567")[:8]
    assert token.hex() == "798ed7bd3b0d163e"


def test(make_keys):
    vector()
    for passphrase in (None, "correct horse"):
        made = subprocess.run([make_keys] + ([passphrase] if passphrase else []), stdout=subprocess.PIPE, check=True,
                              text=True).stdout.splitlines()
        top = made[0].split()[1]
        try:
            root_dir, keys_dir = os.path.join(top, "root"), os.path.join(top, "keys")
            keys = Keys(root_dir, keys_dir, passphrase)
            mine = keys.lines()
            assert len(mine) > 20, "too few items to prove anything"
            assert sorted(mine) == sorted(made[1:]), "the vault and the document disagree"
            for id_, tenant, _, secret in keys.items():
                assert secret[32:40] == keys.token(tenant, "number", "+31201234567")
            small = unwrap(keys.get("secret", b"example"), b"S" + keys.vault + b"example", keys.root)
            assert small == b"\x77" * 32
            if passphrase:
                try:
                    Keys(root_dir, keys_dir, "wrong")
                    raise AssertionError("a wrong passphrase opened the vault")
                except CryptoError:
                    pass
            print("%d items agree%s" % (len(mine), ", with a passphrase" if passphrase else ""))
        finally:
            shutil.rmtree(top)


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--test":
        test(sys.argv[2])
    elif len(sys.argv) in (3, 4):
        print("\n".join(Keys(*sys.argv[1:]).lines()))
    else:
        sys.exit(__doc__)
