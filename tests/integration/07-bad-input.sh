#!/usr/bin/env bash
# What a hostile or broken sender can put on the wire. Every case gets a clear
# answer or a closed connection, and the vault goes on serving.
source "$(dirname "$0")/lib.sh"
vault_start
speech 2 "$WORK/call.wav"
/usr/bin/python3 "$HERE/bad_input.py" "$PORT" "$SECRET" "$WORK/call.wav" || fail "a case went wrong"
out=$(put "$WORK/call.wav" demo after.wav)
expect_status 201 "$out"
ok "and the vault still takes a recording"
kill -0 "$VAULT_PID" || fail "the vault ended"
as auditor audit verify >/dev/null || fail "the audit log does not verify"
