// Certificates, read by OpenSSL, which libcurl does TLS with: what is a macro there, and the option that has
// libcurl use them.
#ifndef PENSTOCK_TLS_SHIMS_H
#define PENSTOCK_TLS_SHIMS_H

#include <curl/curl.h>
#include <dirent.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

// Appends to the chain a certificate that the context keeps a reference of; 1 on success.
static inline int penstock_tls_add_to_chain(SSL_CTX *context, X509 *certificate) {
    return (int)SSL_CTX_add1_chain_cert(context, certificate);
}

// A key that is locked must not ask for its password: there is nobody at the terminal.
static inline int penstock_tls_no_password(char *buffer, int size, int is_writing, void *context) {
    (void)buffer, (void)size, (void)is_writing, (void)context;
    return 0;
}

static inline EVP_PKEY *penstock_tls_read_key(BIO *text) {
    return PEM_read_bio_PrivateKey(text, NULL, penstock_tls_no_password, NULL);
}

static inline X509 *penstock_tls_read_certificate(BIO *text) {
    return PEM_read_bio_X509_AUX(text, NULL, penstock_tls_no_password, NULL);
}

static inline CURLcode penstock_curl_set_tls_context(CURL *handle, curl_ssl_ctx_callback callback, void *context) {
    CURLcode code = curl_easy_setopt(handle, CURLOPT_SSL_CTX_FUNCTION, callback);
    return code == CURLE_OK ? curl_easy_setopt(handle, CURLOPT_SSL_CTX_DATA, context) : code;
}

// The TLS session of a connection that libcurl keeps for the handle and has read from or written to; NULL where there is
// none, or it is no `SSL`. It is libcurl's.
static inline SSL *penstock_curl_tls_session(CURL *handle) {
    const struct curl_tlssessioninfo *found = NULL;
    if (curl_easy_getinfo(handle, CURLINFO_TLS_SSL_PTR, &found) != CURLE_OK || found == NULL) return NULL;
    return found->backend == CURLSSLBACKEND_OPENSSL ? found->internals : NULL;
}

// Has a session read and write `socket` itself, as much as has come with each call, from and to buffers that move; 1 on
// success. What it read before by other means was read whole.
static inline int penstock_tls_use_socket(SSL *session, int socket) {
    SSL_set_mode(session, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_set_read_ahead(session, 1);
    return SSL_set_fd(session, socket);
}

// Forgets errors of earlier calls, of which there are hardly ever any: looking is a quarter of the work.
static inline void penstock_tls_forget_errors(void) {
    if (ERR_peek_error() != 0) ERR_clear_error();
}

// The file of authorities that libcurl was built to trust; NULL for none.
static inline const char *penstock_curl_authority_file(void) {
    return curl_version_info(CURLVERSION_NOW)->cainfo;
}

// The folder of authorities, likewise.
static inline const char *penstock_curl_authority_folder(void) {
    return curl_version_info(CURLVERSION_NOW)->capath;
}

static inline const char *penstock_entry_name(const struct dirent *entry) { return entry->d_name; }

// Whether reading PEM ended at something else than the end of the text.
static inline int penstock_tls_ended_early(void) {
    unsigned long error = ERR_peek_last_error();
    return !(ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE);
}

#endif
