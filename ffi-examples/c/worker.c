/* A worker: runs a command for each message, with the message on its standard input. Any number of them share a group's messages.
 *
 * The command says how it went: 0 is done, 100 never try this one again, anything else try again. After five deliveries, or at once when
 * it is never to be tried again, a message goes to the dead-letter queue. SIGTERM or SIGINT: finishes the message in hand, then stops. */
#define _POSIX_C_SOURCE 200809L
#include <slipring.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static volatile sig_atomic_t stopping = 0;

static void stop(int signal) {
    (void)signal;
    stopping = 1;
}

static void check(slipring_status status, const char *what) {
    if (status != SLIPRING_OK) {
        fprintf(stderr, "%s: %s\n", what, slipring_last_error());
        exit(1);
    }
}

static void catch_signals(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = stop;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    /* A command need not read its input. */
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
}

/* Returns the command's exit code, or -1 if it did not come to one. Starting other programs is fine; a child that wants to use the
 * queue itself opens it anew. */
static int run(const char *command, const slipring_message *message) {
    FILE *input = popen(command, "w");
    int status;
    if (input == NULL) {
        return -1;
    }
    fwrite(message->data, 1, message->len, input);
    status = pclose(input);
    return status != -1 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void settle(slipring_consumer *consumer, const slipring_message *message, int code) {
    if (code == 0) {
        check(slipring_ack(consumer, message), "slipring_ack");
    } else if (code == 100) {
        check(slipring_reject(consumer, message, "the command exited with 100"), "slipring_reject");
    } else {
        fprintf(stderr, "delivery %u failed\n", (unsigned)message->deliveries);
        check(slipring_retry(consumer, message), "slipring_retry");
    }
}

int main(int argc, char **argv) {
    slipring_queue_options queue_options;
    slipring_consumer_options options;
    slipring_queue *queue = NULL;
    slipring_consumer *consumer = NULL;
    slipring_message message;

    if (argc != 5) {
        fprintf(stderr, "usage: %s QUEUE GROUP DEAD-LETTER-QUEUE COMMAND\n", argv[0]);
        return 2;
    }
    catch_signals();
    slipring_queue_options_init(&queue_options);
    queue_options.capacity = 1u << 20;
    /* Without the group "default", which would keep the messages for consumers that never come. */
    queue_options.flags = SLIPRING_TOPIC;
    check(slipring_open_or_create(argv[1], &queue_options, &queue), "slipring_open_or_create");
    slipring_consumer_options_init(&options);
    options.max_deliveries = 5;
    options.dead_letter = argv[3];
    check(slipring_consumer_open(queue, argv[2], &options, &consumer), "slipring_consumer_open");
    while (!stopping) {
        /* Not for ever: a signal does not end the wait. */
        slipring_status status = slipring_borrow(consumer, 200000000, &message);
        if (status == SLIPRING_TIMEOUT) {
            continue;
        }
        if (status == SLIPRING_CLOSED) {
            break;
        }
        check(status, "slipring_borrow");
        settle(consumer, &message, run(argv[4], &message));
    }
    slipring_consumer_close(consumer);
    slipring_close(queue);
    return 0;
}
