// A worker that writes messages to a file, many at a time: it takes what is there into its hands, writes it with one flush to the disk, and
// only then acks. Whatever goes wrong before, the messages in hand are given back by their destructors. Ends on SIGTERM or SIGINT, or when
// the queue is closed and drained.
#include <slipring.hpp>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <exception>
#include <iostream>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

namespace {

volatile std::sig_atomic_t stopping = 0;

class log_file {
public:
    explicit log_file(const char *name) : fd_(::open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) {
        if (fd_ < 0) throw failure(name);
    }
    log_file(const log_file &) = delete;
    log_file &operator=(const log_file &) = delete;
    ~log_file() { ::close(fd_); }

    void write(const std::string &text) {
        for (std::size_t done = 0; done < text.size();) {
            const ssize_t written = ::write(fd_, text.data() + done, text.size() - done);
            if (written >= 0) {
                done += static_cast<std::size_t>(written);
            } else if (errno != EINTR) {
                throw failure("write");
            }
        }
        // A terminal or a pipe has no disk to wait for.
        if (::fdatasync(fd_) != 0 && errno != EINVAL && errno != EROFS) throw failure("fdatasync");
    }

private:
    static std::system_error failure(const char *what) { return {errno, std::generic_category(), what}; }
    int fd_;
};

void work(slipring::consumer &consumer, log_file &file) {
    while (stopping == 0) {
        // Not for ever: a signal does not end the wait.
        auto hands = consumer.receive_batch(64, std::chrono::milliseconds(200));
        if (hands.empty() && consumer.closed()) return;
        std::string lines;
        for (const auto &message : hands) {
            if (message.size() > 0) lines.append(message.view()).append("\n");
        }
        if (!lines.empty()) file.write(lines);
        for (auto &message : hands) {
            if (message.size() > 0) {
                message.ack();
            } else {
                message.reject("there is nothing in it"); // trying again would not help
            }
        }
    }
}

void run(char **argv) {
    slipring::queue_options queue_options;
    queue_options.capacity = 1u << 20;
    // Without the group "default", which would keep the messages for consumers that never come.
    queue_options.flags = SLIPRING_TOPIC;
    auto queue = slipring::queue::open_or_create(argv[1], queue_options);
    slipring::consumer_options options;
    options.max_deliveries = 5;
    options.dead_letter = argv[3];
    options.prefetch = 64; // beside other members of the group: claims as many at once
    auto consumer = queue.consumer(argv[2], options);
    log_file file(argv[4]);
    work(consumer, file);
}

} // namespace

int main(int argc, char **argv) {
    if (argc != 5) {
        std::cerr << "usage: " << argv[0] << " QUEUE GROUP DEAD-LETTER-QUEUE FILE\n";
        return 2;
    }
    std::signal(SIGTERM, [](int) { stopping = 1; });
    std::signal(SIGINT, [](int) { stopping = 1; });
    try {
        run(argv);
    } catch (const std::exception &failure) {
        std::cerr << failure.what() << '\n';
        return 1;
    }
    return 0;
}
