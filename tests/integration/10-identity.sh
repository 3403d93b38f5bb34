#!/usr/bin/env bash
# Who may do what: a media server by its client certificate, four eyes (R21),
# consent (R27), purposes (R38), search by number (R22), the tenant's own fields (R8).
source "$(dirname "$0")/lib.sh"
vault_start
speech 2 "$WORK/call.wav"

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=pbx" -keyout "$WORK/pbx.key" -out "$WORK/pbx.pem" 2>/dev/null
as operator source add --tenant demo --media voice --certificate "$WORK/pbx.pem" >/dev/null || fail "a source by certificate"
out=$(http --cert "$WORK/pbx.pem" --key "$WORK/pbx.key" -T "$WORK/call.wav" -w '\n%{http_code}\n' "$URL/v1/tenants/demo/recordings/by-certificate.wav")
expect_status 201 "$out"
out=$(http --cert "$WORK/pbx.pem" --key "$WORK/pbx.key" -T "$WORK/call.wav" -w '\n%{http_code}\n' "$URL/v1/tenants/brief/recordings")
[ "$(tail -n 1 <<<"$out")" -ge 400 ] || fail "a certificate of another tenant was taken: $out"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=pbx" -keyout "$WORK/other.key" -out "$WORK/other.pem" 2>/dev/null
out=$(http --cert "$WORK/other.pem" --key "$WORK/other.key" -T "$WORK/call.wav" -w '\n%{http_code}\n' "$URL/v1/tenants/demo/recordings")
expect_status 401 "$out"
ok "a client certificate is a source, only for its tenant, and only that certificate"

# Four eyes: one operator's word enrols nobody.
vaultctl key new -o "$WORK/new.key" --role contact >/dev/null
as operator principal add "$WORK/new.pub" --tenant demo >"$WORK/pending" 2>&1 && fail "one signature enrolled a contact"
hash=$(grep -oE '[0-9a-f]{64}' "$WORK/pending" | head -n 1)
[ -n "$hash" ] || fail "no hash to approve: $(cat "$WORK/pending")"
if as operator approve "$hash" >/dev/null 2>&1; then fail "nobody approves his own request"; fi
if as contact approve "$hash" >/dev/null 2>&1; then fail "a contact approved"; fi
as operator2 approve "$hash" >/dev/null || fail "the second operator cannot approve"
if as operator2 approve "$hash" >/dev/null 2>&1; then fail "an approval was used twice"; fi
sed "s#^key *=.*#key = $WORK/new.key#" "$VAULT_PROFILE_DIR/contact.ini" >"$VAULT_PROFILE_DIR/newcontact.ini"
as newcontact list --tenant demo >/dev/null || fail "the enrolled contact cannot list"
kid=$(vaultctl key show "$WORK/new.key" --json 2>/dev/null | jq -r .kid)
as operator principal revoke "$kid" >"$WORK/pending" 2>&1 && fail "one signature revoked"
as operator2 approve "$(grep -oE '[0-9a-f]{64}' "$WORK/pending" | head -n 1)" >/dev/null || fail "revoke"
if as newcontact list --tenant demo >/dev/null 2>&1; then fail "a revoked contact lists"; fi
ok "two people enrol and revoke, nobody approves his own request (R21, R32)"

put "$WORK/call.wav" demo "a.wav?caller=0612345678&callee=0201111111" >/dev/null
put "$WORK/call.wav" demo "b.wav?caller=0687654321&callee=0201111111" >/dev/null
as contact list --tenant demo --number 0612345678 --personal --purpose quality --json >"$WORK/found" 2>/dev/null ||
  as contact list --tenant demo --number 0612345678 --purpose quality --json >"$WORK/found" || fail "no search by number"
[ "$(grep -c . "$WORK/found")" -ge 1 ] && grep -q 0612345678 "$WORK/found" && ! grep -q 0687654321 "$WORK/found" || fail "found: $(cat "$WORK/found")"
ok "a search by number finds exactly its calls (R22)"

as contact basis consent --tenant demo >/dev/null
out=$(put "$WORK/call.wav" demo no-consent.wav)
expect_problem consent_required "$out"
out=$(put "$WORK/call.wav" demo "with-consent.wav?consent=ref-17")
expect_status 201 "$out"
as contact basis other --tenant demo >/dev/null
ok "where the basis is consent, a stream without its reference is refused (R27)"

old=$(as contact list --tenant demo --json | jq -c '.recordings[0] | {id, policy, expires}')
as contact retention set demo voice P60D >/dev/null
out=$(put "$WORK/call.wav" demo later.wav)
new=$(as contact list --tenant demo --json | jq -c --arg id "$(head -n 1 <<<"$out" | jq -r .id)" '.recordings[] | select(.id == $id)')
again=$(as contact list --tenant demo --json | jq -c '.recordings[0] | {id, policy, expires}')
[ "$again" = "$old" ] || fail "a longer retention changed an old recording: $old, now $again"
[ "$(jq .policy <<<"$new")" -gt "$(jq .policy <<<"$old")" ] || fail "the new recording has policy $(jq .policy <<<"$new")"
ok "recordings keep the policy version and the expiry they were made under (R39, R7)"

as contact schema ticket --tenant demo >/dev/null
out=$(put "$WORK/call.wav" demo "tagged.wav?ticket=T-1")
expect_status 201 "$out"
out=$(put "$WORK/call.wav" demo "tagged2.wav?tocket=T-1")
expect_problem unknown_field "$out"
ok "a tenant's own field exists only once it is declared (R8)"
as auditor audit verify >/dev/null || fail "the audit log does not verify"
