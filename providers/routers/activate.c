/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/routers/activate.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/limits.h"
#include "shared/base/process.h"
#include "shared/base/text.h"

#define COMMAND_TIMEOUT_MS 60000
#define COMMAND_WORDS      64
#define SAID_MAX           600
#define OLD_NAME_MAX       300

static const char *old_name(const struct activation *at, char buf[static OLD_NAME_MAX]) {
        (void)snprintf(buf, OLD_NAME_MAX, "%s.old", at->name);
        return buf;
}

static int failed(const struct activation *at, const char *what, struct fault *reterr) {
        return fault_set(reterr, FAULT_TRANSIENT, errno, "cannot %s '%s'", what, at->name);
}

/*
 * The file
 */

bool activate_is_cut_short(const struct activation *at) {
        char old[OLD_NAME_MAX];
        struct stat st;

        return fstatat(at->folder, old_name(at, old), &st, AT_SYMLINK_NOFOLLOW) == 0;
}

int activate_read(const struct activation *at, struct buffer *out, bool *ret_there, struct fault *reterr) {
        own_fault struct fault why = FAULT_INIT;
        int r = file_read(at->folder, at->name, LIMIT_ROUTER_BYTES, out, &why);

        if (r < 0 && r != -ENOENT && r != -EFBIG && r != -ELOOP) {
                fault_move(reterr, &why);
                return r;
        }
        /* Too large, or a symlink: it is there, and not as we left it. */
        *ret_there = r != -ENOENT;
        return 0;
}

static int set_aside(const struct activation *at, struct fault *reterr) {
        char old[OLD_NAME_MAX];

        if (linkat(at->folder, at->name, at->folder, old_name(at, old), 0) == 0)
                return fsync(at->folder) < 0 ? failed(at, "sync the folder of", reterr) : 0;
        if (errno != ENOENT)
                return failed(at, "set aside", reterr);
        return file_write(at->folder, old, "", 0, 0644, reterr);
}

int activate_put(const struct activation *at, const void *data, size_t size, struct fault *reterr) {
        int r;

        dir_sweep(at->folder);
        r = activate_revert(at, reterr);
        if (r == 0)
                r = set_aside(at, reterr);
        if (r < 0)
                return r;
        r = data ? file_write(at->folder, at->name, data, size, 0644, reterr)
                 : file_remove(at->folder, at->name, reterr);
        if (r < 0) {
                own_fault struct fault why = FAULT_INIT;

                (void)activate_revert(at, &why); /* what failed first is what the person must know */
        }
        return r;
}

int activate_revert(const struct activation *at, struct fault *reterr) {
        char old[OLD_NAME_MAX];
        struct stat st;
        int r;

        if (fstatat(at->folder, old_name(at, old), &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : failed(at, "look for what was before", reterr);
        if (st.st_size == 0) {
                r = file_remove(at->folder, at->name, reterr);
                if (r < 0)
                        return r;
        } else if (renameat(at->folder, old, at->folder, at->name) < 0)
                return failed(at, "put back", reterr);
        /* rename() of two names of one file does nothing: the second name is still there. */
        return file_remove(at->folder, old, reterr);
}

int activate_keep(const struct activation *at, struct fault *reterr) {
        char old[OLD_NAME_MAX];

        return file_remove(at->folder, old_name(at, old), reterr);
}

/*
 * Commands
 */

/* Lines one behind the other, without those that HAProxy says always. */
static void summarize(const struct buffer *text, struct buffer *said) {
        const char *p = buffer_str(text);

        while (*p && said->size < SAID_MAX) {
                size_t n = strcspn(p, "\r\n"), room = SAID_MAX - said->size;

                if (n > 0 && !str_after(p, "[NOTICE]"))
                        buffer_printf(said, "%s%.*s", said->size ? "; " : "", (int)(n < room ? n : room), p);
                p += n + strspn(p + n, "\r\n");
        }
}

int activate_command(const struct string_list *argv, const char *const *usual, int *ret_exit, struct buffer *said,
                     struct fault *reterr) {
        own_process_result struct process_result result = { .exit_code = -1 };
        const char *words[COMMAND_WORDS + 1] = { 0 };
        struct process_request req = { .argv = argv->n > 0 ? words : usual, .timeout_ms = COMMAND_TIMEOUT_MS };
        int r;

        if (argv->n > COMMAND_WORDS)
                return fault_set(reterr, FAULT_CONFIG, E2BIG, "a command of more than %d words", COMMAND_WORDS);
        for (size_t i = 0; i < argv->n; i++)
                words[i] = argv->items[i].text;
        r = process_run(&req, &result, reterr);
        if (r < 0)
                return r;
        summarize(&result.err, said);
        summarize(&result.out, said);
        if (said->data)
                text_make_harmless(said->data, "");
        *ret_exit = result.exit_code;
        return buffer_check(said, "what a command said", reterr);
}
