/*
 * fill.c - makes a stopped vault big: N recordings in its key store and in its
 * index, without media, for measurements of what only size brings out.
 *
 * fill DIR TENANT N EXPIRES_IN_SECONDS
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/secret.h"
#include "front/index/index.h"
#include "ipc/message.h"
#include "keeper/key_tree.h"
#include "media/probe.h"

#define PER_COMMIT 20000u

static void die(const char *what, vault_err err)
{
	(void)fprintf(stderr, "fill: %s: %s\n", what, vault_strerror(err));
	exit(1);
}

static int open_dir(const char *base, const char *name)
{
	char path[4096];
	(void)snprintf(path, sizeof(path), "%s/%s", base, name);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		die(path, vault_err_from_errno(errno));
	return fd;
}

static struct tree *open_tree(const char *dir)
{
	struct tree *tree = NULL;
	const char *why = NULL;
	const struct tree_options o = {.keys_fd = open_dir(dir, "keys"), .root_fd = open_dir(dir, "root"),
	    .allow_cow = true, .now_ms = clock_wall_ms()};
	vault_err err = tree_open(&tree, &o, &why);
	if (err != VAULT_OK)
		die(why != NULL ? why : "keys", err);
	return tree;
}

static void fill_row(struct index_row *row, const struct tree_item *item, const char *tenant)
{
	*row = (struct index_row){.id = item->id, .media = MEDIUM_VOICE, .container = CONTAINER_WAV, .state = ROW_ENDED,
	    .n_tracks = 1, .source = 1, .policy = 1, .segments = 1, .start_ms = vault_id_time_ms(&item->id),
	    .expires_s = item->expires_s, .bytes = item->bytes, .duration_us = 3000000};
	row->track[0] = (struct index_track){.medium = MEDIUM_VOICE, .codec = CODEC_PCM_S16LE, .channels = 1, .rate = 8000};
	(void)snprintf(row->tenant, sizeof(row->tenant), "%s", tenant);
}

int main(int argc, char **argv)
{
	if (argc != 5) {
		(void)fprintf(stderr, "usage: fill DIR TENANT N EXPIRES_IN_SECONDS\n");
		return 2;
	}
	clock_init();
	if (secret_setup() != VAULT_OK)
		return 1;
	const char *tenant = argv[2];
	const unsigned long n = strtoul(argv[3], NULL, 10);
	const uint64_t now = clock_wall_ms(), expires = now / 1000 + strtoul(argv[4], NULL, 10);
	struct tree *tree = open_tree(argv[1]);
	struct index *index = NULL;
	struct tree_secret *secret = secret_alloc(sizeof(*secret));
	vault_err err = index_open(&index, open_dir(argv[1], "index"), tree_vault_id(tree));
	if (err != VAULT_OK || secret == NULL)
		die("index", err);
	uint32_t number = 0;
	for (unsigned long i = 0; i < n;) {
		err = tree_begin(tree);
		if (err == VAULT_OK)
			err = tree_tenant_find(tree, tenant, &number);
		if (err == VAULT_OK)
			err = index_begin(index);
		for (unsigned k = 0; err == VAULT_OK && k < PER_COMMIT && i < n; k++, i++) {
			/* in order over half a day before and behind now, so that what is uploaded next lies among them */
			struct tree_item item = {.id = vault_id_new(now - 43200000 + i * 86400000 / n), .tenant = number,
			    .expires_s = expires, .policy = 1, .media = MEDIUM_VOICE, .flags = ITEM_ENDED, .segments = 1,
			    .bytes = 48000, .source = 1};
			struct index_row row;
			memset(secret, 0, sizeof(*secret));
			err = tree_item_add(tree, &item, secret);
			fill_row(&row, &item, tenant);
			if (err == VAULT_OK)
				err = index_put(index, &row);
		}
		if (err == VAULT_OK)
			err = tree_commit(tree);
		if (err == VAULT_OK)
			err = index_commit(index);
		if (err != VAULT_OK)
			die("fill", err);
	}
	secret_free(secret);
	index_close(index);
	tree_close(tree);
	(void)printf("%lu recordings\n", n);
	return 0;
}
