/* What the C tests of this folder share: a check that says what it found, and a queue with one producer and one consumer. */
#ifndef CHECK_H
#define CHECK_H

#include <slipring.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY 4096u

static int failures = 0;

static inline void check_is(long long found, long long wanted, const char *what, int line) {
    if (found != wanted) {
        fprintf(stderr, "line %d: %s: %lld, not %lld (%s)\n", line, what, found, wanted, slipring_last_error());
        failures++;
    }
}

/* The value of a call, mostly its status. */
#define IS(wanted, call) check_is((long long)(call), (long long)(wanted), #call, __LINE__)
#define TRUE(condition) check_is((condition) ? 1 : 0, 1, #condition, __LINE__)

/* A path in the test's directory. Valid until the next call but three. */
static const char *directory = ".";
static inline const char *at(const char *name) {
    static char paths[4][512];
    static unsigned next = 0;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}

typedef struct {
    slipring_queue *queue;
    slipring_producer *tx;
    slipring_consumer *rx;
} world;

static inline slipring_queue_options small(void) {
    slipring_queue_options options;
    slipring_queue_options_init(&options);
    options.capacity = CAPACITY;
    return options;
}

static inline world enter_as(const char *name, uint32_t queue_flags, const char *group, uint32_t consumer_flags) {
    world w = {NULL, NULL, NULL};
    slipring_queue_options options = small();
    slipring_consumer_options joining;
    slipring_consumer_options_init(&joining);
    options.flags = queue_flags;
    joining.flags = consumer_flags;
    IS(SLIPRING_OK, slipring_create(at(name), &options, &w.queue));
    IS(SLIPRING_OK, slipring_producer_open(w.queue, &w.tx));
    IS(SLIPRING_OK, slipring_consumer_open(w.queue, group, &joining, &w.rx));
    if (failures > 0) exit(1);
    return w;
}

static inline world enter(const char *name) {
    return enter_as(name, 0, "default", 0);
}

/* With a lossy reader that nobody waits for. */
static inline world enter_lossy(const char *name) {
    return enter_as(name, SLIPRING_TOPIC, NULL, SLIPRING_LOSSY);
}

static inline void leave(world *w) {
    slipring_consumer_close(w->rx);
    slipring_producer_close(w->tx);
    slipring_close(w->queue);
}

#endif
