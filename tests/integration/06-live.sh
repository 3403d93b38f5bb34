#!/usr/bin/env bash
# While a call is being recorded: the subscription ends (R3), keys are turned
# (R40), the sender is lost, the vault is killed and comes back.
source "$(dirname "$0")/lib.sh"
vault_start
speech 20 "$WORK/call.wav"
auth="Authorization: Bearer $SECRET"
trickle() { # FILE BYTES_A_SECOND
  /usr/bin/python3 -c '
import sys, time
data = open(sys.argv[1], "rb").read(); rate = int(sys.argv[2])
for o in range(0, len(data), rate // 10):
    sys.stdout.buffer.write(data[o:o + rate // 10]); sys.stdout.buffer.flush(); time.sleep(0.1)
' "$1" "$2"
}
live() { as contact list --tenant demo --json | jq -e '[.recordings[] | select(.state == "live" and .bytes > 0)] | length > 0'; }

# R3: unsubscribed in mid-stream
trickle "$WORK/call.wav" 16000 | http -T - -H "$auth" -o "$WORK/r3.out" -w '%{http_code}' "$URL/v1/tenants/demo/recordings/r3.wav" >"$WORK/r3.code" 2>/dev/null &
sender=$!
wait_for 20 live || fail "the stream is not live"
as operator unsubscribe demo voice >/dev/null
wait "$sender" || true
[ "$(jq -r .title "$WORK/r3.out" 2>/dev/null)" = subscription_ended ] || fail "the sender was told: $(cat "$WORK/r3.code" "$WORK/r3.out")"
sleep 1.2
id=$(as contact list --tenant demo --json | jq -r '.recordings[0].id')
as contact fetch "$id" --purpose quality -o "$WORK/part.wav" >/dev/null || fail "the part before is not readable"
n=$(stat -c %s "$WORK/part.wav")
[ "$n" -gt 1000 ] && [ "$n" -lt "$(stat -c %s "$WORK/call.wav")" ] || fail "the part has $n bytes"
cmp -n "$n" "$WORK/part.wav" "$WORK/call.wav" || fail "the part differs"
as operator subscribe demo voice >/dev/null
ok "a subscription that ends stops the stream, keeps what came before, tells the sender (R3)"

# R40: keys are turned while a call runs
trickle "$WORK/call.wav" 64000 | http -T - -H "$auth" -o "$WORK/r40.out" "$URL/v1/tenants/demo/recordings/r40.wav" &
sender=$!
wait_for 20 live || fail "the stream is not live"
generation=$(as operator tenant show demo --json | jq .key.generation)
as operator rotate tenant demo >/dev/null
as operator rotate root >/dev/null
[ "$(as operator tenant show demo --json | jq .key.generation)" -gt "$generation" ] || fail "the generation did not grow"
wait "$sender" || fail "the stream broke during the rotation"
r40=$(jq -r .id "$WORK/r40.out")
as contact fetch "$r40" --purpose quality -o "$WORK/r40.wav" >/dev/null
cmp "$WORK/r40.wav" "$WORK/call.wav" || fail "changed by a rotation"
as contact fetch "$id" --purpose quality -o "$WORK/part2.wav" >/dev/null
cmp "$WORK/part.wav" "$WORK/part2.wav" || fail "an older recording changed"
ok "tenant and root keys turn during a live stream, everything stays readable (R40)"

# The sender is lost in mid-stream
trickle "$WORK/call.wav" 16000 | http -T - -H "$auth" "$URL/v1/tenants/demo/recordings/lost.wav" >/dev/null 2>&1 &
sender=$!
wait_for 20 live || fail "the stream is not live"
sleep 2
pkill -KILL -P "$sender" 2>/dev/null || true
kill -KILL "$sender" 2>/dev/null || true
truncated() { as contact list --tenant demo --json | jq -e '[.recordings[] | select(.state == "truncated" and .bytes > 0)] | length >= '"$1"; }
wait_for 20 truncated 2 || fail "no truncated recording: $(as contact list --tenant demo --json)"
ok "a lost sender leaves a recording marked truncated"

# The vault is killed in mid-stream
trickle "$WORK/call.wav" 16000 | http -T - -H "$auth" "$URL/v1/tenants/demo/recordings/killed.wav" >/dev/null 2>&1 &
wait_for 20 live || fail "the stream is not live"
live_id=$(as contact list --tenant demo --json | jq -r '[.recordings[] | select(.state == "live")][0].id')
sleep 2
durable=$(http -H "$auth" "$URL/v1/recordings/$live_id/state" | jq .bytes)
vault_kill
wait || true
vault_start
state=$(http -H "$auth" "$URL/v1/recordings/$live_id/state")
[ "$(jq -r .state <<<"$state")" = truncated ] || fail "after the kill: $state"
[ "$(jq -r .bytes <<<"$state")" -ge "$durable" ] || fail "said $durable durable bytes, kept: $state"
as contact fetch "$live_id" --purpose quality -o "$WORK/killed.wav" >/dev/null || fail "not readable after the kill"
n=$(stat -c %s "$WORK/killed.wav")
[ "$n" -ge "$durable" ] || fail "said $durable durable bytes, gave $n"
cmp -n "$n" "$WORK/killed.wav" "$WORK/call.wav" || fail "what was kept differs"
ok "killed in mid-stream: every byte that was said durable reads back (P1, R35)"
as auditor audit verify >/dev/null || fail "the audit log does not verify"
ok "the audit log verifies after all this"
