/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/state/state.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reconciler/state/state_private.h"
#include "shared/base/file.h"
#include "shared/base/limits.h"
#include "shared/base/reason.h"

#define LOCK         "lock"
#define ROLLOUTS     "rollouts"
#define FILES        "files"
#define STICKER      "sticker.json"
#define CORRUPT      ".corrupt"
#define STATE_MODE   0700
#define PRIVATE_MODE 0600

/* Whatever the disk said: the state cannot be written, and what helps. */
int state_unwritable(const char *path, int r, struct fault *reterr) {
        if (!reterr->code)
                reterr->code = REASON_STATE_UNWRITABLE;
        switch (-r) {
        case ENOSPC:
        case EDQUOT:
                fault_hint(reterr, "the disk under '%s' is full: free some space, nothing is lost", path);
                break;
        case EROFS:
                fault_hint(reterr, "'%s' is on a file system that is mounted read-only", path);
                break;
        case EACCES:
        case EPERM:
                fault_hint(reterr, "'%s' must belong to the user that runs tally", path);
                break;
        default:
                fault_hint(reterr, "'state' in tally.yaml says where the state is: '%s'", path);
                break;
        }
        return r;
}

/*
 * The folder
 */

/* Opening a folder tells nothing about writing to it, and a pass must know before it acts. */
static int check_writable(const struct state *s, struct fault *reterr) {
        own_fd int fd = openat(s->dirfd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, PRIVATE_MODE);
        int r = 0;

        if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT))
                return 0; /* a file system without such files: the first write will tell */
        if (fd < 0)
                return fault_set(reterr, FAULT_TRANSIENT, errno, "cannot write to the state folder '%s'", s->path);
        r = write_all(fd, "tally", 5);
        if (r < 0)
                return fault_set(reterr, FAULT_TRANSIENT, -r, "cannot write to the state folder '%s'", s->path);
        return 0;
}

static int open_to_read(const char *path, struct state *s, struct fault *reterr) {
        int r = dir_open(AT_FDCWD, path, &s->dirfd, reterr);

        if (r < 0) {
                fault_hint(reterr, r == -ENOENT ? "nothing has run here yet: start with `tally pass`"
                                                : "only the user that runs tally can read its state");
                return r;
        }
        s->rollouts_fd = openat(s->dirfd, ROLLOUTS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (s->rollouts_fd < 0 && errno != ENOENT)
                return fault_set(reterr, FAULT_TRANSIENT, errno, "cannot open folder '%s/" ROLLOUTS "'", path);
        return 0;
}

static int open_to_write(const char *path, struct state *s, struct fault *reterr) {
        own_fd int files = -1;
        int r;

        r = dir_make(AT_FDCWD, path, STATE_MODE, &s->dirfd, reterr);
        if (r == 0)
                r = dir_make(s->dirfd, ROLLOUTS, STATE_MODE, &s->rollouts_fd, reterr);
        if (r == 0)
                r = dir_make(s->dirfd, FILES, STATE_MODE, &files, reterr);
        if (r == 0)
                r = check_writable(s, reterr);
        if (r < 0)
                return state_unwritable(path, r, reterr);
        return 0;
}

int state_open(const char *path, enum state_mode mode, struct state *ret, struct fault *reterr) {
        own_state struct state s = STATE_INIT;
        int r;

        s.path = strdup(path);
        if (!s.path)
                return fault_set_oom(reterr);
        r = mode == STATE_WRITE ? open_to_write(path, &s, reterr) : open_to_read(path, &s, reterr);
        if (r < 0)
                return r;
        s.mode = mode;
        *ret = s;
        s = STATE_INIT;
        return 0;
}

void state_done(struct state *s) {
        own_fd_p(&s->lock_fd);
        own_fd_p(&s->rollouts_fd);
        own_fd_p(&s->dirfd);
        own_free_p(&s->path);
        *s = STATE_INIT;
}

int state_lock(struct state *s, int wait_ms, struct fault *reterr) {
        int r;

        assert(s->mode == STATE_WRITE && s->lock_fd < 0);
        r = file_lock(s->dirfd, LOCK, wait_ms, &s->lock_fd, reterr);
        if (r == -EWOULDBLOCK)
                return fault_context(reterr, r, "another pass is running");
        if (r < 0)
                return state_unwritable(s->path, r, reterr);
        /* Whoever held it before may have been killed while writing. */
        dir_sweep(s->dirfd);
        dir_sweep(s->rollouts_fd);
        return 0;
}

/*
 * Documents
 */

/* Out of the way of the next pass, kept for a person. Nothing to do when even that fails: the name says what it is. */
static void set_aside(int dirfd, const char *name) {
        own_buffer struct buffer to = BUFFER_INIT;

        buffer_printf(&to, "%s" CORRUPT, name);
        if (!to.failed && renameat(dirfd, name, dirfd, buffer_str(&to)) == 0)
                (void)fsync(dirfd);
}

int state_json_read_at(int dirfd, const char *name, json_t **ret, struct fault *reterr) {
        own_buffer struct buffer text = BUFFER_INIT;
        int r;

        r = file_read(dirfd, name, LIMIT_STATE_BYTES, &text, reterr);
        return r < 0 ? r : json_parse(name, text.data, text.size, ret, reterr);
}

int state_json_write_at(const struct state *s, int dirfd, const char *name, const json_t *json, struct fault *reterr) {
        own_buffer struct buffer text = BUFFER_INIT;
        int r;

        assert(s->mode == STATE_WRITE);
        r = json_pretty(json, &text, reterr);
        if (r == 0)
                r = buffer_check(&text, name, reterr);
        if (r < 0)
                return r;
        r = file_write(dirfd, name, text.data, text.size, PRIVATE_MODE, reterr);
        return r < 0 ? state_unwritable(s->path, r, reterr) : 0;
}

/* A file that is there and readable, but holds no JSON (or not ours): FAULT_CONFIG says so of a parser's input. */
bool state_is_damage(int r, const struct fault *f) {
        return r < 0 && f->kind == FAULT_CONFIG;
}

int state_corrupt(const struct state *s, const char *name, const struct fault *why, struct fault *reterr) {
        (void)fault_set_code(reterr, FAULT_TRANSIENT, REASON_STATE_CORRUPT, "the state file '%s/%s' cannot be read: %s",
                             s->path, name, why->message);
        reterr->errno_value = EUCLEAN;
        if (s->mode == STATE_WRITE) {
                set_aside(s->dirfd, name);
                fault_hint(reterr, "it is set aside as '%s/%s" CORRUPT "'", s->path, name);
        }
        return -EUCLEAN;
}

int state_json_read(const struct state *s, const char *name, json_t **ret, struct fault *reterr) {
        own_fault struct fault fault = FAULT_INIT;
        json_t *json = NULL;
        int r;

        r = state_json_read_at(s->dirfd, name, &json, &fault);
        if (state_is_damage(r, &fault))
                return state_corrupt(s, name, &fault, reterr);
        if (r < 0 && r != -ENOENT) {
                fault_move(reterr, &fault);
                return r;
        }
        *ret = json;
        return 0;
}

int state_json_write(struct state *s, const char *name, const json_t *json, struct fault *reterr) {
        return state_json_write_at(s, s->dirfd, name, json, reterr);
}

int state_json_remove(struct state *s, const char *name, struct fault *reterr) {
        int r = file_remove(s->dirfd, name, reterr);

        return r < 0 ? state_unwritable(s->path, r, reterr) : 0;
}

/*
 * The sticker
 */

const char *const sticker_state_names[] = {
        [STICKER_SAME] = "same",
        [STICKER_MISSING] = "missing",
        [STICKER_OTHER] = "other",
        [STICKER_UNREADABLE] = "unreadable",
        NULL,
};

int state_sticker_read(const struct state *s, json_t **ret, struct fault *reterr) {
        return state_json_read(s, STICKER, ret, reterr);
}

int state_sticker_write(struct state *s, const json_t *sticker, struct fault *reterr) {
        return state_json_write_at(s, s->dirfd, STICKER, sticker, reterr);
}

int state_sticker_compare(const struct state *s, const json_t *expected, enum sticker_state *ret,
                          struct fault *reterr) {
        own_fault struct fault fault = FAULT_INIT;
        own_json json_t *json = NULL;
        int r;

        /* Not set aside: what somebody made of the sticker is evidence of drift. */
        r = state_json_read_at(s->dirfd, STICKER, &json, &fault);
        if (r == -ENOENT)
                *ret = expected ? STICKER_MISSING : STICKER_SAME;
        else if (state_is_damage(r, &fault))
                *ret = STICKER_UNREADABLE;
        else if (r < 0) {
                fault_move(reterr, &fault);
                return r;
        } else
                *ret = expected && json_equal(json, (json_t *)expected) ? STICKER_SAME : STICKER_OTHER;
        return 0;
}
