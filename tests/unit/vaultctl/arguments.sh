#!/usr/bin/env bash
# arguments.sh VAULTCTL: exit codes, help and local files of the program itself; no vault.
set -uo pipefail
ctl=${1:?usage: arguments.sh VAULTCTL}
work=$(mktemp -d "${TMPDIR:-/tmp}/vaultctl-arguments.XXXXXX")
trap 'rm -rf "$work"' EXIT
export HOME=$work/home XDG_CONFIG_HOME=$work/config XDG_STATE_HOME=$work/state
unset VAULT_PROFILE VAULT_PROFILE_DIR
cd "$work" || exit 1
failed=0
expect() { # CODE WORD arguments...: exit code, and a word of what it says
  local code=$1 word=$2 out got
  shift 2
  out=$("$ctl" "$@" 2>&1 </dev/null)
  got=$?
  if [ "$got" != "$code" ] || ! grep -qF -- "$word" <<<"$out"; then
    printf 'vaultctl %s\n  expected %s and "%s", got %s: %s\n' "$*" "$code" "$word" "$got" "$out"
    failed=1
  fi
}

expect 0 'vaultctl 0.' --version
expect 0 'Exit codes' --help
expect 2 'usage:'
expect 2 'no command' frobnicate
expect 2 'tenant add' tenant
while read -r name; do
  # shellcheck disable=SC2086
  expect 0 "usage: vaultctl $name" help $name
  # shellcheck disable=SC2086
  expect 0 'Global options' $name --help
done < <("$ctl" --list-commands)

expect 2 'which vault' status
expect 2 'unknown option' status --frob
expect 2 'exclude' --url https://a --socket b status
expect 2 'https://' --url http://127.0.0.1:1 --key none audit verify
expect 2 'there is no profile' --profile nobody status
expect 2 'letters' --profile ../x status

expect 2 '-o FILE' key new --role contact
expect 2 'a role is' key new -o x.key --role king
expect 0 'VAULT-PUBLIC-1 contact' key new -o me.key --role contact
[ "$(stat -c %a me.key)" = 600 ] || { echo "a private key with mode $(stat -c %a me.key)"; failed=1; }
expect 6 'exists already' key new -o me.key --role contact
expect 0 "$(cut -d' ' -f3 me.pub)" key show me.key
expect 0 "$(cat me.pub)" key show me.pub
expect 6 'no key file' key show none.key
echo nothing >nothing && chmod 600 nothing
expect 6 'is not a key file' key show nothing
expect 0 '"role":"contact"' key show me.key --json
expect 0 'Identity' key identity me.key -o me.identity
grep -q '^AGE-SECRET-KEY-1' me.identity && [ "$(stat -c %a me.identity)" = 600 ] || { echo "no identity"; failed=1; }
expect 6 'exists already' key identity me.key -o me.identity
chmod 644 me.key
expect 6 'chmod 600' key show me.key
chmod 600 me.key

printf 'a long passphrase\n' >pass
expect 6 'chmod 600' key new -o locked.key --role dpo --pass-file pass
chmod 600 pass
expect 0 'VAULT-PUBLIC-1 dpo' key new -o locked.key --role dpo --pass-file pass
grep -q ARGON2ID locked.key || { echo "the key is not locked"; failed=1; }
expect 0 'role    dpo' key show locked.key --pass-file pass
printf 'another\n' >wrong && chmod 600 wrong
expect 6 'wrong passphrase' key show locked.key --pass-file wrong

expect 2 'where is the vault' profile add office
expect 0 'is kept' profile add office --url https://127.0.0.1:1 --key me.key --tenant demo
expect 0 'office' profile list
expect 3 'Is vaultd running' list
expect 3 'cannot reach the vault' --socket "$work/none.sock" --key me.key status
expect 2 'voice or video' retention set demo sound P90D
expect 2 'ISO 8601' retention set voice 90
expect 2 'recording id' fetch nonsense -o x --purpose p
expect 2 '--purpose' fetch 01890000-0000-7000-8000-000000000000 -o x
expect 2 '-o FILE' fetch 01890000-0000-7000-8000-000000000000 --purpose p
expect 2 'not behind' fetch 01890000-0000-7000-8000-000000000000 --purpose p -o x --from 2:00 --to 1:59
expect 2 'a time in the recording' fetch 01890000-0000-7000-8000-000000000000 --purpose p -o x --from 1:99
expect 2 '--yes' shred 01890000-0000-7000-8000-000000000000 --reason why
expect 2 'why?' shred 01890000-0000-7000-8000-000000000000 --yes
expect 0 'VAULT-PUBLIC-1 auditor' key new -o auditor.key --role auditor
expect 2 'only a contact' principal add auditor.pub --tenant demo
expect 2 'of role contact' principal add me.pub --role operator
expect 2 'no public line' principal add nothing
expect 2 '8 hex' approve 1234
expect 2 'a number' source revoke one
expect 2 'prove itself' source add
expect 2 'what?' verify
expect 6 'no volumes' verify --media "$work"
expect 2 'no verifier key' audit verify --dir "$work" --vkey none
expect 6 'no directory' demo-setup "$work/none"
[ ! -e x ] || { echo "a refused fetch left a file"; failed=1; }
exit "$failed"
