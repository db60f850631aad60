/* Frames of 4 MiB without a copy: written where they lie in the queue, and read there. Both ends are in one program to keep it short; they
 * may as well be two. */
#include <slipring.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define FRAME_BYTES ((size_t)4 << 20)
#define FRAME_WORDS (FRAME_BYTES / sizeof(uint32_t))

static void check(slipring_status status, const char *what) {
    if (status != SLIPRING_OK) {
        fprintf(stderr, "%s: %s\n", what, slipring_last_error());
        exit(1);
    }
}

static uint32_t pixel(uint32_t frame, size_t at) {
    return frame * 2654435761u + (uint32_t)at;
}

/* Stands for a camera that writes into the memory it is given. */
static void fill(uint32_t *words, size_t count, uint32_t frame) {
    for (size_t i = 0; i < count; i++) {
        words[i] = pixel(frame, i);
    }
}

static int good(const uint32_t *words, size_t count, uint32_t frame) {
    for (size_t i = 0; i < count; i++) {
        if (words[i] != pixel(frame, i)) {
            return 0;
        }
    }
    return 1;
}

static void send_frames(slipring_producer *producer) {
    slipring_reservation space;

    check(slipring_reserve(producer, FRAME_BYTES, -1, &space), "slipring_reserve");
    fill(space.data, FRAME_WORDS, 1);
    check(slipring_commit(producer, &space, FRAME_BYTES), "slipring_commit");

    /* The camera failed half-way: nobody will see this one. */
    check(slipring_reserve(producer, FRAME_BYTES, -1, &space), "slipring_reserve");
    fill(space.data, FRAME_WORDS / 2, 2);
    slipring_abort(producer, &space);

    /* It turned out smaller: reserve the most it can be, publish what it is. */
    check(slipring_reserve(producer, FRAME_BYTES, -1, &space), "slipring_reserve");
    fill(space.data, FRAME_WORDS / 4, 3);
    check(slipring_commit(producer, &space, FRAME_BYTES / 4), "slipring_commit");
}

/* Returns 1 if the next message is this frame. */
static int receive_frame(slipring_consumer *consumer, uint32_t frame, size_t len) {
    slipring_message message;
    int is_good;
    check(slipring_borrow(consumer, 1000000000, &message), "slipring_borrow");
    /* The data is aligned to 64 bytes, so that it may be read as words. */
    is_good = message.len == len && good(message.data, len / sizeof(uint32_t), frame);
    printf("frame %u: %zu bytes, %s\n", (unsigned)frame, message.len, is_good ? "good" : "BAD");
    /* From here on the space may be used again. */
    check(slipring_ack(consumer, &message), "slipring_ack");
    return is_good;
}

int main(int argc, char **argv) {
    slipring_queue_options options;
    slipring_queue *queue = NULL;
    slipring_producer *producer = NULL;
    slipring_consumer *consumer = NULL;
    int all_good;

    if (argc != 2) {
        fprintf(stderr, "usage: %s QUEUE\n", argv[0]);
        return 2;
    }
    slipring_queue_options_init(&options);
    options.capacity = 4 * FRAME_BYTES;
    /* The ring is counted in blocks; large messages do with few of them. */
    options.block_size = 64u << 10;
    check(slipring_open_or_create(argv[1], &options, &queue), "slipring_open_or_create");
    check(slipring_producer_open(queue, &producer), "slipring_producer_open");
    check(slipring_consumer_open(queue, "default", NULL, &consumer), "slipring_consumer_open");
    send_frames(producer);
    all_good = receive_frame(consumer, 1, FRAME_BYTES);
    all_good &= receive_frame(consumer, 3, FRAME_BYTES / 4);
    slipring_consumer_close(consumer);
    slipring_producer_close(producer);
    slipring_close(queue);
    return all_good ? 0 : 1;
}
