// TLS towards clients, by OpenSSL's libssl, which is in the process already: libcurl does TLS with it. Here is what is a
// macro there, and the callbacks that need nothing of ours.
#ifndef PENSTOCK_TLS_SERVER_SHIMS_H
#define PENSTOCK_TLS_SERVER_SHIMS_H

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

// A context for connections that clients open, with everything that is the same for all listeners; NULL where memory is
// short. `least` is the least version, `TLS1_2_VERSION` or `TLS1_3_VERSION`.
SSL_CTX *penstock_tls_server_context(int least);

// Has a context know sessions again by tickets, which `callback` gives and takes; NULL for none.
typedef int (*penstock_tls_ticket_callback)(SSL *, unsigned char *, unsigned char *, EVP_CIPHER_CTX *, EVP_MAC_CTX *, int);
void penstock_tls_set_tickets(SSL_CTX *context, penstock_tls_ticket_callback callback);

// Bytes of a ticket key: its name, a key for AES-256, and one for HMAC with SHA-256.
#define PENSTOCK_TLS_TICKET_NAME 16
#define PENSTOCK_TLS_TICKET_KEY 80

// Readies both contexts to close a ticket with `key`, or to open one; 1 on success. Closing writes the key's name and a
// random `iv`.
int penstock_tls_close_ticket(const uint8_t *key, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac);
int penstock_tls_open_ticket(const uint8_t *key, const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac);

static inline int penstock_tls_set_certificate(SSL_CTX *context, X509 *certificate, EVP_PKEY *key) {
    return SSL_CTX_use_certificate(context, certificate) == 1 && SSL_CTX_use_PrivateKey(context, key) == 1;
}

static inline void penstock_tls_set_name_callback(SSL_CTX *context, int (*callback)(SSL *, int *, void *)) {
    SSL_CTX_set_tlsext_servername_callback(context, callback);
}

static inline void penstock_tls_set_app_data(SSL *session, void *data) { SSL_set_app_data(session, data); }

static inline void *penstock_tls_app_data(SSL *session) { return SSL_get_app_data(session); }

static inline const char *penstock_tls_wanted_name(SSL *session) {
    return SSL_get_servername(session, TLSEXT_NAMETYPE_host_name);
}

// A general name's kind and text; NULL for kinds that are not text.
static inline const ASN1_STRING *penstock_tls_name(const GENERAL_NAMES *names, int index, int *kind) {
    const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, index);
    *kind = name->type;
    return name->type == GEN_DNS || name->type == GEN_URI || name->type == GEN_EMAIL ? name->d.ia5 : NULL;
}

static inline int penstock_tls_name_count(const GENERAL_NAMES *names) { return sk_GENERAL_NAME_num(names); }

static inline GENERAL_NAMES *penstock_tls_names(const X509 *certificate) {
    return X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
}

// The last common name of a certificate's subject, in UTF-8; its length, or -1. The caller frees the text.
int penstock_tls_common_name(const X509 *certificate, unsigned char **text);

static inline void penstock_tls_free(void *memory) { OPENSSL_free(memory); }

// When a certificate ends, in seconds since 1970; -1 where that cannot be told.
int64_t penstock_tls_end(const X509 *certificate);

// Whether TLS has a way to sign with the certificate's key: not with every curve.
int penstock_tls_is_usable(X509 *certificate);

// Adds an authority whose name clients are told and whose certificates are taken; 1 on success.
static inline int penstock_tls_add_authority(SSL_CTX *context, X509 *authority) {
    return X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority) == 1 && SSL_CTX_add_client_CA(context, authority) == 1;
}

static inline void penstock_tls_verify_partial_chains(SSL_CTX *context) {
    X509_STORE_set_flags(SSL_CTX_get_cert_store(context), X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
}

static inline int penstock_tls_reason(unsigned long error) { return ERR_GET_REASON(error); }

static inline int penstock_tls_library(unsigned long error) { return ERR_GET_LIB(error); }

#endif
