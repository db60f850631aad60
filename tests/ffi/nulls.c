/* Every function of slipring.h, called with each of its pointers NULL in turn and all other arguments valid: nulls DIRECTORY.
 *
 * Prints one line for each NULL that was tried, "function parameter"; the Rust side compares them with the header's prototypes. Results are
 * written on success only, so each place for one is watched. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <unistd.h>

#define TRIED(function, parameter) printf("%s %s\n", #function, #parameter)
#define WITH_NULL(wanted, function, parameter, ...) \
    (TRIED(function, parameter), IS(wanted, function(__VA_ARGS__)))
/* For functions without a status: that they return is what can be seen here; sanitizers and Valgrind see the rest. */
#define WITH_NULL_VOID(function, parameter, ...) (TRIED(function, parameter), function(__VA_ARGS__))

#define BAD SLIPRING_INVALID
#define OK SLIPRING_OK

static void opening(void) {
    slipring_queue_options options = small();
    slipring_queue *queue = NULL;

    WITH_NULL_VOID(slipring_queue_options_init, options, NULL);
    IS(sizeof options, options.struct_size);
    WITH_NULL(BAD, slipring_create, name, NULL, &options, &queue);
    WITH_NULL(BAD, slipring_create, out, at("unmade"), &options, NULL);
    WITH_NULL(BAD, slipring_open, name, NULL, &queue);
    WITH_NULL(BAD, slipring_open_or_create, name, NULL, &options, &queue);
    WITH_NULL(BAD, slipring_open_or_create, out, at("unmade"), &options, NULL);
    WITH_NULL(BAD, slipring_create_memfd, label, NULL, &options, &queue);
    WITH_NULL(BAD, slipring_create_memfd, out, "label", &options, NULL);
    WITH_NULL(BAD, slipring_unlink, name, NULL);
    TRUE(queue == NULL);
    IS(SLIPRING_NOT_FOUND, slipring_open(at("unmade"), &queue));

    /* No options: the defaults. */
    WITH_NULL(OK, slipring_create, options, at("defaults"), NULL, &queue);
    WITH_NULL(BAD, slipring_open, out, at("defaults"), NULL);
    WITH_NULL(BAD, slipring_open_fd, out, slipring_queue_fd(queue), NULL);
    slipring_close(queue);
    WITH_NULL(OK, slipring_open_or_create, options, at("defaults"), NULL, &queue);
    slipring_close(queue);
    IS(OK, slipring_unlink(at("defaults")));
    WITH_NULL(OK, slipring_create_memfd, options, "label", NULL, &queue);
    slipring_close(queue);
    WITH_NULL_VOID(slipring_close, queue, NULL);
}

static void queues(const world *w) {
    slipring_queue_stats stats;
    slipring_producer *tx = NULL;

    memset(&stats, 0x5a, sizeof stats);
    WITH_NULL(BAD, slipring_queue_fd, queue, NULL);
    WITH_NULL(BAD, slipring_shutdown, queue, NULL);
    WITH_NULL(BAD, slipring_drop_group, queue, NULL, "default");
    WITH_NULL(BAD, slipring_drop_group, group, w->queue, NULL);
    WITH_NULL(BAD, slipring_stats, queue, NULL, &stats);
    WITH_NULL(BAD, slipring_stats, out, w->queue, NULL);
    TRUE(stats.sent == UINT64_C(0x5a5a5a5a5a5a5a5a));

    uint32_t repaired = 77;
    WITH_NULL(BAD, slipring_recover, queue, NULL, &repaired);
    TRUE(repaired == 77);
    WITH_NULL(OK, slipring_recover, repaired, w->queue, NULL);

    WITH_NULL(BAD, slipring_producer_open, queue, NULL, &tx);
    WITH_NULL(BAD, slipring_producer_open, out, w->queue, NULL);
    TRUE(tx == NULL);
    WITH_NULL_VOID(slipring_producer_close, producer, NULL);
    /* Nothing was left behind by the calls that failed. */
    IS(OK, slipring_stats(w->queue, &stats));
    IS(2, stats.members);
}

static void sending(const world *w) {
    const slipring_slice slices[2] = {{"a", 1}, {NULL, 0}};
    slipring_reservation space = {&space, 77, 88}, untouched = space;
    size_t sent = 77;

    WITH_NULL(BAD, slipring_send, producer, NULL, "x", 1, 0);
    WITH_NULL(BAD, slipring_send, data, w->tx, NULL, 1, 0);
    IS(OK, slipring_send(w->tx, NULL, 0, 0));
    WITH_NULL(BAD, slipring_send_event, producer, NULL, "event", "x", 1, 0);
    WITH_NULL(OK, slipring_send_event, event, w->tx, NULL, "x", 1, 0);
    WITH_NULL(BAD, slipring_send_event, data, w->tx, "event", NULL, 1, 0);
    WITH_NULL(BAD, slipring_send_batch, producer, NULL, slices, 2, &sent);
    IS(77, sent);
    WITH_NULL(BAD, slipring_send_batch, slices, w->tx, NULL, 2, &sent);
    WITH_NULL(OK, slipring_send_batch, sent, w->tx, slices, 2, NULL);
    IS(OK, slipring_send_batch(w->tx, NULL, 0, &sent));
    IS(0, sent);

    WITH_NULL(BAD, slipring_reserve, producer, NULL, 1, 0, &space);
    WITH_NULL(BAD, slipring_reserve, out, w->tx, 1, 0, NULL);
    WITH_NULL(BAD, slipring_reserve_event, producer, NULL, "event", 1, 0, &space);
    WITH_NULL(BAD, slipring_reserve_event, out, w->tx, "event", 1, 0, NULL);
    TRUE(memcmp(&space, &untouched, sizeof space) == 0);
    WITH_NULL(OK, slipring_reserve_event, event, w->tx, NULL, 1, 0, &space);
    memset(space.data, 'r', space.len);
    untouched = space;
    WITH_NULL(BAD, slipring_commit, producer, NULL, &space, 1);
    WITH_NULL(BAD, slipring_commit, reservation, w->tx, NULL, 1);
    WITH_NULL_VOID(slipring_abort, producer, NULL, &space);
    WITH_NULL_VOID(slipring_abort, reservation, w->tx, NULL);
    /* Still open, after all that. */
    TRUE(memcmp(&space, &untouched, sizeof space) == 0);
    IS(OK, slipring_commit(w->tx, &space, 1));
}

static void joining(const world *w) {
    slipring_consumer_options options;
    slipring_consumer *rx = NULL;

    WITH_NULL_VOID(slipring_consumer_options_init, options, NULL);
    slipring_consumer_options_init(&options);
    IS(sizeof options, options.struct_size);
    WITH_NULL(BAD, slipring_consumer_open, queue, NULL, "group", &options, &rx);
    WITH_NULL(BAD, slipring_consumer_open, out, w->queue, "group", &options, NULL);
    TRUE(rx == NULL);
    WITH_NULL(OK, slipring_consumer_open, group, w->queue, NULL, &options, &rx);
    slipring_consumer_close(rx);
    WITH_NULL(OK, slipring_consumer_open, options, w->queue, "group", NULL, &rx);
    slipring_consumer_close(rx);
    WITH_NULL_VOID(slipring_consumer_close, consumer, NULL);
    IS(OK, slipring_drop_group(w->queue, "group"));
}

/* What `sending` has sent: "", "x", "a", "" and "r". */
static void receiving(const world *w) {
    slipring_message message, messages[4], untouched;
    char buffer[8] = "";
    size_t len = 77, count = 77;

    memset(&message, 0x5a, sizeof message);
    untouched = message;
    WITH_NULL(BAD, slipring_receive, consumer, NULL, buffer, sizeof buffer, 0, &len);
    WITH_NULL(BAD, slipring_receive, buffer, w->rx, NULL, 1, 0, &len);
    WITH_NULL(BAD, slipring_receive, len, w->rx, buffer, sizeof buffer, 0, NULL);
    IS(77, len);
    IS(OK, slipring_receive(w->rx, NULL, 0, 0, &len));
    IS(0, len);
    WITH_NULL(BAD, slipring_borrow, consumer, NULL, 0, &message);
    WITH_NULL(BAD, slipring_borrow, out, w->rx, 0, NULL);
    TRUE(memcmp(&message, &untouched, sizeof message) == 0);
    WITH_NULL(BAD, slipring_borrow_batch, consumer, NULL, messages, 4, 0, &count);
    WITH_NULL(BAD, slipring_borrow_batch, out, w->rx, NULL, 4, 0, &count);
    WITH_NULL(BAD, slipring_borrow_batch, count, w->rx, messages, 4, 0, NULL);
    IS(77, count);
    IS(4, slipring_lag(w->rx));
    WITH_NULL(0, slipring_lag, consumer, NULL);
    WITH_NULL(BAD, slipring_consumer_fd, consumer, NULL);

    /* None of the failed calls took a message, or settled one. */
    IS(OK, slipring_borrow(w->rx, 0, &message));
    IS('x', *(const char *)message.data);
    WITH_NULL(BAD, slipring_ack, consumer, NULL, &message);
    WITH_NULL(BAD, slipring_ack, message, w->rx, NULL);
    WITH_NULL(BAD, slipring_retry, consumer, NULL, &message);
    WITH_NULL(BAD, slipring_retry, message, w->rx, NULL);
    WITH_NULL(BAD, slipring_reject, consumer, NULL, &message, "why");
    WITH_NULL(BAD, slipring_reject, message, w->rx, NULL, "why");
    IS(OK, slipring_ack(w->rx, &message));
    IS(OK, slipring_borrow(w->rx, 0, &message));
    IS('a', *(const char *)message.data);
    WITH_NULL(OK, slipring_reject, reason, w->rx, &message, NULL);
    IS(OK, slipring_borrow_batch(w->rx, messages, 4, 0, &count));
    IS(2, count);
    IS('r', *(const char *)messages[1].data);
}

/* Those that take no pointer. */
static void numbers_only(void) {
    for (int32_t status = SLIPRING_INTERNAL; status <= SLIPRING_OK; status++) {
        TRUE(strcmp(slipring_status_str(status), slipring_status_str(1)) != 0);
    }
    TRUE(strcmp(slipring_status_str(INT32_MIN), slipring_status_str(INT32_MAX)) == 0);
    TRUE(strcmp(slipring_last_error(), "") == 0);
    IS(SLIPRING_VERSION, slipring_version());
}

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    directory = argv[1];
    alarm(60);
    numbers_only();
    opening();
    TRUE(strstr(slipring_last_error(), "NULL") != NULL);
    world w = enter("nulls");
    queues(&w);
    sending(&w);
    joining(&w);
    receiving(&w);
    leave(&w);
    IS(OK, slipring_unlink(at("nulls")));
    return failures == 0 ? 0 : 1;
}
