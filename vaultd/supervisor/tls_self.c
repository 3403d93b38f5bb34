/*
 * tls_self.c - see tls_self.h. OpenSSL does the work; nothing secret stays behind.
 */
#include "supervisor/tls_self.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TEN_YEARS (3650L * 24 * 3600)

static int add_extension(X509 *cert, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	if (ext == NULL)
		return 0;
	int ok = X509_add_ext(cert, ext, -1);
	X509_EXTENSION_free(ext);
	return ok;
}

static X509 *make_certificate(EVP_PKEY *key)
{
	static const unsigned char name[] = "vault development";
	uint64_t serial = 0;
	X509 *cert = X509_new();
	if (cert == NULL)
		return NULL;
	X509_NAME *subject = X509_get_subject_name(cert);
	if (RAND_bytes((unsigned char *)&serial, sizeof(serial)) == 1 && X509_set_version(cert, 2) == 1 &&
	    ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial >> 1) == 1 &&
	    X509_gmtime_adj(X509_getm_notBefore(cert), -3600) != NULL &&
	    X509_gmtime_adj(X509_getm_notAfter(cert), TEN_YEARS) != NULL && X509_set_pubkey(cert, key) == 1 &&
	    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, name, sizeof(name) - 1, -1, 0) == 1 &&
	    X509_set_issuer_name(cert, subject) == 1 &&
	    add_extension(cert, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1") == 1 &&
	    add_extension(cert, NID_basic_constraints, "critical,CA:TRUE") == 1 && X509_sign(cert, key, EVP_sha256()) > 0)
		return cert;
	X509_free(cert);
	return NULL;
}

static FILE *create(const char *path, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
	if (f == NULL) {
		(void)fprintf(stderr, "vaultd: cannot create %s: %s\n", path, strerror(errno));
		if (fd >= 0)
			(void)close(fd);
	}
	return f;
}

static vault_err finish(FILE *f, int written)
{
	int bad = !written || fflush(f) != 0 || fsync(fileno(f)) < 0;
	if (fclose(f) != 0)
		bad = 1;
	return bad ? VAULT_E_IO : VAULT_OK;
}

vault_err tls_self_make(const char *certificate_path, const char *key_path)
{
	vault_err err = VAULT_E_NOMEM;
	FILE *f = NULL;
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = key == NULL ? NULL : make_certificate(key);
	if (cert == NULL)
		goto out;
	err = VAULT_E_IO;
	f = create(key_path, 0600);
	if (f == NULL)
		goto out;
	err = finish(f, PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL));
	if (err != VAULT_OK)
		goto out;
	err = VAULT_E_IO;
	f = create(certificate_path, 0644);
	if (f != NULL)
		err = finish(f, PEM_write_X509(f, cert));
out:
	X509_free(cert);
	EVP_PKEY_free(key);
	return err;
}
