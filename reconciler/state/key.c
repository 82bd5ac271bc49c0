/* SPDX-License-Identifier: Apache-2.0 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reconciler/state/state_private.h"
#include "shared/base/file.h"
#include "shared/base/limits.h"

#define KEY          "id_ed25519"
#define KEY_PUBLIC   "id_ed25519.pub"
#define PRIVATE_MODE 0600
#define PUBLIC_MODE  0644

static int key_is_private(const struct state *s, struct fault *reterr) {
        struct stat st;

        if (fstatat(s->dirfd, KEY, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return fault_set(reterr, FAULT_TRANSIENT, errno, "cannot look at the host's key '" KEY "'");
        if ((st.st_mode & 077) != 0) {
                (void)fault_set(reterr, FAULT_CONFIG, EPERM, "others can read it");
                fault_hint(reterr, "chmod 600 '%s/" KEY "', and think about who may have read it", s->path);
                return -EPERM;
        }
        return 0;
}

int state_key_read(struct state *s, struct sshkey_private *ret, struct fault *reterr) {
        own_secret struct buffer text = BUFFER_INIT;
        int r;

        r = file_read(s->dirfd, KEY, LIMIT_PRIVATE_KEY_BYTES, &text, reterr);
        if (r == 0)
                r = key_is_private(s, reterr);
        if (r == 0) {
                r = sshkey_private_read(text.data, text.size, ret, reterr);
                if (r < 0) {
                        /* How to make a key is not what helps here. */
                        free(take(reterr->hint));
                        fault_hint(reterr,
                                   "bring '" KEY "' back from a backup; to give this host a new key, remove '" KEY
                                   "' and '" KEY_PUBLIC "' and enrol the new key in hosts/<host>.yaml");
                }
        }
        if (r < 0 && r != -ENOENT)
                return fault_context(reterr, r, "the host's key '%s/" KEY "'", s->path);
        return r;
}

static int write_public(struct state *s, const struct sshkey_private *k, struct fault *reterr) {
        own_buffer struct buffer line = BUFFER_INIT;
        int r;

        sshkey_put_line(&k->key, k->comment, &line);
        buffer_putc(&line, '\n');
        r = buffer_check(&line, "the host's public key", reterr);
        if (r == 0)
                r = file_write(s->dirfd, KEY_PUBLIC, line.data, line.size, PUBLIC_MODE, reterr);
        return r;
}

/* The public half beside it is for people: a missing or other one is written again. */
static int mend_public(struct state *s, const struct sshkey_private *k, struct fault *reterr) {
        own_buffer struct buffer text = BUFFER_INIT;
        own_fault struct fault unreadable = FAULT_INIT;
        struct sshkey there;
        int r = file_read(s->dirfd, KEY_PUBLIC, LIMIT_PRIVATE_KEY_BYTES, &text, &unreadable);

        if (r == 0 && text.size > 0 && text.data[text.size - 1] == '\n') {
                text.data[text.size - 1] = '\0';
                if (sshkey_parse(text.data, &there, &unreadable) == 0 && sshkey_equal(&there, &k->key))
                        return 0;
        }
        return write_public(s, k, reterr);
}

static int key_make(struct state *s, const char *host, struct sshkey_private *ret, struct fault *reterr) {
        own_secret struct buffer text = BUFFER_INIT;
        int r;

        r = sshkey_generate(host, ret, reterr);
        if (r < 0)
                return r;
        sshkey_private_write(ret, &text);
        r = buffer_check(&text, "the host's key", reterr);
        if (r < 0)
                return r;
        /* The private half first: a public one without it means that the key was lost. */
        r = file_write(s->dirfd, KEY, text.data, text.size, PRIVATE_MODE, reterr);
        if (r == 0)
                r = write_public(s, ret, reterr);
        return r < 0 ? state_unwritable(s->path, r, reterr) : 0;
}

int state_key(struct state *s, const char *host, struct sshkey_private *ret, bool *ret_made, struct fault *reterr) {
        own_fault struct fault missing = FAULT_INIT;
        own_sshkey struct sshkey_private key = { 0 };
        bool made = false;
        int r;

        r = state_key_read(s, &key, &missing);
        if (r == -ENOENT && faccessat(s->dirfd, KEY_PUBLIC, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
                (void)fault_set(reterr, FAULT_CONFIG, ENOKEY,
                                "the host's key '%s/" KEY "' is gone, its public half is not", s->path);
                fault_hint(reterr,
                           "bring '" KEY "' back from a backup; to give this host a new key, remove '" KEY_PUBLIC
                           "' too and enrol the new key in hosts/<host>.yaml");
                return -ENOKEY;
        }
        if (r == -ENOENT) {
                made = true;
                r = key_make(s, host, &key, reterr);
        } else if (r < 0)
                fault_move(reterr, &missing);
        else
                r = mend_public(s, &key, reterr);
        if (r < 0)
                return r;
        *ret = key;
        if (ret_made)
                *ret_made = made;
        return 0;
}
