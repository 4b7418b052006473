// See kafka_shims.h. What stands here of librdkafka's types is what its ABI promises; everything else is opaque.
#define _GNU_SOURCE
#include "kafka_shims.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

typedef struct rd_kafka_s rd_kafka_t;
typedef struct rd_kafka_conf_s rd_kafka_conf_t;
typedef struct rd_kafka_queue_s rd_kafka_queue_t;
typedef struct rd_kafka_topic_s rd_kafka_topic_t;
typedef struct rd_kafka_error_s rd_kafka_error_t;
typedef struct rd_kafka_consumer_group_metadata_s rd_kafka_consumer_group_metadata_t;
typedef struct rd_kafka_mock_cluster_s rd_kafka_mock_cluster_t;

typedef struct {
    char *topic;
    int32_t partition;
    int64_t offset;
    void *metadata;
    size_t metadata_size;
    void *opaque;
    int err;
    void *private_part;
} rd_kafka_topic_partition_t;

typedef struct {
    int cnt;
    int size;
    rd_kafka_topic_partition_t *elems;
} rd_kafka_topic_partition_list_t;

typedef struct {
    int err;
    rd_kafka_topic_t *rkt;
    int32_t partition;
    void *payload;
    size_t len;
    void *key;
    size_t key_len;
    int64_t offset;
    void *private_part;
} rd_kafka_message_t;

typedef rd_kafka_topic_partition_list_t list_t;

enum {
    PRODUCER = 0,
    CONSUMER = 1,
    END = 0,
    TOPIC = 1,
    VALUE = 4,
    KEY = 5,
    OPAQUE = 6,
    MESSAGE_FLAGS = 7,
    HEADER = 9,
    COPY = 2,
    PURGE_ALL = 7,
    // Times that stand for the ends of a partition.
    LAST = -1,
    FIRST = -2,
    DESTROY_WITHOUT_LEAVING = 8,
    // For how long the end of a handle is waited for before it goes on by itself.
    FREE_MILLISECONDS = 200,
    ASSIGN = -175,
    PARTITION_EOF = -191,
    TIMED_OUT = -185,
};

// Every function of the library that is called: its result, its name, its parameters.
#define FUNCTIONS(F)                                                                                                   \
    F(const char *, version_str, (void))                                                                              \
    F(const char *, err2str, (int))                                                                                   \
    F(rd_kafka_conf_t *, conf_new, (void))                                                                            \
    F(void, conf_destroy, (rd_kafka_conf_t *))                                                                        \
    F(int, conf_set, (rd_kafka_conf_t *, const char *, const char *, char *, size_t))                                 \
    F(void, conf_set_opaque, (rd_kafka_conf_t *, void *))                                                             \
    F(void, conf_set_rebalance_cb, (rd_kafka_conf_t *, void (*)(rd_kafka_t *, int, list_t *, void *)))                \
    F(void, conf_set_offset_commit_cb, (rd_kafka_conf_t *, void (*)(rd_kafka_t *, int, list_t *, void *)))            \
    F(void, conf_set_error_cb, (rd_kafka_conf_t *, void (*)(rd_kafka_t *, int, const char *, void *)))                \
    F(void, conf_set_log_cb, (rd_kafka_conf_t *, void (*)(const rd_kafka_t *, int, const char *, const char *)))      \
    F(void, conf_set_dr_msg_cb, (rd_kafka_conf_t *, void (*)(rd_kafka_t *, const rd_kafka_message_t *, void *)))      \
    F(rd_kafka_t *, new, (int, rd_kafka_conf_t *, char *, size_t))                                                    \
    F(void, destroy_flags, (rd_kafka_t *, int))                                                                       \
    F(int, poll_set_consumer, (rd_kafka_t *))                                                                         \
    F(int, subscribe, (rd_kafka_t *, const list_t *))                                                                 \
    F(rd_kafka_message_t *, consumer_poll, (rd_kafka_t *, int))                                                       \
    F(void, message_destroy, (rd_kafka_message_t *))                                                                  \
    F(rd_kafka_error_t *, consumer_close_queue, (rd_kafka_t *, rd_kafka_queue_t *))                                   \
    F(int, consumer_closed, (rd_kafka_t *))                                                                           \
    F(rd_kafka_queue_t *, queue_new, (rd_kafka_t *))                                                                  \
    F(rd_kafka_message_t *, consume_queue, (rd_kafka_queue_t *, int))                                                 \
    F(rd_kafka_queue_t *, queue_get_consumer, (rd_kafka_t *))                                                         \
    F(void, queue_yield, (rd_kafka_queue_t *))                                                                        \
    F(void, queue_destroy, (rd_kafka_queue_t *))                                                                      \
    F(const char *, rebalance_protocol, (rd_kafka_t *))                                                               \
    F(int, assignment_lost, (rd_kafka_t *))                                                                           \
    F(rd_kafka_error_t *, incremental_assign, (rd_kafka_t *, const list_t *))                                         \
    F(rd_kafka_error_t *, incremental_unassign, (rd_kafka_t *, const list_t *))                                       \
    F(int, assign, (rd_kafka_t *, const list_t *))                                                                    \
    F(list_t *, topic_partition_list_new, (int))                                                                      \
    F(list_t *, topic_partition_list_copy, (const list_t *))                                                          \
    F(rd_kafka_topic_partition_t *, topic_partition_list_add, (list_t *, const char *, int32_t))                      \
    F(void, topic_partition_list_destroy, (list_t *))                                                                 \
    F(int, pause_partitions, (rd_kafka_t *, list_t *))                                                                \
    F(int, resume_partitions, (rd_kafka_t *, list_t *))                                                               \
    F(int, offsets_for_times, (rd_kafka_t *, list_t *, int))                                                          \
    F(int, committed, (rd_kafka_t *, list_t *, int))                                                                  \
    F(int, commit, (rd_kafka_t *, const list_t *, int))                                                               \
    F(int, producev, (rd_kafka_t *, ...))                                                                             \
    F(int, poll, (rd_kafka_t *, int))                                                                                 \
    F(int, flush, (rd_kafka_t *, int))                                                                                \
    F(int, outq_len, (rd_kafka_t *))                                                                                  \
    F(int, purge, (rd_kafka_t *, int))                                                                                \
    F(rd_kafka_error_t *, init_transactions, (rd_kafka_t *, int))                                                     \
    F(rd_kafka_error_t *, begin_transaction, (rd_kafka_t *))                                                          \
    F(rd_kafka_error_t *, send_offsets_to_transaction,                                                                \
      (rd_kafka_t *, const list_t *, const rd_kafka_consumer_group_metadata_t *, int))                                \
    F(rd_kafka_error_t *, commit_transaction, (rd_kafka_t *, int))                                                    \
    F(rd_kafka_error_t *, abort_transaction, (rd_kafka_t *, int))                                                     \
    F(rd_kafka_consumer_group_metadata_t *, consumer_group_metadata, (rd_kafka_t *))                                  \
    F(void, consumer_group_metadata_destroy, (rd_kafka_consumer_group_metadata_t *))                                  \
    F(const char *, error_string, (const rd_kafka_error_t *))                                                         \
    F(int, error_is_retriable, (const rd_kafka_error_t *))                                                            \
    F(int, error_txn_requires_abort, (const rd_kafka_error_t *))                                                      \
    F(void, error_destroy, (rd_kafka_error_t *))                                                                      \
    F(rd_kafka_mock_cluster_t *, handle_mock_cluster, (const rd_kafka_t *))                                           \
    F(const char *, mock_cluster_bootstraps, (const rd_kafka_mock_cluster_t *))                                       \
    F(int, mock_broker_set_rtt, (rd_kafka_mock_cluster_t *, int32_t, int))                                            \
    F(void, mock_push_request_errors_array, (rd_kafka_mock_cluster_t *, int16_t, size_t, const int *))                \
    F(void, mock_topic_set_error, (rd_kafka_mock_cluster_t *, const char *, int))

#define DECLARE(result, name, parameters) result(*name) parameters;
static struct { FUNCTIONS(DECLARE) } rd;

static char load_failure[512];
static int is_loaded;
static pthread_mutex_t load_lock = PTHREAD_MUTEX_INITIALIZER;

static int find(void *library, const char *name, void *place) {
    void *found = dlsym(library, name);
    if (!found) snprintf(load_failure, sizeof load_failure, "it has no function %s", name);
    memcpy(place, &found, sizeof found);
    return found != NULL;
}

static void load(void) {
    void *library = dlopen("librdkafka.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *why = dlerror();
        snprintf(load_failure, sizeof load_failure, "%s", why ? why : "it cannot be opened");
        return;
    }
#define FIND(result, name, parameters) \
    if (!find(library, "rd_kafka_" #name, &rd.name)) return;
    FUNCTIONS(FIND)
    is_loaded = 1;
}

const char *penstock_kafka_load(void) {
    static _Thread_local char told[sizeof load_failure];
    pthread_mutex_lock(&load_lock);
    // It may have been installed since the last look.
    if (!is_loaded) load();
    int found = is_loaded;
    memcpy(told, load_failure, sizeof told);
    pthread_mutex_unlock(&load_lock);
    return found ? NULL : told;
}

const char *penstock_kafka_version(void) { return rd.version_str(); }

const char *penstock_kafka_text(int code) { return rd.err2str(code); }

struct failure {
    int64_t tag;
    int code;
};

struct penstock_kafka {
    rd_kafka_t *handle;
    rd_kafka_queue_t *queue;
    char *topic;
    int is_consumer, is_closing, commit_failure, has_error;
    // A rebalance that was not applied yet: at most one, because the group waits for it.
    list_t *change;
    int is_taken, told;
    // Messages that were not written.
    struct failure *failures;
    size_t failure_count, failure_room;
    char last_error[512];
};

struct penstock_kafka_settings {
    rd_kafka_conf_t *conf;
};

struct penstock_kafka_settings *penstock_kafka_settings_make(void) {
    struct penstock_kafka_settings *settings = calloc(1, sizeof *settings);
    if (!settings) abort();
    settings->conf = rd.conf_new();
    return settings;
}

int penstock_kafka_set(
    struct penstock_kafka_settings *settings, const char *name, const char *value, char *why, size_t room) {
    return rd.conf_set(settings->conf, name, value, why, room) == 0 ? 0 : -1;
}

void penstock_kafka_settings_free(struct penstock_kafka_settings *settings) {
    if (settings->conf) rd.conf_destroy(settings->conf);
    free(settings);
}

// MARK: What the library tells

static void note_error(struct penstock_kafka *kafka, const char *text) {
    snprintf(kafka->last_error, sizeof kafka->last_error, "%s", text);
}

// The library's log goes nowhere: what matters comes as an error as well.
static void ignore_log(const rd_kafka_t *handle, int level, const char *facility, const char *text) {
    (void)handle, (void)level, (void)facility, (void)text;
}

static void take_error(rd_kafka_t *handle, int code, const char *reason, void *context) {
    (void)handle;
    struct penstock_kafka *kafka = context;
    snprintf(kafka->last_error, sizeof kafka->last_error, "%s: %s", rd.err2str(code), reason);
    kafka->has_error = 1;
}

static void finish_error(struct penstock_kafka *kafka, rd_kafka_error_t *error) {
    if (!error) return;
    note_error(kafka, rd.error_string(error));
    rd.error_destroy(error);
}

static void take_rebalance(rd_kafka_t *handle, int code, list_t *partitions, void *context) {
    (void)handle;
    struct penstock_kafka *kafka = context;
    if (kafka->change) rd.topic_partition_list_destroy(kafka->change);
    kafka->change = rd.topic_partition_list_copy(partitions);
    kafka->is_taken = code != ASSIGN;
    kafka->told = 0;
    // Nobody asks for changes any more.
    if (kafka->is_closing) penstock_kafka_apply_changes(kafka);
}

static void take_commit(rd_kafka_t *handle, int code, list_t *offsets, void *context) {
    (void)handle, (void)offsets;
    struct penstock_kafka *kafka = context;
    if (code != 0 && code != PENSTOCK_KAFKA_NO_OFFSET) kafka->commit_failure = code;
}

static void take_delivery(rd_kafka_t *handle, const rd_kafka_message_t *message, void *context) {
    (void)handle;
    struct penstock_kafka *kafka = context;
    if (message->err == 0) return;
    if (kafka->failure_count == kafka->failure_room) {
        kafka->failure_room = kafka->failure_room ? 2 * kafka->failure_room : 64;
        kafka->failures = realloc(kafka->failures, kafka->failure_room * sizeof *kafka->failures);
        if (!kafka->failures) abort();
    }
    struct failure failure = {(int64_t)(intptr_t)message->private_part, message->err};
    kafka->failures[kafka->failure_count++] = failure;
}

// MARK: Handles

static struct penstock_kafka *make(
    struct penstock_kafka_settings *settings, int kind, const char *topic, char *why, size_t room) {
    struct penstock_kafka *kafka = calloc(1, sizeof *kafka);
    if (!kafka) abort();
    kafka->is_consumer = kind == CONSUMER;
    if (topic && !(kafka->topic = strdup(topic))) abort();
    rd.conf_set_opaque(settings->conf, kafka);
    rd.conf_set_log_cb(settings->conf, ignore_log);
    rd.conf_set_error_cb(settings->conf, take_error);
    if (kafka->is_consumer) {
        rd.conf_set_rebalance_cb(settings->conf, take_rebalance);
        rd.conf_set_offset_commit_cb(settings->conf, take_commit);
    } else {
        rd.conf_set_dr_msg_cb(settings->conf, take_delivery);
    }
    kafka->handle = rd.new(kind, settings->conf, why, room);
    if (kafka->handle) settings->conf = NULL;
    penstock_kafka_settings_free(settings);
    if (kafka->handle) return kafka;
    free(kafka->topic);
    free(kafka);
    return NULL;
}

struct penstock_kafka *penstock_kafka_consumer(
    struct penstock_kafka_settings *settings, const char *topic, char *why, size_t room) {
    struct penstock_kafka *kafka = make(settings, CONSUMER, topic, why, room);
    if (!kafka) return NULL;
    rd.poll_set_consumer(kafka->handle);
    kafka->queue = rd.queue_get_consumer(kafka->handle);
    list_t *topics = rd.topic_partition_list_new(1);
    rd.topic_partition_list_add(topics, topic, -1);
    int code = rd.subscribe(kafka->handle, topics);
    rd.topic_partition_list_destroy(topics);
    if (code == 0) return kafka;
    snprintf(why, room, "%s", rd.err2str(code));
    penstock_kafka_free(kafka, 0);
    return NULL;
}

struct penstock_kafka *penstock_kafka_producer(struct penstock_kafka_settings *settings, char *why, size_t room) {
    return make(settings, PRODUCER, NULL, why, room);
}

static int64_t milliseconds_now(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// Leaves the group, if that can be done in that time.
static void leave(struct penstock_kafka *kafka, int milliseconds) {
    int64_t end = milliseconds_now(CLOCK_MONOTONIC) + milliseconds;
    rd_kafka_queue_t *queue = rd.queue_new(kafka->handle);
    rd_kafka_error_t *error = rd.consumer_close_queue(kafka->handle, queue);
    finish_error(kafka, error);
    while (!error && !rd.consumer_closed(kafka->handle)) {
        int64_t left = end - milliseconds_now(CLOCK_MONOTONIC);
        if (left <= 0) break;
        // Messages that nobody has read come as well.
        rd_kafka_message_t *message = rd.consume_queue(queue, left < 100 ? (int)left : 100);
        if (message) rd.message_destroy(message);
    }
    rd.queue_destroy(queue);
}

static void *destroy(void *context) {
    struct penstock_kafka *kafka = context;
    rd.destroy_flags(kafka->handle, DESTROY_WITHOUT_LEAVING);
    free(kafka->failures);
    free(kafka->topic);
    free(kafka);
    return NULL;
}

void penstock_kafka_free(struct penstock_kafka *kafka, int milliseconds) {
    kafka->is_closing = 1;
    if (kafka->change) penstock_kafka_apply_changes(kafka);
    if (kafka->queue) rd.queue_destroy(kafka->queue);
    if (!kafka->is_consumer) {
        // What waits here would be waited for.
        penstock_kafka_purge(kafka);
    } else if (milliseconds > 0) {
        leave(kafka, milliseconds);
    }
    // The library waits for answers that are due, such as that to a commit, for as long as its sockets' time-out.
    pthread_t thread;
    if (pthread_create(&thread, NULL, destroy, kafka) != 0) {
        destroy(kafka);
        return;
    }
    int64_t end = milliseconds_now(CLOCK_REALTIME) + FREE_MILLISECONDS;
    struct timespec until = {end / 1000, end % 1000 * 1000000};
    if (pthread_timedjoin_np(thread, NULL, &until) != 0) pthread_detach(thread);
}

const char *penstock_kafka_last_error(struct penstock_kafka *kafka) { return kafka->last_error; }

int penstock_kafka_next_error(struct penstock_kafka *kafka) {
    int has_error = kafka->has_error;
    kafka->has_error = 0;
    return has_error;
}

// MARK: Reading

int penstock_kafka_poll(struct penstock_kafka *kafka, int milliseconds, struct penstock_kafka_message *message, int *code) {
    *code = 0;
    rd_kafka_message_t *found = rd.consumer_poll(kafka->handle, milliseconds);
    if (!found) return 0;
    if (found->err != 0) {
        if (found->err != PARTITION_EOF && found->err != TIMED_OUT) {
            *code = found->err;
            snprintf(
                kafka->last_error, sizeof kafka->last_error, "%s: %.*s", rd.err2str(found->err), (int)found->len,
                found->payload ? (const char *)found->payload : "");
        }
        rd.message_destroy(found);
        return 0;
    }
    message->partition = found->partition;
    message->offset = found->offset;
    message->key = found->key;
    message->key_bytes = found->key ? found->key_len : 0;
    message->value = found->payload;
    message->value_bytes = found->payload ? found->len : 0;
    message->owner = found;
    return 1;
}

void penstock_kafka_release(struct penstock_kafka_message *message) {
    rd.message_destroy(message->owner);
    message->owner = NULL;
}

void penstock_kafka_wake(struct penstock_kafka *kafka) { rd.queue_yield(kafka->queue); }

int penstock_kafka_next_change(struct penstock_kafka *kafka, struct penstock_kafka_change *change) {
    if (!kafka->change || kafka->told >= kafka->change->cnt) return 0;
    change->partition = kafka->change->elems[kafka->told++].partition;
    change->is_taken = kafka->is_taken;
    return 1;
}

int penstock_kafka_has_lost(struct penstock_kafka *kafka) { return rd.assignment_lost(kafka->handle); }

void penstock_kafka_apply_changes(struct penstock_kafka *kafka) {
    list_t *change = kafka->change;
    if (!change) return;
    kafka->change = NULL;
    const char *protocol = rd.rebalance_protocol(kafka->handle);
    int is_cooperative = protocol && strcmp(protocol, "COOPERATIVE") == 0;
    // The library remembers of a partition that goes that it was paused, and would read nothing of it when it comes again.
    if (kafka->is_taken) rd.resume_partitions(kafka->handle, change);
    if (is_cooperative && kafka->is_taken) {
        finish_error(kafka, rd.incremental_unassign(kafka->handle, change));
    } else if (is_cooperative) {
        finish_error(kafka, rd.incremental_assign(kafka->handle, change));
    } else {
        rd.assign(kafka->handle, kafka->is_taken ? NULL : change);
    }
    rd.topic_partition_list_destroy(change);
}

void penstock_kafka_pause(struct penstock_kafka *kafka, const int32_t *partitions, size_t count, int is_paused) {
    list_t *list = rd.topic_partition_list_new((int)count);
    for (size_t index = 0; index < count; index++) rd.topic_partition_list_add(list, kafka->topic, partitions[index]);
    if (is_paused) {
        rd.pause_partitions(kafka->handle, list);
    } else {
        rd.resume_partitions(kafka->handle, list);
    }
    rd.topic_partition_list_destroy(list);
}

static int ask_offset(
    struct penstock_kafka *kafka, const char *topic, int32_t partition, int64_t time, int64_t *offset, int milliseconds) {
    list_t *list = rd.topic_partition_list_new(1);
    rd.topic_partition_list_add(list, topic, partition)->offset = time;
    int code = rd.offsets_for_times(kafka->handle, list, milliseconds);
    if (code == 0) code = list->elems[0].err;
    *offset = list->elems[0].offset;
    rd.topic_partition_list_destroy(list);
    return code;
}

int penstock_kafka_offsets(
    struct penstock_kafka *kafka, const char *topic, int32_t partition, int64_t *low, int64_t *high, int milliseconds) {
    // The library's own question about both waits for as long as its sockets' time-out, whatever it is told.
    int code = ask_offset(kafka, topic, partition, LAST, high, milliseconds);
    return code != 0 ? code : ask_offset(kafka, topic, partition, FIRST, low, milliseconds);
}

int penstock_kafka_committed(struct penstock_kafka *kafka, int32_t partition, int64_t *offset, int milliseconds) {
    list_t *partitions = rd.topic_partition_list_new(1);
    rd.topic_partition_list_add(partitions, kafka->topic, partition);
    int code = rd.committed(kafka->handle, partitions, milliseconds);
    if (code == 0) code = partitions->elems[0].err;
    *offset = partitions->elems[0].offset;
    rd.topic_partition_list_destroy(partitions);
    return code;
}

static list_t *list_of(struct penstock_kafka *kafka, const struct penstock_kafka_offset *offsets, size_t count) {
    list_t *list = rd.topic_partition_list_new((int)count);
    for (size_t index = 0; index < count; index++)
        rd.topic_partition_list_add(list, kafka->topic, offsets[index].partition)->offset = offsets[index].offset;
    return list;
}

int penstock_kafka_commit(
    struct penstock_kafka *kafka, const struct penstock_kafka_offset *offsets, size_t count, int waits) {
    list_t *list = list_of(kafka, offsets, count);
    int code = rd.commit(kafka->handle, list, !waits);
    rd.topic_partition_list_destroy(list);
    return code;
}

int penstock_kafka_commit_failure(struct penstock_kafka *kafka) {
    int code = kafka->commit_failure;
    kafka->commit_failure = 0;
    return code;
}

// MARK: Writing

int penstock_kafka_send(
    struct penstock_kafka *kafka, const char *topic, int has_key, const uint8_t *key, size_t key_bytes,
    const uint8_t *value, size_t value_bytes, const char *first_name, const char *first_value, const char *second_name,
    const char *second_value, const char *third_name, const char *third_value, int64_t tag) {
    // The first one without a name ends the list: what follows the end is not read. An empty key is one, with an address.
    return rd.producev(
        kafka->handle, TOPIC, topic, MESSAGE_FLAGS, COPY, KEY, has_key ? (key_bytes ? key : (const uint8_t *)"") : NULL,
        key_bytes, VALUE, value, value_bytes, OPAQUE, (void *)(intptr_t)tag, *first_name ? HEADER : END, first_name,
        first_value, (ssize_t)-1, *second_name ? HEADER : END, second_name, second_value, (ssize_t)-1,
        *third_name ? HEADER : END, third_name, third_value, (ssize_t)-1, END);
}

int penstock_kafka_flush(struct penstock_kafka *kafka, int milliseconds) {
    rd.flush(kafka->handle, milliseconds);
    return rd.outq_len(kafka->handle);
}

int penstock_kafka_give_up(struct penstock_kafka *kafka, int milliseconds) {
    rd.purge(kafka->handle, PURGE_ALL);
    return penstock_kafka_flush(kafka, milliseconds);
}

void penstock_kafka_purge(struct penstock_kafka *kafka) {
    rd.purge(kafka->handle, PURGE_ALL);
    rd.poll(kafka->handle, 0);
    kafka->failure_count = 0;
}

int penstock_kafka_next_failure(struct penstock_kafka *kafka, int64_t *tag, int *code) {
    if (kafka->failure_count == 0) return 0;
    struct failure failure = kafka->failures[--kafka->failure_count];
    *tag = failure.tag;
    *code = failure.code;
    return 1;
}

static int step(struct penstock_kafka *kafka, rd_kafka_error_t *error) {
    if (!error) return PENSTOCK_KAFKA_DONE;
    int outcome = PENSTOCK_KAFKA_LOST;
    if (rd.error_txn_requires_abort(error)) {
        outcome = PENSTOCK_KAFKA_ABORT;
    } else if (rd.error_is_retriable(error)) {
        outcome = PENSTOCK_KAFKA_AGAIN;
    }
    finish_error(kafka, error);
    return outcome;
}

int penstock_kafka_transactions_init(struct penstock_kafka *kafka, int milliseconds) {
    return step(kafka, rd.init_transactions(kafka->handle, milliseconds));
}

int penstock_kafka_transaction_begin(struct penstock_kafka *kafka) {
    return step(kafka, rd.begin_transaction(kafka->handle));
}

int penstock_kafka_transaction_offsets(
    struct penstock_kafka *kafka, struct penstock_kafka *consumer, const struct penstock_kafka_offset *offsets,
    size_t count, int milliseconds) {
    rd_kafka_consumer_group_metadata_t *group = rd.consumer_group_metadata(consumer->handle);
    if (!group) return PENSTOCK_KAFKA_LOST;
    list_t *list = list_of(consumer, offsets, count);
    int outcome = step(kafka, rd.send_offsets_to_transaction(kafka->handle, list, group, milliseconds));
    rd.topic_partition_list_destroy(list);
    rd.consumer_group_metadata_destroy(group);
    return outcome;
}

int penstock_kafka_transaction_commit(struct penstock_kafka *kafka, int milliseconds) {
    return step(kafka, rd.commit_transaction(kafka->handle, milliseconds));
}

int penstock_kafka_transaction_abort(struct penstock_kafka *kafka, int milliseconds) {
    return step(kafka, rd.abort_transaction(kafka->handle, milliseconds));
}

const char *penstock_kafka_played_brokers(struct penstock_kafka *kafka) {
    rd_kafka_mock_cluster_t *cluster = rd.handle_mock_cluster(kafka->handle);
    return cluster ? rd.mock_cluster_bootstraps(cluster) : NULL;
}

void penstock_kafka_play_delay(struct penstock_kafka *kafka, int milliseconds) {
    rd_kafka_mock_cluster_t *cluster = rd.handle_mock_cluster(kafka->handle);
    if (cluster) rd.mock_broker_set_rtt(cluster, 1, milliseconds);
}

void penstock_kafka_play_refusals(struct penstock_kafka *kafka, int request, int code, size_t count) {
    rd_kafka_mock_cluster_t *cluster = rd.handle_mock_cluster(kafka->handle);
    for (size_t index = 0; cluster && index < count; index++)
        rd.mock_push_request_errors_array(cluster, (int16_t)request, 1, &code);
}

void penstock_kafka_play_fault(struct penstock_kafka *kafka, const char *topic, int code) {
    rd_kafka_mock_cluster_t *cluster = rd.handle_mock_cluster(kafka->handle);
    if (cluster) rd.mock_topic_set_error(cluster, topic, code);
}
