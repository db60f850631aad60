// What boost.rs needs of boost::interprocess::message_queue. No exception leaves this file.

#include <boost/interprocess/ipc/message_queue.hpp>
#include <boost/version.hpp>

#include <cstdio>
#include <exception>

using boost::interprocess::message_queue;

namespace {
thread_local char error[256];

template <typename Result, typename Call>
Result guarded(Result failed, Call call) noexcept {
    try {
        return call();
    } catch (const std::exception &thrown) {
        std::snprintf(error, sizeof error, "%s", thrown.what());
        return failed;
    }
}
} // namespace

extern "C" {

const char *peers_boost_error() { return error; }

// The version as Boost writes it: 1_74.
const char *peers_boost_version() { return BOOST_LIB_VERSION; }

// Opens the queue, or makes it if a depth is given.
void *peers_boost_open(const char *name, size_t depth, size_t size) {
    return guarded<void *>(nullptr, [&]() -> void * {
        if (depth == 0)
            return new message_queue(boost::interprocess::open_only, name);
        return new message_queue(boost::interprocess::create_only, name, depth, size,
                                 boost::interprocess::permissions(0600));
    });
}

void peers_boost_close(void *queue) { delete static_cast<message_queue *>(queue); }

// 1 if sent, 0 if there is no room, -1 with an error.
int peers_boost_send(void *queue, const unsigned char *bytes, size_t len, bool sleeps) {
    return guarded(-1, [&] {
        auto *to = static_cast<message_queue *>(queue);
        if (!sleeps)
            return to->try_send(bytes, len, 0) ? 1 : 0;
        to->send(bytes, len, 0);
        return 1;
    });
}

// 1 if received, 0 if there is nothing, -1 with an error.
int peers_boost_receive(void *queue, unsigned char *bytes, size_t len, bool sleeps) {
    return guarded(-1, [&] {
        auto *from = static_cast<message_queue *>(queue);
        message_queue::size_type received = 0;
        unsigned priority = 0;
        if (!sleeps)
            return from->try_receive(bytes, len, received, priority) ? 1 : 0;
        from->receive(bytes, len, received, priority);
        return 1;
    });
}
}
