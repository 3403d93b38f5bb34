# lib.sh - what every integration test starts from. Source it, then call vault_start.
#
#   BIN   directory of the programs under test (first argument of the test)
#   WORK  a directory of this test's own, removed at the end
#   DIR   the vault's directory; URL its https address; CA its certificate
#
# A test prints a line for each thing it checked and ends with exit 0, or calls
# fail. Nothing is measured by time; every wait has a bound.
# shellcheck shell=bash disable=SC2034,SC2120
set -euo pipefail

BIN=$(cd "${1:?usage: TEST BIN_DIRECTORY}" && pwd)
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
DATA=$HERE/../data
WORK=$(mktemp -d "${TMPDIR:-/tmp}/vault-test.XXXXXX")
VAULT_PID=''
PATH=$BIN:$PATH
# The leak checker of a sanitizer build traces its own process, which the sandboxes forbid.
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=0}

exec 9>&2   # where a failure is told, whatever the caller did with standard error
fail() {
  {
    printf 'FAIL: %s\n' "$*"
    if [ -f "$WORK/vaultd.log" ]; then
      echo '--- the vault said:'
      tail -n 25 "$WORK/vaultd.log"
    fi
  } >&9
  exit 1
}
ok() { printf 'ok: %s\n' "$*"; }

free_port() { /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# wait_for SECONDS COMMAND...: until it succeeds.
wait_for() {
  local tries=$(($1 * 10))
  shift
  while ! "$@" >/dev/null 2>&1; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || return 1
    sleep 0.1
  done
}

# vault_start [vaultd arguments]: a demo vault, ready and set up.
vault_start() {
  DIR=${DIR:-$WORK/vault}
  : "${PORT:=$(free_port)}" "${OPS:=$(free_port)}"
  URL=https://127.0.0.1:$PORT
  CA=$DIR/tls/certificate.pem
  vaultd --dev "$DIR" --https "127.0.0.1:$PORT" --ops "127.0.0.1:$OPS" "$@" >>"$WORK/vaultd.log" 2>&1 &
  VAULT_PID=$!
  wait_for 60 vault_is_ready || fail "the vault is not ready after a minute"
  SECRET=$(cat "$DIR/demo/source.secret")
  VAULT_ID=$(http -f "$URL/v1/vault" | jq -r .vault)
  export VAULT_PROFILE_DIR=$DIR/demo/profiles
}
vault_is_ready() {
  kill -0 "$VAULT_PID" 2>/dev/null || fail "vaultd ended at start"
  [ -e "$DIR/demo/ready" ] && curl -sf "http://127.0.0.1:$OPS/readyz"
}
vault_stop() { # [signal]
  [ -n "$VAULT_PID" ] || return 0
  kill "-${1:-TERM}" "$VAULT_PID" 2>/dev/null || true
  local status=0
  wait "$VAULT_PID" || status=$?
  VAULT_PID=''
  return "$status"
}
# Ends the whole vault as a power cut would: no part gets to say goodbye.
vault_kill() {
  local pids
  pids=$(pgrep -P "$VAULT_PID" || true)
  # shellcheck disable=SC2086
  kill -KILL "$VAULT_PID" $pids 2>/dev/null || true
  wait "$VAULT_PID" 2>/dev/null || true
  VAULT_PID=''
}

cleanup() {
  local status=$?
  vault_stop >/dev/null 2>&1 || true
  [ "${KEEP:-}" = 1 ] || rm -rf "$WORK"
  exit "$status"
}
trap cleanup EXIT

# as PROFILE vaultctl-arguments...
as() {
  local profile=$1
  shift
  vaultctl --profile "$profile" "$@"
}
http() { curl -sS --cacert "$CA" --max-time 60 "$@"; }
# put FILE TENANT [NAME?QUERY] [curl arguments]: prints the answer, then the status alone on a line.
put() {
  local file=$1 tenant=$2 rest=${3:-}
  shift $(($# < 3 ? $# : 3))
  http -T "$file" -H "Authorization: Bearer $SECRET" -w '\n%{http_code}\n' "$@" \
    "$URL/v1/tenants/$tenant/recordings${rest:+${rest/#[^?]/\/${rest:0:1}}}"
}
status_of() { tail -n 1; }
# expect_status WANT TEXT (output of put)
expect_status() {
  local got
  got=$(tail -n 1 <<<"$2")
  [ "$got" = "$1" ] || fail "expected status $1, got: $2"
}
expect_problem() { # NAME OUTPUT
  [ "$(head -n 1 <<<"$2" | jq -r .title 2>/dev/null)" = "$1" ] || fail "expected the problem $1, got: $2"
}

# speech SECONDS FILE.wav: spoken words, 8 kHz mono.
speech() {
  espeak-ng -v en -w "$WORK/speech.tmp.wav" "This call is recorded. The quick brown fox jumps over the lazy dog, one two three four five." >/dev/null 2>&1
  ffmpeg -nostdin -loglevel error -y -stream_loop -1 -i "$WORK/speech.tmp.wav" -t "$1" -ar 8000 -ac 1 -c:a pcm_s16le "$2"
}
