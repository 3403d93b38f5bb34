#!/usr/bin/env bash
# The audit log cannot be quietly edited, cut or rolled back (R35, P7), and its
# public part needs no key.
source "$(dirname "$0")/lib.sh"
vault_start
speech 1 "$WORK/call.wav"
for n in 1 2 3 4 5; do put "$WORK/call.wav" demo "c$n.wav" >/dev/null; done
sleep 1.5
# More than a full tile of 256 entries.
for _ in $(seq 240); do as contact show 01890000-0000-7000-8000-000000000000 >/dev/null 2>&1 || true; done
sleep 1.2
as auditor audit verify >"$WORK/out" || fail "a good log does not verify: $(cat "$WORK/out")"
http -f "$URL/v1/audit/checkpoint" >"$WORK/checkpoint" || fail "no checkpoint in public"
[ "$(sed -n 2p "$WORK/checkpoint")" -gt 256 ] || fail "a checkpoint of $(sed -n 2p "$WORK/checkpoint") entries"
vkey=$(http -f "$URL/v1/vault" | jq -r .audit_key)
vaultctl audit verify --dir "$DIR/audit" --vkey "$vkey" >/dev/null || fail "the files do not verify"
/usr/bin/python3 "$HERE/../interop/audit_verify.py" "$DIR/audit" "$vkey" || fail "the independent reader disagrees"
ok "verifies over HTTP, from the files, and with an independent reader in Python"

if as contact audit show --last 5 2>/dev/null; then fail "a contact read the audit log"; fi
as auditor audit show --last 5 >/dev/null || fail "an auditor cannot read it"
if as auditor list --tenant demo 2>/dev/null; then fail "an auditor listed recordings"; fi
ok "auditors read it, and only it (R32)"

vault_stop || true
tampered() { # LABEL: the copy in $WORK/audit must not verify
  if vaultctl audit verify --dir "$WORK/audit" --vkey "$vkey" >/dev/null 2>&1; then fail "$1 is not noticed"; fi
  ok "$1 is noticed"
}
fresh_copy() { rm -rf "$WORK/audit"; cp -a "$DIR/audit" "$WORK/audit"; }
entries=$(cd "$DIR/audit" && find . -path '*entries*' -type f | sort -V | tail -n 1)
fresh_copy
/usr/bin/python3 - "$WORK/audit/$entries" <<'P'
import sys
p = sys.argv[1]; b = bytearray(open(p, 'rb').read()); b[len(b) // 2] ^= 1; open(p, 'wb').write(b)
P
tampered "one changed bit in an entry"
fresh_copy
tile=$(cd "$WORK/audit" && find . -path '*tile/0*' -type f | sort -V | tail -n 1)
/usr/bin/python3 - "$WORK/audit/$tile" <<'P'
import sys
p = sys.argv[1]; b = bytearray(open(p, 'rb').read()); b[5] ^= 1; open(p, 'wb').write(b)
P
tampered "one changed bit in a tile"
fresh_copy
sed -i '2s/.*/3/' "$WORK/audit/checkpoint"
tampered "a checkpoint of another size"
