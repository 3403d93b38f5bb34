#!/usr/bin/env bash
# A disk that is full, fails or is read-only, through a shim before the front:
# 507 and recovery, never an acknowledgement that is not durable.
source "$(dirname "$0")/lib.sh"
shim=$BIN/../lib/libvaultshim.so
[ -e "$shim" ] || fail "the shim is not built"
head -c 8 /dev/zero >"$WORK/counter"
chmod 755 "$WORK"; chmod 666 "$WORK/counter"
speech 3 "$WORK/call.wav"
vault_start
vault_stop || true

with_shim() { # VARIABLE=VALUE...
  (exec env "$@" LD_PRELOAD="$shim" VAULT_SHIM_PART=vault-front vaultd --dev "$DIR" >>"$WORK/vaultd.log" 2>&1) &
  VAULT_PID=$!
  wait_for 60 vault_is_ready || fail "the vault is not ready with $*"
}
# How many calls does the front make before the first upload?
with_shim VAULT_SHIM_COUNTER="$WORK/counter"
sleep 1.5
start=$(od -An -tu8 -N8 "$WORK/counter" | tr -d ' ')
put "$WORK/call.wav" demo warm.wav >/dev/null
sleep 2
end=$(od -An -tu8 -N8 "$WORK/counter" | tr -d ' ')
vault_stop || true
[ "$end" -gt "$start" ] || fail "the shim counts nothing: $start..$end"
ok "the front writes $start times at start, $((end - start)) for a call"

for errno in 28 5 30; do
  with_shim VAULT_SHIM_FAIL_FROM=$((start + 2)) VAULT_SHIM_ERRNO=$errno
  out=$(put "$WORK/call.wav" demo "fails-$errno.wav" || true)
  code=$(tail -n 1 <<<"$out")
  case $errno-$code in
  28-507 | 5-500 | 30-500 | 5-503 | 30-503 | 30-507) ok "errno $errno: $code $(head -n 1 <<<"$out" | jq -r .title)" ;;
  *) fail "errno $errno gave: $out" ;;
  esac
  kill -0 "$VAULT_PID" || fail "the vault ended on errno $errno"
  vault_kill
done
vault_start
out=$(put "$WORK/call.wav" demo again.wav)
expect_status 201 "$out"
as contact fetch "$(head -n 1 <<<"$out" | jq -r .id)" --purpose quality -o "$WORK/back.wav" >/dev/null
cmp "$WORK/call.wav" "$WORK/back.wav" || fail "changed"
as contact list --tenant demo --json | jq -r '.recordings[] | select(.state == "ended") | .id' | while read -r id; do
  as contact fetch "$id" --purpose quality -o "$WORK/each.wav" >/dev/null || exit 1
  cmp "$WORK/call.wav" "$WORK/each.wav" || exit 1
done || fail "an ended recording does not read back"
ok "when there is room again it takes recordings, and what was ended reads back"
