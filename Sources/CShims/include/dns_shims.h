// Names that are looked up by c-ares, which tells for how long an answer holds.
#ifndef PENSTOCK_DNS_SHIMS_H
#define PENSTOCK_DNS_SHIMS_H

#include <ares.h>
#include <arpa/inet.h>
#include <string.h>
#include <sys/time.h>

// Opens a channel that asks as the system is set up to (resolv.conf), large answers included, and says of which sockets
// it waits for what; 0, or c-ares' code for why there is none.
static inline int penstock_dns_open(
    ares_channel *channel, ares_sock_state_cb changed, void *context, int timeout_milliseconds, int tries) {
    int code = ares_library_init(ARES_LIB_INIT_ALL);
    if (code != ARES_SUCCESS) return code;
    struct ares_options options;
    memset(&options, 0, sizeof options);
    options.flags = ARES_FLAG_EDNS;
    options.timeout = timeout_milliseconds;
    options.tries = tries;
    options.sock_state_cb = changed;
    options.sock_state_cb_data = context;
    return ares_init_options(
        channel, &options, ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
}

// Looks the addresses of one family up.
static inline void penstock_dns_addresses(
    ares_channel channel, const char *name, int family, ares_addrinfo_callback found, void *context) {
    struct ares_addrinfo_hints hints;
    memset(&hints, 0, sizeof hints);
    hints.ai_family = family;
    // One answer for each address, not one for each kind of socket.
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = ARES_AI_NOSORT;
    ares_getaddrinfo(channel, name, NULL, &hints, found, context);
}

// Looks service records (RFC 2782) up.
static inline void penstock_dns_services(ares_channel channel, const char *name, ares_callback found, void *context) {
    ares_search(channel, name, 1 /* IN */, 33 /* SRV */, found, context);
}

// Milliseconds until the channel wants to be processed; -1 for never.
static inline long penstock_dns_timeout(ares_channel channel) {
    struct timeval left;
    struct timeval *found = ares_timeout(channel, NULL, &left);
    return found ? found->tv_sec * 1000 + (found->tv_usec + 999) / 1000 : -1;
}

// Writes an address as text; 0 where there is none, or no room.
static inline int penstock_dns_text(const struct ares_addrinfo_node *node, char *text, size_t room) {
    const void *address = NULL;
    if (node->ai_family == AF_INET) address = &((const struct sockaddr_in *)node->ai_addr)->sin_addr;
    if (node->ai_family == AF_INET6) address = &((const struct sockaddr_in6 *)node->ai_addr)->sin6_addr;
    return address && inet_ntop(node->ai_family, address, text, (socklen_t)room) != NULL;
}

#endif
