/*
 * buffer_pool.c - plaintext buffers, recycled by size class.
 *
 * A buffer knows its class from a header in front of its bytes, so that it is
 * wiped as a whole however much of it was used.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "front/store/pool.h"

#define SMALLEST 4096u
#define HEADER 64u

struct pool_buffer {
	struct pool_buffer *next;
	unsigned class;
};

_Static_assert(sizeof(struct pool_buffer) <= HEADER, "the header is in front of the bytes");

static size_t class_bytes(unsigned class)
{
	return (size_t)SMALLEST << class;
}

vault_err buffer_pool_init(struct buffer_pool *p)
{
	memset(p, 0, sizeof *p);
	return uv_mutex_init(&p->lock) == 0 ? VAULT_OK : VAULT_E_NOMEM;
}

void buffer_pool_destroy(struct buffer_pool *p)
{
	for (unsigned class = 0; class < POOL_CLASSES; class++) {
		while (p->idle[class] != NULL) {
			struct pool_buffer *b = p->idle[class];
			p->idle[class] = b->next;
			free(b);             /* was wiped when it was given back */
		}
	}
	uv_mutex_destroy(&p->lock);
}

uint8_t *buffer_pool_take(struct buffer_pool *p, size_t n)
{
	unsigned class = 0;

	while (class < POOL_CLASSES && class_bytes(class) < n)
		class++;
	if (n == 0 || class == POOL_CLASSES)
		return NULL;
	uv_mutex_lock(&p->lock);
	struct pool_buffer *b = p->idle[class];
	if (b != NULL) {
		p->idle[class] = b->next;
		p->kept -= class_bytes(class);
	}
	uv_mutex_unlock(&p->lock);
	if (b == NULL) {
		b = aligned_alloc(HEADER, HEADER + class_bytes(class));
		if (b == NULL)
			return NULL;
		memset(b, 0, HEADER + class_bytes(class));
		b->class = class;
	}
	b->next = NULL;
	return (uint8_t *)b + HEADER;
}

void buffer_pool_give(struct buffer_pool *p, uint8_t *data)
{
	if (data == NULL)
		return;
	struct pool_buffer *b = (struct pool_buffer *)(void *)(data - HEADER);
	size_t n = class_bytes(b->class);
	secret_wipe(data, n);
	uv_mutex_lock(&p->lock);
	bool keep = p->kept + n <= POOL_KEEP;
	if (keep) {
		b->next = p->idle[b->class];
		p->idle[b->class] = b;
		p->kept += n;
	}
	uv_mutex_unlock(&p->lock);
	if (!keep)
		free(b);
}
