/* A first program: sends what it is given as arguments, then receives it again. */
#include <slipring.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(slipring_status status, const char *what) {
    if (status != SLIPRING_OK) {
        fprintf(stderr, "%s: %s\n", what, slipring_last_error());
        exit(1);
    }
}

int main(int argc, char **argv) {
    slipring_queue_options options;
    slipring_queue *queue = NULL;
    slipring_producer *producer = NULL;
    slipring_consumer *consumer = NULL;
    slipring_message message;
    slipring_status status;

    if (argc < 2) {
        fprintf(stderr, "usage: %s QUEUE [TEXT...]\n", argv[0]);
        return 2;
    }
    slipring_queue_options_init(&options);
    options.capacity = 1u << 20;
    check(slipring_open_or_create(argv[1], &options, &queue), argv[1]);
    check(slipring_producer_open(queue, &producer), "producer");
    for (int i = 2; i < argc; i++) {
        check(slipring_send(producer, argv[i], strlen(argv[i]), -1), "send");
    }
    check(slipring_consumer_open(queue, "default", NULL, &consumer), "consumer");
    while ((status = slipring_borrow(consumer, 0, &message)) == SLIPRING_OK) {
        printf("%.*s\n", (int)message.len, (const char *)message.data);
        check(slipring_ack(consumer, &message), "ack");
    }
    if (status != SLIPRING_EMPTY) {
        check(status, "receive");
    }
    slipring_consumer_close(consumer);
    slipring_producer_close(producer);
    slipring_close(queue);
    return 0;
}
