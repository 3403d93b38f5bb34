#!/usr/bin/env bash
# A contact that shares no line with the vault: Python, PyNaCl and age, from
# docs/HTTP.md. And every way to present a command that must be refused (R21).
source "$(dirname "$0")/lib.sh"
vault_start
speech 3 "$WORK/call.wav"
out=$(put "$WORK/call.wav" demo)
expect_status 201 "$out"
id=$(head -n 1 <<<"$out" | jq -r .id)
/usr/bin/python3 "$HERE/../interop/contact.py" "$URL" "$CA" "$DIR/demo/contact.key" "$id" "$WORK/out.age" || fail "see above"
vaultctl key identity "$DIR/demo/contact.key" -o "$WORK/identity" >/dev/null
age -d -i "$WORK/identity" "$WORK/out.age" | cmp - "$WORK/call.wav" || fail "age opened something else"
ok "and age opens it to the very bytes"
refusals=$(as auditor audit show --last 100 --json | grep -c '"command.refused"')
[ "$refusals" -ge 5 ] || fail "only $refusals refusals in the audit log"
ok "refusals are in the audit log"
