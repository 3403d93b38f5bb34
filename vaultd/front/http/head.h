/*
 * head.h - finds the end of a request's head, byte by byte, and holds it to the
 * strict form before any parser sees it: every line ends with CRLF, no bare CR
 * or LF, no control character, no folded line, bounded length and count.
 */
#ifndef VAULT_FRONT_HTTP_HEAD_H
#define VAULT_FRONT_HTTP_HEAD_H

#include <stddef.h>
#include <stdint.h>

enum head_result { HEAD_MORE, HEAD_WHOLE, HEAD_BAD, HEAD_LARGE };

struct head_scan {
	uint8_t at;                  /* enum of head.c */
	uint32_t lines;              /* finished, the request line included */
	uint32_t bytes;
};

void head_begin(struct head_scan *h);
/* *skip: empty lines in front, to be dropped; *used: bytes behind them that belong to the head. */
enum head_result head_feed(struct head_scan *h, const uint8_t *data, size_t n, size_t *skip, size_t *used);

#endif
