// Sends a file of records through a queue, or works on the messages of a queue and writes them to such a file.
//
// A record: u32 length of the event name, event name, u32 length of the payload, payload; numbers little-endian. The programs of this name
// in the other languages do the same.
#include <slipring.hpp>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

#include <unistd.h>

namespace {

[[noreturn]] void fail(const std::string &name) {
    throw std::system_error(errno, std::generic_category(), name);
}

// Reads a length and as many bytes. False at the end of the file.
bool read_part(std::ifstream &file, std::string &part) {
    char head[4];
    file.read(head, sizeof head);
    if (file.gcount() == 0 && !file.bad()) return false;
    std::uint32_t len = 0;
    for (int i = 0; i < 4; i++) {
        len |= std::uint32_t{static_cast<unsigned char>(head[i])} << 8 * i;
    }
    if (file) {
        part.resize(len);
        file.read(part.data(), len);
    }
    if (!file) throw std::runtime_error("the file ends inside a record, or cannot be read");
    return true;
}

void write_part(std::ofstream &file, std::string_view part) {
    char head[4];
    for (int i = 0; i < 4; i++) {
        head[i] = static_cast<char>(part.size() >> 8 * i);
    }
    file.write(head, sizeof head);
    file.write(part.data(), static_cast<std::streamsize>(part.size()));
}

void send(slipring::queue &queue, const char *name) {
    std::ifstream file(name, std::ios::binary);
    if (!file) fail(name);
    auto producer = queue.producer();
    std::string event, payload;
    while (read_part(file, event)) {
        if (!read_part(file, payload)) throw std::runtime_error("the file ends inside a record");
        // Without a time it waits for room as long as it takes; false then means that somebody closed the queue.
        if (!producer.send_event(event.empty() ? nullptr : event.c_str(), payload)) {
            throw std::runtime_error("slipring_send_event: the queue is closed");
        }
    }
    // Consumers get what is there, and then learn that it is closed.
    queue.shutdown();
}

[[noreturn]] void hold_for_ever() {
    std::cout << "holding" << std::endl;
    for (;;) ::pause();
}

// Works until the queue is closed and drained, or until it holds message number `hold_at` (0: no such).
void work(slipring::queue &queue, const char *group, const char *name, unsigned long hold_at) {
    std::ofstream file(name, std::ios::binary | std::ios::app);
    if (!file) fail(name);
    auto consumer = queue.consumer(group);
    unsigned long count = 0;
    // Without a time it waits as long as it takes; empty then means closed and drained.
    while (auto message = consumer.receive()) {
        if (++count == hold_at) hold_for_ever();
        write_part(file, message->event());
        write_part(file, message->view());
        // First the result, then the ack: killed between the two the message is done again, never lost.
        if (!file.flush()) fail(name);
        message->ack();
    }
}

int usage(const char *program) {
    std::cerr << "usage: " << program << " send QUEUE FILE | work QUEUE GROUP FILE [N]\n";
    return 2;
}

} // namespace

int main(int argc, char **argv) {
    const std::string_view verb = argc > 1 ? argv[1] : "";
    const bool sends = verb == "send" && argc == 4;
    bool works = verb == "work" && (argc == 5 || argc == 6);
    unsigned long hold_at = 0;
    if (works && argc == 6) {
        char *end = nullptr;
        hold_at = std::strtoul(argv[5], &end, 10);
        works = hold_at > 0 && *end == '\0';
    }
    if (!sends && !works) return usage(argv[0]);
    try {
        auto queue = slipring::queue::open(argv[2]);
        if (sends) {
            send(queue, argv[3]);
        } else {
            work(queue, argv[3], argv[4], hold_at);
        }
    } catch (const std::exception &failure) {
        std::cerr << failure.what() << '\n';
        return 1;
    }
    return 0;
}
