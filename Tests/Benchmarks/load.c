// The load that wrk cannot make: event streams at a steady pace, and requests at a given rate.
//
//   load streams PORT COUNT PERIOD_MILLISECONDS SECONDS PROBES [chat]
//       Opens COUNT streams, spread over a period, and counts events. Prints `begin`, after SECONDS `end EVENTS`, and
//       then opens PROBES more, 100 a second and each on a connection of its own that is closed after its first event:
//       `first P50 P99`, nanoseconds from the request to that event. The connection was there before the request. With
//       `chat` a stream is the answer to a chat request, which PERIOD does not go with: it has to be the origin's, 20.
//
//   load rate PORT REQUESTS_PER_SECOND SECONDS CONNECTIONS [again]
//       Sends GET / at random moments (a Poisson process) whatever the answers do, on connections that are kept:
//       `latency P50 P99 COUNT REOPENED REPEATED`, nanoseconds. Where a connection was free the time counts from the write,
//       so that a late wake-up of this process is not laid to the proxy; where none was, from the moment the request was
//       due. A connection that is closed is an error, and with `again` what it is to a browser: it is opened again, and a
//       request that had no byte of an answer goes out again on it, with its time going on.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER_BYTES = 256 * 1024, EVENTS_MAX = 256, PROBES_A_SECOND = 100, REOPENED_MAX = 100000 };
static const long SECOND = 1000000000;

struct connection {
    int fd;
    bool is_probe;
    bool is_asked;              // And not yet answered whole.
    bool is_answered;           // In part.
    long asked_at;
    struct connection *next_free;
};

static int poller;
static struct sockaddr_in server;
static char buffer[BUFFER_BYTES];
static char request[512];
static long *samples;
static size_t sample_count, sample_max;
static bool is_reopening;       // What is closed is opened again.
static long reopened, repeated;

static void require(bool held, const char *what) {
    if (held) return;
    perror(what);
    exit(1);
}

static long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * SECOND + time.tv_nsec;
}

// Waits for events, or until `instant`.
static int wait_for(struct epoll_event *events, long instant) {
    long left = instant - now();
    if (left < 0) left = 0;
    struct timespec timeout = {.tv_sec = left / SECOND, .tv_nsec = left % SECOND};
    int count = epoll_pwait2(poller, events, EVENTS_MAX, &timeout, NULL);
    if (count < 0 && errno == EINTR) return 0;
    require(count >= 0, "epoll_pwait2");
    return count;
}

static void dial(struct connection *c) {
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    require(c->fd >= 0, "socket");
    require(connect(c->fd, (struct sockaddr *)&server, sizeof server) == 0, "connect");
    int one = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    require(epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event) == 0, "epoll_ctl");
}

static struct connection *open_connection(void) {
    struct connection *c = calloc(1, sizeof *c);
    require(c != NULL, "calloc");
    dial(c);
    return c;
}

static void send_request(struct connection *c);

// Opens a connection anew, and asks again what was asked on it.
static void reopen(struct connection *c) {
    if (++reopened > REOPENED_MAX) {
        fprintf(stderr, "connections are closed again and again\n");
        exit(1);
    }
    close(c->fd);
    dial(c);
    if (!c->is_asked) return;
    repeated++;
    send_request(c);
}

static void send_request(struct connection *c) {
    size_t length = strlen(request);
    ssize_t sent = write(c->fd, request, length);
    if (sent < 0 && is_reopening) return reopen(c);
    require(sent == (ssize_t)length, "write");
}

static void ask(struct connection *c) {
    c->asked_at = now();
    c->is_asked = true;
    send_request(c);
}

static void note(long nanoseconds) {
    if (sample_count < sample_max) samples[sample_count++] = nanoseconds;
}

static int ascending(const void *left, const void *right) {
    long a = *(const long *)left, b = *(const long *)right;
    return (a > b) - (a < b);
}

static long percentile(double share) {
    if (!sample_count) return 0;
    qsort(samples, sample_count, sizeof *samples, ascending);
    size_t index = (size_t)(share * (double)sample_count);
    return samples[index < sample_count ? index : sample_count - 1];
}

static void make_samples(size_t most) {
    sample_max = most;
    samples = calloc(most ? most : 1, sizeof *samples);
    require(samples != NULL, "calloc");
}

// Reads what has come and returns the number of events in it.
static long read_events(struct connection *c) {
    ssize_t got = recv(c->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return 0;
    if (got <= 0) {
        fprintf(stderr, "a stream was closed\n");
        exit(1);
    }
    long found = 0;
    const char *end = buffer + got;
    for (const char *at = buffer; (at = memchr(at, '~', (size_t)(end - at))); at++) found++;
    return found;
}

// Counts the events of all streams until `instant`; those of probes end them.
static long count_events(long instant) {
    long total = 0;
    while (now() < instant) {
        struct epoll_event events[EVENTS_MAX];
        int count = wait_for(events, instant);
        for (int i = 0; i < count; i++) {
            struct connection *c = events[i].data.ptr;
            long found = read_events(c);
            if (!c->is_probe) {
                total += found;
            } else if (found) {
                note(now() - c->asked_at);
                close(c->fd);
                free(c);
            }
        }
    }
    return total;
}

static const char chat_body[] =
    "{\"model\":\"x\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"What does a penstock do?\"}]}";

static void run_streams(long count, long period, double seconds, long probes, bool is_chat) {
    if (is_chat)
        snprintf(
            request, sizeof request,
            "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            "Content-Length: %zu\r\n\r\n%s", sizeof chat_body - 1, chat_body);
    else
        snprintf(request, sizeof request, "GET /stream/%ld HTTP/1.1\r\nHost: x\r\n\r\n", period);
    make_samples((size_t)probes);
    // Opened three periods apart and a little, they fall on all moments of a period.
    long spacing = period * 1000000 * 3 / count + 1000000;
    for (long i = 0; i < count; i++) {
        ask(open_connection());
        count_events(now() + spacing);
    }
    count_events(now() + SECOND / 2);
    printf("begin\n");
    fflush(stdout);
    long total = count_events(now() + (long)(seconds * SECOND));
    printf("end %ld\n", total);
    fflush(stdout);
    for (long i = 0; i < probes; i++) {
        struct connection *c = open_connection();
        c->is_probe = true;
        // What a proxy does on accepting is over when the request comes.
        count_events(now() + SECOND / PROBES_A_SECOND / 2);
        ask(c);
        count_events(now() + SECOND / PROBES_A_SECOND / 2);
    }
    for (int i = 0; i < 50 && (long)sample_count < probes; i++) count_events(now() + SECOND / 10);
    if ((long)sample_count < probes) {
        fprintf(stderr, "%ld of %ld first events did not come\n", probes - (long)sample_count, probes);
        exit(1);
    }
    printf("first %ld %ld\n", percentile(.5), percentile(.99));
}

// Whether the answer that the connection was asked for is complete: its body ends as no part of it before does.
static bool read_answer(struct connection *c) {
    ssize_t got = recv(c->fd, buffer, sizeof buffer - 1, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return false;
    if (got <= 0 && is_reopening && !c->is_answered) return reopen(c), false;
    if (got <= 0 || (!c->is_answered && (got < 12 || memcmp(buffer + 9, "200", 3) != 0))) {
        fprintf(stderr, "a request was not answered with 200\n");
        exit(1);
    }
    bool is_last = false;
    if (is_reopening && !c->is_answered) {
        buffer[got] = 0;
        is_last = strcasestr(buffer, "\r\nconnection: close\r\n") != NULL;
    }
    c->is_answered = got < 2 || memcmp(buffer + got - 2, "}\n", 2) != 0;
    if (c->is_answered) return false;
    c->is_asked = false;
    if (is_last) reopen(c);
    return true;
}

static void run_rate(double rate, double seconds, long connections) {
    snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    make_samples((size_t)(rate * seconds * 1.2) + 1000);
    struct connection *free_list = NULL;
    for (long i = 0; i < connections; i++) {
        struct connection *c = open_connection();
        c->next_free = free_list;
        free_list = c;
    }
    long due = now() + SECOND / 10, end = due + (long)(seconds * SECOND), unanswered = 0;
    bool is_starved = false;
    srand48(1);
    while (due < end || unanswered) {
        struct epoll_event events[EVENTS_MAX];
        int count = wait_for(events, due < end && free_list ? due : now() + SECOND);
        for (int i = 0; i < count; i++) {
            struct connection *c = events[i].data.ptr;
            if (!read_answer(c)) continue;
            note(now() - c->asked_at);
            unanswered--;
            c->next_free = free_list;
            free_list = c;
        }
        while (due < end && due <= now() && free_list) {
            struct connection *c = free_list;
            free_list = c->next_free;
            ask(c);
            if (is_starved) c->asked_at = due;
            unanswered++;
            due += (long)(-log(1 - drand48()) / rate * 1e9);
        }
        is_starved = !free_list;
    }
    printf("latency %ld %ld %zu %ld %ld\n", percentile(.5), percentile(.99), sample_count, reopened, repeated);
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    poller = epoll_create1(EPOLL_CLOEXEC);
    server.sin_family = AF_INET;
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (argc > 2) server.sin_port = htons(atoi(argv[2]));
    bool is_chat = argc == 8 && strcmp(argv[7], "chat") == 0;
    is_reopening = argc == 7 && strcmp(argv[6], "again") == 0;
    if ((argc == 7 || is_chat) && strcmp(argv[1], "streams") == 0) {
        run_streams(atol(argv[3]), atol(argv[4]), atof(argv[5]), atol(argv[6]), is_chat);
    } else if ((argc == 6 || is_reopening) && strcmp(argv[1], "rate") == 0) {
        run_rate(atof(argv[3]), atof(argv[4]), atol(argv[5]));
    } else {
        fprintf(
            stderr,
            "usage: load streams PORT COUNT PERIOD SECONDS PROBES [chat] | load rate PORT RATE SECONDS CONNECTIONS [again]\n");
        return 2;
    }
    return 0;
}
