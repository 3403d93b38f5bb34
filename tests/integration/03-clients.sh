#!/usr/bin/env bash
# The media servers people run, as they are: ffmpeg, GStreamer, curl.
source "$(dirname "$0")/lib.sh"
vault_start
speech 4 "$WORK/call.wav"
auth="Authorization: Bearer $SECRET"

send() { # NAME FORMAT ffmpeg-output-arguments...
  local name=$1; shift
  ffmpeg -nostdin -loglevel error -i "$WORK/call.wav" "$@" -method PUT -tls_verify 1 -ca_file "$CA" -headers "$auth"$'\r\n' \
    "$URL/v1/tenants/demo/recordings/$name"
}
send voice.ogg -c:a libopus -f ogg || fail "ffmpeg ogg"
send voice.wav -c:a pcm_s16le -f wav || fail "ffmpeg wav to a pipe"
send mulaw.wav -c:a pcm_mulaw -f wav || fail "ffmpeg mulaw"
send voice.mka -c:a libopus -f matroska || fail "ffmpeg matroska"
ffmpeg -nostdin -loglevel error -f lavfi -i testsrc2=size=160x120:rate=10:duration=3 -c:v libx264 -f mp4 -movflags frag_keyframe+empty_moov \
  -method POST -tls_verify 1 -ca_file "$CA" -headers "$auth"$'\r\n' "$URL/v1/tenants/demo/recordings/video.mp4" || fail "ffmpeg mp4"
ffmpeg -nostdin -loglevel error -f lavfi -i testsrc2=size=160x120:rate=10:duration=3 -c:v libvpx -f webm \
  -method POST -tls_verify 1 -ca_file "$CA" "${URL/https:\/\//https://any:$SECRET@}/v1/tenants/demo/recordings/video.webm" || fail "ffmpeg with user:pass@ (Expect, 401, Basic)"
ok "ffmpeg: ogg, wav, mu-law, matroska, mp4, webm"

if ffmpeg -nostdin -loglevel error -re -stream_loop -1 -t 30 -i "$WORK/call.wav" -c:a libopus -page_duration 20000 -f ogg -method PUT -tls_verify 1 -ca_file "$CA" \
  -headers "$auth"$'\r\n' "$URL/v1/tenants/silent/recordings/no.ogg" 2>/dev/null; then fail "ffmpeg did not notice the refusal"; fi
ok "ffmpeg notices a refusal because the connection is cut"

# Debian's libcurl refuses curlhttpsink's TLS engine, so socat does the TLS for it.
plain=$(free_port)
socat "TCP-LISTEN:$plain,bind=127.0.0.1,reuseaddr,fork" "OPENSSL:127.0.0.1:$PORT,cafile=$CA,commonname=localhost" 2>"$WORK/socat.log" &
socat=$!
listens() { nc -z 127.0.0.1 "$plain"; }
wait_for 10 listens || fail "socat: $(cat "$WORK/socat.log")"
gst-launch-1.0 -q filesrc location="$WORK/call.wav" ! curlhttpsink location="http://127.0.0.1:$plain/v1/tenants/demo/recordings/gst.wav" \
  user=any passwd="$SECRET" use-content-length=false content-type=audio/x-wav >"$WORK/gst.log" 2>&1 || fail "curlhttpsink: $(tail -n 3 "$WORK/gst.log")"
gst_taken() { as contact list --tenant demo --json | jq -e "[.recordings[] | select(.bytes == $(stat -c %s "$WORK/call.wav") and .state == \"ended\")] | length > 0"; }
wait_for 10 gst_taken || fail "what curlhttpsink sent is not there"
kill "$socat"
ok "GStreamer curlhttpsink"
if gst-launch-1.0 -q filesrc location="$WORK/call.wav" ! souphttpclientsink location="$URL/v1/tenants/demo/recordings/soup.wav" \
  user-id=any user-pw="$SECRET" ssl-strict=false >"$WORK/soup.log" 2>&1 && ! grep -q 416 "$WORK/soup.log"; then fail "souphttpclientsink did not notice: $(cat "$WORK/soup.log")"; fi
out=$(http -T "$WORK/call.wav" -H "$auth" -H 'Content-Range: bytes 160-319/*' -w '\n%{http_code}\n' "$URL/v1/tenants/demo/recordings/range.wav")
expect_status 416 "$out"; expect_problem range_not_supported "$out"
ok "a PUT with Content-Range gets a clear 4xx, and souphttpclientsink notices"

sleep 1.5
as contact list --tenant demo --json >"$WORK/rows"
[ "$(jq '.recordings | length' "$WORK/rows")" -ge 6 ] || fail "rows: $(cat "$WORK/rows")"
for id in $(jq -r '.recordings[].id' "$WORK/rows"); do
  as contact fetch "$id" --purpose quality -o "$WORK/back" >/dev/null || fail "fetch $id"
  ffprobe -v error -show_entries stream=codec_name -of csv=p=0 "$WORK/back" >/dev/null || fail "ffprobe refuses $id"
  rm "$WORK/back"
done
ok "every one comes back and ffprobe reads it"

ogg=$(jq -r '[.recordings[] | select(.container == "ogg")][0].id' "$WORK/rows")
as contact fetch "$ogg" --purpose quality --format wav -o "$WORK/o.wav" >/dev/null
d=$(ffprobe -v error -show_entries format=duration -of csv=p=0 "$WORK/o.wav")
awk -v d="$d" 'BEGIN {exit !(d > 3.9 && d < 4.1)}' || fail "Ogg as WAV lasts $d s instead of 4"
as contact fetch "$ogg" --purpose quality --from 1 --to 3 -o "$WORK/part.ogg" >/dev/null
d=$(opusinfo "$WORK/part.ogg" | awk '/Playback length/ {print}')
grep -qE '0m:0[12]' <<<"$d" || fail "a range of two seconds lasts: $d"
wav=$(jq -r '[.recordings[] | select(.container == "wav")][0].id' "$WORK/rows")
as contact fetch "$wav" --purpose quality --from 1 --to 3 -o "$WORK/part.wav" >/dev/null
d=$(ffprobe -v error -show_entries format=duration -of csv=p=0 "$WORK/part.wav")
awk -v d="$d" 'BEGIN {exit !(d > 1.99 && d < 2.01)}' || fail "a range of two seconds lasts $d"
as contact fetch "$wav" --purpose quality --format ogg -o "$WORK/w.ogg" >/dev/null
[ "$(ffprobe -v error -show_entries stream=codec_name -of csv=p=0 "$WORK/w.ogg")" = opus ] || fail "WAV as Ogg is not Opus"
ok "conversion to WAV and Ogg, and time ranges"
