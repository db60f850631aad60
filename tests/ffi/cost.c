/* The C side of benches/c_api.rs, which loads it: the same turns as its Rust side, through slipring.h. */
#include <slipring.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE 64

typedef struct {
    slipring_queue *queue;
    slipring_producer *tx;
    slipring_consumer *rx;
} cost_pair;

void *cost_open(const char *path);
void cost_close(void *pair);
uint64_t cost_turns(void *pair, uint64_t count);
uint64_t cost_frames(void *pair, size_t size, uint64_t count);

static void must(slipring_status status) {
    if (status != SLIPRING_OK) {
        fprintf(stderr, "cost.c: %s\n", slipring_last_error());
        abort();
    }
}

void *cost_open(const char *path) {
    cost_pair *pair = malloc(sizeof *pair);
    if (pair == NULL) abort();
    must(slipring_open(path, &pair->queue));
    must(slipring_producer_open(pair->queue, &pair->tx));
    must(slipring_consumer_open(pair->queue, "default", NULL, &pair->rx));
    return pair;
}

void cost_close(void *at) {
    cost_pair *pair = at;
    slipring_consumer_close(pair->rx);
    slipring_producer_close(pair->tx);
    slipring_close(pair->queue);
    free(pair);
}

/* Sends, borrows and acks messages of 64 bytes one after another. */
uint64_t cost_turns(void *at, uint64_t count) {
    const cost_pair *pair = at;
    uint64_t sum = 0;
    for (uint64_t n = 0; n < count; n++) {
        unsigned char payload[SIZE];
        slipring_message message;
        memset(payload, (int)(n & 0xff), sizeof payload);
        must(slipring_send(pair->tx, payload, sizeof payload, -1));
        must(slipring_borrow(pair->rx, -1, &message));
        sum += ((const unsigned char *)message.data)[message.len - 1];
        must(slipring_ack(pair->rx, &message));
    }
    return sum;
}

/* Writes and reads only the first and the last byte of messages of `size` bytes, in place. */
uint64_t cost_frames(void *at, size_t size, uint64_t count) {
    const cost_pair *pair = at;
    uint64_t sum = 0;
    for (uint64_t n = 0; n < count; n++) {
        slipring_reservation space;
        slipring_message message;
        must(slipring_reserve(pair->tx, size, -1, &space));
        unsigned char *frame = space.data;
        frame[0] = frame[size - 1] = (unsigned char)n;
        must(slipring_commit(pair->tx, &space, size));
        must(slipring_borrow(pair->rx, -1, &message));
        const unsigned char *seen = message.data;
        sum += seen[0] + (uint64_t)seen[message.len - 1];
        must(slipring_ack(pair->rx, &message));
    }
    return sum;
}
