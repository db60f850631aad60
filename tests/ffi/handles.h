/* The part of misuse.c that is about handles and cookies. */

static slipring_message borrowed(slipring_consumer *rx) {
    slipring_message message;
    memset(&message, 0, sizeof message);
    IS(SLIPRING_OK, slipring_borrow(rx, 0, &message));
    return message;
}

static void is_refused(slipring_consumer *rx, slipring_message message) {
    IS(SLIPRING_INVALID, slipring_ack(rx, &message));
    IS(SLIPRING_INVALID, slipring_retry(rx, &message));
    IS(SLIPRING_INVALID, slipring_reject(rx, &message, "why"));
}

static void cookies(const world *w) {
    IS(OK, slipring_send(w->tx, "one", 3, 0));
    const slipring_message first = borrowed(w->rx);
    IS(OK, slipring_retry(w->rx, &first));
    is_refused(w->rx, first);
    const slipring_message again = borrowed(w->rx);
    TRUE(again.position == first.position && again.deliveries == 2);
    is_refused(w->rx, first);
    const uint64_t forged[] = {0, 1, UINT32_MAX, UINT64_MAX, again.cookie + 1, again.cookie ^ UINT64_C(1) << 32};
    for (size_t i = 0; i < sizeof forged / sizeof forged[0]; i++) {
        slipring_message message = again;
        message.cookie = forged[i];
        is_refused(w->rx, message);
    }
    IS(OK, slipring_ack(w->rx, &again));
    is_refused(w->rx, again);
    IS(OK, slipring_send(w->tx, "two", 3, 0));
    const slipring_message second = borrowed(w->rx);
    is_refused(w->rx, again);
    IS(OK, slipring_reject(w->rx, &second, "why"));
    is_refused(w->rx, second);
    IS(SLIPRING_EMPTY, slipring_borrow(w->rx, 0, &(slipring_message){0}));
}

static void reservations(const world *w) {
    slipring_reservation space, other;
    IS(OK, slipring_reserve(w->tx, 8, 0, &space));
    IS(BAD, slipring_reserve(w->tx, 8, 0, &other));
    IS(BAD, slipring_send(w->tx, "x", 1, -1));
    IS(BAD, slipring_send_batch(w->tx, &(slipring_slice){"x", 1}, 1, NULL));
    memcpy(space.data, "in place", 8);
    slipring_reservation stale = space, forged = space;
    forged.cookie += 1;
    IS(BAD, slipring_commit(w->tx, &forged, 8));
    slipring_abort(w->tx, &forged);
    IS(OK, slipring_commit(w->tx, &space, 8));
    TRUE(space.data == NULL && space.len == 0);
    IS(BAD, slipring_commit(w->tx, &space, 0));
    IS(BAD, slipring_commit(w->tx, &stale, 8));
    /* A stale one does nothing to the one that is open now. */
    IS(OK, slipring_reserve(w->tx, 5, 0, &space));
    memcpy(space.data, "again", 5);
    slipring_abort(w->tx, &stale);
    IS(OK, slipring_commit(w->tx, &space, 5));
    IS(OK, slipring_reserve(w->tx, 5, 0, &space));
    slipring_abort(w->tx, &space);
    slipring_abort(w->tx, &space);
    IS(BAD, slipring_commit(w->tx, &space, 0));
    char data[8] = "";
    size_t len = 0;
    IS(OK, slipring_receive(w->rx, data, sizeof data, 0, &len));
    TRUE(len == 8 && memcmp(data, "in place", 8) == 0);
    IS(OK, slipring_receive(w->rx, data, sizeof data, 0, &len));
    TRUE(len == 5 && memcmp(data, "again", 5) == 0);
    IS(SLIPRING_EMPTY, slipring_receive(w->rx, data, sizeof data, 0, &len));
}

/* What one handle lent, another does not take back, whatever it has in hand itself. */
static void of_another_handle(const world *w) {
    slipring_producer *tx = NULL;
    slipring_consumer *one = NULL, *two = NULL;
    IS(OK, slipring_producer_open(w->queue, &tx));
    IS(OK, slipring_consumer_open(w->queue, "group", NULL, &one));
    IS(OK, slipring_consumer_open(w->queue, "group", NULL, &two));
    for (int i = 0; i < 4; i++) IS(OK, slipring_send(tx, "", 0, 0));
    const slipring_message ones = borrowed(one);
    is_refused(two, ones);
    const slipring_message twos = borrowed(two);
    is_refused(two, ones);
    is_refused(one, twos);
    IS(OK, slipring_ack(one, &ones));
    IS(OK, slipring_ack(two, &twos));

    slipring_producer *fresh = NULL, *other = NULL;
    slipring_reservation space, others;
    IS(OK, slipring_producer_open(w->queue, &fresh));
    IS(OK, slipring_producer_open(w->queue, &other));
    IS(OK, slipring_reserve(fresh, 0, 0, &space));
    IS(OK, slipring_reserve(other, 0, 0, &others));
    slipring_reservation copy = others;
    IS(BAD, slipring_commit(fresh, &copy, 0));
    slipring_abort(fresh, &copy);
    IS(OK, slipring_commit(fresh, &space, 0));
    IS(OK, slipring_commit(other, &others, 0));

    slipring_producer_close(other);
    slipring_producer_close(fresh);
    slipring_consumer_close(two);
    slipring_consumer_close(one);
    slipring_producer_close(tx);
    IS(OK, slipring_drop_group(w->queue, "group"));
    while (slipring_receive(w->rx, NULL, 0, 0, &(size_t){0}) == OK) continue;
}

/* Everything that the child inherited says so, and closing it there takes nothing from the parent. */
static void used_in_the_child(const world *w, slipring_reservation *space, const slipring_message *held) {
    slipring_queue_stats stats;
    slipring_producer *tx = NULL;
    slipring_consumer *rx = NULL;
    slipring_reservation more;
    slipring_message message;
    size_t count = 0;
    IS(SLIPRING_FORKED, slipring_commit(w->tx, space, 4));
    slipring_abort(w->tx, space);
    static const int64_t waits[] = {0, 1, -1, INT64_MAX};
    for (size_t i = 0; i < 4; i++) {
        IS(SLIPRING_FORKED, slipring_send(w->tx, "x", 1, waits[i]));
        IS(SLIPRING_FORKED, slipring_send_event(w->tx, "event", "x", 1, waits[i]));
        IS(SLIPRING_FORKED, slipring_reserve(w->tx, 1, waits[i], &more));
        IS(SLIPRING_FORKED, slipring_reserve_event(w->tx, "event", 1, waits[i], &more));
        IS(SLIPRING_FORKED, slipring_borrow(w->rx, waits[i], &message));
        IS(SLIPRING_FORKED, slipring_borrow_batch(w->rx, &message, 1, waits[i], &count));
        IS(SLIPRING_FORKED, slipring_receive(w->rx, &message, sizeof message, waits[i], &count));
    }
    IS(SLIPRING_FORKED, slipring_send_batch(w->tx, &(slipring_slice){"x", 1}, 1, &count));
    IS(SLIPRING_FORKED, slipring_ack(w->rx, &held[0]));
    IS(SLIPRING_FORKED, slipring_retry(w->rx, &held[1]));
    IS(SLIPRING_FORKED, slipring_reject(w->rx, &held[2], "why"));
    TRUE(slipring_consumer_fd(w->rx) < 0);
    slipring_lag(w->rx);
    IS(SLIPRING_FORKED, slipring_shutdown(w->queue));
    IS(SLIPRING_FORKED, slipring_recover(w->queue, NULL));
    IS(SLIPRING_FORKED, slipring_drop_group(w->queue, "default"));
    IS(SLIPRING_FORKED, slipring_producer_open(w->queue, &tx));
    IS(SLIPRING_FORKED, slipring_consumer_open(w->queue, NULL, NULL, &rx));
    slipring_stats(w->queue, &stats);
    world copy = *w;
    leave(&copy);
    /* The way out: opened anew. */
    IS(OK, slipring_open(at("misuse"), &copy.queue));
    IS(OK, slipring_producer_open(copy.queue, &copy.tx));
    IS(OK, slipring_send(copy.tx, "from the child", 14, 0));
    slipring_producer_close(copy.tx);
    slipring_close(copy.queue);
}

static void a_forked_child(const world *w) {
    slipring_reservation space;
    slipring_message held[3], message;
    for (int i = 0; i < 3; i++) IS(OK, slipring_send(w->tx, "held", 4, 0));
    for (int i = 0; i < 3; i++) held[i] = borrowed(w->rx);
    IS(OK, slipring_reserve(w->tx, 4, 0, &space));
    memcpy(space.data, "mine", 4);
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        alarm(60);
        used_in_the_child(w, &space, held);
        /* By way of exit, so that a sanitizer or Valgrind looks for leaks here, too. */
        exit(failures == 0 ? 0 : 1);
    }
    int status = -1;
    TRUE(child > 0 && waitpid(child, &status, 0) == child);
    IS(0, status);
    IS(OK, slipring_commit(w->tx, &space, 4));
    for (int i = 0; i < 3; i++) IS(OK, slipring_ack(w->rx, &held[i]));
    message = borrowed(w->rx);
    TRUE(message.len == 4 && memcmp(message.data, "mine", 4) == 0);
    IS(OK, slipring_ack(w->rx, &message));
    message = borrowed(w->rx);
    TRUE(message.len == 14 && memcmp(message.data, "from the child", 14) == 0);
    IS(OK, slipring_ack(w->rx, &message));
}

/* The queue's handle goes first, held messages and open reservations come back, and a queue that is closed says so. */
static void odd_orders(void) {
    world w = enter("orders");
    slipring_queue *queue = NULL;
    slipring_reservation space;
    slipring_close(w.queue);
    IS(OK, slipring_send(w.tx, "one", 3, -1));
    IS(OK, slipring_send(w.tx, "two", 3, -1));
    IS(OK, slipring_reserve(w.tx, 10, 0, &space));
    borrowed(w.rx);
    borrowed(w.rx);
    size_t len = 0;
    slipring_producer_close(w.tx);
    slipring_consumer_close(w.rx);

    IS(OK, slipring_open(at("orders"), &queue));
    IS(OK, slipring_unlink(at("orders")));
    IS(OK, slipring_consumer_open(queue, "default", NULL, &w.rx));
    IS(OK, slipring_producer_open(queue, &w.tx));
    slipring_message message = borrowed(w.rx);
    TRUE(message.deliveries == 2 && memcmp(message.data, "one", 3) == 0);
    IS(SLIPRING_TOO_LARGE, slipring_receive(w.rx, NULL, 0, 0, &len));
    IS(3, len);
    IS(OK, slipring_reserve(w.tx, 0, 0, &space));
    IS(OK, slipring_shutdown(queue));
    IS(OK, slipring_shutdown(queue));
    IS(OK, slipring_commit(w.tx, &space, 0));
    IS(SLIPRING_CLOSED, slipring_producer_open(queue, &(slipring_producer *){NULL}));
    IS(SLIPRING_CLOSED, slipring_send(w.tx, "late", 4, -1));
    IS(SLIPRING_CLOSED, slipring_send(w.tx, "late", 4, 0));
    IS(SLIPRING_CLOSED, slipring_reserve(w.tx, 4, INT64_MAX, &space));
    IS(SLIPRING_CLOSED, slipring_send_batch(w.tx, &(slipring_slice){"x", 1}, 1, &len));
    IS(OK, slipring_ack(w.rx, &message));
    message = borrowed(w.rx);
    TRUE(memcmp(message.data, "two", 3) == 0);
    IS(OK, slipring_ack(w.rx, &message));
    IS(OK, slipring_receive(w.rx, NULL, 0, -1, &len));
    IS(SLIPRING_CLOSED, slipring_receive(w.rx, NULL, 0, -1, &len));
    IS(SLIPRING_CLOSED, slipring_borrow(w.rx, INT64_MAX, &message));
    slipring_close(queue);
    slipring_consumer_close(w.rx);
    slipring_producer_close(w.tx);
}

static void limits(void) {
    slipring_queue_options options = small();
    options.max_members = 1;
    options.max_groups = 1;
    slipring_queue *queue = NULL;
    slipring_producer *tx = NULL, *second = NULL;
    slipring_consumer *rx = NULL;
    IS(OK, slipring_create(at("limits"), &options, &queue));
    IS(OK, slipring_producer_open(queue, &tx));
    IS(SLIPRING_LIMIT, slipring_producer_open(queue, &second));
    IS(SLIPRING_LIMIT, slipring_consumer_open(queue, "default", NULL, &rx));
    slipring_producer_close(tx);
    IS(SLIPRING_LIMIT, slipring_consumer_open(queue, "another", NULL, &rx));
    IS(SLIPRING_LIMIT, slipring_consumer_open(queue, NULL, NULL, &rx));
    IS(OK, slipring_consumer_open(queue, "default", NULL, &rx));
    IS(SLIPRING_INCOMPATIBLE, slipring_drop_group(queue, "default"));
    slipring_consumer_close(rx);
    TRUE(second == NULL);
    slipring_close(queue);
    IS(OK, slipring_unlink(at("limits")));
}
