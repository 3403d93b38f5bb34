#!/usr/bin/env bash
# What must not be stored is not stored: no subscription (R1), video of a voice
# tenant (R2), no retention (R4), unknown fields (R8), withheld numbers (R9); and
# nothing plain ever reaches the disk (R34, R6).
source "$(dirname "$0")/lib.sh"
vault_start
speech 3 "$WORK/call.wav"
ffmpeg -nostdin -loglevel error -f lavfi -i testsrc2=size=160x120:rate=10:duration=2 -i "$WORK/call.wav" -t 2 -c:v libvpx -c:a libopus -f webm "$WORK/both.webm"
before=$(du -sb "$DIR/media" "$DIR/index" | awk '{s += $1} END {print s}')

out=$(put "$WORK/call.wav" silent "?caller=0201112233")
expect_status 403 "$out"; expect_problem not_subscribed "$out"
ok "no subscription: not_subscribed (R1)"
out=$(put "$WORK/both.webm" brief "" -H 'Content-Type: video/webm')
expect_problem not_subscribed "$out"
out=$(put "$WORK/both.webm" brief)
expect_problem not_subscribed "$out"
ok "a container with an unsubscribed medium is refused whole, declared or found (R2)"

as operator tenant add fresh >/dev/null
as operator subscribe fresh voice >/dev/null
as operator source add --tenant fresh --media voice -o "$WORK/fresh.secret" >/dev/null
out=$(SECRET=$(cat "$WORK/fresh.secret") && put "$WORK/call.wav" fresh)
expect_problem no_retention "$out"
if as operator retention set fresh voice P30D 2>/dev/null; then fail "an operator set a retention"; fi
ok "no retention: no_retention, and an operator cannot set one (R4)"

out=$(put "$WORK/call.wav" demo "?caller=0201112233&birth_date=MARKERBIRTH1970")
expect_status 400 "$out"; expect_problem unknown_field "$out"
[ "$(head -n 1 <<<"$out" | jq -r .field)" = birth_date ] || fail "the field is not named: $out"
grep -q MARKERBIRTH <<<"$out" && fail "the value came back"
out=$(put "$WORK/call.wav" demo "" -H 'Vault-Metadata: {"caller":"020","caller":"021"}')
expect_problem bad_metadata "$out"
ok "unknown and duplicate fields are refused by name (R8)"

out=$(put "$WORK/call.wav" demo "" -H 'Content-Type: video/webm')
expect_status 415 "$out"; expect_problem media_mismatch "$out"
head -c 200000 /dev/urandom >"$WORK/noise"
out=$(put "$WORK/noise" demo)
expect_problem unsupported_media "$out"
head -c 100 "$WORK/both.webm" >"$WORK/short.webm"
out=$(put "$WORK/short.webm" demo)
expect_problem truncated_media "$out"
ok "lying Content-Type, noise and a cut container are refused"

for auth in "" "Authorization: Bearer wrong" "Authorization: Basic d3Jvbmc6d3Jvbmc="; do
  out=$(http -T "$WORK/call.wav" -D "$WORK/headers" ${auth:+-H "$auth"} -w '\n%{http_code}\n' "$URL/v1/tenants/demo/recordings")
  expect_status 401 "$out"
  grep -qi '^www-authenticate:.*Basic' "$WORK/headers" || fail "no challenge for '$auth'"
done
out=$(http -T "$WORK/call.wav" -u "any:$SECRET" -w '\n%{http_code}\n' "$URL/v1/tenants/demo/recordings/basic.wav")
expect_status 201 "$out"
ok "401 with a challenge; Basic works"

sleep 1.5
after=$(du -sb "$DIR/media" "$DIR/index" | awk '{s += $1} END {print s}')
[ $((after - before)) -lt $(($(stat -c %s "$WORK/call.wav") + 400000)) ] || fail "refused media left bytes behind: $before -> $after"
rows=$(as contact list --tenant demo --json | jq '.recordings | length')
[ "$rows" = 1 ] || fail "expected the one accepted recording, got $rows rows"
ok "no media byte and no row of what was refused"

put "$WORK/call.wav" demo "withheld.wav?caller=MARKER&caller_withheld=true" >/dev/null
out=$(put "$WORK/call.wav" demo "w2.wav?caller=0205556677&caller_withheld=true&callee=0612345678&agent=MARKERAGENT")
expect_status 201 "$out"
id=$(head -n 1 <<<"$out" | jq -r .id)
as contact show "$id" --personal --purpose quality --json >"$WORK/personal"
grep -q 0205556677 "$WORK/personal" && fail "a withheld number was kept"
grep -q 0612345678 "$WORK/personal" || fail "the other number is missing"
sleep 1.2
vault_stop || true
for marker in 0205556677 0612345678 MARKERAGENT MARKERBIRTH 0201112233 withheld.wav w2.wav; do
  grep -raq "$marker" "$DIR/media" "$DIR/index" "$DIR/keys" "$DIR/audit" "$DIR/root" "$WORK/vaultd.log" && fail "$marker is on disk or in the log"
done
# 64 bytes of the call itself, as a plaintext marker
/usr/bin/python3 - "$WORK/call.wav" "$DIR" <<'P' || fail "recorded bytes are on disk in the clear"
import os, sys
data = open(sys.argv[1], 'rb').read()
marks = [data[o:o + 48] for o in range(2000, len(data) - 48, 4000) if len(set(data[o:o + 48])) > 20]
assert marks
for part in ('media', 'index', 'keys', 'audit', 'root'):
    for top, _, names in os.walk(os.path.join(sys.argv[2], part)):
        for name in names:
            body = open(os.path.join(top, name), 'rb').read()
            for m in marks:
                if m in body:
                    sys.exit(1)
P
ok "no number, name or recorded byte is anywhere on disk or in the log (R9, R34)"
