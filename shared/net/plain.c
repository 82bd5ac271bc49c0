/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/net/plain.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"

#define READ_BYTES (64 * 1024)

/*
 * Reading the answer
 */

/* "HTTP/1.1 200 OK" */
static int parse_status(const char *line, size_t size, int *ret) {
        static const char version[] = "HTTP/1.";
        const size_t n = sizeof(version) - 1;
        int status = 0;

        if (size < n + 5 || memcmp(line, version, n) != 0 || (line[n] != '0' && line[n] != '1') || line[n + 1] != ' ')
                return -EPROTO;
        for (size_t i = n + 2; i < n + 5; i++) {
                if (line[i] < '0' || line[i] > '9')
                        return -EPROTO;
                status = status * 10 + line[i] - '0';
        }
        if (status < 100 || (size > n + 5 && line[n + 5] != ' '))
                return -EPROTO;
        *ret = status;
        return 0;
}

/* The value of a header line that is called @name ("Content-Length:"); NULL when it is another. */
static const char *header_value(const char *line, size_t size, const char *name, size_t *ret_size) {
        size_t n = strlen(name);

        if (size < n || strncasecmp(line, name, n) != 0)
                return NULL;
        while (n < size && (line[n] == ' ' || line[n] == '\t'))
                n++;
        while (size > n && (line[size - 1] == ' ' || line[size - 1] == '\t'))
                size--;
        *ret_size = size - n;
        return line + n;
}

/* How much body a header promises; -1 stays when it promises nothing. */
static int read_header(const char *line, size_t size, int64_t *length) {
        size_t n;
        const char *value = header_value(line, size, "Content-Length:", &n);
        char text[24];
        uint64_t u;

        if (value) {
                if (n >= sizeof(text))
                        return -EPROTO;
                memcpy(text, value, n);
                text[n] = '\0';
                if (strlen(text) != n || parse_u64(text, &u) < 0 || u > INT64_MAX ||
                    (*length >= 0 && *length != (int64_t)u))
                        return -EPROTO;
                *length = (int64_t)u;
        }
        /* Nobody may answer HTTP/1.0 with these. */
        if (header_value(line, size, "Transfer-Encoding:", &n) || header_value(line, size, "Content-Encoding:", &n))
                return -EPROTO;
        return 0;
}

int plain_parse(const char *bytes, size_t size, int *ret_status, size_t *ret_body) {
        int64_t length = -1;
        int status = 0;

        for (size_t at = 0, line = 0; at < size && at <= LIMIT_HTTP_HEADER_BYTES; line++) {
                const char *end = memchr(bytes + at, '\n', size - at);
                size_t n = end ? (size_t)(end - bytes) - at : 0;
                int r;

                if (!end || n == 0 || end[-1] != '\r')
                        return -EPROTO;
                if (n == 1 && line > 0) {
                        at += 2;
                        if (length >= 0 && (uint64_t)length != size - at)
                                return -EPROTO;
                        *ret_status = status;
                        *ret_body = at;
                        return 0;
                }
                r = line == 0 ? parse_status(bytes + at, n - 1, &status) : read_header(bytes + at, n - 1, &length);
                if (r < 0)
                        return r;
                at += n + 1;
        }
        return -EPROTO;
}

/*
 * Asking
 */

static int open_socket(const char *path, int timeout_ms) {
        const struct timeval patience = { .tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000 };
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        own_fd int fd = -1;

        if (strlen(path) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        memcpy(address.sun_path, path, strlen(path));
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        /* A listener whose queue is full would hold connect() for ever. */
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
            connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
                return errno == EAGAIN ? -ETIMEDOUT : -errno;
        return take_fd(&fd);
}

static int send_all(int fd, const char *bytes, size_t size) {
        while (size > 0) {
                ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return errno == EAGAIN ? -ETIMEDOUT : -errno;
                bytes += n;
                size -= (size_t)n;
        }
        return 0;
}

/* Until the other side closes. */
static int receive_all(int fd, size_t limit, int64_t deadline_ns, struct buffer *answer) {
        own_free char *chunk = malloc(READ_BYTES);

        if (!chunk)
                return -ENOMEM;
        for (;;) {
                struct pollfd wait = { .fd = fd, .events = POLLIN };
                int64_t left = (deadline_ns - clock_monotonic_ns()) / 1000000;
                ssize_t n;

                if (left <= 0)
                        return -ETIMEDOUT;
                if (poll(&wait, 1, (int)left) <= 0)
                        continue;
                n = recv(fd, chunk, READ_BYTES, 0);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        return -answer->failed;
                if (answer->size + (size_t)n > limit)
                        return -EFBIG;
                buffer_append(answer, chunk, (size_t)n);
        }
}

static int exchange(const char *socket, const char *path, size_t limit, int timeout_ms, struct buffer *answer) {
        int64_t deadline_ns = clock_monotonic_ns() + (int64_t)timeout_ms * 1000000;
        own_buffer struct buffer request = BUFFER_INIT;
        own_fd int fd = open_socket(socket, timeout_ms);
        int r;

        if (fd < 0)
                return fd;
        buffer_printf(&request, "GET %s HTTP/1.0\r\nHost: localhost\r\nAccept: application/json\r\n\r\n", path);
        if (request.failed)
                return -ENOMEM;
        r = send_all(fd, request.data, request.size);
        return r < 0 ? r : receive_all(fd, limit, deadline_ns, answer);
}

int plain_get(const char *socket, const char *path, size_t max_body, int timeout_ms, int *ret_status,
              struct buffer *body, struct fault *reterr) {
        own_buffer struct buffer answer = BUFFER_INIT;
        size_t begin = 0;
        int r = exchange(socket, path, max_body + LIMIT_HTTP_HEADER_BYTES, timeout_ms, &answer);

        if (r == 0)
                r = plain_parse(buffer_str(&answer), answer.size, ret_status, &begin);
        if (r == 0 && answer.size - begin > max_body)
                r = -EFBIG;
        if (r == -ENOMEM)
                return fault_set_oom(reterr);
        if (r < 0)
                return fault_set(reterr, FAULT_TRANSIENT, -r, "no answer from %s", socket);
        buffer_append(body, buffer_str(&answer) + begin, answer.size - begin);
        return buffer_check(body, "an answer", reterr);
}
