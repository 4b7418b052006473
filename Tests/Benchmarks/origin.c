// The server behind the proxies where nginx will not do: event streams at a steady pace, and uploads.
//
//   origin PORT
//
//   GET /stream/MILLISECONDS    an event at once and then one every so often (1 to 1,000), until the other side leaves
//   GET /stream/0               an event at once and then one for every GET /tick; there is one such stream, the last
//   POST /upload                reads a body with a Content-Length to its end and says so
//   POST /never                 reads whatever comes and never answers
//   POST /v1/chat/completions   the same, and answers as an engine does: at once, or where the body has `"stream":true`
//                               with a stream as above, an event every 20 ms
//   GET /...                    what routers ask a new engine for: its health, its models, what it is
//
// Every event holds exactly one tilde, by which its readers count. A reader that does not keep up is cut off.

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
#include <time.h>
#include <unistd.h>

enum { BUFFER_BYTES = 256 * 1024, HEAD_MAX = 8192, EVENTS_MAX = 256, WHEEL_SLOTS = 1024 };

struct connection {
    int fd;
    bool is_closed, is_timed;
    bool is_silent;             // Whatever it says has no answer any more.
    bool is_chat;               // What it reads is a chat request.
    size_t matched;             // How much of `stream_wish` the last bytes of its body are.
    char head[HEAD_MAX];
    size_t head_bytes;
    long body_left;             // Of an upload that is being read; -1 for none.
    long period;                // Of a stream, in milliseconds; 0 for one that is driven.
    struct connection *next;    // In its slot of the wheel, or among the dead.
};

static int poller;
static struct connection *wheel[WHEEL_SLOTS];
static struct connection *dead, *driven;
static char buffer[BUFFER_BYTES];
static const char stream_head[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n";
static const char event_text[] =
    "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\","
    "\"choices\":[{\"index\":0,\"delta\":{\"content\":\" tok~\"}}]}\n\n";
static const char upload_answer[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nread\n";
static const char stream_wish[] = "\"stream\":true";
static const char chat_answer[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 242\r\n\r\n"
    "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":\"x\",\"choices\":[{\"index\":0,"
    "\"message\":{\"role\":\"assistant\",\"content\":\"tok\"},\"finish_reason\":\"stop\"}],"
    "\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":1,\"total_tokens\":10}}\n";
static const char about[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 72\r\n\r\n"
    "{\"object\":\"list\",\"data\":[{\"id\":\"x\",\"object\":\"model\"}],\"model_path\":\"x\"}\n";
static const char ticked[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
static const char not_found[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
static char event_chunk[256];
static size_t event_bytes;

static void require(bool held, const char *what) {
    if (held) return;
    perror(what);
    exit(1);
}

static long now_milliseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

// The memory goes when the turn's other events have been seen, and when the wheel has let go.
static void drop(struct connection *c) {
    if (c->is_closed) return;
    c->is_closed = true;
    close(c->fd);
    if (driven == c) driven = NULL;
    if (c->is_timed) return;
    c->next = dead;
    dead = c;
}

static void bury(void) {
    while (dead) {
        struct connection *c = dead;
        dead = c->next;
        free(c);
    }
}

static void send_all(struct connection *c, const char *bytes, size_t count) {
    if (write(c->fd, bytes, count) != (ssize_t)count) drop(c);
}

static void arrange(struct connection *c, long due) {
    c->is_timed = true;
    c->next = wheel[due % WHEEL_SLOTS];
    wheel[due % WHEEL_SLOTS] = c;
}

static void send_due(long due) {
    struct connection *c = wheel[due % WHEEL_SLOTS];
    wheel[due % WHEEL_SLOTS] = NULL;
    while (c) {
        struct connection *next = c->next;
        // While it counts as timed, dropping it leaves the memory to this loop.
        if (!c->is_closed) send_all(c, event_chunk, event_bytes);
        if (c->is_closed) free(c);
        else arrange(c, due + c->period);
        c = next;
    }
}

static void begin_stream(struct connection *c, const char *path) {
    c->period = strtol(path, NULL, 10);
    if (c->period < 0 || c->period > 1000) return drop(c);
    c->is_silent = true;
    memcpy(buffer, stream_head, sizeof stream_head - 1);
    memcpy(buffer + sizeof stream_head - 1, event_chunk, event_bytes);
    send_all(c, buffer, sizeof stream_head - 1 + event_bytes);
    if (!c->is_closed && c->period) arrange(c, now_milliseconds() + c->period);
    else if (!c->is_closed) driven = c;
}

static void tick(struct connection *c) {
    if (driven) send_all(driven, event_chunk, event_bytes);
    send_all(c, ticked, sizeof ticked - 1);
}

static long content_length(const char *head) {
    static const char name[] = "\ncontent-length:";
    for (const char *at = head; (at = strchr(at, '\n')); at++)
        if (strncasecmp(at, name, sizeof name - 1) == 0) return strtol(at + sizeof name - 1, NULL, 10);
    return 0;
}

// No beginning of the wish comes again within it but its first byte.
static void look_for_wish(struct connection *c, const char *bytes, long count) {
    for (long i = 0; i < count && c->matched < sizeof stream_wish - 1; i++) {
        if (bytes[i] == stream_wish[c->matched]) c->matched++;
        else c->matched = bytes[i] == stream_wish[0];
    }
}

static void read_body(struct connection *c, const char *bytes, long count) {
    if (c->is_chat) look_for_wish(c, bytes, count);
    c->body_left -= count;
    if (c->body_left > 0) return;
    c->body_left = -1;
    if (!c->is_chat) send_all(c, upload_answer, sizeof upload_answer - 1);
    else if (c->matched == sizeof stream_wish - 1) begin_stream(c, "20");
    else send_all(c, chat_answer, sizeof chat_answer - 1);
}

static void read_head(struct connection *c, const char *bytes, size_t count) {
    size_t taken = count < HEAD_MAX - 1 - c->head_bytes ? count : HEAD_MAX - 1 - c->head_bytes;
    memcpy(c->head + c->head_bytes, bytes, taken);
    size_t had = c->head_bytes;
    c->head_bytes += taken;
    c->head[c->head_bytes] = 0;
    const char *end = strstr(c->head, "\r\n\r\n");
    if (!end) {
        if (c->head_bytes == HEAD_MAX - 1) drop(c);
        return;
    }
    size_t length = (size_t)(end - c->head) + 4;
    c->head_bytes = 0;
    if (strncmp(c->head, "GET /stream/", 12) == 0) return begin_stream(c, c->head + 12);
    if (strncmp(c->head, "GET /tick", 9) == 0) return tick(c);
    if (strncmp(c->head, "GET ", 4) == 0) return send_all(c, about, sizeof about - 1);
    if (strncmp(c->head, "POST /never", 11) == 0) {
        c->is_silent = true;
        return;
    }
    c->is_chat = strncmp(c->head, "POST /v1/chat/completions", 25) == 0;
    if (!c->is_chat && strncmp(c->head, "POST /upload", 12) != 0) return send_all(c, not_found, sizeof not_found - 1);
    c->body_left = content_length(c->head);
    c->matched = 0;
    read_body(c, bytes + (length - had), (long)(count - (length - had)));
}

static void readable(struct connection *c) {
    ssize_t got = read(c->fd, buffer, sizeof buffer);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return drop(c);
    if (c->is_silent) return;
    if (c->body_left >= 0) read_body(c, buffer, got);
    else read_head(c, buffer, (size_t)got);
}

static void accept_all(int listener) {
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        int one = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct connection *c = calloc(1, sizeof *c);
        require(c != NULL, "calloc");
        c->fd = fd;
        c->body_left = -1;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        require(epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
    }
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: origin PORT\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    event_bytes = (size_t)snprintf(
        event_chunk, sizeof event_chunk, "%zx\r\n%s\r\n", sizeof event_text - 1, event_text);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int one = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    require(bind(listener, (struct sockaddr *)&address, sizeof address) == 0, "bind");
    require(listen(listener, 4096) == 0, "listen");
    poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    require(epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event) == 0, "epoll_ctl");
    long sent_until = now_milliseconds();
    for (;;) {
        struct epoll_event events[EVENTS_MAX];
        int count = epoll_wait(poller, events, EVENTS_MAX, 1);
        for (int i = 0; i < count; i++) {
            struct connection *c = events[i].data.ptr;
            if (!c) accept_all(listener);
            else if (!c->is_closed) readable(c);
        }
        long now = now_milliseconds();
        while (sent_until < now) send_due(++sent_until);
        bury();
    }
}
