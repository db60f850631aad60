// Slipring for C++17 and later: the C interface of slipring.h with owners, exceptions and views. Header only; link with -lslipring.
//
// queue, producer, consumer, message and reservation own what they name and can be moved, not copied. Errors are exceptions of type
// slipring::error; "nothing yet", "no room" and "closed" are not: such calls return an empty optional, or false. Threads: as in slipring.h:
// a queue is shared, a producer or consumer belongs to one thread at a time. A message or reservation must not outlive its consumer or producer.
#ifndef SLIPRING_HPP
#define SLIPRING_HPP

#include "slipring.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
#if defined(__has_include)
#if __has_include(<version>)
#include <version>
#endif
#endif
#if defined(__cpp_lib_span)
#include <span>
#endif

namespace slipring {

/// A call failed: its status, and as text its name and slipring_last_error.
class error : public std::runtime_error {
public:
    error(slipring_status status, const char *call)
        : std::runtime_error(std::string(call) + ": " + slipring_last_error()), status_(status) {}
    slipring_status status() const noexcept { return status_; }

private:
    slipring_status status_;
};

/// How long a call waits.
class wait {
public:
    /// For as long as it takes.
    constexpr wait() noexcept : ns_(-1) {}
    /// Not at all.
    static constexpr wait none() noexcept { return wait(0, 0); }
    /// As long as this; what is not positive means not at all, and what nanoseconds cannot hold (292 years) for ever.
    template <class Rep, class Period>
    constexpr wait(std::chrono::duration<Rep, Period> time) noexcept : ns_(0) {
        using namespace std::chrono;
        const double seconds = duration_cast<duration<double>>(time).count();
        if (seconds > 0) ns_ = seconds < 9.2e9 ? duration_cast<nanoseconds>(time).count() : -1;
    }
    constexpr std::int64_t ns() const noexcept { return ns_; }

private:
    constexpr wait(std::int64_t ns, int) noexcept : ns_(ns) {}
    std::int64_t ns_;
};

namespace detail {
inline void check(slipring_status status, const char *call) {
    if (status != SLIPRING_OK) throw error(status, call);
}
/// False for the statuses that steer a program's flow.
inline bool arrived(slipring_status status, const char *call) {
    switch (status) {
    case SLIPRING_OK: return true;
    case SLIPRING_FULL:
    case SLIPRING_EMPTY:
    case SLIPRING_TIMEOUT:
    case SLIPRING_CLOSED: return false;
    default: throw error(status, call);
    }
}
/// A handle of C with its closing function.
template <class Handle, void (*Close)(Handle *)>
class owner {
public:
    owner() noexcept = default;
    explicit owner(Handle *handle) noexcept : handle_(handle) {}
    owner(owner &&other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    owner &operator=(owner &&other) noexcept {
        if (this != &other) {
            Close(handle_);
            handle_ = std::exchange(other.handle_, nullptr);
        }
        return *this;
    }
    owner(const owner &) = delete;
    owner &operator=(const owner &) = delete;
    ~owner() { Close(handle_); }
    Handle *get() const noexcept { return handle_; }

private:
    Handle *handle_ = nullptr;
};
} // namespace detail

/// A message in hand. Destroyed without ack it is given back, to be delivered again.
class message {
public:
    message(message &&other) noexcept
        : consumer_(std::exchange(other.consumer_, nullptr)), message_(other.message_) {}
    message &operator=(message &&other) noexcept {
        if (this != &other) {
            give_back();
            consumer_ = std::exchange(other.consumer_, nullptr);
            message_ = other.message_;
        }
        return *this;
    }
    message(const message &) = delete;
    message &operator=(const message &) = delete;
    ~message() { give_back(); }

    /// The payload, in the queue itself: read only, and not after ack, retry or reject.
    const void *data() const noexcept { return message_.data; }
    std::size_t size() const noexcept { return message_.len; }
    std::string_view view() const noexcept { return {static_cast<const char *>(message_.data), message_.len}; }
#if defined(__cpp_lib_span)
    std::span<const std::byte> bytes() const noexcept {
        return {static_cast<const std::byte *>(message_.data), message_.len};
    }
#endif
    /// The event name, empty if there is none.
    std::string_view event() const noexcept {
        return message_.event == nullptr ? std::string_view() : std::string_view(message_.event, message_.event_len);
    }
    std::uint64_t position() const noexcept { return message_.position; }
    std::uint32_t deliveries() const noexcept { return message_.deliveries; }

    /// Done: no crash of anybody brings it back.
    void ack() { settle(slipring_ack, "slipring_ack"); }
    /// Gives it back, to be delivered again.
    void retry() { settle(slipring_retry, "slipring_retry"); }
    /// Puts it aside as a dead letter.
    void reject(const char *reason) {
        detail::check(slipring_reject(std::exchange(consumer_, nullptr), &message_, reason), "slipring_reject");
    }

private:
    friend class consumer;
    message(slipring_consumer *from, const slipring_message &found) noexcept : consumer_(from), message_(found) {}
    void settle(slipring_status (*what)(slipring_consumer *, const slipring_message *), const char *call) {
        detail::check(what(std::exchange(consumer_, nullptr), &message_), call);
    }
    void give_back() noexcept {
        if (consumer_ != nullptr) slipring_retry(consumer_, &message_);
    }
    slipring_consumer *consumer_;
    slipring_message message_;
};

/// Space for a message, to be written in place. Destroyed without commit it is given up.
class reservation {
public:
    reservation(reservation &&other) noexcept
        : producer_(std::exchange(other.producer_, nullptr)), reservation_(other.reservation_) {}
    reservation(const reservation &) = delete;
    reservation &operator=(const reservation &) = delete;
    reservation &operator=(reservation &&) = delete;
    ~reservation() {
        if (producer_ != nullptr) slipring_abort(producer_, &reservation_);
    }
    void *data() noexcept { return reservation_.data; }
    std::size_t size() const noexcept { return reservation_.len; }
#if defined(__cpp_lib_span)
    std::span<std::byte> bytes() noexcept { return {static_cast<std::byte *>(reservation_.data), reservation_.len}; }
#endif
    /// Publishes the first `len` bytes.
    void commit(std::size_t len) {
        detail::check(slipring_commit(producer_, &reservation_, len), "slipring_commit");
        producer_ = nullptr;
    }
    void commit() { commit(size()); }

private:
    friend class producer;
    reservation(slipring_producer *from, const slipring_reservation &space) noexcept
        : producer_(from), reservation_(space) {}
    slipring_producer *producer_;
    slipring_reservation reservation_;
};

/// The sending side.
class producer {
public:
    /// Sends a message. False if there was no room in time, or the queue is closed (`closed` tells).
    bool send(const void *data, std::size_t len, wait wait = {}) {
        return arrived(slipring_send(handle_.get(), data, len, wait.ns()), "slipring_send");
    }
    bool send(std::string_view text, wait wait = {}) { return send(text.data(), text.size(), wait); }
    /// The same with an event name; nullptr means none.
    bool send_event(const char *event, const void *data, std::size_t len, wait wait = {}) {
        return arrived(slipring_send_event(handle_.get(), event, data, len, wait.ns()), "slipring_send_event");
    }
    bool send_event(const char *event, std::string_view text, wait wait = {}) {
        return send_event(event, text.data(), text.size(), wait);
    }
    /// Sends messages with few claims and one wake, waiting for room. Returns how many were sent: all, unless the queue is closed.
    std::size_t send_batch(const std::vector<std::string_view> &texts) {
        std::vector<slipring_slice> slices;
        slices.reserve(texts.size());
        for (const auto &text : texts) slices.push_back({text.data(), text.size()});
        std::size_t sent = 0;
        arrived(slipring_send_batch(handle_.get(), slices.data(), slices.size(), &sent), "slipring_send_batch");
        return sent;
    }
    /// Reserves `len` bytes to be written in place; empty if there was no room in time, or the queue is closed.
    std::optional<reservation> reserve(std::size_t len, wait wait = {}) { return reserve_event(nullptr, len, wait); }
    std::optional<reservation> reserve_event(const char *event, std::size_t len, wait wait = {}) {
        slipring_reservation space;
        const slipring_status status = slipring_reserve_event(handle_.get(), event, len, wait.ns(), &space);
        if (!arrived(status, "slipring_reserve_event")) return std::nullopt;
        return reservation(handle_.get(), space);
    }
    /// Did the last send or reserve find the queue closed?
    bool closed() const noexcept { return closed_; }
    slipring_producer *get() const noexcept { return handle_.get(); }

private:
    friend class queue;
    explicit producer(slipring_producer *handle) noexcept : handle_(handle) {}
    bool arrived(slipring_status status, const char *call) {
        closed_ = status == SLIPRING_CLOSED;
        return detail::arrived(status, call);
    }
    detail::owner<slipring_producer, slipring_producer_close> handle_;
    bool closed_ = false;
};

/// How a consumer joins.
struct consumer_options : slipring_consumer_options {
    consumer_options() noexcept { slipring_consumer_options_init(this); }
};

/// The receiving side.
class consumer {
public:
    /// The next message; empty if there was none in time, or the queue is closed and drained (`closed` tells).
    std::optional<message> receive(wait wait = {}) {
        slipring_message found;
        const slipring_status status = slipring_borrow(handle_.get(), wait.ns(), &found);
        closed_ = status == SLIPRING_CLOSED;
        if (!detail::arrived(status, "slipring_borrow")) return std::nullopt;
        return message(handle_.get(), found);
    }
    /// The next message, waited for, and up to `max` that are there already; empty if none came in time, or the queue is closed and drained.
    std::vector<message> receive_batch(std::size_t max, wait wait = {}) {
        std::vector<slipring_message> found(max);
        std::vector<message> messages;
        messages.reserve(max);
        std::size_t count = 0;
        const slipring_status status = slipring_borrow_batch(handle_.get(), found.data(), max, wait.ns(), &count);
        closed_ = status == SLIPRING_CLOSED;
        if (!detail::arrived(status, "slipring_borrow_batch")) return messages;
        for (std::size_t i = 0; i < count; i++) messages.push_back(message(handle_.get(), found[i]));
        return messages;
    }
    /// Did the last receive find the queue closed and drained?
    bool closed() const noexcept { return closed_; }
    /// A descriptor for poll or epoll: see slipring_consumer_fd.
    int fd() const {
        const int fd = slipring_consumer_fd(handle_.get());
        if (fd < 0) throw error(fd, "slipring_consumer_fd");
        return fd;
    }
    std::uint64_t lag() const noexcept { return slipring_lag(handle_.get()); }
    slipring_consumer *get() const noexcept { return handle_.get(); }

private:
    friend class queue;
    explicit consumer(slipring_consumer *handle) noexcept : handle_(handle) {}
    detail::owner<slipring_consumer, slipring_consumer_close> handle_;
    bool closed_ = false;
};

/// How a queue is made.
struct queue_options : slipring_queue_options {
    queue_options() noexcept { slipring_queue_options_init(this); }
};

/// An open queue.
class queue {
public:
    static queue create(const std::string &name, const queue_options &options = {}) {
        return made("slipring_create", [&](slipring_queue **out) { return slipring_create(name.c_str(), &options, out); });
    }
    static queue open(const std::string &name) {
        return made("slipring_open", [&](slipring_queue **out) { return slipring_open(name.c_str(), out); });
    }
    static queue open_or_create(const std::string &name, const queue_options &options = {}) {
        return made("slipring_open_or_create", [&](slipring_queue **out) { return slipring_open_or_create(name.c_str(), &options, out); });
    }
    /// Without a name, in a sealed memory file: see slipring_create_memfd.
    static queue create_memfd(const std::string &label, const queue_options &options = {}) {
        return made("slipring_create_memfd",
                    [&](slipring_queue **out) { return slipring_create_memfd(label.c_str(), &options, out); });
    }
    /// Opens a queue that came as a descriptor, which stays the caller's.
    static queue open_fd(int fd) {
        return made("slipring_open_fd", [&](slipring_queue **out) { return slipring_open_fd(fd, out); });
    }
    static void unlink(const std::string &name) { detail::check(slipring_unlink(name.c_str()), "slipring_unlink"); }

    slipring::producer producer() {
        slipring_producer *handle = nullptr;
        detail::check(slipring_producer_open(handle_.get(), &handle), "slipring_producer_open");
        return slipring::producer(handle);
    }
    /// Joins a group, which is made if there is none of that name.
    slipring::consumer consumer(const std::string &group, const consumer_options &options = {}) {
        return joined(group.c_str(), options);
    }
    /// Reads as an anonymous group of one.
    slipring::consumer reader(const consumer_options &options = {}) { return joined(nullptr, options); }

    /// Closes the queue for good: producers stop, consumers drain.
    void shutdown() { detail::check(slipring_shutdown(handle_.get()), "slipring_shutdown"); }
    slipring_queue_stats stats() const {
        slipring_queue_stats figures;
        detail::check(slipring_stats(handle_.get(), &figures), "slipring_stats");
        return figures;
    }
    /// Repairs what dead members left; returns how many there were.
    std::uint32_t recover() {
        std::uint32_t repaired = 0;
        detail::check(slipring_recover(handle_.get(), &repaired), "slipring_recover");
        return repaired;
    }
    /// Drops a group that has no members.
    void drop_group(const std::string &group) {
        detail::check(slipring_drop_group(handle_.get(), group.c_str()), "slipring_drop_group");
    }
    /// The queue file's descriptor, to be passed on; it stays the queue's.
    int fd() const noexcept { return slipring_queue_fd(handle_.get()); }
    slipring_queue *get() const noexcept { return handle_.get(); }

private:
    explicit queue(slipring_queue *handle) noexcept : handle_(handle) {}
    template <class Open>
    static queue made(const char *call, Open open) {
        slipring_queue *handle = nullptr;
        detail::check(open(&handle), call);
        return queue(handle);
    }
    slipring::consumer joined(const char *group, const consumer_options &options) {
        slipring_consumer *handle = nullptr;
        detail::check(slipring_consumer_open(handle_.get(), group, &options, &handle), "slipring_consumer_open");
        return slipring::consumer(handle);
    }
    detail::owner<slipring_queue, slipring_close> handle_;
};

} // namespace slipring

#endif // SLIPRING_HPP
