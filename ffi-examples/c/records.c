/* Sends a file of records through a queue, or works on the messages of a queue and writes them to such a file.
 *
 * A record: u32 length of the event name, event name, u32 length of the payload, payload; numbers little-endian. The programs of this name
 * in the other languages do the same. */
#define _POSIX_C_SOURCE 200809L
#include <slipring.h>

#include <errno.h>
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

static void fail(const char *what, const char *why) {
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

/* Bytes that grow as they are needed. */
typedef struct {
    char *data;
    size_t capacity;
} buffer;

static void make_room(buffer *space, size_t len) {
    if (space->capacity < len) {
        space->data = realloc(space->data, len);
        if (space->data == NULL) {
            fail("realloc", strerror(errno));
        }
        space->capacity = len;
    }
}

/* Reads a length and as many bytes, with a NUL behind them. Returns 0 at the end of the file. */
static int read_part(FILE *file, const char *name, buffer *part, size_t *len) {
    unsigned char head[4];
    size_t got = fread(head, 1, sizeof head, file);
    if (got == 0 && feof(file)) {
        return 0;
    }
    if (got == sizeof head) {
        *len = (size_t)head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
        make_room(part, *len + 1);
        if (fread(part->data, 1, *len, file) == *len) {
            part->data[*len] = '\0';
            return 1;
        }
    }
    fail(name, ferror(file) ? strerror(errno) : "ends inside a record");
    return 0;
}

static void write_part(FILE *file, const void *data, size_t len) {
    unsigned char head[4];
    for (int i = 0; i < 4; i++) {
        head[i] = (unsigned char)(len >> 8 * i);
    }
    fwrite(head, 1, sizeof head, file);
    if (len > 0) {
        fwrite(data, 1, len, file);
    }
}

static void send_records(slipring_queue *queue, const char *name) {
    slipring_producer *producer = NULL;
    buffer event = {NULL, 0}, payload = {NULL, 0};
    size_t event_len, len;
    FILE *file = fopen(name, "rb");
    if (file == NULL) {
        fail(name, strerror(errno));
    }
    check(slipring_producer_open(queue, &producer), "slipring_producer_open");
    while (read_part(file, name, &event, &event_len)) {
        if (!read_part(file, name, &payload, &len)) {
            fail(name, "ends inside a record");
        }
        check(slipring_send_event(producer, event_len > 0 ? event.data : NULL, payload.data, len, -1), "slipring_send_event");
    }
    /* Consumers get what is there, and then CLOSED. */
    check(slipring_shutdown(queue), "slipring_shutdown");
    slipring_producer_close(producer);
    free(event.data);
    free(payload.data);
    fclose(file);
}

static void hold_for_ever(void) {
    puts("holding");
    fflush(stdout);
    for (;;) {
        pause();
    }
}

/* Works until the queue is closed and drained, or until it holds message number `hold_at` (0: no such). */
static void work(slipring_queue *queue, const char *group, const char *name, unsigned long hold_at) {
    slipring_consumer *consumer = NULL;
    slipring_message message;
    slipring_status status;
    unsigned long count = 0;
    FILE *file = fopen(name, "ab");
    if (file == NULL) {
        fail(name, strerror(errno));
    }
    check(slipring_consumer_open(queue, group, NULL, &consumer), "slipring_consumer_open");
    while ((status = slipring_borrow(consumer, -1, &message)) == SLIPRING_OK) {
        if (++count == hold_at) {
            hold_for_ever();
        }
        write_part(file, message.event, message.event_len);
        write_part(file, message.data, message.len);
        /* First the result, then the ack: killed between the two the message is done again, never lost. */
        if (fflush(file) != 0 || ferror(file)) {
            fail(name, strerror(errno));
        }
        check(slipring_ack(consumer, &message), "slipring_ack");
    }
    if (status != SLIPRING_CLOSED) {
        check(status, "slipring_borrow");
    }
    slipring_consumer_close(consumer);
    if (fclose(file) != 0) {
        fail(name, strerror(errno));
    }
}

static int usage(const char *program) {
    fprintf(stderr, "usage: %s send QUEUE FILE | work QUEUE GROUP FILE [N]\n", program);
    return 2;
}

int main(int argc, char **argv) {
    slipring_queue *queue = NULL;
    unsigned long hold_at = 0;
    int sends = argc == 4 && strcmp(argv[1], "send") == 0;
    int works = (argc == 5 || argc == 6) && strcmp(argv[1], "work") == 0;
    if (argc == 6) {
        char *end;
        hold_at = strtoul(argv[5], &end, 10);
        works = works && hold_at > 0 && *end == '\0';
    }
    if (!sends && !works) {
        return usage(argv[0]);
    }
    check(slipring_open(argv[2], &queue), "slipring_open");
    if (sends) {
        send_records(queue, argv[3]);
    } else {
        work(queue, argv[3], argv[4], hold_at);
    }
    slipring_close(queue);
    return 0;
}
