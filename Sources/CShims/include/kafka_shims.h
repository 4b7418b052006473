// Kafka by librdkafka, which is opened when the first topic is served, and never by gateways without one. Only what is
// needed is declared here, after the library's own rdkafka.h, whose interface has been stable since 1.0: no header of it
// is needed to build, and any version from 2.0 on will do at run time.
//
// A handle is used by one thread, but for penstock_kafka_wake. Callbacks of the library run within calls on that handle;
// they note what they are told, and the caller asks for it.
#ifndef PENSTOCK_KAFKA_SHIMS_H
#define PENSTOCK_KAFKA_SHIMS_H

#include <stddef.h>
#include <stdint.h>

// Opens the library, unless it is open; NULL where it is there, else a text that says why not, valid until the next call on
// this thread.
const char *penstock_kafka_load(void);
// Its version, such as "2.0.2"; after it was opened.
const char *penstock_kafka_version(void);
// What a code of it means, a constant of the library's.
const char *penstock_kafka_text(int code);

struct penstock_kafka_settings;
struct penstock_kafka;

// Codes that are looked at.
enum {
    PENSTOCK_KAFKA_NO_OFFSET = -168,
    PENSTOCK_KAFKA_FATAL = -150,
    // What became of messages that nobody is to write any more: they had been sent, or not.
    PENSTOCK_KAFKA_PURGED_IN_FLIGHT = -151,
    PENSTOCK_KAFKA_PURGED = -152,
    PENSTOCK_KAFKA_TOO_LARGE = 10,
    // Three words for a topic that is not there: the brokers', and the library's for the topic and its partitions.
    PENSTOCK_KAFKA_NO_TOPIC = 3,
    PENSTOCK_KAFKA_NO_SUCH_TOPIC = -188,
    PENSTOCK_KAFKA_NO_PARTITION = -190,
    PENSTOCK_KAFKA_FORBIDDEN = 29,
};

struct penstock_kafka_settings *penstock_kafka_settings_make(void);
// Sets a property; 0, or -1 with the reason in `why`.
int penstock_kafka_set(
    struct penstock_kafka_settings *settings, const char *name, const char *value, char *why, size_t room);
// For settings that no handle was made of.
void penstock_kafka_settings_free(struct penstock_kafka_settings *settings);

// Makes a member of a group that reads `topic`, or one that writes; it takes the settings, also where it fails: NULL then, with
// the reason in `why`.
struct penstock_kafka *penstock_kafka_consumer(
    struct penstock_kafka_settings *settings, const char *topic, char *why, size_t room);
struct penstock_kafka *penstock_kafka_producer(struct penstock_kafka_settings *settings, char *why, size_t room);
// Leaves the group, where it is a member and brokers let it go within `milliseconds`, else leaves that to its time-out there;
// and frees the handle, which goes on by itself where the library waits for brokers.
void penstock_kafka_free(struct penstock_kafka *kafka, int milliseconds);

// The text of the last error that a handle was told of, empty without one; valid until the next call with it.
const char *penstock_kafka_last_error(struct penstock_kafka *kafka);
// Whether a handle was told since the last call of an error that is no answer to any call, such as a broker that is away:
// that text has it.
int penstock_kafka_next_error(struct penstock_kafka *kafka);

// A message as it was read; its bytes are the library's until it is given back.
struct penstock_kafka_message {
    int32_t partition;
    int64_t offset;
    // NULL for a message without.
    const uint8_t *key;
    size_t key_bytes;
    const uint8_t *value;
    size_t value_bytes;
    void *owner;
};

// Waits for a message for so long: 1 with one, 0 without, or a code below or above that which the handle was told of.
int penstock_kafka_poll(struct penstock_kafka *kafka, int milliseconds, struct penstock_kafka_message *message, int *code);
void penstock_kafka_release(struct penstock_kafka_message *message);
// Has a poll that is under way on another thread return, or the next one.
void penstock_kafka_wake(struct penstock_kafka *kafka);

// A partition that the group gives to this member, or takes from it.
struct penstock_kafka_change {
    int32_t partition;
    int is_taken;
};
// The next change since the last call; 0 where there is none. What they say holds once they are applied.
int penstock_kafka_next_change(struct penstock_kafka *kafka, struct penstock_kafka_change *change);
// Whether partitions that are taken have been given to others already, because the group took this member for dead.
int penstock_kafka_has_lost(struct penstock_kafka *kafka);
// Has the changes that were told hold; until then the group waits. New partitions are not paused.
void penstock_kafka_apply_changes(struct penstock_kafka *kafka);

// Pauses or resumes partitions of its own.
void penstock_kafka_pause(struct penstock_kafka *kafka, const int32_t *partitions, size_t count, int is_paused);

// The first and the next offset of a topic's partition; 0, or a code.
int penstock_kafka_offsets(
    struct penstock_kafka *kafka, const char *topic, int32_t partition, int64_t *low, int64_t *high, int milliseconds);
// The offset that the group goes on from, below 0 for none; 0, or a code.
int penstock_kafka_committed(struct penstock_kafka *kafka, int32_t partition, int64_t *offset, int milliseconds);

struct penstock_kafka_offset {
    int32_t partition;
    int64_t offset;
};
// Says from which offsets the group is to go on; waits for the answer where `waits`. 0, or a code.
int penstock_kafka_commit(
    struct penstock_kafka *kafka, const struct penstock_kafka_offset *offsets, size_t count, int waits);
// The code of the last commit that was not waited for, once; 0 where there is none that failed.
int penstock_kafka_commit_failure(struct penstock_kafka *kafka);

// Hands a message over to be written; the bytes are copied, and `tag` names it. Without a key where `has_key` is 0, and
// without the headers that have no name. 0, or a code.
int penstock_kafka_send(
    struct penstock_kafka *kafka, const char *topic, int has_key, const uint8_t *key, size_t key_bytes,
    const uint8_t *value, size_t value_bytes, const char *first_name, const char *first_value, const char *second_name,
    const char *second_value, const char *third_name, const char *third_value, int64_t tag);
// Waits until all that was handed over has its answer, for so long; how many have none yet.
int penstock_kafka_flush(struct penstock_kafka *kafka, int milliseconds);
// Has what was handed over and has no answer fail, and waits for so long until all of it has; how many have not yet. What was
// sent before may be written all the same.
int penstock_kafka_give_up(struct penstock_kafka *kafka, int milliseconds);
// Drops what has no answer yet.
void penstock_kafka_purge(struct penstock_kafka *kafka);
// The next message that was not written, with its code; 0 where there is none.
int penstock_kafka_next_failure(struct penstock_kafka *kafka, int64_t *tag, int *code);

// What a step of a transaction came to.
enum {
    PENSTOCK_KAFKA_DONE = 0,
    // The same step has to be called again.
    PENSTOCK_KAFKA_AGAIN = 1,
    // The transaction has to be aborted.
    PENSTOCK_KAFKA_ABORT = 2,
    // The handle is of no use any more.
    PENSTOCK_KAFKA_LOST = 3,
};
int penstock_kafka_transactions_init(struct penstock_kafka *kafka, int milliseconds);
int penstock_kafka_transaction_begin(struct penstock_kafka *kafka);
int penstock_kafka_transaction_offsets(
    struct penstock_kafka *kafka, struct penstock_kafka *consumer, const struct penstock_kafka_offset *offsets,
    size_t count, int milliseconds);
int penstock_kafka_transaction_commit(struct penstock_kafka *kafka, int milliseconds);
int penstock_kafka_transaction_abort(struct penstock_kafka *kafka, int milliseconds);

// The addresses of the brokers that a handle with test.mock.num.brokers plays; NULL where it has none.
const char *penstock_kafka_played_brokers(struct penstock_kafka *kafka);
// Has the first broker that it plays answer so much later.
void penstock_kafka_play_delay(struct penstock_kafka *kafka, int milliseconds);
// Has them refuse the next requests of a kind, a number of Kafka's protocol, with a code.
void penstock_kafka_play_refusals(struct penstock_kafka *kafka, int request, int code, size_t count);
// Has them say of a topic that it has a fault; 0 for none.
void penstock_kafka_play_fault(struct penstock_kafka *kafka, const char *topic, int code);

#endif
