/*
 * job.h - one export, from frames in to age out. Each mode in a file of its own.
 */
#ifndef VAULT_EXPORTER_JOB_H
#define VAULT_EXPORTER_JOB_H

#include <vault/error.h>
#include "exporter/frames.h"
#include "exporter/keys.h"
#include "exporter/seal.h"
#include "ipc/message.h"

struct job {
	struct ipc_job order;        /* as the keeper gave it */
	struct keys *keys;
	struct seal *seal;
	struct frames *frames;
	int in_fd;
	uint32_t items;              /* recordings or rows given out */
};

/* The next frame from in_fd; VAULT_E_EOF at an orderly end of input. */
VAULT_NODISCARD vault_err job_frame(struct job *j, struct frame_view *v);

/* media.c: a recording in the wanted format. meta.c: rows with their personal fields. check.c: authenticate only. */
VAULT_NODISCARD vault_err job_media(struct job *j);
VAULT_NODISCARD vault_err job_metadata(struct job *j);
VAULT_NODISCARD vault_err job_authenticate(struct job *j);

#endif
