/*
 * list.h - an intrusive, circular, doubly linked list; private to ingest/.
 *
 * A link that is in no list points at itself, so that removing it is always
 * allowed.
 */
#ifndef VAULT_FRONT_INGEST_LIST_H
#define VAULT_FRONT_INGEST_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct link {
	struct link *prev, *next;
};

#define LINK_OF(l, type, member) ((type *)(void *)((char *)(l) - offsetof(type, member)))

static inline void link_init(struct link *l)
{
	l->prev = l->next = l;
}

static inline bool link_alone(const struct link *l)
{
	return l->next == l;
}

static inline void link_remove(struct link *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	link_init(l);
}

/* At the end of the list; moved there when it is in one. */
static inline void link_append(struct link *list, struct link *l)
{
	link_remove(l);
	l->prev = list->prev;
	l->next = list;
	list->prev->next = l;
	list->prev = l;
}

/* All of list's members go to the empty list to. */
static inline void link_move(struct link *to, struct link *list)
{
	if (link_alone(list)) {
		link_init(to);
		return;
	}
	to->next = list->next;
	to->prev = list->prev;
	to->next->prev = to;
	to->prev->next = to;
	link_init(list);
}

#endif
