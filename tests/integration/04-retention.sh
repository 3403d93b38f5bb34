#!/usr/bin/env bash
# Retention to the second, with the test clock: R5, R6, R7, R42.
source "$(dirname "$0")/lib.sh"
export VAULT_TEST_CLOCK=$WORK/clock VAULT_TEST_CLOCK_TRUST=1
echo 0 >"$VAULT_TEST_CLOCK"
chmod 755 "$WORK"; chmod 644 "$VAULT_TEST_CLOCK"
move() { echo "$1" >"$VAULT_TEST_CLOCK"; }
vault_start
speech 2 "$WORK/call.wav"
out=$(put "$WORK/call.wav" demo "old.wav?caller=0612345678")
expect_status 201 "$out"
id=$(head -n 1 <<<"$out" | jq -r .id)
sleep 1.5
mkdir "$WORK/copies"
cp -a "$DIR" "$WORK/copies/before"

day=86400
move $((30 * day - 20))
as contact fetch "$id" --purpose quality -o "$WORK/a.wav" >/dev/null || fail "refused before its retention ended"
cmp "$WORK/a.wav" "$WORK/call.wav" || fail "changed"
ok "readable until the retention ends"
vol=$(find "$DIR/media" -name '*.vol' | head -n 1)
blocks=$(stat -c %b "$vol")
move $((30 * day + 1))
if as contact fetch "$id" --purpose quality -o "$WORK/b.wav" 2>/dev/null; then fail "readable after its retention ended"; fi
ok "refused from the second of expiry"
swept() { as auditor audit show --last 50 --json | grep -q '"erase.verified"'; }
wait_for 60 swept || fail "the sweep did not come"
given_back() { [ ! -e "$vol" ] || [ "$(stat -c %b "$vol")" -lt "$blocks" ]; }
wait_for 20 given_back || fail "its space was not given back"
as contact list --tenant demo --json | grep -q "$id" && fail "still listed"
ok "the sweep destroys the key, drops the row and gives the space back (R5)"

# Yesterday's copy of everything, with today's root: refused. And with today's keys as well: opens nothing.
vault_stop || true
rm -rf "$WORK/copies/before/root" && cp -a "$DIR/root" "$WORK/copies/before/root"
if timeout 60 vaultd -c "$WORK/copies/before/vaultd.ini" >"$WORK/old.log" 2>&1; then fail "a key store older than the root came up"; fi
grep -q 'vaultd:' "$WORK/old.log" || fail "no reason was given"
ok "an old key store under today's root is refused: $(grep -m1 'vaultd:' "$WORK/old.log")"
rm -rf "$WORK/copies/before/keys" "$WORK/copies/before/audit"
cp -a "$DIR/keys" "$DIR/audit" "$WORK/copies/before/"
(
  DIR=$WORK/copies/before PORT=$(free_port) OPS=$(free_port)
  sed -i "s/^https = .*/https = 127.0.0.1:$PORT/; s/^ops = .*/ops = 127.0.0.1:$OPS/" "$DIR/vaultd.ini"
  sed -i "s#$WORK/vault#$DIR#g; s#https://127.0.0.1:[0-9]*#https://127.0.0.1:$PORT#" "$DIR"/demo/profiles/*.ini
  vault_start
  if as contact fetch "$id" --purpose quality -o "$WORK/c.wav" 2>/dev/null; then fail "a restored old volume brought it back"; fi
  gone() { ! as contact list --tenant demo --json | grep -q "$id"; }
  wait_for 20 gone || fail "a restored old index still lists it"
  vault_stop || true
) || exit 1
ok "restored old volumes and index do not bring it back (R6)"

vault_start
put "$WORK/call.wav" demo keep.wav >/dev/null
sleep 1.2
id2=$(as contact list --tenant demo --json | jq -r '.recordings[0].id')
move $((40 * day))
as contact fetch "$id2" --purpose quality -o "$WORK/d.wav" >/dev/null || fail "refused on day 10 of 30"
as contact retention set demo voice P5D >/dev/null
gone2() { ! as contact fetch "$id2" --purpose quality -o "$WORK/e.wav"; }
wait_for 30 gone2 || fail "a shorter retention did not reach what exists (R7)"
as contact retention set demo voice P90D >/dev/null || true
if as contact fetch "$id2" --purpose quality -o "$WORK/e.wav" 2>/dev/null; then fail "a longer retention revived it (R7)"; fi
ok "a shorter retention reaches what exists; a longer one revives nothing (R7)"
vault_stop || true

# Without trust in the moved clock: a jump stops forgetting (R42).
unset VAULT_TEST_CLOCK_TRUST
vault_start
put "$WORK/call.wav" demo safe.wav >/dev/null
sleep 1.2
id3=$(as contact list --tenant demo --json | jq -r '.recordings[0].id')
epoch=$(as operator keys --json | jq .epoch)
move $((4000 * day))
sleep 3
[ "$(as operator keys --json 2>/dev/null | jq .epoch)" = "$epoch" ] || fail "a clock jump shredded"
as operator status --json | grep -qi clock || fail "status does not speak of the clock"
move $((40 * day))
as contact fetch "$id3" --purpose quality -o "$WORK/f.wav" >/dev/null || fail "not readable after the clock came back"
ok "a jump of the clock never shreds (R42)"
