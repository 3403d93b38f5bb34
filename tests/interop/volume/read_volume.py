#!/usr/bin/python3
"""Reads a volume of the vault with docs/FORMAT.md alone; shares no code with the vault.

    read_volume.py VOLUME EXPECTED.json   open every recording and compare
    read_volume.py --test MAKE_VOLUME     let the store write a volume, then the same, then tamper with it

python3-nacl opens the AEAD; python3-xxhash checks XXH3, which is left out when the module is missing.
"""
import hashlib
import json
import os
import struct
import subprocess
import sys
import tempfile
import uuid

import nacl.bindings as sodium
import nacl.exceptions

try:
    import xxhash
except ImportError:
    xxhash = None

HEADER = 4096
OPEN, SEGMENT_OPEN, CHUNK, SEGMENT_END, END, GAP, FREE = range(1, 8)


class Bad(Exception):
    pass


def check(ok, what):
    if not ok:
        raise Bad(what)


def xxh3(data):
    return xxhash.xxh3_64_intdigest(data) if xxhash else None


def hash_holds(data, stored):
    return xxhash is None or xxh3(data) == stored


def kdf(n, key, label, *parts):
    h = hashlib.blake2b(key=key, digest_size=n)
    h.update(struct.pack("<H", len(label)) + label)
    for part in parts:
        h.update(struct.pack("<I", len(part)) + part)
    return h.digest()


def aead_open(sealed, ad, nonce, key):
    try:
        return sodium.crypto_aead_chacha20poly1305_ietf_decrypt(sealed, ad, nonce, key)
    except nacl.exceptions.CryptoError:
        raise Bad("a tag does not verify")


def frames(volume, vault):
    """Yields (type, flags, track, id, segment, chunk, media_us, ad, payload)."""
    magic, version, _lane, number, vault_id, _created = struct.unpack_from("<8sIIQ16sQ", volume)
    check(magic == b"VAULTVOL" and version == 1 and number >= 1, "volume header")
    check(vault_id == vault.bytes, "another vault")
    check(volume[48:4088] == bytes(4040), "volume header padding")
    check(hash_holds(volume[:4088], struct.unpack_from("<Q", volume, 4088)[0]), "volume header hash")
    at = HEADER
    while at < len(volume):
        head = volume[at:at + 64]
        check(len(head) == 64, "short frame header")
        (magic, kind, flags, track, rid, segment, chunk, length, zero, media_us, payload_hash,
         head_hash) = struct.unpack("<IBBH16sIIIIQQQ", head)
        check(magic == 0x4d524656 and zero == 0, "frame header")
        check(hash_holds(head[:56], head_hash), "frame header hash")
        check(OPEN <= kind <= FREE and flags & ~(0x81 if kind == END else 0x80) == 0, "frame type or flags")
        check(length <= (1 << 30 if kind == FREE else 4 << 20), "frame length")
        payload = volume[at + 64:at + 64 + length]
        end = at + 64 + (length + 63) // 64 * 64
        check(end <= len(volume), "frame beyond the file")
        if kind != FREE:
            check(hash_holds(payload, payload_hash), "payload hash")
            check(not any(volume[at + 64 + length:end]), "frame padding")
        yield kind, flags, track, rid, segment, chunk, media_us, head[:48], payload
        at = end


class Recording:
    def __init__(self, rid, key):
        self.rid, self.key = rid, key
        self.segment = self.segment_key = None
        self.media, self.sha = 0, hashlib.sha256()
        self.segment_bytes = self.segments = self.chunks = self.gap_us = 0
        self.ended = self.truncated = self.sealed_end = False
        self.duration_us = 0

    def open(self, payload):
        n, = struct.unpack_from("<I", payload)
        clear = payload[4:4 + n]
        m, = struct.unpack_from("<I", payload, 4 + n)
        check(8 + n + m == len(payload), "open lengths")
        self.clear = json.loads(clear)
        check(sorted(self.clear) == ["container", "expires_s", "media", "policy", "source", "start_ms", "tenant",
                                     "tracks", "v"] and self.clear["v"] == 1, "clear JSON")
        check(clear == json.dumps(self.clear, sort_keys=True, separators=(",", ":")).encode(), "clear JSON form")
        self.tenant = self.clear["tenant"].encode()
        blob = payload[8 + n:]
        check(blob[0] == 1, "metadata version")
        key = kdf(32, self.key, b"vault metadata v1", blob[1:17], self.tenant, self.rid)
        self.metadata = aead_open(blob[17:], self.rid, bytes(12), key).decode()

    def segment_open(self, segment, payload, media_us):
        check(len(payload) == 80, "segment open length")
        cipher, z1, z2, start = struct.unpack_from("<HHIQ", payload)
        check(cipher == 1 and z1 == z2 == 0 and start == media_us, "segment open")
        check(segment == (0 if self.segment is None else self.segment + 1), "segment order")
        keys = kdf(64, self.key, b"vault segment v1", payload[16:48], self.tenant, self.rid,
                   struct.pack("<I", segment), struct.pack("<Q", start))
        check(keys[32:] == payload[48:80], "commitment")
        self.segment, self.segment_key = segment, keys[:32]
        self.chunks = self.segment_bytes = 0
        self.segments += 1

    def sealed(self, flag, segment, chunk, ad, payload):
        check(segment == self.segment and chunk == self.chunks, "chunk order")
        return aead_open(payload, ad, chunk.to_bytes(11, "big") + bytes([flag]), self.segment_key)

    def frame(self, kind, flags, segment, chunk, media_us, ad, payload):
        check(not self.ended, "a frame behind the end")
        if kind == OPEN:
            self.open(payload)
        elif kind == SEGMENT_OPEN:
            self.segment_open(segment, payload, media_us)
        elif kind == CHUNK:
            plain = self.sealed(0, segment, chunk, ad, payload)
            self.sha.update(plain)
            self.media += len(plain)
            self.segment_bytes += len(plain)
            self.chunks += 1
        elif kind == SEGMENT_END:
            plain = self.sealed(1, segment, chunk, ad, payload)
            check(plain == struct.pack("<IIQQ", self.chunks, 0, self.segment_bytes, media_us), "segment end")
        elif kind == GAP:
            start, end, _reason = struct.unpack_from("<QQB", payload)
            check(len(payload) == 24 and start == media_us and end >= start and not any(payload[17:]), "gap")
            self.gap_us += end - start
        elif kind == END:
            self.ended, self.truncated, self.duration_us = True, bool(flags & 1), media_us
            if payload:
                plain = self.sealed(2, segment, chunk, ad, payload)
                self.sealed_end = True
                check(plain == struct.pack("<IIQQQ", self.segments, int(self.truncated), self.media, media_us,
                                           self.gap_us) + self.sha.digest(), "manifest")
            else:
                check(self.truncated, "an unsealed end that is not truncated")


def read(volume, expected):
    """Opens all; returns the recordings by id and the free bytes."""
    known = {uuid.UUID(r["id"]).bytes: Recording(uuid.UUID(r["id"]).bytes, bytes.fromhex(r["key"]))
             for r in expected["recordings"]}
    free = 0
    for i, (kind, flags, _track, rid, segment, chunk, media_us, ad, payload) in enumerate(
            frames(volume, uuid.UUID(expected["vault"]))):
        check(i > 0 or flags & 0x80, "the first frame begins a batch")
        if kind == FREE:
            free += 64 + (len(payload) + 63) // 64 * 64
            check(not any(payload), "free space is zeros here")
        elif rid in known:
            known[rid].frame(kind, flags, segment, chunk, media_us, ad, payload)
    return known, free


def compare(volume, expected):
    known, free = read(volume, expected)
    check(free == expected["free_bytes"], "free bytes")
    for want in expected["recordings"]:
        r = known[uuid.UUID(want["id"]).bytes]
        got = {"id": want["id"], "key": want["key"], "metadata": r.metadata, "bytes": r.media,
               "sha256": r.sha.hexdigest(), "segments": r.segments, "gap_us": r.gap_us,
               "truncated": r.truncated, "sealed_end": r.sealed_end, "duration_us": r.duration_us}
        check(got == want, f"{want['id']}: {got} is not {want}")
        check(r.ended == want["sealed_end"], "end")


def refuses(volume, expected, what):
    try:
        compare(volume, expected)
    except Bad:
        return
    raise SystemExit(f"not refused: {what}")


def reseal_hashes(frame):
    """Both checksums made right again: only the AEAD can object."""
    length, = struct.unpack_from("<I", frame, 32)
    if xxhash:
        struct.pack_into("<Q", frame, 48, xxh3(bytes(frame[64:64 + length])))
        struct.pack_into("<Q", frame, 56, xxh3(bytes(frame[:56])))
    return frame


def tamper(volume, expected):
    """R34: swapped, dropped, repeated and changed frames are refused."""
    spans, at = [], HEADER
    while at < len(volume):
        length, = struct.unpack_from("<I", volume, at + 32)
        spans.append((at, at + 64 + (length + 63) // 64 * 64))
        at = spans[-1][1]
    parts = [volume[a:b] for a, b in spans]
    mine = [i for i, p in enumerate(parts) if p[4] == CHUNK and p[8:24] != bytes(16)]

    def build(new):
        return volume[:HEADER] + b"".join(new)

    tried = 0
    for i in mine:
        refuses(build(parts[:i] + parts[i + 1:]), expected, "dropped chunk")
        refuses(build(parts[:i + 1] + parts[i:]), expected, "repeated chunk")
        for k in mine:
            if k != i:
                new = list(parts)
                new[i], new[k] = new[k], new[i]
                if parts[i][8:24] == parts[k][8:24]:
                    refuses(build(new), expected, "swapped chunks")
                # The payload and length of one in the header of the other, checksums right.
                new = list(parts)
                mixed = bytearray(parts[k])
                mixed[:32], mixed[36:48] = parts[i][:32], parts[i][36:48]
                new[i] = bytes(reseal_hashes(mixed))
                refuses(build(new), expected, "payload of another chunk")
                tried += 1
        for byte in list(range(4, 48)) + [64, len(parts[i]) - 1]:
            changed = bytearray(parts[i])
            changed[byte] ^= 1
            new = list(parts)
            new[i] = bytes(reseal_hashes(changed) if byte != 32 else changed)
            refuses(build(new), expected, f"byte {byte} of a frame")
            tried += 1
    wrong = json.loads(json.dumps(expected))
    wrong["recordings"][0]["key"] = wrong["recordings"][1]["key"]
    refuses(volume, wrong, "another recording's key")
    return tried


def main(argv):
    if len(argv) == 3 and argv[1] == "--test":
        with tempfile.TemporaryDirectory() as directory:
            out = subprocess.run([argv[2], directory], check=True, stdout=subprocess.PIPE).stdout
            with open(os.path.join(directory, "lane0-1.vol"), "rb") as f:
                volume = f.read()
        expected = json.loads(out)
    else:
        with open(argv[1], "rb") as f:
            volume = f.read()
        with open(argv[2]) as f:
            expected = json.load(f)
    compare(volume, expected)
    tried = tamper(volume, expected)
    print(f"ok: {len(expected['recordings'])} recordings, {tried} changes refused"
          + ("" if xxhash else ", XXH3 not checked (python3-xxhash is missing)"))


if __name__ == "__main__":
    main(sys.argv)
