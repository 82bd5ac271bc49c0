/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/git/library.h"

#include <errno.h>
#include <stdlib.h>

#include <git2.h>

#include "shared/git/error.h"

#define CACHE_BYTES (2 * 1024 * 1024)
#define NO_FILE     "/dev/null"

static int configure(void) {
        static const git_config_level_t levels[] = { GIT_CONFIG_LEVEL_PROGRAMDATA, GIT_CONFIG_LEVEL_SYSTEM,
                                                     GIT_CONFIG_LEVEL_XDG, GIT_CONFIG_LEVEL_GLOBAL };
        int rc = 0;

        /* url.<base>.insteadOf and its kin in somebody's ~/.gitconfig would change where we fetch from. */
        for (size_t i = 0; rc >= 0 && i < sizeof(levels) / sizeof(levels[0]); i++)
                rc = git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, (int)levels[i], "");
        if (rc >= 0)
                rc = git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1);
        if (rc >= 0)
                rc = git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 1);
        if (rc >= 0)
                rc = git_libgit2_opts(GIT_OPT_ENABLE_STRICT_OBJECT_CREATION, 1);
        if (rc >= 0)
                rc = git_libgit2_opts(GIT_OPT_SET_CACHE_MAX_SIZE, (ssize_t)CACHE_BYTES);
        /* A local remote belongs to whom it belongs; libgit2 runs no hook and no command of its configuration. */
        if (rc >= 0)
                rc = git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
        return rc;
}

int git_begin(struct fault *reterr) {
        int rc = git_libgit2_init();

        if (rc == 1)
                rc = configure();
        return rc < 0 ? git_fault(reterr, rc, "starting libgit2") : 0;
}

void git_end(void) {
        (void)git_libgit2_shutdown();
}

int git_begin_child(const char *home, const char *ca_file, struct fault *reterr) {
        int r, rc = git_libgit2_init();

        while (rc > 0)
                rc = git_libgit2_shutdown();
        if (setenv("HOME", home ? home : NO_FILE, 1) < 0)
                return fault_set_oom(reterr);
        /*
         * What is set below replaces the system's bundle with mbedTLS; with OpenSSL it adds to it, unless it is
         * not read.
         */
        if (ca_file && (setenv("SSL_CERT_FILE", ca_file, 1) < 0 || setenv("SSL_CERT_DIR", NO_FILE, 1) < 0))
                return fault_set_oom(reterr);
        r = git_begin(reterr);
        if (r < 0 || !ca_file)
                return r;
        rc = git_libgit2_opts(GIT_OPT_SET_SSL_CERT_LOCATIONS, ca_file, NULL);
        if (rc >= 0)
                return 0;
        (void)git_fault(reterr, rc, "reading the CA file %s", ca_file);
        reterr->kind = FAULT_CONFIG;
        reterr->code = NULL;
        return -EINVAL;
}
