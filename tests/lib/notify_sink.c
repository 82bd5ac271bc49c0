/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The service manager's end of sd_notify(3): notify_sink SOCKET FILE
 *
 * Every message is appended to FILE as "<CLOCK_MONOTONIC in ms> <message>", its lines separated by " | ".
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "shared/base/cleanup.h"

static int listen_at(const char *path) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        own_fd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
                return -1;
        memcpy(address.sun_path, path, strlen(path));
        if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                return -1;
        return take_fd(&fd);
}

static void put(FILE *out, const char *message, size_t size) {
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        (void)fprintf(out, "%lld ", t.tv_sec * 1000LL + t.tv_nsec / 1000000);
        for (size_t i = 0; i < size; i++)
                if (message[i] != '\n')
                        (void)fputc(message[i], out);
                else if (i + 1 < size)
                        (void)fputs(" | ", out);
        (void)fputc('\n', out);
}

int main(int argc, char **argv) {
        own_fd int fd = argc == 3 ? listen_at(argv[1]) : -1;
        own_file FILE *out = fd >= 0 ? fopen(argv[2], "ae") : NULL;
        char message[4096];
        ssize_t n;

        if (!out) {
                perror("notify_sink");
                return EXIT_FAILURE;
        }
        setvbuf(out, NULL, _IOLBF, 0);
        while ((n = recv(fd, message, sizeof(message), 0)) >= 0)
                put(out, message, (size_t)n);
        return EXIT_FAILURE;
}
