/* Arguments out of range, cookies that are stale, forged or another's, handles in odd orders, and a forked child: misuse DIRECTORY. Each is
 * answered by a status, and harms nothing. */
#define _GNU_SOURCE
#include "check.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BAD SLIPRING_INVALID
#define OK SLIPRING_OK
#define SOON INT64_C(1000000)

/* A string of `len` letters. */
static const char *letters(size_t len) {
    static char text[70000];
    memset(text, 'x', len);
    text[len] = '\0';
    return text;
}

static slipring_status made_with(slipring_queue_options options) {
    slipring_queue *queue = NULL;
    const slipring_status status = slipring_create(at("options"), &options, &queue);
    TRUE((queue != NULL) == (status == OK));
    slipring_close(queue);
    if (status == OK) IS(OK, slipring_unlink(at("options")));
    return status;
}

static void queue_options(void) {
    static const struct {
        uint32_t block_size;
        uint64_t capacity, retain;
        uint32_t max_groups, max_members, flags;
        slipring_status wanted;
    } cases[] = {
        {0, 0, 0, 0, 0, 3, OK},
        {63, 0, 0, 0, 0, 0, BAD},
        {96, 0, 0, 0, 0, 0, BAD},
        {UINT32_MAX, 0, 0, 0, 0, 0, BAD},
        {2u << 20, 0, 0, 0, 0, 0, BAD},
        {0, UINT64_MAX, 0, 0, 0, 0, BAD},
        {1u << 20, UINT64_MAX, 0, 0, 0, 0, BAD},
        {0, 1, 0, 0, 0, 0, OK},
        {0, 0, CAPACITY, 0, 0, 0, BAD},
        {0, 0, UINT64_MAX, 0, 0, 0, BAD},
        {0, 0, 0, 257, 0, 0, BAD},
        {0, 0, 0, UINT32_MAX, 0, 0, BAD},
        {0, 0, 0, 0, 1024, 0, BAD},
        {0, 0, 0, 0, UINT32_MAX, 0, BAD},
        {0, 0, 0, 0, 0, 4, BAD},
        {0, 0, 0, 0, 0, UINT32_MAX, BAD},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        slipring_queue_options options = small();
        options.block_size = cases[i].block_size;
        if (cases[i].capacity != 0) options.capacity = cases[i].capacity;
        options.retain = cases[i].retain;
        options.max_groups = cases[i].max_groups;
        options.max_members = cases[i].max_members;
        options.flags = cases[i].flags;
        IS(cases[i].wanted, made_with(options));
    }

    static const uint32_t sizes[] = {0, 1, 3, 4097, UINT32_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        slipring_queue_options options = small();
        options.struct_size = sizes[i];
        IS(BAD, made_with(options));
    }
    /* A program of an older header, and one of a newer. */
    slipring_queue_options old = small();
    old.struct_size = (uint32_t)offsetof(slipring_queue_options, mode);
    old.flags = UINT32_MAX;
    IS(OK, made_with(old));
    struct {
        slipring_queue_options known;
        uint64_t unknown;
    } new = {small(), 0};
    new.known.struct_size = sizeof new;
    slipring_queue *queue = NULL;
    IS(OK, slipring_create(at("options"), &new.known, &queue));
    slipring_close(queue);
    IS(OK, slipring_unlink(at("options")));
    new.unknown = 1;
    IS(BAD, slipring_create(at("options"), &new.known, &queue));
}

static void names(const world *w) {
    static const char *const bad[] = {"", ".", "..", ".hidden", "a b", "a\nb", "\xff", "q\xc3\xa4"};
    const slipring_queue_options options = small();
    slipring_queue *queue = NULL;
    slipring_consumer *rx = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        IS(BAD, slipring_create(bad[i], &options, &queue));
        IS(BAD, slipring_open(bad[i], &queue));
        IS(BAD, slipring_open_or_create(bad[i], &options, &queue));
        IS(BAD, slipring_unlink(bad[i]));
        IS(BAD, slipring_consumer_open(w->queue, bad[i], NULL, &rx));
        TRUE(slipring_drop_group(w->queue, bad[i]) != OK);
    }
    IS(BAD, slipring_open(letters(129), &queue));
    IS(BAD, slipring_consumer_open(w->queue, letters(129), NULL, &rx));
    IS(SLIPRING_NOT_FOUND, slipring_drop_group(w->queue, letters(60000)));
    TRUE(slipring_create(at(letters(300)), &options, &queue) != OK);
    TRUE(slipring_create_memfd(letters(300), &options, &queue) != OK);
    IS(BAD, slipring_create_memfd("\xff", &options, &queue));
    IS(SLIPRING_EXISTS, slipring_create(at("misuse"), &options, &queue));
    IS(SLIPRING_NOT_FOUND, slipring_open(at("missing"), &queue));
    IS(SLIPRING_NOT_FOUND, slipring_unlink(at("missing")));
    TRUE(queue == NULL && rx == NULL);
}

static void descriptors(const world *w) {
    slipring_queue *queue = NULL;
    int ends[2];
    const int plain = open(at("plain"), O_RDWR | O_CREAT, 0600);
    TRUE(plain >= 0 && pipe(ends) == 0);
    IS(BAD, slipring_open_fd(-1, &queue));
    IS(BAD, slipring_open_fd(INT32_MIN, &queue));
    IS(SLIPRING_OS, slipring_open_fd(INT32_MAX, &queue));
    TRUE(slipring_open_fd(ends[0], &queue) != OK);
    TRUE(slipring_open_fd(plain, &queue) != OK);
    TRUE(queue == NULL);
    /* They are ours still, and so is the queue's. */
    IS(0, close(ends[0]) + close(ends[1]) + close(plain));
    IS(0, unlink(at("plain")));
    TRUE(slipring_queue_fd(w->queue) >= 0);
    const slipring_queue_options options = small();
    slipring_queue *second = NULL;
    IS(OK, slipring_create_memfd("label", &options, &queue));
    IS(OK, slipring_open_fd(slipring_queue_fd(queue), &second));
    slipring_close(queue);
    IS(OK, slipring_shutdown(second));
    slipring_close(second);
}

static slipring_status joined_with(const world *w, const char *group, slipring_consumer_options options) {
    slipring_consumer *rx = NULL;
    const slipring_status status = slipring_consumer_open(w->queue, group, &options, &rx);
    TRUE((rx != NULL) == (status == OK));
    slipring_consumer_close(rx);
    return status;
}

static void consumer_options(const world *w) {
    slipring_consumer_options given, options;
    slipring_consumer_options_init(&given);
#define JOINED(wanted, group, field, value) \
    (options = given, options.field = (value), IS(wanted, joined_with(w, group, options)))
    static const uint32_t sizes[] = {0, 3, 4097, UINT32_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) JOINED(BAD, NULL, struct_size, sizes[i]);
    JOINED(OK, NULL, struct_size, 4);
    JOINED(BAD, NULL, start, 3);
    JOINED(BAD, NULL, start, UINT32_MAX);
    JOINED(BAD, NULL, flags, 2);
    JOINED(BAD, NULL, flags, UINT32_MAX);
    JOINED(BAD, NULL, spare, 1);
    JOINED(BAD, NULL, prefetch, 1025);
    JOINED(BAD, NULL, prefetch, UINT32_MAX);
    JOINED(BAD, "group", max_deliveries, 255);
    JOINED(BAD, "group", max_deliveries, UINT32_MAX);
    JOINED(BAD, NULL, max_deliveries, 1);
    JOINED(BAD, NULL, dead_letter, "dead");
    JOINED(BAD, "group", dead_letter, "\xff");
    JOINED(BAD, "group", dead_letter, letters(60000));
    JOINED(BAD, NULL, filter, "\xff");
    JOINED(BAD, NULL, filter, "");
    JOINED(BAD, NULL, filter, letters(60000));
    JOINED(SLIPRING_INCOMPATIBLE, "default", filter, "other");
    given.start = SLIPRING_POSITION;
    JOINED(OK, NULL, position, UINT64_MAX);
#undef JOINED
}

static void sizes(const world *w) {
    char data[CAPACITY] = "";
    slipring_reservation space;
    slipring_message messages[2];
    size_t count = 77;
    const size_t absurd[] = {SIZE_MAX, SIZE_MAX / 2 + 1, SIZE_MAX / 2};
    for (size_t i = 0; i < 3; i++) {
        const slipring_slice slices[2] = {{data, 1}, {data, absurd[i]}};
        const slipring_status too_large = i < 2 ? BAD : SLIPRING_TOO_LARGE;
        IS(too_large, slipring_send(w->tx, data, absurd[i], -1));
        IS(too_large, slipring_send_event(w->tx, "event", data, absurd[i], SOON));
        IS(SLIPRING_TOO_LARGE, slipring_reserve(w->tx, absurd[i], 0, &space));
        IS(SLIPRING_TOO_LARGE, slipring_reserve_event(w->tx, "event", absurd[i], -1, &space));
        IS(BAD, slipring_send_batch(w->tx, slices, absurd[i], &count));
        IS(0, count);
        TRUE(slipring_send_batch(w->tx, slices, 2, &count) != OK);
        for (; count > 0; count--) IS(OK, slipring_receive(w->rx, data, sizeof data, 0, &(size_t){0}));
    }
    IS(SLIPRING_TOO_LARGE, slipring_send(w->tx, data, sizeof data, 0));
    IS(SLIPRING_TOO_LARGE, slipring_reserve(w->tx, sizeof data, 0, &space));
    IS(OK, slipring_reserve(w->tx, 10, 0, &space));
    IS(BAD, slipring_commit(w->tx, &space, 11));
    IS(BAD, slipring_commit(w->tx, &space, SIZE_MAX));
    IS(OK, slipring_commit(w->tx, &space, 0));
    IS(OK, slipring_send(w->tx, "tail", 4, 0));
    IS(BAD, slipring_borrow_batch(w->rx, messages, 0, 0, &count));
    IS(OK, slipring_borrow_batch(w->rx, messages, SIZE_MAX, 0, &count));
    IS(2, count);
    IS(OK, slipring_ack(w->rx, &messages[1]));
    IS(OK, slipring_retry(w->rx, &messages[0]));
    IS(OK, slipring_receive(w->rx, data, SIZE_MAX, 0, &count));
    IS(0, count);
    IS(SLIPRING_EMPTY, slipring_receive(w->rx, data, SIZE_MAX, 0, &count));
}

static void events(const world *w) {
    slipring_reservation space;
    slipring_message message;
    IS(BAD, slipring_send_event(w->tx, letters(256), "x", 1, 0));
    IS(BAD, slipring_send_event(w->tx, letters(60000), "x", 1, -1));
    IS(BAD, slipring_send_event(w->tx, "\xc3(", "x", 1, 0));
    IS(BAD, slipring_reserve_event(w->tx, letters(256), 1, 0, &space));
    IS(BAD, slipring_reserve_event(w->tx, "\xff", 1, 0, &space));
    IS(OK, slipring_send_event(w->tx, letters(255), "x", 1, 0));
    IS(OK, slipring_send_event(w->tx, "", "y", 1, 0));
    IS(OK, slipring_borrow(w->rx, 0, &message));
    TRUE(message.event_len == 255 && memcmp(message.event, letters(255), 255) == 0);
    IS(OK, slipring_ack(w->rx, &message));
    IS(OK, slipring_borrow(w->rx, 0, &message));
    TRUE(message.event == NULL && message.event_len == 0);
    IS(BAD, slipring_reject(w->rx, &message, "\xff"));
    IS(OK, slipring_reject(w->rx, &message, letters(60000)));
}

static void *sends_soon(void *tx) {
    nanosleep(&(struct timespec){0, 20000000}, NULL);
    IS(OK, slipring_send(tx, "late", 4, -1));
    return NULL;
}

static void timeouts(const world *w) {
    static const int64_t absurd[] = {-2, INT32_MIN, INT64_MIN};
    slipring_reservation space;
    slipring_message message;
    char data[8] = "";
    size_t count = 77;
    for (size_t i = 0; i < 3; i++) {
        IS(BAD, slipring_send(w->tx, "x", 1, absurd[i]));
        IS(BAD, slipring_send_event(w->tx, "event", "x", 1, absurd[i]));
        IS(BAD, slipring_reserve(w->tx, 1, absurd[i], &space));
        IS(BAD, slipring_reserve_event(w->tx, "event", 1, absurd[i], &space));
    }
    IS(OK, slipring_send(w->tx, "only", 4, INT64_MAX));
    for (size_t i = 0; i < 3; i++) {
        IS(BAD, slipring_receive(w->rx, data, sizeof data, absurd[i], &count));
        IS(BAD, slipring_borrow(w->rx, absurd[i], &message));
        IS(BAD, slipring_borrow_batch(w->rx, &message, 1, absurd[i], &count));
    }
    IS(OK, slipring_borrow(w->rx, INT64_MAX, &message));
    TRUE(memcmp(message.data, "only", 4) == 0);
    IS(OK, slipring_ack(w->rx, &message));
    IS(SLIPRING_TIMEOUT, slipring_borrow(w->rx, 1, &message));
    IS(SLIPRING_TIMEOUT, slipring_receive(w->rx, data, sizeof data, SOON, &count));
    IS(SLIPRING_EMPTY, slipring_borrow_batch(w->rx, &message, 1, 0, &count));
    /* Asleep for 292 years, and woken. */
    pthread_t sender;
    IS(0, pthread_create(&sender, NULL, sends_soon, w->tx));
    IS(OK, slipring_receive(w->rx, data, sizeof data, INT64_MAX, &count));
    IS(0, pthread_join(sender, NULL));
    while (slipring_send(w->tx, data, sizeof data, 0) == OK) continue;
    IS(SLIPRING_FULL, slipring_reserve(w->tx, 1, 0, &space));
    IS(SLIPRING_TIMEOUT, slipring_send(w->tx, data, sizeof data, 1));
    IS(SLIPRING_TIMEOUT, slipring_reserve(w->tx, 1, SOON, &space));
    while (slipring_receive(w->rx, data, sizeof data, 0, &count) == OK) continue;
}

#include "handles.h"

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    directory = argv[1];
    alarm(60);
    queue_options();
    world w = enter("misuse");
    names(&w);
    descriptors(&w);
    consumer_options(&w);
    sizes(&w);
    events(&w);
    timeouts(&w);
    cookies(&w);
    reservations(&w);
    of_another_handle(&w);
    a_forked_child(&w);
    leave(&w);
    odd_orders();
    limits();
    IS(OK, slipring_unlink(at("misuse")));
    return failures == 0 ? 0 : 1;
}
