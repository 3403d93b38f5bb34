#!/usr/bin/env bash
# A disk that is full, fails or is read-only, through a shim before the front:
# 507 and recovery, never an acknowledgement that is not durable.
source "$(dirname "$0")/lib.sh"
shim=$BIN/../lib/libvaultshim.so
[ -e "$shim" ] || fail "the shim is not built"
head -c 16 /dev/zero >"$WORK/control"
chmod 755 "$WORK"
chmod 666 "$WORK/control"
speech 3 "$WORK/call.wav"
vault_start
vault_stop || true
# The second word of the control file is the errno with which the disk fails now.
disk() { /usr/bin/python3 -c 'import struct, sys; f = open(sys.argv[1], "r+b"); f.seek(8); f.write(struct.pack("<Q", int(sys.argv[2])))' "$WORK/control" "$1"; }

(exec env LD_PRELOAD="$shim" VAULT_SHIM_PART=vault-front VAULT_SHIM_COUNTER="$WORK/control" vaultd --dev "$DIR" >>"$WORK/vaultd.log" 2>&1) &
VAULT_PID=$!
wait_for 60 vault_is_ready || fail "the vault is not ready behind the shim"
out=$(put "$WORK/call.wav" demo warm.wav)
expect_status 201 "$out"
[ "$(od -An -tu8 -N8 "$WORK/control" | tr -d ' ')" -gt 3 ] || fail "the shim sees nothing"

for errno in 28 5 30; do
  disk $errno
  out=$(put "$WORK/call.wav" demo "fails-$errno.wav" || true)
  case $errno-$(tail -n 1 <<<"$out") in
  28-507 | 5-500 | 5-503 | 5-507 | 30-500 | 30-503 | 30-507) ok "errno $errno: $(tail -n 1 <<<"$out") $(head -n 1 <<<"$out" | jq -r .title)" ;;
  *) fail "errno $errno gave: $out" ;;
  esac
  kill -0 "$VAULT_PID" || fail "the vault ended on errno $errno"
  disk 0
  works() { [ "$(put "$WORK/call.wav" demo "after-$errno-$RANDOM.wav" | tail -n 1)" = 201 ]; }
  wait_for 20 works || fail "it does not recover from errno $errno"
  ok "and it takes recordings again when the disk does"
done

# A stream that runs while the disk fills: what was durable is kept.
speech 20 "$WORK/long.wav"
/usr/bin/python3 -c '
import sys, time
data = open(sys.argv[1], "rb").read()
for o in range(0, len(data), 3200):
    sys.stdout.buffer.write(data[o:o + 3200]); sys.stdout.buffer.flush(); time.sleep(0.05)
' "$WORK/long.wav" 2>/dev/null | http -T - -H "Authorization: Bearer $SECRET" -o "$WORK/full.out" "$URL/v1/tenants/demo/recordings/fills.wav" 2>/dev/null &
sender=$!
live() { as contact list --tenant demo --json | jq -e '[.recordings[] | select(.state == "live" and .bytes > 20000)] | length > 0'; }
wait_for 20 live || fail "the stream is not live"
id=$(as contact list --tenant demo --json | jq -r '[.recordings[] | select(.state == "live")][0].id')
durable=$(http -H "Authorization: Bearer $SECRET" "$URL/v1/recordings/$id/state" | jq .bytes)
disk 28
wait "$sender" || true
[ "$(jq -r .title "$WORK/full.out" 2>/dev/null)" = disk_full ] || fail "the sender of the running stream was told: $(cat "$WORK/full.out")"
disk 0
as contact fetch "$id" --purpose quality -o "$WORK/kept.wav" >/dev/null || fail "what was durable cannot be fetched"
n=$(stat -c %s "$WORK/kept.wav")
[ "$n" -ge "$durable" ] || fail "$durable bytes were durable, $n came back"
cmp -n "$n" "$WORK/kept.wav" "$WORK/long.wav" || fail "what was kept differs"
ok "a stream that runs into a full disk keeps what was durable and is told disk_full"
vault_stop || true
vault_start
as contact list --tenant demo --json | jq -r '.recordings[] | select(.state == "ended") | .id' >"$WORK/ids"
[ "$(wc -l <"$WORK/ids")" -ge 4 ] || fail "ended recordings are missing: $(wc -l <"$WORK/ids")"
while read -r id; do
  as contact fetch "$id" --purpose quality -o "$WORK/each.wav" >/dev/null || fail "$id cannot be fetched"
  cmp "$WORK/call.wav" "$WORK/each.wav" || fail "$id differs"
done <"$WORK/ids"
ok "everything acknowledged reads back after a restart"
