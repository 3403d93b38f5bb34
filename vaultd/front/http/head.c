/*
 * head.c - see head.h. Pure state machine.
 */
#include "front/http/head.h"

#include <stdbool.h>
#include <string.h>

#include "front/http/request.h"

#define EMPTY_LINES_MAX 2u

enum at { AT_FRONT, AT_FRONT_CR, AT_LINE, AT_LINE_CR, AT_START, AT_LAST_CR };

void head_begin(struct head_scan *h)
{
	memset(h, 0, sizeof(*h));
}

/* Empty lines before the request line (RFC 9112, 2.2). Returns how many bytes they take. */
static size_t front_lines(struct head_scan *h, const uint8_t *data, size_t n)
{
	size_t i = 0;

	while (i < n && (h->at == AT_FRONT || h->at == AT_FRONT_CR)) {
		if (h->at == AT_FRONT && data[i] == '\r' && h->lines < EMPTY_LINES_MAX) {
			h->at = AT_FRONT_CR;
		} else if (h->at == AT_FRONT_CR && data[i] == '\n') {
			h->at = AT_FRONT;
			h->lines++;
		} else {
			break;
		}
		i++;
	}
	return i;
}

static bool in_line(struct head_scan *h, uint8_t c)
{
	if (c == '\r') {
		h->at = AT_LINE_CR;
		return true;
	}
	h->at = AT_LINE;
	return (c >= 0x20 || c == '\t') && c != 0x7f;
}

/* false: the form is broken. */
static bool step(struct head_scan *h, uint8_t c)
{
	switch (h->at) {
	case AT_LINE:
		return in_line(h, c);
	case AT_LINE_CR:
		h->at = AT_START;
		h->lines++;
		return c == '\n';
	case AT_START:
		if (c == '\r') {
			h->at = AT_LAST_CR;
			return true;
		}
		return c != ' ' && c != '\t' && in_line(h, c);
	default:
		return false;
	}
}

enum head_result head_feed(struct head_scan *h, const uint8_t *data, size_t n, size_t *skip, size_t *used)
{
	size_t i;

	*used = 0;
	*skip = front_lines(h, data, n);
	if (h->at == AT_FRONT_CR && *skip < n)
		return HEAD_BAD;
	if (*skip == n)
		return HEAD_MORE;
	if (h->at == AT_FRONT) {
		if (data[*skip] == '\r')
			return HEAD_BAD;
		h->lines = 0;
		h->at = AT_LINE;
	}
	for (i = *skip; i < n; i++) {
		if (++h->bytes > HTTP_HEAD_MAX || h->lines > HTTP_FIELDS_MAX + 1)
			return HEAD_LARGE;
		if (h->at == AT_LAST_CR) {
			*used = i + 1 - *skip;
			return data[i] == '\n' ? HEAD_WHOLE : HEAD_BAD;
		}
		if (!step(h, data[i]))
			return HEAD_BAD;
	}
	*used = i - *skip;
	return HEAD_MORE;
}
