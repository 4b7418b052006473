// zlib, with functions where its header has macros that Swift cannot call.
#ifndef PENSTOCK_ZLIB_SHIMS_H
#define PENSTOCK_ZLIB_SHIMS_H

#include <zlib.h>

/// Prepares a zeroed `stream` to compress into the gzip format at `level`; Z_OK, or zlib's error.
static inline int penstock_deflate_init_gzip(z_stream *stream, int level) {
    // 15 bits of window and 16 for the gzip wrapper; 8 is zlib's own default of memory.
    return deflateInit2(stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
}

/// Prepares a zeroed `stream` to expand the gzip format and nothing else; Z_OK, or zlib's error.
static inline int penstock_inflate_init_gzip(z_stream *stream) {
    return inflateInit2(stream, 15 + 16);
}

#endif
