/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/launcher/unchanged.h"
#include "shared/git/refs.h"
#include "shared/git/url.h"

bool unchanged_tip_local(const struct config *c, struct object_id *ret) {
        own_fault struct fault ignored = FAULT_INIT;
        own_git_url struct git_url url = { .scheme = GIT_SCHEME_LOCAL };

        return git_url_parse(c->repository.text, &url, &ignored) == 0 && url.scheme == GIT_SCHEME_LOCAL &&
               refs_local_tip(c->repository.text, c->branch, ret) == REF_FOUND;
}
