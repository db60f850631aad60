/* The statuses that steer a program's flow allocate nothing: quiet DIRECTORY. Every allocation of this process, the library's included, goes
 * through the functions below, which count. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <errno.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static long allocations = 0;

void *malloc(size_t size) {
    allocations++;
    return __libc_malloc(size);
}
void *calloc(size_t count, size_t size) {
    allocations++;
    return __libc_calloc(count, size);
}
void *realloc(void *old, size_t size) {
    allocations++;
    return __libc_realloc(old, size);
}
void *aligned_alloc(size_t alignment, size_t size) {
    allocations++;
    return __libc_memalign(alignment, size);
}
int posix_memalign(void **out, size_t alignment, size_t size) {
    allocations++;
    *out = __libc_memalign(alignment, size);
    return *out == NULL ? ENOMEM : 0;
}

#define TIMES 1000
/* A thousand results of a call, and not one allocation from the first to the last. */
#define QUIET(wanted, call)                                         \
    do {                                                            \
        const long before = allocations;                            \
        for (int i = 0; i < TIMES; i++) IS(wanted, call);           \
        IS(0, allocations - before);                                \
    } while (0)

static void overrun(void) {
    world w = enter_lossy("lossy");
    slipring_message message;
    const long before = allocations;
    for (int i = 0; i < TIMES; i++) {
        for (unsigned sent = 0; sent < 2 * CAPACITY / 64; sent++) {
            if (slipring_send(w.tx, "x", 1, 0) != SLIPRING_OK) failures++;
        }
        IS(SLIPRING_LAGGED, slipring_borrow(w.rx, 0, &message));
    }
    IS(0, allocations - before);
    IS(SLIPRING_OK, slipring_borrow(w.rx, 0, &message));
    IS(SLIPRING_OK, slipring_ack(w.rx, &message));
    leave(&w);
    IS(SLIPRING_OK, slipring_unlink(at("lossy")));
}

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    directory = argv[1];
    alarm(60);
    world w = enter("quiet");
    slipring_message messages[2];
    slipring_reservation space;
    char data[64] = "";
    size_t len = 0;

    QUIET(SLIPRING_EMPTY, slipring_borrow(w.rx, 0, messages));
    QUIET(SLIPRING_EMPTY, slipring_borrow_batch(w.rx, messages, 2, 0, &len));
    QUIET(SLIPRING_EMPTY, slipring_receive(w.rx, data, sizeof data, 0, &len));
    QUIET(SLIPRING_TIMEOUT, slipring_borrow(w.rx, 1, messages));
    QUIET(SLIPRING_TIMEOUT, slipring_receive(w.rx, data, sizeof data, 1, &len));
    while (slipring_send(w.tx, data, sizeof data, 0) == SLIPRING_OK) continue;
    QUIET(SLIPRING_FULL, slipring_send(w.tx, data, sizeof data, 0));
    QUIET(SLIPRING_FULL, slipring_send_event(w.tx, "event", data, sizeof data, 0));
    QUIET(SLIPRING_FULL, slipring_reserve(w.tx, sizeof data, 0, &space));
    QUIET(SLIPRING_TIMEOUT, slipring_send(w.tx, data, sizeof data, 1));
    QUIET(SLIPRING_TIMEOUT, slipring_reserve(w.tx, sizeof data, 1, &space));
    overrun();
    IS(SLIPRING_OK, slipring_shutdown(w.queue));
    QUIET(SLIPRING_CLOSED, slipring_send(w.tx, data, sizeof data, 0));
    while (slipring_receive(w.rx, data, sizeof data, 0, &len) == SLIPRING_OK) continue;
    QUIET(SLIPRING_CLOSED, slipring_borrow(w.rx, -1, messages));

    /* The counter counts: these have more to say than their number. */
    const long before = allocations;
    IS(SLIPRING_INVALID, slipring_send(NULL, data, 1, 0));
    TRUE(allocations > before);
    leave(&w);
    IS(SLIPRING_OK, slipring_unlink(at("quiet")));
    return failures == 0 ? 0 : 1;
}
