// The practical limit of a relay on one core: epoll, one read and one write a message and direction, and no more parsing
// than it takes to find where heads end and how long bodies are. It changes nothing in a message, checks nothing, limits
// nothing and trusts both sides; it exists to be measured beside real proxies.
//
//   relay LISTEN_PORT ORIGIN_PORT    relays to 127.0.0.1:ORIGIN_PORT over connections that it keeps
//   relay LISTEN_PORT 0              answers every request with 503

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER_BYTES = 64 * 1024, IDLE_MAX = 4096, EVENTS_MAX = 256 };
static const long UNTIL_CLOSE = -1;

// A client's or the origin's connection. `peer` is the other end of the exchange that is under way.
struct connection {
    int fd;
    bool is_client, is_closed;
    struct connection *peer;
    struct connection *next_dead;
    char *kept;        // Client: bytes that wait for the rest of their head, or for the exchange before them to end.
    size_t kept_bytes; // Either: how many; on an origin's connection those of an answer's head.
    char *unsent;      // Client: what its socket did not take.
    size_t unsent_bytes, unsent_from;
    bool in_body;      // Origin: the answer's head has passed.
    long body_left;    // Origin: bytes of the body that are still to come, or UNTIL_CLOSE.
};

static int poller, listener;
static struct sockaddr_in origin;
static struct connection *idle[IDLE_MAX];
static int idle_count;
static struct connection *dead;
static char buffer[BUFFER_BYTES];
static const char refusal[] =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: 40\r\n"
    "Retry-After: 1\r\n\r\n{\"error\":{\"message\":\"too many waiting\"}}";

static void require(bool held, const char *what) {
    if (held) return;
    perror(what);
    exit(1);
}

static void watch(struct connection *c, int operation, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = c};
    require(epoll_ctl(poller, operation, c->fd, &event) == 0, "epoll_ctl");
}

static struct connection *add(int fd, bool is_client) {
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct connection *c = calloc(1, sizeof *c);
    require(c != NULL, "calloc");
    c->fd = fd;
    c->is_client = is_client;
    watch(c, EPOLL_CTL_ADD, EPOLLIN);
    return c;
}

// Closes `c` and what it is joined to. The memory goes when the turn's other events have been seen.
static void drop(struct connection *c) {
    if (c->is_closed) return;
    c->is_closed = true;
    close(c->fd);
    for (int i = 0; i < idle_count; i++)
        if (idle[i] == c) idle[i] = idle[--idle_count];
    c->next_dead = dead;
    dead = c;
    struct connection *peer = c->peer;
    c->peer = NULL;
    if (peer) {
        peer->peer = NULL;
        drop(peer);
    }
}

static void bury(void) {
    while (dead) {
        struct connection *c = dead;
        dead = c->next_dead;
        free(c->kept);
        free(c->unsent);
        free(c);
    }
}

static void keep(struct connection *c, const char *bytes, size_t count) {
    char *copy = count ? malloc(count) : NULL;
    require(!count || copy != NULL, "malloc");
    if (count) memcpy(copy, bytes, count);
    free(c->kept);
    c->kept = copy;
    c->kept_bytes = count;
}

// Puts what was kept in front of what can be read now; the length of both, or 0 when the connection is done.
static size_t fill(struct connection *c) {
    size_t have = c->kept_bytes;
    if (have) memcpy(buffer, c->kept, have);
    if (have == sizeof buffer) return drop(c), 0;
    ssize_t got = read(c->fd, buffer + have, sizeof buffer - have);
    if (got < 0 && errno == EAGAIN) return 0;
    if (got <= 0) return drop(c), 0;
    free(c->kept);
    c->kept = NULL;
    c->kept_bytes = 0;
    return have + (size_t)got;
}

// The length of the head with its empty line, or 0 while it is not complete.
static size_t head_length(const char *bytes, size_t count) {
    const char *end = memmem(bytes, count, "\r\n\r\n", 4);
    return end ? (size_t)(end - bytes) + 4 : 0;
}

static long content_length(const char *head, size_t count) {
    static const char name[] = "\ncontent-length:";
    for (const char *at = head; (at = memchr(at, '\n', count - (size_t)(at - head))); at++) {
        if ((size_t)(head + count - at) <= sizeof name) break;
        if (strncasecmp(at, name, sizeof name - 1) == 0) return strtol(at + sizeof name - 1, NULL, 10);
    }
    return UNTIL_CLOSE;
}

static struct connection *lend_origin(void) {
    if (idle_count) return idle[--idle_count];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    require(fd >= 0, "socket");
    if (connect(fd, (struct sockaddr *)&origin, sizeof origin) != 0) return close(fd), NULL;
    return add(fd, false);
}

static void begin(struct connection *client, const char *bytes, size_t count) {
    size_t length = head_length(bytes, count);
    if (!length) return keep(client, bytes, count);
    if (!origin.sin_port) {
        if (write(client->fd, refusal, sizeof refusal - 1) < 0) return drop(client);
        return keep(client, bytes + length, count - length);
    }
    struct connection *o = lend_origin();
    if (!o) return drop(client);
    client->peer = o;
    o->peer = client;
    o->in_body = false;
    o->body_left = 0;
    if (write(o->fd, bytes, length) != (ssize_t)length) return drop(client);
    keep(client, bytes + length, count - length);
}

static void client_readable(struct connection *c) {
    size_t count = fill(c);
    if (!count) return;
    if (c->peer) return keep(c, buffer, count);
    begin(c, buffer, count);
}

// Parts an exchange that has ended; the client's next request may be here already.
static void finish(struct connection *o) {
    struct connection *client = o->peer;
    client->peer = NULL;
    o->peer = NULL;
    if (idle_count < IDLE_MAX) idle[idle_count++] = o;
    else drop(o);
    if (client->kept_bytes) {
        size_t count = client->kept_bytes;
        memcpy(buffer, client->kept, count);
        begin(client, buffer, count);
    }
}

static void origin_readable(struct connection *o) {
    size_t count = fill(o);
    struct connection *client = o->peer;
    if (!count) return;
    if (!client) return drop(o);
    size_t body = count;
    if (!o->in_body) {
        size_t length = head_length(buffer, count);
        if (!length) return keep(o, buffer, count);
        o->in_body = true;
        o->body_left = content_length(buffer, length);
        body = count - length;
    }
    if (o->body_left != UNTIL_CLOSE) o->body_left -= (long)body;
    ssize_t sent = write(client->fd, buffer, count);
    if (sent < 0 && errno != EAGAIN) return drop(o);
    if (sent < 0) sent = 0;
    if ((size_t)sent < count) {
        client->unsent_bytes = count - (size_t)sent;
        client->unsent_from = 0;
        client->unsent = malloc(client->unsent_bytes);
        require(client->unsent != NULL, "malloc");
        memcpy(client->unsent, buffer + sent, client->unsent_bytes);
        watch(client, EPOLL_CTL_MOD, EPOLLOUT);
        watch(o, EPOLL_CTL_MOD, 0);
        return;
    }
    if (o->body_left == 0) finish(o);
}

static void client_writable(struct connection *c) {
    ssize_t sent = write(c->fd, c->unsent + c->unsent_from, c->unsent_bytes - c->unsent_from);
    if (sent < 0) {
        if (errno != EAGAIN) drop(c);
        return;
    }
    c->unsent_from += (size_t)sent;
    if (c->unsent_from < c->unsent_bytes) return;
    free(c->unsent);
    c->unsent = NULL;
    watch(c, EPOLL_CTL_MOD, EPOLLIN);
    watch(c->peer, EPOLL_CTL_MOD, EPOLLIN);
    if (c->peer->body_left == 0) finish(c->peer);
}

static void accept_clients(void) {
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) add(fd, true);
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: relay LISTEN_PORT ORIGIN_PORT\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    origin = address;
    origin.sin_port = htons(atoi(argv[2]));
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int one = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    require(bind(listener, (struct sockaddr *)&address, sizeof address) == 0, "bind");
    require(listen(listener, 4096) == 0, "listen");
    poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    require(epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event) == 0, "epoll_ctl");
    for (;;) {
        struct epoll_event events[EVENTS_MAX];
        int count = epoll_wait(poller, events, EVENTS_MAX, -1);
        for (int i = 0; i < count; i++) {
            struct connection *c = events[i].data.ptr;
            if (!c) accept_clients();
            else if (c->is_closed) continue;
            else if (events[i].events & EPOLLOUT) client_writable(c);
            else if (c->is_client) client_readable(c);
            else origin_readable(c);
        }
        bury();
    }
}
