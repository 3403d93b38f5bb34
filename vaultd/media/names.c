/*
 * names.c - the words for containers and codecs, and their MIME types.
 *
 * Static tables; any thread.
 */
#include <string.h>
#include <strings.h>

#include "ipc/message.h"
#include "media/probe.h"

static const struct {
	const char *mime;
	uint8_t container;
	uint8_t media;
} mimes[] = {
	{"audio/ogg", CONTAINER_OGG, MEDIUM_VOICE},
	{"audio/opus", CONTAINER_OGG, MEDIUM_VOICE},
	{"audio/vorbis", CONTAINER_OGG, MEDIUM_VOICE},
	{"video/ogg", CONTAINER_OGG, MEDIUM_VIDEO},
	{"application/ogg", CONTAINER_OGG, 0},
	{"audio/wav", CONTAINER_WAV, MEDIUM_VOICE},
	{"audio/x-wav", CONTAINER_WAV, MEDIUM_VOICE},
	{"audio/wave", CONTAINER_WAV, MEDIUM_VOICE},
	{"audio/vnd.wave", CONTAINER_WAV, MEDIUM_VOICE},
	{"audio/webm", CONTAINER_WEBM, MEDIUM_VOICE},
	{"video/webm", CONTAINER_WEBM, MEDIUM_VIDEO},
	{"audio/x-matroska", CONTAINER_WEBM, MEDIUM_VOICE},
	{"video/x-matroska", CONTAINER_WEBM, MEDIUM_VIDEO},
	{"audio/matroska", CONTAINER_WEBM, MEDIUM_VOICE},
	{"video/matroska", CONTAINER_WEBM, MEDIUM_VIDEO},
	{"audio/mp4", CONTAINER_MP4, MEDIUM_VOICE},
	{"audio/x-m4a", CONTAINER_MP4, MEDIUM_VOICE},
	{"video/mp4", CONTAINER_MP4, MEDIUM_VIDEO},
	{"video/quicktime", CONTAINER_MP4, MEDIUM_VIDEO},
	{"application/mp4", CONTAINER_MP4, 0},
};

enum container container_of_mime(const char *mime, size_t n, uint8_t *declared_media)
{
	size_t len = 0;

	*declared_media = 0;
	while (n > 0 && (*mime == ' ' || *mime == '\t')) {
		mime++;
		n--;
	}
	/* Parameters (;codecs=...) claim nothing that is checked here. */
	while (len < n && mime[len] != ';' && mime[len] != ' ' && mime[len] != '\t')
		len++;
	for (size_t i = 0; i < sizeof(mimes) / sizeof(mimes[0]); i++) {
		if (strlen(mimes[i].mime) == len && strncasecmp(mimes[i].mime, mime, len) == 0) {
			*declared_media = mimes[i].media;
			return (enum container)mimes[i].container;
		}
	}
	return CONTAINER_NONE;
}

const char *container_name(enum container c)
{
	static const char *const names[] = {"none", "ogg", "wav", "webm", "mp4"};

	return (size_t)c < sizeof(names) / sizeof(names[0]) ? names[c] : "none";
}

static const char *const codecs[] = {"unknown", "pcm-s16le", "pcm", "pcmu", "pcma", "opus", "vorbis", "aac", "mp3",
	"flac", "speex", "vp8", "vp9", "av1", "h264", "h265", "theora", "audio", "video"};

const char *codec_name(enum codec c)
{
	return (size_t)c < sizeof(codecs) / sizeof(codecs[0]) ? codecs[c] : "unknown";
}

bool codec_is_video(enum codec c)
{
	switch (c) {
	case CODEC_VP8:
	case CODEC_VP9:
	case CODEC_AV1:
	case CODEC_H264:
	case CODEC_H265:
	case CODEC_THEORA:
	case CODEC_OTHER_VIDEO:
		return true;
	default:
		return false;
	}
}
