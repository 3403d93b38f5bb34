#!/usr/bin/env bash
# What vaultd refuses to start on, and how it says so: permissions (R33), a second
# daemon, a wrong passphrase, a corrupt key store, a corrupt index (P8), a cut
# audit log (R35).
source "$(dirname "$0")/lib.sh"
vault_start
speech 2 "$WORK/call.wav"
for n in 1 2 3; do put "$WORK/call.wav" demo "call-$n.wav" >/dev/null; done
sleep 1.5
as contact list --tenant demo --json | jq -S '.recordings' >"$WORK/rows.before"
if timeout 30 vaultd -c "$DIR/vaultd.ini" >"$WORK/second.log" 2>&1; then fail "a second daemon started"; fi
grep -q 'another vaultd' "$WORK/second.log" || fail "second daemon: $(cat "$WORK/second.log")"
ok "a second daemon on the directory is refused"
vault_stop || fail "did not stop in order"

refuses() { # LABEL PATTERN
  if timeout 60 vaultd -c "$DIR/vaultd.ini" >"$WORK/refused.log" 2>&1; then fail "$1: it started"; fi
  grep -qE "$2" "$WORK/refused.log" || fail "$1: no '$2' in: $(cat "$WORK/refused.log")"
  ok "$1: $(grep -m1 -E "$2" "$WORK/refused.log")"
}
for root in keys root media index; do
  chmod 750 "$DIR/$root"
  refuses "over-permissive $root (R33)" 'chmod go-rwx'
  chmod 700 "$DIR/$root"
done
cp -a "$DIR/keys" "$WORK/keys.good"
mv "$DIR/root" "$DIR/root.away"
refuses "a missing root" 'root directory'
mv "$DIR/root.away" "$DIR/root"
/usr/bin/python3 - "$DIR/keys/data.mdb" <<'P'
import sys
f = open(sys.argv[1], 'r+b'); f.seek(0); f.write(b'\xff' * 8192)
P
refuses "a corrupt key store" 'key store|keys'
rm -rf "$DIR/keys" && cp -a "$WORK/keys.good" "$DIR/keys"

cp -a "$DIR/audit" "$WORK/audit.good"
find "$DIR/audit" -type f -size +0 -name 'journal*' -exec truncate -s 10 {} \;
refuses "a cut audit log (R35)" 'audit'
rm -rf "$DIR/audit" && cp -a "$WORK/audit.good" "$DIR/audit"

/usr/bin/python3 - "$DIR/index/data.mdb" <<'P'
import sys
f = open(sys.argv[1], 'r+b'); f.seek(0); f.write(b'\xee' * 8192)
P
refuses "a corrupt index" 'index'
grep -q 'rebuild' "$WORK/refused.log" || fail "no hint how to rebuild: $(cat "$WORK/refused.log")"
vaultctl index rebuild --config "$DIR/vaultd.ini" >"$WORK/rebuild.log" 2>&1 || fail "rebuild: $(cat "$WORK/rebuild.log")"
vault_start
as contact list --tenant demo --json | jq -S '.recordings' >"$WORK/rows.after"
cmp "$WORK/rows.before" "$WORK/rows.after" || fail "the rebuilt index differs: $(diff "$WORK/rows.before" "$WORK/rows.after" | head -n 20)"
id=$(jq -r '.[0].id' "$WORK/rows.after")
as contact fetch "$id" --purpose quality -o "$WORK/back.wav" >/dev/null
cmp "$WORK/call.wav" "$WORK/back.wav" || fail "changed after the rebuild"
ok "the index is rebuilt from the volumes and is the same (P8)"
vault_stop || true
rm -rf "$DIR/index"/*
vault_start
wait_for 10 as contact fetch "$id" --purpose quality -o "$WORK/back2.wav" || fail "an empty index was not caught up"
ok "an emptied index is caught up at start"
vault_stop || true

printf 'a long passphrase\n' >"$WORK/pass"; chmod 600 "$WORK/pass"
mkdir "$WORK/p"; cp -a "$DIR/tls" "$WORK/p/"
sed "s#^\[retention\]#[keys]\npassphrase_file = $WORK/pass\n\n[retention]#; s#^https = .*#https = 127.0.0.1:$(free_port)#; s#^ops = .*#ops = 127.0.0.1:$(free_port)#" "$DIR/vaultd.ini" >"$WORK/p/vaultd.ini"
vaultd --init -c "$WORK/p/vaultd.ini" >"$WORK/init.log" 2>&1 || fail "init: $(cat "$WORK/init.log")"
vaultd --check -c "$WORK/p/vaultd.ini" >/dev/null || fail "--check"
DIR=$WORK/p
printf 'another passphrase\n' >"$WORK/pass"
refuses "a wrong passphrase" 'passphrase'
chmod 644 "$WORK/pass"
refuses "an open passphrase file" 'chmod 600'
printf '[vault]\nmedia = x\nmedai = y\n' >"$WORK/bad.ini"
if vaultd --check -c "$WORK/bad.ini" 2>"$WORK/err"; then fail "a mistyped key was accepted"; fi
grep -q 'bad.ini:3: unknown key medai' "$WORK/err" || fail "config error: $(cat "$WORK/err")"
ok "a mistyped key is named with its line"
