/*
 * api.c - see api.h. libcurl does the work; this file decides what is trusted
 * and turns every failure into one line with a next step.
 */
#include "api.h"

#include <curl/curl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#include "base/json.h"
#include "ctl.h"
#include "text.h"

#define CONNECT_SECONDS 10L
#define STALL_SECONDS 60L

struct api {
	CURL *curl;
	const struct profile *profile;
	char socket[PATH_MAX];
	char error[CURL_ERROR_SIZE];
};

/* One running request. */
struct transfer {
	struct api *api;
	const struct api_request *request;
	struct api_answer *answer;
	bool begun;
	int code;
};

static volatile sig_atomic_t interrupted;

void api_interrupt(void)
{
	interrupted = 1;
}

bool api_interrupted(void)
{
	return interrupted != 0;
}

/* A unix socket's name is at most 107 bytes; the real path may be shorter than the way it was written. */
static int set_socket(struct api *a)
{
	char *real = realpath(a->profile->socket, NULL);
	int n = snprintf(a->socket, sizeof(a->socket), "%s", real != NULL ? real : a->profile->socket);
	free(real);
	if (n < 0 || (size_t)n >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return ctl_fail(CTL_USAGE, "the socket's path is longer than 107 bytes: %s", a->profile->socket);
	return CTL_OK;
}

int api_open(struct api **out, const struct profile *p)
{
	*out = NULL;
	if (p->socket[0] == '\0' && strncasecmp(p->url, "https://", 8) != 0)
		return ctl_fail(CTL_USAGE, "the vault's address must begin with https:// (or use --socket)");
	struct api *a = calloc(1, sizeof(*a));
	if (a == NULL)
		return ctl_fail_local("memory", VAULT_E_NOMEM);
	a->profile = p;
	int code = p->socket[0] != '\0' ? set_socket(a) : CTL_OK;
	if (code == CTL_OK && (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || (a->curl = curl_easy_init()) == NULL))
		code = ctl_fail_local("libcurl", VAULT_E_NOMEM);
	if (code != CTL_OK) {
		free(a);
		return code;
	}
	*out = a;
	return CTL_OK;
}

void api_close(struct api *a)
{
	if (a == NULL)
		return;
	curl_easy_cleanup(a->curl);
	curl_global_cleanup();
	free(a);
}

void api_answer_free(struct api_answer *out)
{
	buf_free(&out->body);
}

static bool is_stream(struct transfer *t)
{
	const char *type = NULL;
	(void)curl_easy_getinfo(t->api->curl, CURLINFO_RESPONSE_CODE, &t->answer->status);
	(void)curl_easy_getinfo(t->api->curl, CURLINFO_CONTENT_TYPE, &type);
	return t->request->stream != NULL && t->answer->status == 200 && type != NULL &&
	       strncasecmp(type, "application/age", 15) == 0;
}

static void begin(struct transfer *t)
{
	t->begun = true;
	t->answer->streamed = is_stream(t);
	if (t->answer->streamed && t->request->begin != NULL) {
		curl_off_t length = -1;
		(void)curl_easy_getinfo(t->api->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
		t->request->begin(t->request->stream_arg, length > 0 ? (uint64_t)length : 0);
	}
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	n *= size;
	if (!t->begun)
		begin(t);
	if (t->answer->streamed)
		t->code = t->request->stream(t->request->stream_arg, p, n);
	else if (buf_append(&t->answer->body, p, n) != VAULT_OK)
		t->code = ctl_fail(CTL_REFUSED, "the vault's answer is too large to be one");
	return t->code == CTL_OK ? n : 0;
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	(void)arg, (void)a, (void)b, (void)c, (void)d;
	return interrupted != 0;
}

static CURLcode set_target(struct api *a, const char *path)
{
	const struct profile *p = a->profile;
	char url[sizeof(p->url) + 512];
	size_t n = strlen(p->url);
	while (n > 8 && p->url[n - 1] == '/')
		n--;
	if (p->socket[0] != '\0')
		(void)snprintf(url, sizeof(url), "http://vault%s", path);
	else
		(void)snprintf(url, sizeof(url), "%.*s%s", (int)n, p->url, path);
	CURLcode rc = curl_easy_setopt(a->curl, CURLOPT_URL, url);
	if (rc == CURLE_OK)
		rc = curl_easy_setopt(a->curl, CURLOPT_PROTOCOLS_STR, p->socket[0] != '\0' ? "http" : "https");
	if (rc != CURLE_OK || p->socket[0] != '\0')
		return rc != CURLE_OK ? rc : curl_easy_setopt(a->curl, CURLOPT_UNIX_SOCKET_PATH, a->socket);
	rc = curl_easy_setopt(a->curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (rc == CURLE_OK && p->ca[0] != '\0') {
		rc = curl_easy_setopt(a->curl, CURLOPT_CAINFO, p->ca);
		if (rc == CURLE_OK)
			rc = curl_easy_setopt(a->curl, CURLOPT_CAPATH, NULL);
	}
	if (rc == CURLE_OK && p->pin[0] != '\0') {
		rc = curl_easy_setopt(a->curl, CURLOPT_PINNEDPUBLICKEY, p->pin);
		/* The pinned key says more than a chain; without a CA file it stands alone. */
		if (rc == CURLE_OK && p->ca[0] == '\0') {
			rc = curl_easy_setopt(a->curl, CURLOPT_SSL_VERIFYPEER, 0L);
			if (rc == CURLE_OK)
				rc = curl_easy_setopt(a->curl, CURLOPT_SSL_VERIFYHOST, 0L);
		}
	}
	return rc;
}

static CURLcode set_request(struct transfer *t, struct curl_slist **headers)
{
	const struct api_request *r = t->request;
	CURL *curl = t->api->curl;
	CURLcode rc = set_target(t->api, r->path);
	if (rc == CURLE_OK && r->body != NULL) {
		char line[128];
		(void)snprintf(line, sizeof(line), "Content-Type: %s", r->content_type);
		*headers = curl_slist_append(NULL, line);
		struct curl_slist *more = *headers == NULL ? NULL : curl_slist_append(*headers, "Expect:");
		if (more == NULL)
			return CURLE_OUT_OF_MEMORY;
		rc = curl_easy_setopt(curl, CURLOPT_HTTPHEADER, *headers);
		if (rc == CURLE_OK)
			rc = curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_len);
		if (rc == CURLE_OK)
			rc = curl_easy_setopt(curl, CURLOPT_POSTFIELDS, r->body);
	}
	if (rc != CURLE_OK)
		return rc;
	/* These cannot fail: plain numbers and pointers. */
	(void)curl_easy_setopt(curl, CURLOPT_USERAGENT, "vaultctl/" VAULT_VERSION);
	(void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, t->api->error);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, t);
	(void)curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	(void)curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	(void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
	if (!r->slow) {
		(void)curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
		(void)curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, STALL_SECONDS);
	}
	return CURLE_OK;
}

static const char *advice(CURLcode rc)
{
	switch (rc) {
	case CURLE_COULDNT_RESOLVE_HOST:
		return "Check the name in --url or the profile.";
	case CURLE_COULDNT_CONNECT:
		return "Is vaultd running, and is this its address?";
	case CURLE_OPERATION_TIMEDOUT:
		return "It does not answer in time. Try again, or look at vaultd's log.";
	case CURLE_PEER_FAILED_VERIFICATION:
		return "Its certificate does not verify: name the right one with --ca, or use the address it was made for.";
	case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
		return "Its public key is not the pinned one. If the vault got a new key, pin that; else somebody "
		       "stands in between.";
	case CURLE_SSL_CONNECT_ERROR:
		return "TLS failed. Is this the vault's https port?";
	default:
		return "Try again; vaultd's log may say more.";
	}
}

static int explain(const struct transfer *t, CURLcode rc)
{
	const struct profile *p = t->api->profile;
	if (t->request->silent)
		return CTL_UNREACHABLE;
	if (interrupted)
		return ctl_fail(CTL_LOCAL, "interrupted");
	if (rc == CURLE_OUT_OF_MEMORY)
		return ctl_fail_local("memory", VAULT_E_NOMEM);
	if (rc == CURLE_SSL_CACERT_BADFILE)
		return ctl_fail(CTL_LOCAL, "the certificate file %s cannot be read", p->ca);
	if (t->answer->streamed)
		return ctl_fail(CTL_UNVERIFIED, "the vault ended the export early (%s). Nothing incomplete was kept; try again.",
		    curl_easy_strerror(rc));
	long os_error = 0;
	const char *why = t->api->error[0] != '\0' ? t->api->error : curl_easy_strerror(rc);
	if (rc == CURLE_COULDNT_CONNECT && curl_easy_getinfo(t->api->curl, CURLINFO_OS_ERRNO, &os_error) == CURLE_OK &&
	    os_error != 0)
		why = strerror((int)os_error);
	return ctl_fail(CTL_UNREACHABLE, "cannot reach the vault at %s: %s. %s",
	    p->socket[0] != '\0' ? p->socket : p->url, why, advice(rc));
}

int api_perform(struct api *a, const struct api_request *r, struct api_answer *out)
{
	struct transfer t = {.api = a, .request = r, .answer = out};
	struct curl_slist *headers = NULL;
	*out = (struct api_answer){0};
	buf_init(&out->body, API_BODY_MAX);
	curl_easy_reset(a->curl);
	a->error[0] = '\0';
	CURLcode rc = set_request(&t, &headers);
	if (rc == CURLE_OK)
		rc = curl_easy_perform(a->curl);
	(void)curl_easy_getinfo(a->curl, CURLINFO_RESPONSE_CODE, &out->status);
	/* An age stream without a byte is an early end as well. */
	if (rc == CURLE_OK && !t.begun)
		begin(&t);
	curl_slist_free_all(headers);
	if (t.code != CTL_OK)
		return t.code;
	return rc == CURLE_OK ? CTL_OK : explain(&t, rc);
}

void api_problem_title(const struct api_answer *answer, char *out, size_t cap)
{
	json_t *problem = NULL;
	out[0] = '\0';
	if (json_read((const char *)answer->body.data, answer->body.len, API_BODY_MAX, &problem) != VAULT_OK)
		return;
	const char *title = json_str(problem, "title", NULL);
	if (title != NULL)
		text_clean(title, out, cap);
	json_decref(problem);
}

/* What this program can add to the vault's own sentence. */
static const char *next_step(const char *title)
{
	static const struct { const char *title, *step;
	} steps[] = {
	    {"bad_token",
		"Is your key enrolled and not revoked, is the profile's vault id right, and is this machine's clock?"},
	    {"forbidden",
		"Another role or person may: vaultctl COMMAND --help names the roles; nobody approves his own request."},
	    {"bad_purpose", "A contact of the tenant sees the list with: vaultctl tenant show, and changes it with: "
			    "vaultctl purpose."},
	    {"format_unsupported", "Leave --format away to get it as it was stored."},
	    {"not_found", "It may have expired, been shredded, or belong to another tenant."},
	};
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (strcmp(title, steps[i].title) == 0)
			return steps[i].step;
	}
	return "";
}

int api_refusal(const struct api_answer *answer)
{
	char title[64] = "", detail[512] = "", field[64] = "";
	json_t *problem = NULL;
	if (answer->body.len == 0 ||
	    json_read((const char *)answer->body.data, answer->body.len, API_BODY_MAX, &problem) != VAULT_OK)
		return ctl_fail(CTL_REFUSED, "the vault answered HTTP %ld without a reason. Is this address a vault's?",
		    answer->status);
	const char *text = json_str(problem, "title", NULL);
	if (text != NULL)
		text_clean(text, title, sizeof(title));
	text = json_str(problem, "detail", NULL);
	if (text != NULL)
		text_clean(text, detail, sizeof(detail));
	text = json_str(problem, "field", NULL);
	if (text != NULL)
		text_clean(text, field, sizeof(field));
	json_decref(problem);
	if (title[0] == '\0')
		return ctl_fail(CTL_REFUSED, "the vault answered HTTP %ld without a reason. Is this address a vault's?",
		    answer->status);
	const char *step = next_step(title);
	return ctl_fail(CTL_REFUSED, "%s: %s%s%s%s%s%s", title, detail, field[0] != '\0' ? " Field: " : "", field,
	    field[0] != '\0' ? "." : "", step[0] != '\0' ? " " : "", step);
}
