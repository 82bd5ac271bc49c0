/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/git/error.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include <git2.h>

#include "shared/base/buffer.h"
#include "shared/base/cleanup.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/git/url.h"

struct meaning {
        enum fault_kind kind;
        int errno_value;
        const char *code;
};

/* By return value. */
static const struct {
        int rc;
        struct meaning means;
} by_rc[] = {
        { GIT_ENOTFOUND, { FAULT_TRANSIENT, ENOENT, NULL } },
        { GIT_EAUTH, { FAULT_TRANSIENT, EACCES, REASON_FETCH_AUTH } },
        { GIT_EEXISTS, { FAULT_CONFLICT, EEXIST, NULL } },
        { GIT_ELOCKED, { FAULT_TRANSIENT, EBUSY, NULL } },
        { GIT_EMODIFIED, { FAULT_CONFLICT, EAGAIN, NULL } },
        { GIT_ENONFASTFORWARD, { FAULT_CONFLICT, ESTALE, REASON_LEDGER_DIVERGED } },
        { GIT_EINVALIDSPEC, { FAULT_CONFIG, EINVAL, NULL } },
};

/* By words in the message, where libgit2 has no code of its own for it. */
static const struct {
        const char *words;
        struct meaning means;
} by_words[] = {
        { "No space left on device", { FAULT_TRANSIENT, ENOSPC, REASON_STATE_UNWRITABLE } },
        { "Read-only file system", { FAULT_TRANSIENT, EROFS, REASON_STATE_UNWRITABLE } },
        { "redirect", { FAULT_DENIED, EPERM, REASON_FETCH_REDIRECT } },
        { "status code: 401", { FAULT_TRANSIENT, EACCES, REASON_FETCH_AUTH } },
        { "status code: 403", { FAULT_TRANSIENT, EACCES, REASON_FETCH_AUTH } },
        { "Failed to retrieve list of SSH authentication methods", { FAULT_TRANSIENT, EACCES, REASON_FETCH_AUTH } },
        { "imed out", { FAULT_TRANSIENT, ETIMEDOUT, REASON_FETCH_FAILED } },
};

/* By the part of libgit2 that failed. */
static const struct {
        int class;
        struct meaning means;
} by_class[] = {
        { GIT_ERROR_NOMEMORY, { FAULT_INTERNAL, ENOMEM, NULL } },
        { GIT_ERROR_NET, { FAULT_TRANSIENT, EIO, REASON_FETCH_FAILED } },
        { GIT_ERROR_SSH, { FAULT_TRANSIENT, EIO, REASON_FETCH_FAILED } },
        { GIT_ERROR_SSL, { FAULT_TRANSIENT, EIO, REASON_FETCH_FAILED } },
        { GIT_ERROR_HTTP, { FAULT_TRANSIENT, EIO, REASON_FETCH_FAILED } },
};

static struct meaning find_meaning(int rc, int class, const char *text) {
        if (rc == GIT_ECERTIFICATE)
                return (struct meaning){ FAULT_DENIED, EACCES,
                                         class == GIT_ERROR_SSH ? REASON_FETCH_HOST_KEY : REASON_FETCH_CERTIFICATE };
        for (size_t i = 0; i < sizeof(by_words) / sizeof(by_words[0]); i++)
                if (strstr(text, by_words[i].words))
                        return by_words[i].means;
        for (size_t i = 0; i < sizeof(by_rc) / sizeof(by_rc[0]); i++)
                if (by_rc[i].rc == rc)
                        return by_rc[i].means;
        for (size_t i = 0; i < sizeof(by_class) / sizeof(by_class[0]); i++)
                if (by_class[i].class == class)
                        return by_class[i].means;
        return (struct meaning){ FAULT_TRANSIENT, EIO, NULL };
}

int git_fault(struct fault *reterr, int rc, const char *fmt, ...) {
        const git_error *last = git_error_last();
        own_buffer struct buffer what = BUFFER_INIT, text = BUFFER_INIT;
        struct meaning m;
        va_list args;
        own_free char *doing = NULL;
        int class = last ? last->klass : GIT_ERROR_NONE;

        /* Copied first: even formatting could lead back into libgit2 one day. */
        git_redact(last && last->message ? last->message : "libgit2 does not say why", &text);
        if (text.data)
                text_make_harmless(text.data, "");
        va_start(args, fmt);
        if (vasprintf(&doing, fmt, args) < 0)
                doing = NULL;
        va_end(args);
        if (!doing || text.failed)
                return fault_set_oom(reterr);
        git_redact(doing, &what);

        m = find_meaning(rc, class, buffer_str(&text));
        /* The text says it; the errno is for code. */
        (void)fault_set(reterr, m.kind, 0, "%s: %s", buffer_str(&what), buffer_str(&text));
        reterr->code = m.code;
        return -m.errno_value;
}
