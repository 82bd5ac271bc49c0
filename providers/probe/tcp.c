/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/probe/probe_private.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/text.h"

/* How long a proxy with nobody behind it may take to close what it has taken. */
#define PROXY_MS 250

DEFINE_OWN(struct addrinfo, freeaddrinfo)

/* "127.0.0.1:80", "[::1]:80": nothing is looked up. */
static int resolve(const char *address, struct arena *a, struct addrinfo **ret) {
        static const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                                               .ai_socktype = SOCK_STREAM };
        char *host = arena_strdup(a, address), *port = strrchr(host, ':');
        size_t n;

        if (!port)
                return -EINVAL;
        *port++ = '\0';
        n = strlen(host);
        if (host[0] == '[' && host[n - 1] == ']') {
                host[n - 1] = '\0';
                host++;
        }
        return getaddrinfo(host, port, &hints, ret) == 0 ? 0 : -EINVAL;
}

/* The events that came until then, 0 when none did, or -errno. */
static int wait_for(int fd, short events, int64_t until_ns) {
        for (;;) {
                struct pollfd wait = { .fd = fd, .events = events };
                int64_t left = (until_ns - clock_monotonic_ns() + 999999) / 1000000;
                int r = poll(&wait, 1, left > 0 ? (int)left : 0);

                if (r > 0)
                        return wait.revents;
                if (r == 0 && left <= 0)
                        return 0;
                if (r < 0 && errno != EINTR)
                        return -errno;
        }
}

static int connect_until(int fd, const struct addrinfo *to, int64_t until_ns) {
        socklen_t size = sizeof(int);
        int r, error = 0;

        if (connect(fd, to->ai_addr, to->ai_addrlen) == 0)
                return 0;
        if (errno != EINPROGRESS)
                return -errno;
        r = wait_for(fd, POLLOUT, until_ns);
        if (r <= 0)
                return r == 0 ? -ETIMEDOUT : r;
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
                return -errno;
        return -error;
}

/* Whether the other side ended the connection before it said anything. */
static bool is_dropped(int fd, int64_t until_ns) {
        char byte;
        int r = wait_for(fd, POLLIN, until_ns);

        return r > 0 && recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

struct finding probe_tcp(const struct check *check, const char *address, bool published, struct arena *a) {
        int64_t start = clock_monotonic_ns(), until = start + check->timeout_ms * 1000000, patience;
        own(freeaddrinfo_p) struct addrinfo *to = NULL;
        own_fd int fd = -1;
        char limit[DURATION_TEXT_MAX];
        int r = resolve(address, a, &to);

        if (r < 0)
                return finding_of(CHECK_INCONCLUSIVE, a, "%s is not an address", address);
        fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return finding_of(CHECK_INCONCLUSIVE, a, "no socket: %s", strerror(errno));
        r = connect_until(fd, to, until);
        if (r == -ETIMEDOUT)
                return finding_of(CHECK_FAIL, a, "%s takes no connection within %s", address,
                                  format_duration(check->timeout_ms, limit));
        if (r < 0)
                return finding_of(CHECK_FAIL, a, "%s takes no connection: %s", address, strerror(-r));
        patience = clock_monotonic_ns() + PROXY_MS * INT64_C(1000000);
        if (published && is_dropped(fd, patience < until ? patience : until))
                return finding_of(CHECK_FAIL, a, "%s takes connections and drops them at once", address);
        return finding_pass("it takes connections");
}
