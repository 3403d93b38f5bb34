#!/usr/bin/env bash
# A recording's life with curl: taken in, durable, listed, fetched byte for byte,
# opened by age, asked for again by name. R1 (accepted), R22 (rows), P1, P5, P7.
source "$(dirname "$0")/lib.sh"
vault_start
speech 6 "$WORK/call.wav"

out=$(put "$WORK/call.wav" demo "call-1.wav?caller=%2B31%2020%20123%204567&callee=tel:0881112222&agent=desk-7&direction=inbound")
expect_status 201 "$out"
answer=$(head -n 1 <<<"$out")
id=$(jq -r .id <<<"$answer")
[ "$(jq -r .bytes <<<"$answer")" = "$(stat -c %s "$WORK/call.wav")" ] || fail "bytes differ: $answer"
[ "$(jq -r .sha256 <<<"$answer")" = "$(sha256sum "$WORK/call.wav" | cut -d' ' -f1)" ] || fail "sha256 differs: $answer"
ms=$(jq -r .duration_ms <<<"$answer")
[ "$ms" -ge 5990 ] && [ "$ms" -le 6010 ] || fail "duration $ms ms of a 6 s call"
ok "201 with id, bytes, duration, sha256"

state=$(http -H "Authorization: Bearer $SECRET" "$URL/v1/recordings/$id/state")
[ "$(jq -r .state <<<"$state")" = ended ] && [ "$(jq -r .bytes <<<"$state")" = "$(stat -c %s "$WORK/call.wav")" ] || fail "state: $state"
ok "its source sees what is durable"

as contact fetch "$id" --purpose quality -o "$WORK/back.wav" >/dev/null
cmp "$WORK/call.wav" "$WORK/back.wav" || fail "it came back changed"
ok "fetched, byte for byte"

as contact fetch "$id" --purpose quality --sealed -o "$WORK/sealed.age" >/dev/null
vaultctl key identity "$DIR/demo/contact.key" -o "$WORK/identity" >/dev/null
age -d -i "$WORK/identity" "$WORK/sealed.age" | cmp - "$WORK/call.wav" || fail "age gave something else"
ok "age -d opens the sealed export"

if as operator fetch "$id" --purpose quality -o "$WORK/op.wav" 2>"$WORK/err"; then fail "an operator fetched content"; fi
[ ! -e "$WORK/op.wav" ] || fail "a refused fetch left a file"
if as brief-contact fetch "$id" --purpose quality -o "$WORK/x.wav" 2>"$WORK/err.foreign"; then fail "a foreign contact fetched it"; fi
if as brief-contact fetch 01890000-0000-7000-8000-000000000000 --purpose quality -o "$WORK/x.wav" 2>"$WORK/err.unknown"; then fail "an unknown id was fetched"; fi
cmp -s "$WORK/err.foreign" "$WORK/err.unknown" || fail "foreign and unknown differ: $(cat "$WORK/err.foreign" "$WORK/err.unknown")"
if as contact fetch "$id" --purpose curiosity -o "$WORK/x.wav" 2>/dev/null; then fail "an unlisted purpose was accepted"; fi
ok "operator, foreign contact and unlisted purpose get nothing (R17, R32, R38)"

row=$(as contact list --tenant demo --json | jq -c ".recordings[] | select(.id == \"$id\")")
[ "$(jq -r '.container + " " + .state + " " + .tenant' <<<"$row")" = "wav ended demo" ] || fail "row: $row"
grep -q '31201234567\|desk-7' <<<"$row" && fail "a clear row names a person: $row"
personal=$(as contact show "$id" --personal --purpose quality --json)
grep -q '+31201234567' <<<"$personal" && grep -q 'desk-7' <<<"$personal" || fail "personal fields: $personal"
ok "personal fields only for the contact, through the exporter"

speech 4 "$WORK/other.wav"
again=$(put "$WORK/other.wav" demo call-1.wav)
expect_status 200 "$again"
[ "$(head -n 1 <<<"$again" | jq -r .id)" = "$id" ] || fail "the same name is not answered from the first: $again"
ok "the same name again is answered from the first"

as contact shred "$id" --reason "asked by the controller" --yes >/dev/null
if as contact fetch "$id" --purpose quality -o "$WORK/x.wav" 2>/dev/null; then fail "a shredded recording was fetched"; fi
as contact list --tenant demo --json | grep -q "$id" && fail "a shredded recording is still listed"
ok "shredded: neither fetched nor listed (R24)"
as auditor audit verify >/dev/null
as auditor audit show --last 100 --json >"$WORK/audit.json"
for event in recording.start recording.end read read.done command.refused erase.opened erase.verified; do
  grep -q "\"$event\"" "$WORK/audit.json" || fail "no $event in the audit log"
done
grep -qE '31201234567|0881112222|desk-7' "$WORK/audit.json" && fail "the audit log names a person"
ok "audit log verifies, has every event and no number"
vault_stop || fail "the vault did not stop in order"
ok "stops in order"
