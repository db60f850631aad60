/* Slipring: a message queue in shared memory. The C interface, C99 and later, C++11 and later.
 *
 * Generated from src/capi; do not edit. Every function that can fail returns a status, SLIPRING_OK or negative, and writes its results through
 * pointers only on success. timeout_ns: 0 does not wait, -1 waits for ever. A NULL handle is SLIPRING_INVALID, never a crash; the *_close
 * functions ignore NULL. A queue is used by any number of threads, a producer or consumer by one at a time. docs/c.md has a first program. */

#ifndef SLIPRING_H
#define SLIPRING_H

#include <stddef.h>
#include <stdint.h>

/* The version of this header, to be compared with slipring_version(): major << 16 | minor << 8 | patch. */
#define SLIPRING_VERSION_MAJOR 0
#define SLIPRING_VERSION_MINOR 1
#define SLIPRING_VERSION_PATCH 0
#define SLIPRING_VERSION ((SLIPRING_VERSION_MAJOR << 16) | (SLIPRING_VERSION_MINOR << 8) | SLIPRING_VERSION_PATCH)


/**
 * A flag of `slipring_queue_options`: a pure topic, without the group "default"; messages that no group asked for are overwritten.
 */
#define SLIPRING_TOPIC 1

/**
 * A flag of `slipring_queue_options`: real fences in place of membarrier(2), for sandboxes that forbid it; chosen by itself there.
 */
#define SLIPRING_FENCED 2

/**
 * `start`: at the oldest message that is still there.
 */
#define SLIPRING_EARLIEST 0

/**
 * `start`: with the next message that is sent.
 */
#define SLIPRING_LATEST 1

/**
 * `start`: at `position`, or at the first message after it.
 */
#define SLIPRING_POSITION 2

/**
 * A flag of `slipring_consumer_options`: a lossy reader holds nobody up; it may be overrun, and is told so (LAGGED).
 */
#define SLIPRING_LOSSY 1

/**
 * The receiving side of a queue. One thread at a time uses it; several messages may be held at once.
 */
typedef struct slipring_consumer slipring_consumer;

/**
 * The sending side of a queue. One thread at a time uses it.
 */
typedef struct slipring_producer slipring_producer;

/**
 * An open queue. Any number of threads may use one at once. Closing it leaves its producers and consumers at work.
 */
typedef struct slipring_queue slipring_queue;

/**
 * How a queue is made. Fill it with `slipring_queue_options_init`, then change what you like; zero means the default.
 */
typedef struct {
    /**
     * The size of this struct; set by `slipring_queue_options_init`.
     */
    uint32_t struct_size;
    /**
     * Bytes of a block, a power of two from 64 to 1 MiB. Default 64.
     */
    uint32_t block_size;
    /**
     * Bytes of payload that the ring holds, rounded up to a power of two of blocks. Default 64 MiB.
     */
    uint64_t capacity;
    /**
     * Bytes of history kept behind the slowest reader, at most half the capacity. Default 0.
     */
    uint64_t retain;
    /**
     * The file's permission bits, applied exactly. Default 0600.
     */
    uint32_t mode;
    /**
     * Groups that there can be at once, 1 to 256. Default 64.
     */
    uint32_t max_groups;
    /**
     * Producers and consumers that there can be at once, 1 to 1023. Default 256.
     */
    uint32_t max_members;
    /**
     * `SLIPRING_TOPIC`, `SLIPRING_FENCED`, or both.
     */
    uint32_t flags;
} slipring_queue_options;

/**
 * What every function that can fail returns: `SLIPRING_OK`, or one of the negative codes below. Codes are never renumbered.
 */
typedef int32_t slipring_status;

/**
 * A queue's figures. Each is right for some moment, not all for the same.
 */
typedef struct {
    /**
     * Bytes of payload that the ring holds.
     */
    uint64_t capacity;
    /**
     * Bytes of a block.
     */
    uint64_t block_size;
    /**
     * Bytes of history kept behind the slowest reader.
     */
    uint64_t retain;
    /**
     * The longest message, in bytes, its event name included.
     */
    uint64_t max_message;
    /**
     * Bytes that the slowest reliable group has not acked.
     */
    uint64_t used;
    /**
     * The oldest position that can still be read.
     */
    uint64_t earliest;
    /**
     * The position that comes next.
     */
    uint64_t latest;
    /**
     * Messages sent.
     */
    uint64_t sent;
    /**
     * Messages delivered, to all groups together.
     */
    uint64_t received;
    /**
     * Dead members that were repaired.
     */
    uint64_t repaired;
    /**
     * Messages put into dead-letter queues.
     */
    uint64_t dead_lettered;
    /**
     * Messages given up without one.
     */
    uint64_t dropped;
    /**
     * Groups there are, and can be.
     */
    uint32_t groups;
    /**
     * Groups that there can be.
     */
    uint32_t max_groups;
    /**
     * Members there are, and can be.
     */
    uint32_t members;
    /**
     * Members that there can be.
     */
    uint32_t max_members;
    /**
     * 1 if the queue was closed to producers.
     */
    uint32_t closed;
    /**
     * 1 if it uses fences in place of membarrier.
     */
    uint32_t fenced;
    /**
     * The queue's random id, low half first.
     */
    uint64_t id[2];
    /**
     * Zero.
     */
    uint64_t spare[6];
} slipring_queue_stats;

/**
 * One part of `slipring_send_batch`.
 */
typedef struct {
    /**
     * May be NULL if `len` is 0.
     */
    const void *data;
    /**
     * Bytes.
     */
    size_t len;
} slipring_slice;

/**
 * Space for a message, to be written in place. Fill `len` bytes at `data`, then commit or abort; be quick, since messages of other
 * producers behind it wait.
 */
typedef struct {
    /**
     * Aligned to 64 bytes. Holds leftovers of earlier messages.
     */
    void *data;
    /**
     * Bytes reserved.
     */
    size_t len;
    /**
     * Which reservation this is; not to be changed.
     */
    uint64_t cookie;
} slipring_reservation;

/**
 * How a consumer joins. Fill it with `slipring_consumer_options_init`, then change what you like; zero means the default.
 */
typedef struct {
    /**
     * The size of this struct; set by `slipring_consumer_options_init`.
     */
    uint32_t struct_size;
    /**
     * Where a new group starts: `SLIPRING_EARLIEST` (default), `SLIPRING_LATEST` or `SLIPRING_POSITION`.
     */
    uint32_t start;
    /**
     * For `SLIPRING_POSITION`.
     */
    uint64_t position;
    /**
     * Messages that a member of a group with several members claims at once, 1 to 1024. Default 1.
     */
    uint32_t prefetch;
    /**
     * Deliveries, 1 to 254, after which a message is a dead letter. Default 0: no limit. A setting of the group.
     */
    uint32_t max_deliveries;
    /**
     * The queue for messages that were rejected or delivered too often; NULL: they are dropped and counted. A setting of the group.
     */
    const char *dead_letter;
    /**
     * Only events whose name matches this pattern (`*` and `?`); NULL: all. A setting of the group.
     */
    const char *filter;
    /**
     * `SLIPRING_LOSSY` or 0.
     */
    uint32_t flags;
    /**
     * Zero.
     */
    uint32_t spare;
} slipring_consumer_options;

/**
 * A message in the caller's hands, until it is acked, retried or rejected, or its consumer closed. `data` and `event` point into the queue
 * itself: read only, and not after that.
 */
typedef struct {
    /**
     * The payload, aligned to 64 bytes (a lossy reader's is a copy, aligned to nothing).
     */
    const void *data;
    /**
     * Its length.
     */
    size_t len;
    /**
     * The event name, UTF-8, not NUL-terminated; NULL if there is none.
     */
    const char *event;
    /**
     * Its length.
     */
    size_t event_len;
    /**
     * With the queue's id it names the message for ever.
     */
    uint64_t position;
    /**
     * Names the message to `slipring_ack`; not to be changed.
     */
    uint64_t cookie;
    /**
     * How often it has been delivered to this group, this time included: above 1 it may have been worked on before.
     */
    uint32_t deliveries;
    /**
     * Zero.
     */
    uint32_t spare;
} slipring_message;

/**
 * It worked.
 */
#define SLIPRING_OK 0

/**
 * The ring is full, and the call was not to wait.
 */
#define SLIPRING_FULL (-1)

/**
 * There is no message now, and the call was not to wait.
 */
#define SLIPRING_EMPTY (-2)

/**
 * The time is over; or another process (stopped?) holds the queue's registry.
 */
#define SLIPRING_TIMEOUT (-3)

/**
 * The queue was closed; for a consumer: and everything in it is done.
 */
#define SLIPRING_CLOSED (-4)

/**
 * A lossy reader was overrun (the next call goes on behind the gap), or a start position was overwritten.
 */
#define SLIPRING_LAGGED (-5)

/**
 * The message does not fit: into the queue, ever, or into the buffer given.
 */
#define SLIPRING_TOO_LARGE (-6)

/**
 * No such queue or group.
 */
#define SLIPRING_NOT_FOUND (-7)

/**
 * There is a queue of that name already.
 */
#define SLIPRING_EXISTS (-8)

/**
 * Another layout version, another kind of file, or a group with other settings.
 */
#define SLIPRING_INCOMPATIBLE (-9)

/**
 * The queue's file is damaged.
 */
#define SLIPRING_CORRUPT (-10)

/**
 * The system's permissions forbid it.
 */
#define SLIPRING_PERMISSION (-11)

/**
 * An argument makes no sense: NULL, out of range, stale.
 */
#define SLIPRING_INVALID (-12)

/**
 * No more members or groups.
 */
#define SLIPRING_LIMIT (-13)

/**
 * The handle was made before a fork(); open the queue again in the child.
 */
#define SLIPRING_FORKED (-14)

/**
 * The file system is full.
 */
#define SLIPRING_NO_SPACE (-15)

/**
 * Another error of the operating system; `slipring_last_error` says which.
 */
#define SLIPRING_OS (-16)

/**
 * A bug in Slipring. The handle answers nothing else from then on; close it.
 */
#define SLIPRING_INTERNAL (-17)

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * A code's meaning in a few words: static text, never NULL, also for numbers that are no code. Any thread.
 */
const char *slipring_status_str(int32_t status);

/**
 * What the last call of this thread that failed had to say, as text for people; "" if none did. Never NULL. Valid until this
 * thread's next failing call; successful calls leave it alone.
 */
const char *slipring_last_error(void);

/**
 * The library's version as `major << 16 | minor << 8 | patch`, to be compared with `SLIPRING_VERSION`. Any thread.
 */
uint32_t slipring_version(void);

/**
 * Sets all options to their defaults. NULL is ignored.
 *
 * `options` is NULL or writable.
 */
void slipring_queue_options_init(slipring_queue_options *options);

/**
 * Makes a queue and opens it. It appears whole or not at all. `name`: 1 to 128 of `A-Z a-z 0-9 . _ -`, or a path (with a `/`).
 * `options` may be NULL. The queue that `*out` receives is the caller's, to be given to `slipring_close`.
 *
 * EXISTS, PERMISSION, NO_SPACE, INVALID (a name or an option), OS.
 *
 * `name` is NULL or a string, `options` NULL or initialised, `out` NULL or writable.
 */
slipring_status slipring_create(const char *name,
                                const slipring_queue_options *options,
                                slipring_queue **out);

/**
 * Opens a queue that exists.
 *
 * NOT_FOUND, INCOMPATIBLE, CORRUPT, PERMISSION, INVALID, OS. The rest as for `slipring_create`.
 *
 * `name` is NULL or a string, `out` NULL or writable.
 */
slipring_status slipring_open(const char *name, slipring_queue **out);

/**
 * Opens the queue of that name, or makes it; the options count only if it is made. The rest as for `slipring_create`.
 *
 * As for `slipring_create`.
 */
slipring_status slipring_open_or_create(const char *name, const slipring_queue_options *options, slipring_queue **out);

/**
 * Lets a queue go. Its producers and consumers go on. NULL is ignored.
 *
 * `queue` is NULL or from this library, and not used again.
 */
void slipring_close(slipring_queue *queue);

/**
 * Closes the queue for good: producers get CLOSED, consumers drain what there is and then get CLOSED.
 *
 * FORKED, TIMEOUT (another process, stopped, holds the registry), CORRUPT, INVALID.
 *
 * `queue` is NULL or open.
 */
slipring_status slipring_shutdown(slipring_queue *queue);

/**
 * Removes a queue's name. Who has it open goes on; the memory is given back when the last one is gone.
 *
 * NOT_FOUND, PERMISSION, INCOMPATIBLE (not a queue's file), INVALID.
 *
 * `name` is NULL or a string.
 */
slipring_status slipring_unlink(const char *name);

/**
 * Drops a group that has no members: what it has not acked is no longer kept for it.
 *
 * NOT_FOUND, INCOMPATIBLE (it has members), FORKED, TIMEOUT, INVALID.
 *
 * `queue` is NULL or open, `group` NULL or a string.
 */
slipring_status slipring_drop_group(slipring_queue *queue, const char *group);

/**
 * Makes a queue without a name in a sealed memory file: nobody can truncate it, so peers need not be trusted that far. Pass
 * `slipring_queue_fd` to other processes (over a Unix socket, or by inheritance), which open it with `slipring_open_fd`.
 *
 * As for `slipring_create`; `label` is for people, as in memfd_create(2).
 */
slipring_status slipring_create_memfd(const char *label,
                                      const slipring_queue_options *options,
                                      slipring_queue **out);

/**
 * Opens a queue that came as a descriptor. The descriptor stays the caller's.
 *
 * INCOMPATIBLE (no queue, or a memory file that is not sealed), CORRUPT, INVALID, OS.
 *
 * `out` is NULL or writable; `fd` is open.
 */
slipring_status slipring_open_fd(int fd, slipring_queue **out);

/**
 * The queue file's descriptor, to be passed to another process; INVALID for NULL. It stays the queue's: do not close it.
 *
 * `queue` is NULL or open.
 */
int slipring_queue_fd(const slipring_queue *queue);

/**
 * Reads a queue's figures. Counts messages one by one: not for a hot path.
 *
 * INVALID.
 *
 * `queue` is NULL or open, `out` NULL or writable.
 */
slipring_status slipring_stats(const slipring_queue *queue, slipring_queue_stats *out);

/**
 * Repairs what dead members left, which waiting members also do by themselves. `*repaired` (may be NULL) receives how many there were.
 *
 * FORKED, TIMEOUT, CORRUPT, INVALID.
 *
 * `queue` is NULL or open, `repaired` NULL or writable.
 */
slipring_status slipring_recover(slipring_queue *queue,
                                 uint32_t *repaired);

/**
 * Becomes a producer. The producer that `*out` receives is the caller's, to be given to `slipring_producer_close`.
 *
 * LIMIT (all member rows are in use), CLOSED, FORKED, TIMEOUT, CORRUPT, INVALID, OS.
 *
 * `queue` is NULL or open, `out` NULL or writable.
 */
slipring_status slipring_producer_open(slipring_queue *queue, slipring_producer **out);

/**
 * Leaves the queue; an open reservation is aborted. NULL is ignored.
 *
 * `producer` is NULL or from this library, and not used again.
 */
void slipring_producer_close(slipring_producer *producer);

/**
 * Sends a message of `len` bytes. When this returns OK the message survives the death of this process. `data` is copied.
 * `timeout_ns`: how long to wait for room: 0 not at all, -1 for ever.
 *
 * FULL (did not wait), TIMEOUT, CLOSED, TOO_LARGE (ever), FORKED, CORRUPT, INVALID.
 *
 * `producer` is NULL or open, and used by no other thread now; `data` has `len` readable bytes.
 */
slipring_status slipring_send(slipring_producer *producer,
                              const void *data,
                              size_t len,
                              int64_t timeout_ns);

/**
 * Sends a message with an event name, UTF-8 of at most 255 bytes; NULL means none. The rest as for `slipring_send`.
 *
 * As for `slipring_send`; `event` is NULL or a string.
 */
slipring_status slipring_send_event(slipring_producer *producer,
                                    const char *event,
                                    const void *data,
                                    size_t len,
                                    int64_t timeout_ns);

/**
 * Sends `count` messages with few claims and one wake, waiting for room as long as it takes. After an error `*sent` (may be NULL) messages
 * of the front are sent, all of them after OK.
 *
 * As for `slipring_send`.
 *
 * As for `slipring_send`; `slices` has `count` readable parts, each with readable bytes; `sent` is NULL or writable.
 */
slipring_status slipring_send_batch(slipring_producer *producer,
                                    const slipring_slice *slices,
                                    size_t count,
                                    size_t *sent);

/**
 * Reserves `len` bytes to be written in place. A producer has one reservation at a time. `timeout_ns` as for `slipring_send`.
 *
 * FULL, TIMEOUT, CLOSED, TOO_LARGE, FORKED, CORRUPT, INVALID (one is open already).
 *
 * `producer` is NULL or open, and used by no other thread now; `out` is NULL or writable.
 */
slipring_status slipring_reserve(slipring_producer *producer,
                                 size_t len,
                                 int64_t timeout_ns,
                                 slipring_reservation *out);

/**
 * As `slipring_reserve`, for a message with an event name; NULL means none.
 *
 * As for `slipring_reserve`; `event` is NULL or a string.
 */
slipring_status slipring_reserve_event(slipring_producer *producer,
                                       const char *event,
                                       size_t len,
                                       int64_t timeout_ns,
                                       slipring_reservation *out);

/**
 * Publishes the first `len` bytes of a reservation as a message; `len` may be less than was reserved. The reservation is spent.
 *
 * INVALID (NULL, stale, or `len` above what was reserved: then it stays open), FORKED.
 *
 * `producer` is NULL or open, and used by no other thread now; `reservation` is NULL or what `slipring_reserve` filled.
 */
slipring_status slipring_commit(slipring_producer *producer,
                                slipring_reservation *reservation,
                                size_t len);

/**
 * Gives a reservation up: consumers skip the space. NULL and spent reservations are ignored.
 *
 * As for `slipring_commit`.
 */
void slipring_abort(slipring_producer *producer, slipring_reservation *reservation);

/**
 * Sets all options to their defaults. NULL is ignored.
 *
 * `options` is NULL or writable.
 */
void slipring_consumer_options_init(slipring_consumer_options *options);

/**
 * Joins a group, which is made if there is none of that name. `group` NULL: an anonymous group of one, which goes with its consumer.
 * `options` may be NULL. The consumer that `*out` receives is the caller's, to be given to `slipring_consumer_close`.
 *
 * LIMIT (all member or group rows are in use), INCOMPATIBLE (the group has other settings), LAGGED (the start position was overwritten),
 * NO_SPACE, FORKED, TIMEOUT, CORRUPT, INVALID, OS.
 *
 * `queue` is NULL or open, `group` NULL or a string, `options` NULL or initialised, `out` NULL or writable.
 */
slipring_status slipring_consumer_open(slipring_queue *queue,
                                       const char *group,
                                       const slipring_consumer_options *options,
                                       slipring_consumer **out);

/**
 * Leaves the group; what the consumer holds is given back. NULL is ignored.
 *
 * `consumer` is NULL or from this library, and neither it nor its messages are used again.
 */
void slipring_consumer_close(slipring_consumer *consumer);

/**
 * Receives a message into `buffer` and acks it. `*len` receives its length. `timeout_ns`: how long to wait for one: 0 not at all, -1 for
 * ever.
 *
 * EMPTY (did not wait), TIMEOUT, CLOSED (and drained), LAGGED (lossy readers), TOO_LARGE (`*len` says how large a buffer it needs; the
 * message stays and comes next), FORKED, CORRUPT, INVALID.
 *
 * `consumer` is NULL or open, and used by no other thread now; `buffer` has `capacity` writable bytes; `len` is NULL or writable.
 */
slipring_status slipring_receive(slipring_consumer *consumer,
                                 void *buffer,
                                 size_t capacity,
                                 int64_t timeout_ns,
                                 size_t *len);

/**
 * Lends a message in place, without a copy. It is held until it is acked, retried or rejected; several may be. `timeout_ns` as for
 * `slipring_receive`.
 *
 * EMPTY, TIMEOUT, CLOSED, LAGGED, FORKED, CORRUPT, INVALID, LIMIT (a million messages are held; the message is given back).
 *
 * `consumer` is NULL or open, and used by no other thread now; `out` is NULL or writable.
 */
slipring_status slipring_borrow(slipring_consumer *consumer,
                                int64_t timeout_ns,
                                slipring_message *out);

/**
 * Lends at least one message, waiting for it as for `slipring_borrow`, and up to `max` that are there already. `*count` receives how many.
 *
 * As for `slipring_borrow`.
 *
 * As for `slipring_borrow`; `out` is NULL or writable for `max` messages, `count` NULL or writable.
 */
slipring_status slipring_borrow_batch(slipring_consumer *consumer,
                                      slipring_message *out,
                                      size_t max,
                                      int64_t timeout_ns,
                                      size_t *count);

/**
 * Done. When this returns OK no crash of anybody brings the message back.
 *
 * INVALID (NULL, or not held by this consumer any more), FORKED, TIMEOUT, CORRUPT, OS.
 *
 * `consumer` is NULL or open, and used by no other thread now; `message` is NULL or what `slipring_borrow` filled.
 */
slipring_status slipring_ack(slipring_consumer *consumer, const slipring_message *message);

/**
 * Gives a message back, to be delivered again to any member of the group.
 *
 * As for `slipring_ack`.
 *
 * As for `slipring_ack`.
 */
slipring_status slipring_retry(slipring_consumer *consumer, const slipring_message *message);

/**
 * Not to be tried again: the message goes to the group's dead-letter queue with the reason, or is dropped and counted if there is none.
 * After an error it is given back.
 *
 * As for `slipring_ack`; FULL if the dead-letter queue did not take it.
 *
 * As for `slipring_ack`; `reason` is NULL or a string.
 */
slipring_status slipring_reject(slipring_consumer *consumer,
                                const slipring_message *message,
                                const char *reason);

/**
 * A descriptor for poll, epoll or an event loop: readable when there may be a message. Then receive with a timeout of 0 until EMPTY, which
 * arms it again; start by receiving, too. It stays the consumer's: do not close it, and do not read from it.
 *
 * A negative status on failure: OS, INVALID.
 *
 * `consumer` is NULL or open, and used by no other thread now.
 */
int slipring_consumer_fd(slipring_consumer *consumer);

/**
 * Messages that this consumer's group has not acked yet, or that a lossy reader has not read; 0 for NULL. Counts them one by one.
 *
 * `consumer` is NULL or open, and used by no other thread now.
 */
uint64_t slipring_lag(const slipring_consumer *consumer);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* SLIPRING_H */
