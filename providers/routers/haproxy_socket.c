/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/routers/haproxy_socket.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "shared/base/cleanup.h"
#include "shared/base/limits.h"
#include "shared/base/reason.h"

#define SAY_TIMEOUT_S  10
/* A line must fit HAProxy's buffer of 16 KiB (tune.bufsize), with room for what it keeps of it. */
#define LINE_MAX_BYTES 8192

static int unavailable(const char *socket, const char *what, struct fault *reterr) {
        return fault_set_code(reterr, FAULT_TRANSIENT, REASON_ROUTER_UNAVAILABLE, "HAProxy %s at %s: %s", what, socket,
                              strerror(errno));
}

static int connect_to(const char *path, int *ret_fd, struct fault *reterr) {
        const struct timeval patience = { .tv_sec = SAY_TIMEOUT_S };
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        own_fd int fd = -1;

        if (strlen(path) >= sizeof(address.sun_path))
                return fault_set(reterr, FAULT_CONFIG, ENAMETOOLONG, "the path of HAProxy's socket is too long: %s",
                                 path);
        memcpy(address.sun_path, path, strlen(path) + 1);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
            setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
            connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
                return unavailable(path, "does not answer", reterr);
        *ret_fd = take_fd(&fd);
        return 0;
}

static int exchange(const char *path, const char *line, size_t size, struct buffer *answer, struct fault *reterr) {
        own_fd int fd = -1;
        char bytes[4096];
        ssize_t n;
        int r = connect_to(path, &fd, reterr);

        if (r < 0)
                return r;
        for (size_t sent = 0; sent < size; sent += (size_t)n) {
                n = send(fd, line + sent, size - sent, MSG_NOSIGNAL);
                if (n < 0)
                        return unavailable(path, "does not listen", reterr);
        }
        while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
                buffer_append(answer, bytes, (size_t)n);
        if (n < 0)
                return unavailable(path, "does not answer to the end", reterr);
        return buffer_check(answer, "HAProxy's answer", reterr);
}

int haproxy_say(const char *socket, const char *commands, struct buffer *answer, struct fault *reterr) {
        answer->max = answer->max ? answer->max : LIMIT_ROUTER_BYTES;
        while (*commands) {
                own_buffer struct buffer line = BUFFER_INIT;
                int r;

                while (*commands) {
                        size_t n = strcspn(commands, "\n");

                        if (line.size > 0 && line.size + n + 2 > LINE_MAX_BYTES)
                                break;
                        buffer_printf(&line, "%s%.*s", line.size ? ";" : "", (int)n, commands);
                        commands += n + (commands[n] == '\n');
                }
                buffer_putc(&line, '\n');
                r = buffer_check(&line, "a command for HAProxy", reterr);
                if (r == 0)
                        r = exchange(socket, buffer_str(&line), line.size, answer, reterr);
                if (r < 0)
                        return r;
        }
        return 0;
}
