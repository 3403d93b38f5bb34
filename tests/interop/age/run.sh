#!/usr/bin/env bash
# The vault's age streams against Debian's age, in both directions, at the sizes
# where chunks begin and end; damage must be refused by both.
#   run.sh AGE_TOOL
set -euo pipefail
tool=$1
command -v age >/dev/null && command -v age-keygen >/dev/null || { echo "FAILED: install age (./bootstrap test does)" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() { echo "FAILED: $*" >&2; exit 1; }

new_key() {
	age-keygen -o "$1" 2>/dev/null
	grep -o 'AGE-SECRET-KEY-1[A-Z0-9]*' "$1" >"$1.identity"
	age-keygen -y "$1" >"$1.recipient"
}
new_key one
new_key two
identity=$(cat one.identity) recipient=$(cat one.recipient) second=$(cat two.recipient)

for size in 0 1 65535 65536 65537 131072 5000000; do
	head -c "$size" /dev/urandom >plain
	"$tool" encrypt "$recipient" <plain >ours.age
	age -d -i one <ours.age >opened || fail "age cannot open ours at $size"
	cmp -s plain opened || fail "age opens ours differently at $size"
	age -r "$recipient" <plain >theirs.age
	"$tool" decrypt "$identity" <theirs.age >opened || fail "we cannot open age's at $size"
	cmp -s plain opened || fail "we open age's differently at $size"
	[ "$(stat -c %s ours.age)" = "$(stat -c %s theirs.age)" ] || fail "lengths differ at $size"
	# Cut anywhere, the file is refused.
	for cut in 1 16 17 65552; do
		length=$(($(stat -c %s theirs.age) - cut))
		[ "$length" -gt 0 ] || continue
		head -c "$length" theirs.age >cut.age
		"$tool" decrypt "$identity" <cut.age >opened 2>/dev/null && fail "we open a file of $size cut by $cut"
		cmp -s -n "$(stat -c %s opened)" plain opened || fail "unverified bytes from a file cut by $cut"
	done
	{ cat theirs.age; printf x; } >long.age
	"$tool" decrypt "$identity" <long.age >opened 2>/dev/null && fail "we open an extended file of $size"
done

# Several recipients, and stanzas of other kinds beside ours.
head -c 70000 /dev/urandom >plain
"$tool" encrypt "$second" "$recipient" <plain >ours.age
age -d -i one <ours.age | cmp -s - plain || fail "age cannot open ours as the second recipient"
age -d -i two <ours.age | cmp -s - plain || fail "age cannot open ours as the first recipient"
age -r "$second" -r "$recipient" <plain >theirs.age
"$tool" decrypt "$identity" <theirs.age | cmp -s - plain || fail "we cannot open age's with two recipients"
if command -v ssh-keygen >/dev/null; then
	ssh-keygen -q -t ed25519 -N '' -f ssh
	age -R ssh.pub -r "$recipient" <plain >theirs.age
	"$tool" decrypt "$identity" <theirs.age | cmp -s - plain || fail "we cannot open age's beside an SSH recipient"
	age -R ssh.pub <plain >theirs.age
	"$tool" decrypt "$identity" <theirs.age >opened 2>words && fail "we open a file that is not for us"
	grep -q 'not supported' words || fail "a file without an X25519 stanza is called $(cat words)"
fi
age -r "$second" <plain >theirs.age
"$tool" decrypt "$identity" <theirs.age >opened 2>/dev/null && fail "we open a file for somebody else"
[ ! -s opened ] || fail "bytes came out of a file for somebody else"

# age armour is another format and must be refused, not misread.
age -a -r "$recipient" <plain >theirs.age
"$tool" decrypt "$identity" <theirs.age >opened 2>/dev/null && fail "we open an armoured file"
echo "age interoperates"
