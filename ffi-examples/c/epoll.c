/* A chat: an event loop over standard input and a queue. Lines that are typed go to everyone, what anyone sends is printed. It ends with
 * standard input (a terminal or a pipe), or when the queue is closed. */
#define _POSIX_C_SOURCE 200809L
#include <slipring.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static void check(slipring_status status, const char *what) {
    if (status != SLIPRING_OK) {
        fprintf(stderr, "%s: %s\n", what, slipring_last_error());
        exit(1);
    }
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void watch(int epoll, int fd, const char *what) {
    struct epoll_event event;
    memset(&event, 0, sizeof event);
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        fail(what);
    }
}

/* Prints all that is there; until EMPTY, for that arms the descriptor again. Returns 0 when the queue is closed. */
static int print_messages(slipring_consumer *consumer) {
    slipring_message message;
    slipring_status status;
    while ((status = slipring_borrow(consumer, 0, &message)) == SLIPRING_OK) {
        fwrite(message.data, 1, message.len, stdout);
        putchar('\n');
        check(slipring_ack(consumer, &message), "slipring_ack");
    }
    if (fflush(stdout) != 0) {
        fail("standard output");
    }
    if (status != SLIPRING_EMPTY && status != SLIPRING_CLOSED) {
        check(status, "slipring_borrow");
    }
    return status == SLIPRING_EMPTY;
}

static void send_line(slipring_producer *producer, const char *line, size_t len) {
    /* Without waiting for room: an event loop waits in one place only, and the reader that holds us up may be ourselves. */
    slipring_status status = slipring_send(producer, line, len, 0);
    if (status == SLIPRING_FULL) {
        fprintf(stderr, "somebody does not read; lost: %.*s\n", (int)len, line);
    } else {
        check(status, "slipring_send");
    }
}

/* Sends the lines that one read brings. No stdio here: a line in its buffer would be hidden from epoll. Returns 0 at the end. */
static int send_lines(slipring_producer *producer) {
    static char buffer[4096];
    static size_t used = 0;
    char *line = buffer;
    char *end;
    ssize_t got = read(STDIN_FILENO, buffer + used, sizeof buffer - used);
    if (got < 0) {
        if (errno == EINTR) {
            return 1;
        }
        fail("standard input");
    }
    used += (size_t)got;
    while ((end = memchr(line, '\n', used)) != NULL) {
        size_t len = (size_t)(end - line);
        send_line(producer, line, len);
        used -= len + 1;
        line = end + 1;
    }
    /* What has no end is a line, too, at the end of input or when the buffer is full. */
    if (used > 0 && (got == 0 || used == sizeof buffer)) {
        send_line(producer, line, used);
        used = 0;
    }
    memmove(buffer, line, used);
    return got > 0;
}

int main(int argc, char **argv) {
    slipring_queue_options queue_options;
    slipring_consumer_options options;
    slipring_queue *queue = NULL;
    slipring_producer *producer = NULL;
    slipring_consumer *consumer = NULL;
    int epoll, input, messages, open;

    if (argc != 2) {
        fprintf(stderr, "usage: %s QUEUE\n", argv[0]);
        return 2;
    }
    slipring_queue_options_init(&queue_options);
    queue_options.capacity = 1u << 20;
    queue_options.flags = SLIPRING_TOPIC;
    check(slipring_open_or_create(argv[1], &queue_options, &queue), "slipring_open_or_create");
    check(slipring_producer_open(queue, &producer), "slipring_producer_open");
    /* A group of our own without a name: we get every message that is sent while we are here. */
    slipring_consumer_options_init(&options);
    options.start = SLIPRING_LATEST;
    check(slipring_consumer_open(queue, NULL, &options, &consumer), "slipring_consumer_open");
    messages = slipring_consumer_fd(consumer);
    check(messages < 0 ? messages : SLIPRING_OK, "slipring_consumer_fd");

    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0) {
        fail("epoll_create1");
    }
    watch(epoll, STDIN_FILENO, "standard input");
    watch(epoll, messages, "the queue's descriptor");
    input = 1;
    open = print_messages(consumer);
    while (input && open) {
        struct epoll_event events[2];
        int count = epoll_wait(epoll, events, 2, -1);
        if (count < 0 && errno != EINTR) {
            fail("epoll_wait");
        }
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == STDIN_FILENO) {
                input = send_lines(producer);
            } else {
                open = print_messages(consumer);
            }
        }
    }
    /* Our last lines come back to us as well. */
    print_messages(consumer);
    close(epoll);
    slipring_consumer_close(consumer);
    slipring_producer_close(producer);
    slipring_close(queue);
    return 0;
}
