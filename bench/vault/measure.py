"""Measures a running release vault against this machine's limits, in one run.

usage: measure.py BIN WORK [MIB]

BIN has vaultd, vaultctl, bench-limits, bench-fill and, when built, bench-tls and bench-store. WORK is a directory on the
disk to be measured. Prints a line per figure: what, value, the reference it is set against, the ratio. Nothing is
judged here; README and docs/PERFORMANCE.md say what is good.
"""
import asyncio
import json
import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import sys
import time

BIN, WORK = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
MIB = int(sys.argv[3]) if len(sys.argv) > 3 else 1024
TICK = os.sysconf("SC_CLK_TCK")
ENV = dict(os.environ, PATH=BIN + ":" + os.environ["PATH"])


def line(what, value, reference="", ratio=""):
    print(f"{what:<52} {value:>18} {reference:>26} {ratio:>9}", flush=True)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Vault:
    def __init__(self, directory):
        self.dir, self.port, self.ops = directory, free_port(), free_port()

    def start(self):
        self.log = open(os.path.join(WORK, "vaultd.log"), "a")
        self.process = subprocess.Popen(
            ["vaultd", "--dev", self.dir, "--https", f"127.0.0.1:{self.port}", "--ops", f"127.0.0.1:{self.ops}"],
            env=ENV, stdout=self.log, stderr=self.log)
        begun = time.monotonic()
        while True:
            if self.process.poll() is not None:
                sys.exit("the vault ended at start; see " + self.log.name)
            done = subprocess.run(["curl", "-sf", f"http://127.0.0.1:{self.ops}/readyz"], stdout=subprocess.DEVNULL).returncode == 0
            if done and os.path.exists(os.path.join(self.dir, "demo/ready")):
                break
            if time.monotonic() - begun > 120:
                sys.exit("the vault is not ready after two minutes")
            time.sleep(0.05)
        self.started = time.monotonic() - begun
        self.url = f"https://127.0.0.1:{self.port}"
        self.ca = os.path.join(self.dir, "tls/certificate.pem")
        self.secret = open(os.path.join(self.dir, "demo/source.secret")).read().strip()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)

    def pids(self):
        out = subprocess.run(["ps", "--ppid", str(self.process.pid), "-o", "pid=,comm="], capture_output=True, text=True).stdout
        return {c: int(p) for p, c in (row.split(None, 1) for row in out.splitlines())}

    def cpu(self, name):
        """CPU seconds of one part so far."""
        fields = open(f"/proc/{self.pids()[name]}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def rss(self, name):
        return int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{self.pids()[name]}/status").read()).group(1)) * 1024

    def ctl(self, profile, *arguments):
        return subprocess.run(["vaultctl", "--profile-dir", self.dir + "/demo/profiles", "--profile", profile, *arguments],
                              env=ENV, capture_output=True, text=True)

    def put(self, path, tenant="demo", query=""):
        out = subprocess.run(["curl", "-sS", "--cacert", self.ca, "-T", path, "-H", "Authorization: Bearer " + self.secret,
                              f"{self.url}/v1/tenants/{tenant}/recordings{query}"], capture_output=True, text=True).stdout
        return json.loads(out)


def wav_head(n):
    return b"RIFF" + struct.pack("<I", 36 + n) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 2, 48000, 192000, 4, 16) + b"data" + struct.pack("<I", n)


def limits():
    text = subprocess.run(["bench-limits", WORK], env=ENV, capture_output=True, text=True, check=True).stdout
    print(text)
    per = {}
    for row in text.splitlines():
        m = re.match(r"(.*?)\s+([\d.]+) GB/s\s+([\d.]+) CPU s/GB", row)
        if m:
            per[m.group(1)] = (float(m.group(2)), float(m.group(3)))
    return per


def baseline(name, pattern):
    """(GB/s, CPU s/GB) from a baseline program's line, or None when it is not built."""
    if not os.path.exists(os.path.join(BIN, name)):
        return None
    text = subprocess.run([name, WORK] if name == "bench-store" else [name], env=ENV, capture_output=True, text=True).stdout
    print(text)
    for row in text.splitlines():
        m = re.search(r"([\d.]+) GB/s.*?([\d.]+) CPU s/GB", row)
        if m and re.search(pattern, row):
            return float(m.group(1)), float(m.group(2))
    return None


def bulk(vault, per, tls, path):
    size = os.path.getsize(path)
    vault.put(path, query="/warm.wav")
    best = None
    for n in range(3):
        cpu, begun = vault.cpu("vault-front"), time.monotonic()
        answer = vault.put(path, query=f"/bulk-{n}.wav")
        seconds, used = time.monotonic() - begun, vault.cpu("vault-front") - cpu
        if "id" not in answer:
            sys.exit(f"bulk upload refused: {answer}")
        if best is None or used < best[1]:
            best = (seconds, used, answer["id"])
    seconds, used, ident = best
    parts = {"SHA-256": per["SHA-256 (OpenSSL)"], "seal": per["seal, chunks of 65536"], "append": per["append + fdatasync, 4096 KiB"]}
    if tls:
        parts["TLS"] = tls
    need = sum(p[1] for p in parts.values())
    slowest = min(p[0] for p in parts.values())
    rate = size / 1e9 / seconds
    line("bulk ingest over TLS, CPU s/GB", f"{used / (size / 1e9):.2f}", f"parts {need:.2f}", f"{used / (size / 1e9) / need:.2f}")
    line("bulk ingest over TLS, GB/s (sender on the same cores)", f"{rate:.2f}", f"slowest part {slowest:.2f}", f"{rate / slowest:.2f}")
    return ident


def retrieval(vault, per, ident, size):
    out = os.path.join(WORK, "sealed.age")
    best = None
    for _ in range(3):
        begun = time.monotonic()
        done = vault.ctl("contact", "fetch", ident, "--purpose", "quality", "--sealed", "-o", out)
        seconds = time.monotonic() - begun
        if done.returncode != 0:
            sys.exit("fetch: " + done.stderr)
        os.unlink(out)
        best = seconds if best is None else min(best, seconds)
    # read + open + seal, one after the other on one core
    seal = per["seal, chunks of 65536"][0]
    reference = 1 / (1 / seal + 1 / seal + 1 / 5.0)
    rate = size / 1e9 / best
    line("bulk retrieval over TLS, GB/s", f"{rate:.2f}", f"read+open+seal {reference:.2f}", f"{rate / reference:.2f}")


def first_byte(vault, wav, rows):
    vault.stop()
    begun = time.monotonic()
    subprocess.run(["bench-fill", vault.dir, "demo", str(rows), "2000000"], env=ENV, check=True, stdout=subprocess.DEVNULL)
    if os.geteuid() == 0:
        for part, user in (("keys", 61191), ("root", 61191), ("index", 61190)):
            subprocess.run(["chown", "-R", f"{user}:{user}", os.path.join(vault.dir, part)], check=True)
    line(f"filled with {rows:,} recordings", f"{time.monotonic() - begun:.1f} s")
    size = sum(os.path.getsize(os.path.join(vault.dir, "keys", f)) for f in ("data.mdb",))
    line("key store, bytes a recording", f"{size / rows:.0f}")
    vault.start()
    line(f"start with {rows:,} recordings, s", f"{vault.started:.2f}")
    ident = vault.put(wav)["id"]
    time.sleep(1.5)
    # A signed request over a warm connection: the time to the answer's first byte, by curl's own clock.
    times = []
    for _ in range(20):
        done = vault.ctl("contact", "--timing", "fetch", ident, "--purpose", "quality", "--sealed", "-o", os.path.join(WORK, "one.age"))
        m = re.search(r"first byte ([\d.]+) ms", done.stderr + done.stdout)
        if m:
            times.append(float(m.group(1)))
        if os.path.exists(os.path.join(WORK, "one.age")):
            os.unlink(os.path.join(WORK, "one.age"))
    if times:
        times.sort()
        line(f"one recording among {rows:,}: first byte, ms", f"p50 {times[len(times) // 2]:.1f}", f"p90 {times[int(len(times) * .9)]:.1f}")


async def memory(vault):
    context = ssl.create_default_context(cafile=vault.ca)
    count = 1000
    before = vault.rss("vault-front")
    idle = []
    for _ in range(count):
        idle.append(await asyncio.open_connection("127.0.0.1", vault.port, ssl=context, server_hostname="localhost"))
    await asyncio.sleep(1)
    line("resident memory per idle TLS connection, KiB", f"{(vault.rss('vault-front') - before) / count / 1024:.1f}", "goal 32")
    for _, writer in idle:
        writer.close()
    await asyncio.sleep(1)
    count = 500
    before = vault.rss("vault-front")
    streams = []
    for n in range(count):
        reader, writer = await asyncio.open_connection("127.0.0.1", vault.port, ssl=context, server_hostname="localhost")
        writer.write(f"PUT /v1/tenants/demo/recordings HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {vault.secret}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        head = wav_head(0xFFFFFF00 & 0x7FFFFFFF)
        writer.write(b"%x\r\n%s\r\n" % (len(head), head))
        streams.append((reader, writer))
    for _ in range(50):
        for _, writer in streams:
            writer.write(b"640\r\n" + os.urandom(1600) + b"\r\n")
        await asyncio.sleep(0.2)
    line("resident memory per active stream, KiB", f"{(vault.rss('vault-front') - before) / count / 1024:.1f}", "goal 96")
    for _, writer in streams:
        writer.close()
    await asyncio.sleep(2)


def sweep(vault, wav, count):
    vault.stop()
    subprocess.run(["bench-fill", vault.dir, "demo", str(count), "12"], env=ENV, check=True, stdout=subprocess.DEVNULL)
    if os.geteuid() == 0:
        for part, user in (("keys", 61191), ("root", 61191), ("index", 61190)):
            subprocess.run(["chown", "-R", f"{user}:{user}", os.path.join(vault.dir, part)], check=True)
    vault.start()
    slowest, end = 0, time.monotonic() + 25
    while time.monotonic() < end:
        begun = time.monotonic()
        answer = vault.put(wav)
        slowest = max(slowest, time.monotonic() - begun)
        if "id" not in answer:
            sys.exit(f"refused during the sweep: {answer}")
    entries = json.loads(vault.ctl("auditor", "audit", "show", "--last", "200", "--json").stdout)
    entries = entries.get("entries", entries) if isinstance(entries, dict) else entries
    found = {}
    for e in entries:
        if e.get("event", "").startswith("erase."):
            found.setdefault(e["event"], []).append(e["time"])
    line(f"sweep of {count:,} expired recordings", " ".join(f"{k}={v[-1]}" for k, v in sorted(found.items())), "goal 2 s")
    line("slowest upload of a 3 s call meanwhile, s", f"{slowest:.2f}", "goal 1")


def main():
    os.makedirs(WORK, exist_ok=True)
    per = limits()
    tls = baseline("bench-tls", "tls|TLS")
    baseline("bench-store", ".")
    big, small = os.path.join(WORK, "big.wav"), os.path.join(WORK, "small.wav")
    with open(big, "wb") as f:
        f.write(wav_head(MIB << 20))
        for _ in range(MIB):
            f.write(os.urandom(1 << 20))
    with open(small, "wb") as f:
        f.write(wav_head(48000) + os.urandom(48000))
    vault = Vault(os.path.join(WORK, "vault"))
    vault.start()
    try:
        ident = bulk(vault, per, tls, big)
        retrieval(vault, per, ident, os.path.getsize(big))
        asyncio.run(memory(vault))
        first_byte(vault, small, 1000000)
        sweep(vault, small, 100000)
    finally:
        if vault.process.poll() is None:
            vault.stop()


main()
