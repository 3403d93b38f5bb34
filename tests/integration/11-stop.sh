#!/usr/bin/env bash
# An orderly stop with a stream in flight, formats of a truncated recording, and
# a vault that stands still: what was taken is kept, nothing hangs (P9).
source "$(dirname "$0")/lib.sh"
vault_start
speech 20 "$WORK/call.wav"
trickle() { # FILE BYTES_A_SECOND
  /usr/bin/python3 -c '
import sys, time
data = open(sys.argv[1], "rb").read(); rate = int(sys.argv[2])
try:
    for o in range(0, len(data), rate // 10):
        sys.stdout.buffer.write(data[o:o + rate // 10]); sys.stdout.buffer.flush(); time.sleep(0.1)
except BrokenPipeError:
    sys.stderr.close()
' "$1" "$2"
}
live() { as contact list --tenant demo --json | jq -e '[.recordings[] | select(.state == "live" and .bytes > 20000)] | length > 0'; }
trickle "$WORK/call.wav" 16000 | http -T - -H "Authorization: Bearer $SECRET" -o "$WORK/out" "$URL/v1/tenants/demo/recordings/stop.wav" 2>/dev/null &
sender=$!
wait_for 20 live || fail "the stream is not live"
id=$(as contact list --tenant demo --json | jq -r '[.recordings[] | select(.state == "live")][0].id')
durable=$(http -H "Authorization: Bearer $SECRET" "$URL/v1/recordings/$id/state" | jq .bytes)
vault_stop || fail "an orderly stop with a stream in flight ended with $?"
wait "$sender" || true
vault_start
as contact fetch "$id" --purpose quality -o "$WORK/kept.wav" >/dev/null || fail "what was durable is lost"
n=$(stat -c %s "$WORK/kept.wav")
[ "$n" -ge "$durable" ] && cmp -n "$n" "$WORK/kept.wav" "$WORK/call.wav" || fail "kept $n of $durable bytes, or changed"
ok "SIGTERM with a stream in flight: ended within its bound, kept as truncated"
as contact fetch "$id" --purpose quality --format ogg -o "$WORK/kept.ogg" >/dev/null || fail "a truncated WAV cannot be given as Ogg"
ffprobe -v error -show_entries stream=codec_name -of csv=p=0 "$WORK/kept.ogg" | grep -q opus || fail "not Opus"
as contact fetch "$id" --purpose quality --from 0 --to 1 -o "$WORK/second.wav" >/dev/null || fail "no range of a truncated recording"
ok "a truncated recording converts and gives ranges"

front=$(pgrep -P "$VAULT_PID" -f vault-front)
kill -STOP "$front"
begun=$SECONDS
curl -sS --cacert "$CA" --max-time 3 -T "$WORK/call.wav" -H "Authorization: Bearer $SECRET" "$URL/v1/tenants/demo/recordings" >/dev/null 2>&1 && fail "a stopped vault answered"
[ $((SECONDS - begun)) -le 20 ] || fail "the sender was held"
kill -CONT "$front"
out=$(put "$WORK/call.wav" demo go-on.wav)
expect_status 201 "$out"
ok "a vault that stood still goes on"
keeper=$(pgrep -P "$VAULT_PID" -f vault-keeper)
kill -KILL "$keeper"
ended() { ! kill -0 "$VAULT_PID" 2>/dev/null; }
wait_for 20 ended || fail "the vault goes on without its keeper"
ok "when one part dies, all stop"
wait "$VAULT_PID" 2>/dev/null || true
VAULT_PID=''
vault_start
as contact fetch "$(head -n 1 <<<"$out" | jq -r .id)" --purpose quality -o "$WORK/again.wav" >/dev/null
cmp "$WORK/again.wav" "$WORK/call.wav" || fail "changed"
ok "and what was acknowledged is there again"
