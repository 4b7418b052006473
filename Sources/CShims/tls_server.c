#include "include/tls_server_shims.h"

#include <string.h>
#include <time.h>

// Mozilla's intermediate set, version 5.7, less the ciphers with DHE: who can do those can do ECDHE.
// https://ssl-config.mozilla.org/guidelines/5.7.json
static const char ciphers[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
static const char suites[] = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
static const char groups[] = "X25519:P-256:P-384";

static const unsigned char http[] = {'h', 't', 't', 'p', '/', '1', '.', '1'};

// What is spoken of what a client offers (RFC 7301 section 3.2): HTTP/1.1 or nothing.
static int choose_protocol(SSL *session, const unsigned char **chosen, unsigned char *length, const unsigned char *offered,
                           unsigned int count, void *context) {
    (void)session, (void)context;
    for (unsigned int at = 0; at < count; at += 1u + offered[at]) {
        if (offered[at] != sizeof http || at + 1 + sizeof http > count) continue;
        if (memcmp(offered + at + 1, http, sizeof http) != 0) continue;
        *chosen = offered + at + 1;
        *length = sizeof http;
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

SSL_CTX *penstock_tls_server_context(int least) {
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (context == NULL) return NULL;
    // A connection that ends without an alert is one whose messages tell whether they are whole.
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    // Buffers move, and are written in parts. What is sent is the chain in the file, and is not looked for at each handshake.
    SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    // One record at a time: a client that sends records without data for as long as it likes would have all others wait.
    SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    // A head and what belongs to it come in one call.
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
    if (SSL_CTX_set_min_proto_version(context, least) == 1 && SSL_CTX_set_cipher_list(context, ciphers) == 1 &&
        SSL_CTX_set_ciphersuites(context, suites) == 1 && SSL_CTX_set1_groups_list(context, groups) == 1) {
        return context;
    }
    SSL_CTX_free(context);
    return NULL;
}

void penstock_tls_set_tickets(SSL_CTX *context, penstock_tls_ticket_callback callback) {
    if (callback == NULL) {
        SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(context, 0);
        return;
    }
    // One for each connection.
    SSL_CTX_set_num_tickets(context, 1);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, callback);
}

static int ready_mac(const uint8_t *key, EVP_MAC_CTX *mac) {
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)(key + 48), 32),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, "SHA256", 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

int penstock_tls_close_ticket(const uint8_t *key, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac) {
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1) return 0;
    memcpy(name, key, PENSTOCK_TLS_TICKET_NAME);
    return EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key + 16, iv) == 1 && ready_mac(key, mac);
}

int penstock_tls_open_ticket(const uint8_t *key, const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac) {
    return EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key + 16, iv) == 1 && ready_mac(key, mac);
}

int penstock_tls_common_name(const X509 *certificate, unsigned char **text) {
    const X509_NAME *subject = X509_get_subject_name(certificate);
    int last = -1;
    for (int next = -1; (next = X509_NAME_get_index_by_NID(subject, NID_commonName, next)) >= 0;) last = next;
    if (last < 0) return -1;
    return ASN1_STRING_to_UTF8(text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, last)));
}

int64_t penstock_tls_end(const X509 *certificate) {
    struct tm time = {0};
    if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &time) != 1) return -1;
    return (int64_t)timegm(&time);
}

int penstock_tls_is_usable(X509 *certificate) {
    EVP_PKEY *key = X509_get0_pubkey(certificate);
    if (key == NULL) return 0;
    if (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC) return 1;
    char name[64];
    if (EVP_PKEY_get_group_name(key, name, sizeof name, NULL) != 1) return 0;
    return strcmp(name, "prime256v1") == 0 || strcmp(name, "secp384r1") == 0 || strcmp(name, "secp521r1") == 0;
}
