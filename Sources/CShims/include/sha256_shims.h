// SHA-256 by OpenSSL's libcrypto, which is in the process already: libcurl does TLS with it.
#ifndef PENSTOCK_SHA256_SHIMS_H
#define PENSTOCK_SHA256_SHIMS_H

#include <openssl/sha.h>
#include <stdint.h>

//// Writes 32 bytes to `digest`; 0 when there is no memory for the computation.
static inline int penstock_sha256(const uint8_t *bytes, size_t count, uint8_t *digest) {
    return SHA256(bytes, count, digest) != NULL;
}

#endif
