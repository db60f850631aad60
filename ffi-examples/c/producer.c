/* A producer: sends its arguments, or the lines of standard input, one message each. */
#define _POSIX_C_SOURCE 200809L
#include <slipring.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void check(slipring_status status, const char *what) {
    if (status != SLIPRING_OK) {
        fprintf(stderr, "%s: %s\n", what, slipring_last_error());
        exit(1);
    }
}

/* Sends without waiting first, so that we learn of a full ring and can say so. */
static void send_text(slipring_producer *producer, const char *event, const char *text, size_t len, int64_t timeout_ns) {
    slipring_status status = slipring_send_event(producer, event, text, len, 0);
    if (status == SLIPRING_FULL) {
        fprintf(stderr, "the queue is full; waiting for its consumers\n");
        status = slipring_send_event(producer, event, text, len, timeout_ns);
    }
    /* A TIMEOUT ends us, too: what was not sent is then the caller's to keep. */
    check(status, "slipring_send_event");
}

/* Milliseconds as nanoseconds; -1 for what is no such number. */
static int64_t milliseconds(const char *text) {
    char *end;
    long value = strtol(text, &end, 10);
    return end == text || *end != '\0' || value < 0 || value > 1000000000 ? -1 : (int64_t)value * 1000000;
}

int main(int argc, char **argv) {
    const char *event = NULL;
    int64_t timeout_ns = 1000000000;
    slipring_queue *queue = NULL;
    slipring_producer *producer = NULL;
    int option;

    while ((option = getopt(argc, argv, "e:t:")) != -1) {
        if (option == 'e') {
            event = optarg;
        } else if (option != 't' || (timeout_ns = milliseconds(optarg)) < 0) {
            optind = argc;
            break;
        }
    }
    if (optind >= argc) {
        fprintf(stderr, "usage: %s [-e EVENT] [-t MILLISECONDS] QUEUE [TEXT...]\n", argv[0]);
        return 2;
    }
    check(slipring_open(argv[optind], &queue), "slipring_open");
    check(slipring_producer_open(queue, &producer), "slipring_producer_open");
    if (optind + 1 < argc) {
        for (int i = optind + 1; i < argc; i++) {
            send_text(producer, event, argv[i], strlen(argv[i]), timeout_ns);
        }
    } else {
        char *line = NULL;
        size_t capacity = 0;
        ssize_t len;
        while ((len = getline(&line, &capacity, stdin)) >= 0) {
            size_t text = (size_t)len;
            if (text > 0 && line[text - 1] == '\n') {
                text--;
            }
            send_text(producer, event, line, text, timeout_ns);
        }
        free(line);
        if (ferror(stdin)) {
            perror("standard input");
            return 1;
        }
    }
    slipring_producer_close(producer);
    slipring_close(queue);
    return 0;
}
