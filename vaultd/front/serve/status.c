/*
 * status.c - see status.h.
 */
#include "front/serve/status.h"

#include <inttypes.h>

#include "sandbox/sandbox.h"

json_t *status_complete(const json_t *status, const struct status_numbers *n)
{
	char protections[256];
	sandbox_describe(n->protections, protections, sizeof(protections));
	json_t *out = json_deep_copy(status);
	json_t *front = json_pack("{s:s, s:I, s:I, s:I, s:I, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
	    "protections", protections, "uptime_ms", (json_int_t)n->uptime_ms, "streams", (json_int_t)n->streams,
	    "connections", (json_int_t)n->connections, "queued", (json_int_t)n->queued, "full", n->full, "ready", n->ready,
	    "exports", (json_int_t)n->exports, "recordings", (json_int_t)n->recordings, "damaged", (json_int_t)n->damaged,
	    "dropped", (json_int_t)n->dropped, "freed_bytes", (json_int_t)n->freed_bytes, "bytes_in",
	    (json_int_t)n->bytes_in, "opened", (json_int_t)n->opened, "refused", (json_int_t)n->refused, "truncated",
	    (json_int_t)n->truncated);
	if (out == NULL || front == NULL || json_object_set_new(out, "front", front) < 0) {
		json_decref(out);
		return NULL;
	}
	return out;
}

struct metric {
	const char *name, *kind, *help;
	uint64_t value;
};

vault_err status_metrics(const struct status_numbers *n, struct buf *out)
{
	const struct metric metrics[] = {
	    {"vault_ready", "gauge", "1 when the vault takes requests.", n->ready ? 1 : 0},
	    {"vault_disk_full", "gauge", "1 while nothing can be written.", n->full ? 1 : 0},
	    {"vault_uptime_seconds", "counter", "Seconds since the front started.", n->uptime_ms / 1000},
	    {"vault_connections", "gauge", "Open connections.", n->connections},
	    {"vault_streams", "gauge", "Recordings that are arriving.", n->streams},
	    {"vault_exports", "gauge", "Retrievals that are running.", n->exports},
	    {"vault_queued_bytes", "gauge", "Bytes that wait for the disk.", n->queued},
	    {"vault_recordings", "gauge", "Recordings in the index.", n->recordings},
	    {"vault_damaged_places", "gauge", "Places in the volumes that do not check.", n->damaged},
	    {"vault_durable_bytes_total", "counter", "Recorded bytes made durable.", n->bytes_in},
	    {"vault_recordings_opened_total", "counter", "Recordings begun.", n->opened},
	    {"vault_recordings_ended_total", "counter", "Recordings ended in order.", n->ended},
	    {"vault_recordings_truncated_total", "counter", "Recordings whose sender was lost.", n->truncated},
	    {"vault_recordings_refused_total", "counter", "Recordings refused.", n->refused},
	    {"vault_recordings_forgotten_total", "counter", "Recordings whose rows were dropped.", n->dropped},
	    {"vault_freed_bytes_total", "counter", "Bytes given back to the file system.", n->freed_bytes},
	};
	vault_err err = VAULT_OK;
	for (size_t i = 0; err == VAULT_OK && i < sizeof(metrics) / sizeof(metrics[0]); i++)
		err = buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %" PRIu64 "\n", metrics[i].name, metrics[i].help,
		    metrics[i].name, metrics[i].kind, metrics[i].name, metrics[i].value);
	return err;
}
