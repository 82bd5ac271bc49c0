/* SPDX-License-Identifier: Apache-2.0 */

/*
 * pair: two commands in turn, many times, so that whatever else the machine does hits both
 *
 *      pair RUNS COMMAND… -- COMMAND…
 *
 * Prints "wall_a wall_b least_a least_b cpu_a cpu_b rss_a rss_b": medians of the wall time, least wall times and
 * medians of user + system time in microseconds, and the largest resident set in KiB, as the kernel counts them. Output
 * of the commands goes to nowhere; one that fails ends this with 1, one that ends with 3 does not fail. The first runs
 * warm the caches up and are not counted.
 */

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WARM_UP   3
#define UNDER_WAY 3 /* how tally ends while a rollout goes on */
#define RUNS_MAX  10000

struct side {
        char **argv;
        int64_t *wall_us, *cpu_us;
        long rss_kib;
};

static int64_t now_us(void) {
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t us_of(struct timeval t) {
        return (int64_t)t.tv_sec * 1000000 + t.tv_usec;
}

static int run(struct side *s, const posix_spawn_file_actions_t *nowhere, int n) {
        int64_t began = now_us(), ended;
        struct rusage use;
        int status, r;
        pid_t pid;

        r = posix_spawnp(&pid, s->argv[0], nowhere, NULL, s->argv, environ);
        if (r != 0) {
                fprintf(stderr, "pair: %s: %s\n", s->argv[0], strerror(r));
                return -1;
        }
        while (wait4(pid, &status, 0, &use) < 0)
                if (errno != EINTR)
                        return -1;
        ended = now_us();
        if (!WIFEXITED(status) || (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != UNDER_WAY)) {
                fprintf(stderr, "pair: %s ended with status %#x\n", s->argv[0], (unsigned)status);
                return -1;
        }
        if (n < 0)
                return 0;
        s->wall_us[n] = ended - began;
        s->cpu_us[n] = us_of(use.ru_utime) + us_of(use.ru_stime);
        s->rss_kib = use.ru_maxrss > s->rss_kib ? use.ru_maxrss : s->rss_kib;
        return 0;
}

static int by_value(const void *x, const void *y) {
        int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;

        return (a > b) - (a < b);
}

int main(int argc, char **argv) {
        struct side sides[2] = { { .argv = argv + 2 } };
        posix_spawn_file_actions_t nowhere;
        int runs = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 0;

        for (int i = 2; i < argc && !sides[1].argv; i++)
                if (strcmp(argv[i], "--") == 0) {
                        argv[i] = NULL;
                        sides[1].argv = argv + i + 1;
                }
        if (runs < 1 || runs > RUNS_MAX || !sides[1].argv || !sides[0].argv[0] || !sides[1].argv[0]) {
                fputs("usage: pair RUNS COMMAND... -- COMMAND...\n", stderr);
                return 2;
        }
        if (posix_spawn_file_actions_init(&nowhere) != 0 ||
            posix_spawn_file_actions_addopen(&nowhere, STDOUT_FILENO, "/dev/null", O_WRONLY, 0) != 0)
                return 1;
        for (int k = 0; k < 2; k++) {
                sides[k].wall_us = calloc((size_t)runs, sizeof(int64_t));
                sides[k].cpu_us = calloc((size_t)runs, sizeof(int64_t));
                if (!sides[k].wall_us || !sides[k].cpu_us)
                        return 1;
        }
        for (int n = -WARM_UP; n < runs; n++)
                for (int k = 0; k < 2; k++)
                        if (run(&sides[(n + k) & 1], &nowhere, n) < 0)
                                return 1;
        for (int k = 0; k < 2; k++) {
                qsort(sides[k].wall_us, (size_t)runs, sizeof(int64_t), by_value);
                qsort(sides[k].cpu_us, (size_t)runs, sizeof(int64_t), by_value);
        }
        printf("%lld %lld %lld %lld %lld %lld %ld %ld\n", (long long)sides[0].wall_us[runs / 2],
               (long long)sides[1].wall_us[runs / 2], (long long)sides[0].wall_us[0], (long long)sides[1].wall_us[0],
               (long long)sides[0].cpu_us[runs / 2], (long long)sides[1].cpu_us[runs / 2], sides[0].rss_kib,
               sides[1].rss_kib);
        for (int k = 0; k < 2; k++) {
                free(sides[k].wall_us);
                free(sides[k].cpu_us);
        }
        (void)posix_spawn_file_actions_destroy(&nowhere);
        return 0;
}
