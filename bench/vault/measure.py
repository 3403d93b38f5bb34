"""Measures a running release vault against this machine's limits, in one run. Started by bench/run.

usage: measure.py BIN WORK

Prints a line per figure: what, value, the reference it is set against, ratio, what is good. References are measured
right before or after what is set against them, because a busy machine changes from minute to minute. Judges nothing.
"""
import asyncio
import datetime
import json
import os
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

BIN, WORK = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
MIB = int(os.environ.get("MIB", "1024"))
PARTS = os.environ.get("PARTS", "bulk,fetch,memory,first,sweep,syncs").split(",")
ROWS = int(os.environ.get("ROWS", "1000000"))
TICK = os.sysconf("SC_CLK_TCK")
ENV = dict(os.environ, PATH=BIN + ":" + os.environ["PATH"])
KEEP_S = 30 * 86400                  # the demo tenant's retention: fill and uploads share buckets


def line(what, value, reference="", ratio="", good=""):
    print(f"{what:<50} {value:>18}  {reference:<34} {ratio:>6}  {good}", flush=True)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def run(*command, stdin=None):
    done = subprocess.run(command, env=ENV, capture_output=True, text=True, input=stdin)
    if done.returncode != 0:
        sys.exit(f"{command[0]}: {done.stdout}{done.stderr}")
    return done.stdout


class Vault:
    """vaultd --dev in a directory of its own; keeps its ports over restarts."""

    def __init__(self, directory):
        self.dir, self.port, self.ops = directory, free_port(), free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.ca = os.path.join(directory, "tls/certificate.pem")
        self.process = None

    def start(self):
        with open(os.path.join(WORK, "vaultd.log"), "a") as log:
            self.process = subprocess.Popen(["vaultd", "--dev", self.dir, "--https", f"127.0.0.1:{self.port}",
                                             "--ops", f"127.0.0.1:{self.ops}"], env=ENV, stdout=log, stderr=log)
        begun = time.monotonic()
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() - begun > 120:
                sys.exit(f"the vault does not start; see {WORK}/vaultd.log")
            time.sleep(0.01)
        self.started = time.monotonic() - begun
        self.secret = open(os.path.join(self.dir, "demo/source.secret")).read().strip()

    def ready(self):
        if not os.path.exists(os.path.join(self.dir, "demo/ready")):
            return False
        try:
            with socket.create_connection(("127.0.0.1", self.ops), 1) as s:
                s.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                return b" 200 " in s.recv(64)
        except OSError:
            return False

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)

    def fill(self, count, expires_s):
        """Recordings without media, while the vault is stopped."""
        run("bench-fill", self.dir, "demo", str(count), str(expires_s))
        for part in ("keys", "root", "index"):
            owner = os.stat(os.path.join(self.dir, part))
            for name in os.listdir(os.path.join(self.dir, part)):
                os.chown(os.path.join(self.dir, part, name), owner.st_uid, owner.st_gid)

    def pid(self, name):
        out = subprocess.run(["ps", "--ppid", str(self.process.pid), "-o", "pid=,comm="], capture_output=True, text=True)
        return next(int(p) for p, c in (row.split(None, 1) for row in out.stdout.splitlines()) if c == name)

    def cpu(self, name):
        fields = open(f"/proc/{self.pid(name)}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def rss(self, name):
        status = open(f"/proc/{self.pid(name)}/status").read()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) * 1024

    def put(self, path):
        answer = json.loads(run("curl", "-sS", "--cacert", self.ca, "-T", path, "-H", "Authorization: Bearer " + self.secret,
                                f"{self.url}/v1/tenants/demo/recordings"))
        if "id" not in answer:
            sys.exit(f"upload refused: {answer}")
        return answer["id"]

    def fetch(self, ids, rounds=1):
        """(p50 ms, p90 ms, GB/s of the quickest) by the client's clock over one warm connection."""
        text = run("bench-client", self.url, self.ca, os.path.join(self.dir, "demo/contact.key"), "quality", str(rounds),
                   stdin="\n".join(ids) + "\n")
        m = re.search(r"p50 ([\d.]+) p90 ([\d.]+) .*best ([\d.]+) GB/s", text)
        return tuple(float(x) for x in m.groups())

    def audit(self, event):
        """Times of the latest entries of one kind."""
        text = run("vaultctl", "--profile-dir", self.dir + "/demo/profiles", "--profile", "auditor", "audit", "show",
                   "--last", "2000", "--json")
        times = []
        for row in text.splitlines():
            entry = json.loads(row)
            if entry.get("event") == event:
                times.append(datetime.datetime.fromisoformat(entry["time"].replace("Z", "+00:00")).timestamp())
        return times


def wav_head(n, rate=48000, channels=2):
    return (b"RIFF" + struct.pack("<I", 36 + n) + b"WAVEfmt " +
            struct.pack("<IHHIIHH", 16, 1, channels, rate, rate * channels * 2, channels * 2, 16) + b"data" + struct.pack("<I", n))


def table(text):
    """{name: (GB/s, CPU s/GB)} of a program's lines."""
    rows = (re.match(r"\s*(.*?)\s+([\d.]+) GB/s\s+([\d.]+) CPU s/GB", row) for row in text.splitlines())
    return {m.group(1): (float(m.group(2)), float(m.group(3))) for m in rows if m}


def limits():
    text = run("bench-limits", WORK)
    print(text)
    return table(text)


def receiving():
    return table(run("bench-tls", "1"))


def upload(vault, path):
    """(seconds, CPU seconds of the front, id)."""
    cpu, begun = vault.cpu("vault-front"), time.monotonic()
    ident = vault.put(path)
    return time.monotonic() - begun, vault.cpu("vault-front") - cpu, ident


def bulk(vault, per, path):
    gb = os.path.getsize(path) / 1e9
    upload(vault, path)
    runs = []
    for _ in range(3):               # baseline and vault take turns
        runs.append((receiving()["bare libuv sink, TLS"], upload(vault, path)))
    tls = min((r[0] for r in runs), key=lambda t: t[1])
    tls_rate = sorted(r[0][0] for r in runs)[1]
    seconds, used, ident = min((r[1] for r in runs), key=lambda u: u[1])
    rate = gb / sorted(r[1][0] for r in runs)[1]
    direct = per.get("append direct + fdatasync, 4096 KiB")
    cached = per["append + fdatasync, 4096 KiB"]
    for name, append in (("through the page cache", cached), ("direct", direct)):
        if append is None:
            continue
        need = tls[1] + per["SHA-256 (OpenSSL)"][1] + per["seal (OpenSSL), chunks of 262144"][1] + append[1]
        line("bulk ingest over TLS, CPU s/GB of the front", f"{used / gb:.2f}", f"parts, append {name}: {need:.2f}",
             f"{used / gb / need:.2f}", "<= 1.3")
    slowest = min(tls_rate, per["SHA-256 (OpenSSL)"][0], per["seal (OpenSSL), chunks of 262144"][0], (direct or cached)[0])
    line("bulk ingest, GB/s, sender on the same cores", f"{rate:.2f}", f"slowest part: {slowest:.2f}",
         f"{rate / slowest:.2f}", ">= 0.45")
    return ident


def read_rate(path):
    """GB/s of reading a file in 1 MiB pieces, dropped from the page cache first."""
    fd = os.open(path, os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    begun, n = time.monotonic(), 0
    while piece := os.read(fd, 1 << 20):
        n += len(piece)
    os.close(fd)
    return n / 1e9 / (time.monotonic() - begun)


def fetch(vault, per, ident, path):
    rates, reads = [], []
    for _ in range(3):
        reads.append(read_rate(path))
        rates.append(vault.fetch([ident])[2])
    seal, rate = per["seal, chunks of 65536"][0], max(rates)
    reference = 1 / (1 / max(reads) + 2 / seal)
    line("bulk retrieval over TLS, GB/s", f"{rate:.2f}", f"read + open + seal: {reference:.2f}", f"{rate / reference:.2f}", ">= 0.5")


def syncs(vault, path):
    """Sync calls of the front against batches written to volumes during a bulk upload, when strace is here and allowed."""
    if shutil.which("strace") is None:
        return
    out = os.path.join(WORK, "strace")
    tracer = subprocess.Popen(["strace", "-f", "-y", "-e", "trace=pwrite64,fdatasync,fsync,msync", "-o", out,
                               "-p", str(vault.pid("vault-front"))], stderr=subprocess.DEVNULL)
    time.sleep(1)
    vault.put(path)
    time.sleep(1.5)                  # the index commits behind the volume
    tracer.send_signal(signal.SIGINT)
    tracer.wait()
    text = open(out, errors="replace").read()
    batches = len(re.findall(r"pwrite64\(\d+<[^>]*\.vol>", text))
    total = len(re.findall(r"(?:fdatasync|fsync|msync)\(", text))
    if batches:
        line("syncs per group commit (index included)", f"{total} for {batches}", "", f"{total / batches:.2f}", "<= 3")


async def memory(vault):
    context = ssl.create_default_context(cafile=vault.ca)

    async def connect():
        return await asyncio.open_connection("127.0.0.1", vault.port, ssl=context, server_hostname="localhost")

    count, before = 1000, vault.rss("vault-front")
    idle = [await connect() for _ in range(count)]
    await asyncio.sleep(1)
    line("resident memory per idle TLS connection, KiB", f"{(vault.rss('vault-front') - before) / count / 1024:.1f}", good="<= 32")
    for _, writer in idle:
        writer.close()
    await asyncio.sleep(1)
    count, streams = 500, []
    before = vault.rss("vault-front")
    head = wav_head(0x7FFFFF00, 8000, 1)
    for _ in range(count):
        _, writer = await connect()
        writer.write(f"PUT /v1/tenants/demo/recordings HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {vault.secret}\r\n"
                     "Transfer-Encoding: chunked\r\n\r\n".encode() + b"%x\r\n%s\r\n" % (len(head), head))
        streams.append(writer)
    peak = 0
    for _ in range(40):
        for writer in streams:
            writer.write(b"c80\r\n" + os.urandom(3200) + b"\r\n")
        await asyncio.sleep(0.2)
        peak = max(peak, vault.rss("vault-front"))
    line("resident memory per active stream, KiB", f"{(peak - before) / count / 1024:.1f}", good="<= 96 (connection included)")
    for writer in streams:
        writer.close()
    await asyncio.sleep(2)


def first_byte(vault, small):
    """Uploads lie in the middle of a million rows, and their keys in full buckets."""
    ids = []
    for _ in range(4):
        vault.stop()
        begun = time.monotonic()
        vault.fill(ROWS // 4, KEEP_S)
        vault.start()
        ids += [vault.put(small) for _ in range(25)]
    line(f"start with {ROWS:,} recordings, s", f"{vault.started:.2f}")
    size = os.path.getsize(os.path.join(vault.dir, "keys/data.mdb"))
    line("key store, bytes a recording", f"{size / ROWS:.0f}")
    time.sleep(1.5)
    for which, rounds in (("first time", 1), ("again", 2)):
        p50, p90, _ = vault.fetch(ids, rounds)
        line(f"one of {ROWS:,}, {which}: first byte, ms", f"p50 {p50:.1f}", f"p90 {p90:.1f}", good="<= 5")


def sweep(vault, small, count):
    vault.stop()
    vault.fill(count, 10)
    vault.start()
    slow, end, stop = [0.0], time.monotonic() + 20, threading.Event()

    def uploads():
        while not stop.is_set():
            begun = time.monotonic()
            vault.put(small)
            slow[0] = max(slow[0], time.monotonic() - begun)

    thread = threading.Thread(target=uploads)
    thread.start()
    time.sleep(max(0.0, end - time.monotonic()))
    stop.set()
    thread.join()
    opened, dead, given = vault.audit("erase.opened"), vault.audit("erase.verified"), vault.audit("erase.released")
    if not opened or not dead:
        sys.exit("no sweep in the audit log")
    line(f"sweep of {count:,} expired recordings, s", f"{dead[-1] - opened[-1]:.2f}", "opened to keys dead and checked", good="<= 2")
    if given:
        line("  and their space given back, s", f"{given[-1] - opened[-1]:.2f}")
    line("slowest upload of a 3 s call meanwhile, s", f"{slow[0]:.2f}", good="<= 1")


def write_wav(path, n, rate, channels):
    with open(path, "wb") as f:
        f.write(wav_head(n, rate, channels))
        for at in range(0, n, 1 << 20):
            f.write(os.urandom(min(1 << 20, n - at)))


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))    # through finally: the vault is stopped
    big, small = os.path.join(WORK, "big.wav"), os.path.join(WORK, "small.wav")
    write_wav(big, MIB << 20, 48000, 2)
    write_wav(small, 48000, 8000, 1)
    per = limits()
    for text in (run("bench-tls", "1"), run("bench-store", WORK)):
        print(text)
    shutil.rmtree(os.path.join(WORK, "vault"), ignore_errors=True)
    vault = Vault(os.path.join(WORK, "vault"))
    try:
        vault.start()
        ident = bulk(vault, per, big) if "bulk" in PARTS or "fetch" in PARTS else None
        if "fetch" in PARTS:
            fetch(vault, per, ident, big)
        if "syncs" in PARTS:
            syncs(vault, big)
        if "memory" in PARTS:
            asyncio.run(memory(vault))
        if "first" in PARTS:
            first_byte(vault, small)
        if "sweep" in PARTS:
            sweep(vault, small, 100000)
    finally:
        vault.stop()


main()
