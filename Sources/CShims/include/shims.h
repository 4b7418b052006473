// The one door to C. What Swift cannot call by itself (variadic functions, packed structures, macros) gets a
// typed static inline wrapper here; everything else is imported as it stands.
#ifndef PENSTOCK_SHIMS_H
#define PENSTOCK_SHIMS_H

// libcurl's type-checking macros turn calls into expressions that Swift cannot import.
#define CURL_DISABLE_TYPECHECK
#include <asm/ioctls.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>
#include <yaml.h>
#include <zlib.h>

// accept4 is only declared under _GNU_SOURCE, which would give C types other shapes than Swift's Glibc module has.
extern int accept4(int descriptor, struct sockaddr *address, socklen_t *length, int flags);

// epoll: the event structure is packed, and its data a union.

static inline int penstock_epoll_control(int epoll, int operation, int descriptor, uint32_t events, uint64_t data) {
    struct epoll_event event = {.events = events, .data = {.u64 = data}};
    return epoll_ctl(epoll, operation, descriptor, &event);
}

static inline uint32_t penstock_epoll_events(const struct epoll_event *events, int index) {
    return events[index].events;
}

static inline uint64_t penstock_epoll_data(const struct epoll_event *events, int index) {
    return events[index].data.u64;
}

// Reads and writes on sockets. The C library's own are points where a thread may be cancelled, which no thread of ours ever
// is: in a process of several threads each call there pays two atomic exchanges to allow it and to forbid it again.

extern long syscall(long number, ...);

static inline ssize_t penstock_receive(int descriptor, void *bytes, size_t count, int flags) {
    return syscall(SYS_recvfrom, descriptor, bytes, count, flags, NULL, NULL);
}

static inline ssize_t penstock_send(int descriptor, const void *bytes, size_t count, int flags) {
    return syscall(SYS_sendto, descriptor, bytes, count, flags, NULL, 0);
}

// Who connected to a unix socket: 0, or -1 where that is none.
static inline int penstock_peer_credentials(int descriptor, int32_t *process, uint32_t *user) {
    struct {
        int32_t process;
        uint32_t user, group;
    } peer; // struct ucred, which glibc declares only under _GNU_SOURCE.
    socklen_t length = sizeof peer;
    if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return -1;
    if (length != sizeof peer || peer.process == 0) return -1;
    *process = peer.process;
    *user = peer.user;
    return 0;
}

// Bytes that were written and that the peer's kernel has not taken yet; -1 where nobody knows.
static inline int penstock_unsent_bytes(int descriptor) {
    int count = 0;
    return syscall(SYS_ioctl, descriptor, SIOCOUTQ, &count) == 0 ? count : -1;
}

// For how many milliseconds the peer's kernel has acknowledged nothing although something is on its way to it; 0 where nothing
// is, and where nobody knows. What waits because the peer's window is closed is not on its way.
static inline int penstock_unanswered_milliseconds(int descriptor) {
    struct tcp_info info;
    socklen_t length = sizeof info;
    if (getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return 0;
    return info.tcpi_unacked == 0 ? 0 : (int)(info.tcpi_last_ack_recv & 0x7fffffff) + 1;
}

// Sockets: the address structures are cast here, so that Swift passes the storage that holds any of them.

static inline int penstock_accept(int listener, struct sockaddr_storage *address) {
    socklen_t length = sizeof *address;
    return accept4(listener, (struct sockaddr *)address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static inline int penstock_bind(int descriptor, const struct sockaddr_storage *address, socklen_t length) {
    return bind(descriptor, (const struct sockaddr *)address, length);
}

static inline int penstock_connect(int descriptor, const struct sockaddr_storage *address, socklen_t length) {
    return connect(descriptor, (const struct sockaddr *)address, length);
}

static inline int penstock_socket_name(int descriptor, struct sockaddr_storage *address) {
    socklen_t length = sizeof *address;
    return getsockname(descriptor, (struct sockaddr *)address, &length);
}

// fcntl is variadic.

static inline int penstock_set_nonblocking(int descriptor) {
    int flags = fcntl(descriptor, F_GETFL, 0);
    if (flags < 0) return -1;
    return fcntl(descriptor, F_SETFL, flags | O_NONBLOCK | O_CLOEXEC);
}

static inline int penstock_open(const char *path, int flags, mode_t mode) {
    return open(path, flags | O_CLOEXEC, mode);
}

// Signals: the set is built here, because sigset_t is an opaque array in Swift.

static inline sigset_t penstock_signals(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    return set;
}

static inline void penstock_block_signals(void) {
    sigset_t set = penstock_signals();
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static inline int penstock_signal_descriptor(void) {
    sigset_t set = penstock_signals();
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static inline int penstock_read_signal(int descriptor) {
    struct signalfd_siginfo info;
    ssize_t count = read(descriptor, &info, sizeof info);
    return count == (ssize_t)sizeof info ? (int)info.ssi_signo : 0;
}

static inline void penstock_ignore_sigpipe(void) { signal(SIGPIPE, SIG_IGN); }

// libcurl: setopt and getinfo are variadic; one wrapper for each kind of argument.

static inline CURLcode penstock_curl_set_long(CURL *handle, CURLoption option, long value) {
    return curl_easy_setopt(handle, option, value);
}

static inline CURLcode penstock_curl_set_string(CURL *handle, CURLoption option, const char *value) {
    return curl_easy_setopt(handle, option, value);
}

static inline CURLcode penstock_curl_set_pointer(CURL *handle, CURLoption option, void *value) {
    return curl_easy_setopt(handle, option, value);
}

static inline CURLcode penstock_curl_set_close(CURL *handle, curl_closesocket_callback callback) {
    return curl_easy_setopt(handle, CURLOPT_CLOSESOCKETFUNCTION, callback);
}

static inline CURLcode penstock_curl_set_write(CURL *handle, curl_write_callback callback) {
    return curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, callback);
}

static inline CURLcode penstock_curl_set_header(CURL *handle, curl_write_callback callback) {
    return curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, callback);
}

static inline CURLcode penstock_curl_set_open(CURL *handle, curl_opensocket_callback callback) {
    return curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, callback);
}

static inline int penstock_open_socket(const struct curl_sockaddr *address) {
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static inline CURLcode penstock_curl_get_socket(CURL *handle, curl_socket_t *socket) {
    return curl_easy_getinfo(handle, CURLINFO_ACTIVESOCKET, socket);
}

static inline CURLcode penstock_curl_get_private(CURL *handle, void **value) {
    return curl_easy_getinfo(handle, CURLINFO_PRIVATE, value);
}

static inline CURLcode penstock_curl_get_long(CURL *handle, CURLINFO info, long *value) {
    return curl_easy_getinfo(handle, info, value);
}

static inline CURLcode penstock_curl_get_offset(CURL *handle, CURLINFO info, curl_off_t *value) {
    return curl_easy_getinfo(handle, info, value);
}

static inline CURLMcode penstock_curl_multi_set_pointer(CURLM *multi, CURLMoption option, void *value) {
    return curl_multi_setopt(multi, option, value);
}

static inline CURLMcode penstock_curl_multi_set_socket_callback(CURLM *multi, curl_socket_callback callback) {
    return curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, callback);
}

static inline CURLMcode penstock_curl_multi_set_timer_callback(CURLM *multi, curl_multi_timer_callback callback) {
    return curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, callback);
}

static inline CURLMcode penstock_curl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
    return curl_multi_setopt(multi, option, value);
}

// CURLMsg holds a union; this takes the next message apart. Returns 1 and fills the outputs when a transfer is
// done, 0 when there is no message left.
static inline int penstock_curl_next_done(CURLM *multi, CURL **handle, CURLcode *result) {
    int left = 0;
    CURLMsg *message;
    while ((message = curl_multi_info_read(multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE) continue;
        *handle = message->easy_handle;
        *result = message->data.result;
        return 1;
    }
    return 0;
}

#endif
