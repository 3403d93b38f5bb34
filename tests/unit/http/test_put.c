/*
 * test_put.c - the PUT adapter behind a real session, in front of a fake
 * ingest: what is asked, in which order, and what the client hears.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_ingest.h"
#include "front/http/session.h"
#include "front/router.h"
#include "media/probe.h"

#define AUTH "Host: v\r\nAuthorization: Bearer s3cret\r\n"
#define BODY "Content-Length: 5\r\n\r\nhello"

static const struct route routes[] = {
	{ "v1/tenants/@/recordings", ROUTE_PUT | ROUTE_POST, ROUTE_PUBLIC, http_put },
	{ "v1/tenants/@/recordings/@", ROUTE_PUT | ROUTE_POST, ROUTE_PUBLIC, http_put },
	{ NULL, 0, 0, NULL },
};

static struct front front;
static struct http_session *s;
static struct exchange_peer peer;
static char heard[65536];
static size_t heard_len, given, offered;
static const char *offer;

static void on_request(void *arg, struct exchange *x)
{
	(void)arg;
	router_serve(routes, &front, x);
}

static void on_refused(void *arg, unsigned refusal)
{
	(void)arg;
	note_refusal(&front, refusal, "");
}

static void on_wake(void *arg)
{
	(void)arg;
}

static const struct http_session_owner owner = { on_request, on_refused, on_wake };

static void turn(void)
{
	size_t n;
	const uint8_t *out;

	for (;;) {
		size_t want = http_session_want(s), left = offered - given;
		size_t took = http_session_input(s, (const uint8_t *)offer + given, left < want ? left : want);

		while ((out = http_session_output(s, &n)), n > 0) {
			assert_true(heard_len + n < sizeof(heard));
			memcpy(heard + heard_len, out, n);
			heard_len += n;
			heard[heard_len] = '\0';
			http_session_sent(s, n);
		}
		if (took == 0)
			return;
		given += took;
	}
}

static void begin(void)
{
	fake_reset();
	memset(&front, 0, sizeof(front));
	memset(&peer, 0, sizeof(peer));
	front.ready = true;
	heard_len = given = offered = 0;
	heard[0] = '\0';
	assert_int_equal(http_session_new(&s, &owner, NULL, &peer), VAULT_OK);
}

static void finish(void)
{
	http_session_free(s);
	s = NULL;
}

static void send_text(const char *text)
{
	offer = text;
	offered = strlen(text);
	given = 0;
	turn();
}

static int status(void)
{
	int v = 0;
	const char *text = heard;

	while (strncmp(text, "HTTP/1.1 100", 12) == 0)
		text = strstr(text, "\r\n\r\n") + 4;
	return sscanf(text, "HTTP/1.1 %d", &v) == 1 ? v : 0;
}

static bool says(const char *what)
{
	return strstr(heard, what) != NULL;
}

static void test_whole_upload(void **state)
{
	(void)state;
	begin();
	send_text("PUT /v1/tenants/demo/recordings/a%20b.wav?agent=jan HTTP/1.1\r\n" AUTH "Content-Type: audio/wav\r\n"
	    "Vault-Metadata: {\"queue\":\"q\"}\r\n" BODY);
	assert_int_equal(fake.admits, 1);
	assert_string_equal(fake.admit.tenant, "demo");
	assert_int_equal(fake.admit.cred.kind, CRED_SECRET);
	assert_memory_equal(fake.admit.cred.data, "s3cret", 6);
	assert_int_equal(fake.opens, 0);
	assert_true(given < offered);                  /* R1: the body waits for the decision */
	fake_admit();
	assert_int_equal(fake.opens, 1);
	assert_string_equal(fake.start.name, "a b.wav");
	assert_int_equal(fake.start.declared_container, CONTAINER_WAV);
	turn();
	assert_int_equal(fake.bytes, 5);
	assert_int_equal(fake.ends, 1);
	assert_int_equal(status(), 0);                 /* P1: nothing is said before it is durable */
	fake_ended(false, false);
	turn();
	assert_int_equal(status(), 201);
	assert_true(says("Location: /v1/recordings/07000000-0000-0000-0000-000000000000\r\n"));
	assert_true(says("\"bytes\":5") && says("\"duration_ms\":1500") && says("\"truncated\":false") && says("\"sha256\""));
	assert_false(http_session_done(s));
	finish();
}

static void test_continue_only_after_the_decision(void **state)
{
	(void)state;
	begin();
	send_text("PUT /v1/tenants/demo/recordings HTTP/1.1\r\n" AUTH "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n");
	assert_int_equal(heard_len, 0);
	fake_admit();
	turn();
	assert_string_equal(heard, "HTTP/1.1 100 Continue\r\n\r\n");
	finish();
	assert_int_equal(fake.detached, 1);
	assert_int_equal(fake.aborts, 1);
}

static void test_refused_before_the_body(void **state)
{
	(void)state;
	begin();
	fake.refuse_admit = VAULT_REFUSAL_not_subscribed;
	send_text("PUT /v1/tenants/demo/recordings HTTP/1.1\r\n" AUTH "Expect: 100-continue\r\n" BODY);
	fake_admit();
	turn();
	assert_int_equal(status(), 403);
	assert_true(says("not_subscribed") && says("Connection: close\r\n") && !says("100 Continue"));
	assert_int_equal(fake.opens, 0);
	assert_int_equal(fake.writes, 0);
	assert_true(http_session_done(s));
	assert_int_equal(front.n_notes, 0);            /* the keeper wrote it down itself */
	finish();
}

/* Refused by the adapter alone: status, name, and never a question to the keeper. */
static void refused(const char *request, int wanted, const char *name)
{
	begin();
	send_text(request);
	if (status() != wanted || !says(name))
		fail_msg("expected %d %s for %.100s, got: %s", wanted, name, request, heard);
	assert_int_equal(fake.admits, 0);
	assert_int_equal(fake.opens, 0);
	assert_int_equal(front.n_notes, 1);
	notes_flush(&front);
	assert_int_equal(fake.note.count, 1);
	finish();
}

static void test_names(void **state)
{
	static const char *const bad[] = { "..", ".", "%2e%2e", "..%2f..%2fetc", "a%2fb", "a%5cb", "a%00b", "%ff%fe", "%zz", "%", "%4",
		"a%0ab", "a%7f", "%c2%80", "%c0%ae%c0%ae", "%ed%a0%80", "%f4%90%80%80", "", "%C0%AF" };
	char text[2048], name[400];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(text, sizeof(text), "PUT /v1/tenants/demo/recordings/%s HTTP/1.1\r\n" AUTH BODY, bad[i]);
		refused(text, 400, "bad_name");
	}
	memset(name, 'n', sizeof(name));
	name[256] = '\0';
	(void)snprintf(text, sizeof(text), "PUT /v1/tenants/demo/recordings/%s HTTP/1.1\r\n" AUTH BODY, name);
	refused(text, 400, "bad_name");
	refused("PUT /v1/tenants/..%2fdemo/recordings HTTP/1.1\r\n" AUTH BODY, 400, "bad_name");
	refused("PUT /v1/tenants/Demo/recordings HTTP/1.1\r\n" AUTH BODY, 400, "bad_name");
	refused("PUT /v1/tenants//recordings HTTP/1.1\r\n" AUTH BODY, 400, "bad_name");
}

static void test_good_names(void **state)
{
	char text[2048], name[400];

	(void)state;
	begin();
	send_text("PUT /v1/tenants/demo/recordings/%C3%A9t%C3%A9%20...ogg HTTP/1.1\r\n" AUTH BODY);
	fake_admit();
	assert_string_equal(fake.start.name, "\xc3\xa9t\xc3\xa9 ...ogg");
	finish();
	begin();
	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	(void)snprintf(text, sizeof(text), "PUT /v1/tenants/demo/recordings/%s HTTP/1.1\r\n" AUTH BODY, name);
	send_text(text);
	fake_admit();
	assert_string_equal(fake.start.name, name);
	finish();
}

static void test_other_paths(void **state)
{
	static const char *const paths[] = { "/v1/tenants/demo/recordings/a/b", "/v1/tenants/demo", "/v1/tenants/demo/recordings/../x",
		"//v1/tenants/demo/recordings", "/v1/tenants/demo/recording%73", "/a/b/c/d/e/f/g/h/i/j/k/l/m/n" };

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		char text[512];

		begin();
		(void)snprintf(text, sizeof(text), "PUT %s HTTP/1.1\r\n" AUTH BODY, paths[i]);
		send_text(text);
		assert_int_equal(status(), 404);
		assert_int_equal(fake.admits, 0);
		finish();
	}
	begin();
	send_text("DELETE /v1/tenants/demo/recordings HTTP/1.1\r\n" AUTH "\r\n");
	assert_int_equal(status(), 405);
	assert_true(says("Allow: PUT, POST\r\n"));
	finish();
}

static void test_credentials(void **state)
{
	(void)state;
	refused("PUT /v1/tenants/demo/recordings HTTP/1.1\r\nHost: v\r\n" BODY, 401, "unauthorized");
	assert_true(says("WWW-Authenticate: Basic realm=\"vault\"\r\n") && says("WWW-Authenticate: Bearer realm=\"vault\"\r\n"));
	refused("PUT /v1/tenants/demo/recordings HTTP/1.1\r\nHost: v\r\nAuthorization: Digest x\r\n" BODY, 401, "unauthorized");
	refused("PUT /v1/tenants/demo/recordings HTTP/1.1\r\nHost: v\r\nAuthorization: Bearer\r\n" BODY, 401, "unauthorized");
	refused("PUT /v1/tenants/demo/recordings HTTP/1.1\r\nHost: v\r\nAuthorization: Basic !!\r\n" BODY, 401, "unauthorized");
	refused("PUT /v1/tenants/demo/recordings HTTP/1.1\r\nHost: v\r\nAuthorization: Basic YW55\r\n" BODY, 401, "unauthorized");
	refused("PUT /v1/tenants/demo/recordings HTTP/1.1\r\n" AUTH "Authorization: Bearer other\r\n" BODY, 401, "unauthorized");
	begin();
	send_text("PUT /v1/tenants/demo/recordings HTTP/1.1\r\nHost: v\r\nAuthorization: Basic YW55OnMzY3JldA==\r\n" BODY);
	assert_int_equal(fake.admit.cred.kind, CRED_SECRET);
	assert_int_equal(fake.admit.cred.len, 6);
	assert_memory_equal(fake.admit.cred.data, "s3cret", 6);
	finish();
	assert_int_equal(fake.cancels, 1);             /* the client left while the keeper was asked */
	begin();
	peer.has_cert = true;
	memset(peer.cert_sha256, 9, 32);
	send_text("PUT /v1/tenants/demo/recordings HTTP/1.1\r\nHost: v\r\n" BODY);
	assert_int_equal(fake.admit.cred.kind, CRED_CERT);
	assert_int_equal(fake.admit.cred.data[31], 9);
	finish();
}

static void test_content_range(void **state)
{
	(void)state;
	refused("PUT /v1/tenants/demo/recordings HTTP/1.1\r\n" AUTH "Content-Range: bytes 160-319/*\r\n" BODY, 416, "range_not_supported");
}

/* What the metadata says is judged behind admit, in front of the body. */
static void metadata(const char *query, const char *header, int wanted, const char *name, const char *field)
{
	static char text[60000];

	begin();
	(void)snprintf(text, sizeof(text), "PUT /v1/tenants/demo/recordings%s HTTP/1.1\r\n" AUTH "%s" BODY, query, header);
	send_text(text);
	fake_admit();
	turn();
	if (status() != wanted || (name != NULL && !says(name)))
		fail_msg("expected %d %s for %.100s %.100s, got: %s", wanted, name, query, header, heard);
	if (field != NULL)
		assert_true(says(field));
	if (wanted != 0)
		assert_int_equal(fake.opens, 0);
	finish();
}

static void test_metadata(void **state)
{
	char many[12000] = "?";

	(void)state;
	metadata("?shoe=43", "", 0, NULL, NULL);       /* R8: the tenant declared it */
	metadata("?birth=1970", "", 400, "unknown_field", "\"field\":\"birth\"");
	metadata("", "Vault-Metadata: {\"agent\":\"a\",\"birth\":\"b\"}\r\n", 400, "unknown_field", "\"field\":\"birth\"");
	metadata("?%3Cscript%3E=1", "", 400, "unknown_field", NULL);
	assert_false(says("script"));
	metadata("?agent=a&agent=b", "", 400, "bad_metadata", NULL);
	metadata("?agent=a", "Vault-Metadata: {\"agent\":\"b\"}\r\n", 400, "bad_metadata", NULL);
	metadata("?agent=%ff%fe", "", 400, "bad_metadata", NULL);
	metadata("?agent=%zz", "", 400, "bad_metadata", NULL);
	metadata("", "Vault-Metadata: {\"agent\":\"a\",\"agent\":\"b\"}\r\n", 400, "bad_metadata", NULL);
	metadata("", "Vault-Metadata: [1]\r\n", 400, "bad_metadata", NULL);
	metadata("", "Vault-Metadata: {\r\n", 400, "bad_metadata", NULL);
	metadata("", "Vault-Metadata: {}\r\nVault-Metadata: {}\r\n", 400, "bad_metadata", NULL);
	for (size_t i = 0; i < 2000; i++)
		(void)snprintf(many + strlen(many), 6, "f=1&");
	metadata(many, "", 400, "_", NULL);
	assert_int_equal(fake.opens, 0);
}

static void test_consent_is_asked_for_before_the_body(void **state)
{
	(void)state;
	begin();
	fake.consent = 1;
	send_text("PUT /v1/tenants/demo/recordings HTTP/1.1\r\n" AUTH BODY);
	fake_admit();
	turn();
	assert_true(says("consent_required"));         /* R27 */
	assert_int_equal(fake.opens, 0);
	finish();
	begin();
	fake.consent = 1;
	send_text("PUT /v1/tenants/demo/recordings?consent=form-7 HTTP/1.1\r\n" AUTH BODY);
	fake_admit();
	assert_int_equal(fake.opens, 1);
	finish();
}

static void test_failure_in_mid_body(void **state)
{
	(void)state;
	begin();
	send_text("PUT /v1/tenants/demo/recordings HTTP/1.1\r\n" AUTH "Content-Length: 500\r\n\r\nhello");
	fake_admit();
	turn();
	fake_failed(VAULT_REFUSAL_subscription_ended);
	turn();
	assert_int_equal(status(), 403);
	assert_true(says("subscription_ended") && http_session_done(s));
	finish();
	assert_int_equal(fake.aborts, 0);

	begin();
	fake.write_err = VAULT_E_FULL;
	send_text("PUT /v1/tenants/demo/recordings HTTP/1.1\r\n" AUTH "Content-Length: 500\r\n\r\nhello");
	fake_admit();
	turn();
	assert_int_equal(status(), 507);
	assert_int_equal(fake.detached, 1);
	assert_int_equal(fake.aborts, 1);
	finish();
}

static void test_lost_in_mid_body_keeps_what_is_durable(void **state)
{
	(void)state;
	begin();
	send_text("PUT /v1/tenants/demo/recordings HTTP/1.1\r\n" AUTH "Content-Length: 500\r\n\r\nhello");
	fake_admit();
	turn();
	finish();
	assert_int_equal(fake.detached, 1);
	assert_int_equal(fake.aborts, 1);
	assert_int_equal(fake.abort_refusal, VAULT_REFUSAL_length_mismatch);
}

static void test_existing_name(void **state)
{
	(void)state;
	begin();                                       /* a file: read to its end */
	send_text("PUT /v1/tenants/demo/recordings/a HTTP/1.1\r\n" AUTH "Content-Length: 8\r\n\r\nhello");
	fake_admit();
	turn();
	fake_ended(true, false);
	turn();
	assert_int_equal(status(), 0);
	send_text("abc");
	assert_int_equal(status(), 200);
	assert_true(says("\"existing\":true") && !http_session_done(s));
	assert_int_equal(fake.bytes, 5);
	finish();
	begin();                                       /* a live stream: cut */
	send_text("PUT /v1/tenants/demo/recordings/a HTTP/1.1\r\n" AUTH "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
	fake_admit();
	turn();
	fake_ended(true, false);
	turn();
	assert_int_equal(status(), 200);
	assert_true(http_session_done(s));
	finish();
}

static void test_back_pressure(void **state)
{
	(void)state;
	begin();
	fake.credit = 2;
	send_text("PUT /v1/tenants/demo/recordings HTTP/1.1\r\n" AUTH BODY);
	fake_admit();
	fake.credit = 0;
	turn();
	assert_int_equal(fake.bytes, 0);
	assert_int_equal(http_session_want(s), 0);
	fake.credit = 100;
	turn();
	assert_int_equal(fake.bytes, 5);
	finish();
}

static void test_not_ready(void **state)
{
	(void)state;
	begin();
	front.ready = false;
	send_text("PUT /v1/tenants/demo/recordings HTTP/1.1\r\n" AUTH BODY);
	assert_int_equal(status(), 503);
	finish();
	begin();
	fake.open_err = VAULT_E_BUSY;
	send_text("PUT /v1/tenants/demo/recordings HTTP/1.1\r\n" AUTH BODY);
	fake_admit();
	turn();
	assert_true(says("too_many_streams"));
	finish();
}

/* Clients that ask and go away do not fill the queue to a busy keeper. */
static void test_p10_busy_keeper(void **state)
{
	(void)state;
	begin();
	fake.busy = true;
	send_text("PUT /v1/tenants/demo/recordings HTTP/1.1\r\n" AUTH BODY);
	assert_int_equal(status(), 503);
	assert_int_equal(fake.admits, 0);
	finish();
}

/* Who has not proved to be a source chooses no names in the notes: they would be one entry each. */
static void test_strangers_notes_are_one(void **state)
{
	char text[160];

	(void)state;
	begin();
	for (int i = 0; i < 200; i++) {
		(void)snprintf(text, sizeof(text), "PUT /v1/tenants/t%d/recordings HTTP/1.1\r\nHost: v\r\n" BODY, i);
		send_text(text);
		assert_int_equal(status(), 401);
		finish();
		assert_int_equal(http_session_new(&s, &owner, NULL, &peer), VAULT_OK);
		heard_len = 0;
	}
	assert_int_equal(front.n_notes, 1);
	assert_int_equal(front.note[0].count, 200);
	assert_string_equal(front.note[0].tenant, "");
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_upload),
		cmocka_unit_test(test_continue_only_after_the_decision),
		cmocka_unit_test(test_refused_before_the_body),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_good_names),
		cmocka_unit_test(test_other_paths),
		cmocka_unit_test(test_credentials),
		cmocka_unit_test(test_content_range),
		cmocka_unit_test(test_metadata),
		cmocka_unit_test(test_consent_is_asked_for_before_the_body),
		cmocka_unit_test(test_failure_in_mid_body),
		cmocka_unit_test(test_lost_in_mid_body_keeps_what_is_durable),
		cmocka_unit_test(test_existing_name),
		cmocka_unit_test(test_back_pressure),
		cmocka_unit_test(test_not_ready),
		cmocka_unit_test(test_p10_busy_keeper),
		cmocka_unit_test(test_strangers_notes_are_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
