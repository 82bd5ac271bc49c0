/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/launcher/unchanged.h"
#include "shared/git/lsrefs.h"
#include "shared/git/url.h"

static bool is_http(const struct config *c) {
        own_fault struct fault ignored = FAULT_INIT;
        own_git_url struct git_url url = { .scheme = GIT_SCHEME_LOCAL };

        return git_url_parse(c->repository.text, &url, &ignored) == 0 &&
               (url.scheme == GIT_SCHEME_HTTP || url.scheme == GIT_SCHEME_HTTPS);
}

bool unchanged_tip_http(const struct config *c, struct object_id *ret) {
        const struct http_options options = { .ca_file = c->https.ca };
        struct lsrefs_settings settings = { .allow_http = c->https.allow_http };
        own_fault struct fault ignored = FAULT_INIT;
        own_http struct http *http = NULL;
        own_credentials struct credentials *credentials = NULL;
        enum ref_answer answer = REF_DONT_KNOW;

        if (!is_http(c) || (c->https.credentials && credentials_read(c->https.credentials, &credentials, &ignored) < 0))
                return false;
        settings.credentials = credentials;
        return http_new(&options, &http, &ignored) == 0 &&
               lsrefs_tip(http, &settings, c->repository.text, c->branch, &answer, ret, &ignored) == 0 &&
               answer == REF_FOUND;
}
