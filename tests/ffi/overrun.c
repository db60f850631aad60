/* A lossy reader in batches, overrun all the time: no gap without a LAGGED that tells of it: overrun DIRECTORY. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#define MESSAGES 200000
#define BATCH 8

static atomic_bool enough = false;

static void *floods(void *tx) {
    while (!atomic_load(&enough)) slipring_send(tx, "x", 1, 0);
    return NULL;
}

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    directory = argv[1];
    alarm(60);
    world w = enter_lossy("overrun");
    pthread_t flood;
    IS(0, pthread_create(&flood, NULL, floods, w.tx));

    long received = 0, told = 0, silent = 0;
    /* A message is one block, and so is a position. */
    uint64_t next = 0;
    while (received < MESSAGES) {
        slipring_message messages[BATCH];
        size_t count = 0;
        const slipring_status status = slipring_borrow_batch(w.rx, messages, BATCH, -1, &count);
        if (status == SLIPRING_LAGGED) {
            next = UINT64_MAX;
            told++;
            continue;
        }
        IS(SLIPRING_OK, status);
        if (failures > 0) break;
        for (size_t i = 0; i < count; i++) {
            if (next != UINT64_MAX && messages[i].position != next) silent++;
            next = messages[i].position + 1;
            received++;
            IS(SLIPRING_OK, slipring_ack(w.rx, &messages[i]));
        }
    }
    IS(0, silent);
    TRUE(told > 0);

    atomic_store(&enough, true);
    IS(0, pthread_join(flood, NULL));
    leave(&w);
    IS(SLIPRING_OK, slipring_unlink(at("overrun")));
    return failures == 0 ? 0 : 1;
}
