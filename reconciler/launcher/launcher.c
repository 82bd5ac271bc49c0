/* SPDX-License-Identifier: Apache-2.0 */

/*
 * tally: the program that people and tallyd start
 *
 * Most passes find nothing to do, and most of the time of such a pass would go into loading libraries that it does not
 * use (docs/benchmarks.md). So this program is small: it answers a quiet `tally pass` on a repository in a folder
 * itself, without libcurl and libgit2, and hands everything else over to the full program, with the same arguments.
 */

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "reconciler/launcher/show.h"
#include "reconciler/config/config.h"
#include "reconciler/launcher/unchanged.h"
#include "reconciler/version.h"
#include "shared/base/text.h"
#include "shared/data/json.h"

#define FULL_PROGRAM "tally-full"

/* `tally [--config FILE] [--json] [--quiet] pass [--next-fd N]`, in any order, and nothing else. */
struct launcher_call {
        bool is_pass, json, quiet;
        const char *config, *next_fd;
};

static bool parse(int argc, char **argv, struct launcher_call *call) {
        for (int i = 1; i < argc; i++) {
                const char *value;

                if (str_eq(argv[i], "pass") && !call->is_pass)
                        call->is_pass = true;
                else if (str_eq(argv[i], "--json"))
                        call->json = true;
                else if (str_eq(argv[i], "--quiet"))
                        call->quiet = true;
                else if ((value = str_after(argv[i], "--config=")))
                        call->config = value;
                else if (str_eq(argv[i], "--config") && i + 1 < argc)
                        call->config = argv[++i];
                else if ((value = str_after(argv[i], "--next-fd=")))
                        call->next_fd = value;
                else if (str_eq(argv[i], "--next-fd") && i + 1 < argc)
                        call->next_fd = argv[++i];
                else
                        return false;
        }
        return call->is_pass;
}

static bool print_status(const struct launcher_call *call, const json_t *status) {
        own_buffer struct buffer text = BUFFER_INIT;
        own_fault struct fault ignored = FAULT_INIT;

        if (call->json) {
                if ((isatty(STDOUT_FILENO) ? json_pretty : json_canonical)(status, &text, &ignored) < 0)
                        return false;
                fwrite(buffer_str(&text), 1, text.size, stdout);
                if (text.size == 0 || text.data[text.size - 1] != '\n')
                        putchar('\n');
        } else if (!call->quiet) {
                show_status(stdout, status);
        }
        return fflush(stdout) == 0;
}

/* The exit code, or -1 when a full pass is needed. */
static int answer_unchanged(int argc, char **argv) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault ignored = FAULT_INIT;
        own_json json_t *status = NULL;
        struct launcher_call call = { .is_pass = false };
        struct unchanged_answer answer;
        struct config config;

        if (!parse(argc, argv, &call) || config_read(config_path(call.config), a, &config, &ignored) < 0 ||
            !unchanged_check(&config, unchanged_tip_local, &answer))
                return -1;
        status = answer.status;
        if (!print_status(&call, status))
                return -1;
        show_next(call.next_fd, answer.next_ms, config.poll_ms, config.pass_limit_ms, status);
        return answer.exit_code;
}

static void try(const char *folder, const char *inside, char **argv) {
        own_free char *path = NULL;

        if (asprintf(&path, "%s%s/" FULL_PROGRAM, folder, inside) < 0)
                path = NULL;
        else
                (void)execv(path, argv);
}

/* The full program: beside this one in a build folder, else where it is installed. */
static void hand_over(char **argv) {
        char self[PATH_MAX];
        ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

        if (n > 0) {
                self[n] = '\0';
                *strrchr(self, '/') = '\0';
                try(self, "", argv);
                try(self, "/../libexec/tallyman", argv);
        }
        try(TALLY_LIBEXECDIR, "", argv);
        perror("tally: cannot start " TALLY_LIBEXECDIR "/" FULL_PROGRAM);
}

int main(int argc, char **argv) {
        int code = answer_unchanged(argc, argv);

        if (code >= 0)
                return code;
        hand_over(argv);
        return 1;
}
