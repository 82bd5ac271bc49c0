/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/desired/approvals.h"

#include <stdlib.h>

#include "reconciler/desired/tree.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"

const char *approvals_folder(const struct deployment *d, struct arena *a) {
        return arena_printf(a, "approvals/%s/%s/%s/", d->release->environment, d->release->app.text,
                            str_after(d->id, "sha256:"));
}

/* One folder that is being judged. */
struct folder {
        const struct fleet *fleet;
        const struct deployment *deployment;
        const struct desired_entry *entries; /* of the folder alone */
        size_t n;
        const struct approval_signers *signers;
        const struct approval_rules *rules;
        struct arena *arena;
        struct approvals *out;
};

static void refuse(struct arena *a, struct struct_list *refused, const char *path, const char *message,
                   const char *hint) {
        struct refused_retry *r = arena_push(a, &refused->items, &refused->n, sizeof(struct refused_retry));

        r->path = path;
        r->message = message;
        r->hint = hint;
}

static void refuse_fault(struct folder *f, const char *path, const struct fault *fault) {
        own_free char *text = fault_to_string(fault);

        refuse(f->arena, &f->out->refused, path, arena_strdup(f->arena, text ? text : fault->message),
               arena_strdup(f->arena, fault->hint));
}

/* A regular file whose bytes are here; else told. */
static bool is_readable(struct folder *f, const struct desired_entry *entry, size_t limit) {
        if (entry->type == DESIRED_SYMLINK || entry->type == DESIRED_SUBMODULE) {
                refuse(f->arena, &f->out->refused, entry->path,
                       arena_printf(f->arena, "%s is no regular file", entry->path), NULL);
                return false;
        }
        if (!entry->bytes || entry->size > limit) {
                refuse(f->arena, &f->out->refused, entry->path,
                       arena_printf(f->arena, "%s has more than %zu bytes", entry->path, limit), NULL);
                return false;
        }
        return true;
}

static struct approval_request request_of(const struct folder *f, const struct desired_entry *statement) {
        return (struct approval_request){
                .fleet = f->fleet->name,
                .environment = f->deployment->release->environment,
                .app = f->deployment->release->app.text,
                .release = f->deployment->id,
                .statement_path = statement->path,
                .statement = statement->bytes,
                .statement_size = statement->size,
                .signers = &f->signers->signers,
                .rules = *f->rules,
        };
}

/* Every signature beside the statement is judged; the first that counts makes it count. */
static void judge_signatures(struct folder *f, struct approval_request *q, const char *statement,
                             const struct approval *approval) {
        bool any = false, counts = false;

        for (size_t i = 0; i < f->n; i++) {
                struct approval_path path = approval_path_read(f->entries[i].path);
                own_fault struct fault fault = FAULT_INIT;

                if (path.file != APPROVAL_SIGNATURE || !str_eq(path.statement, statement))
                        continue;
                any = true;
                if (!is_readable(f, &f->entries[i], LIMIT_SIGNATURE_BYTES))
                        continue;
                q->signature_path = f->entries[i].path;
                q->signature = f->entries[i].bytes;
                q->signature_size = f->entries[i].size;
                q->principal = path.principal;
                if (approval_judge_signature(q, approval, &fault) < 0) {
                        refuse_fault(f, f->entries[i].path, &fault);
                } else if (!counts && approval->meaning == APPROVAL_RETRY) {
                        struct retry_permission *retry =
                                arena_push(f->arena, &f->out->retries.items, &f->out->retries.n,
                                           sizeof(struct retry_permission));

                        *retry = approval_retry(q, approval, f->arena);
                        counts = true;
                }
        }
        if (!any)
                refuse(f->arena, &f->out->refused, q->statement_path,
                       arena_printf(f->arena, "%s: no signature stands beside it", q->statement_path),
                       arena_printf(f->arena,
                                    "sign it with `ssh-keygen -Y sign -n " APPROVAL_NAMESPACE
                                    "` into %s<principal>.sig",
                                    str_eq(statement, "statement") ? "" : arena_printf(f->arena, "%s.", statement)));
}

static void judge_statement(struct folder *f, const struct desired_entry *entry, const char *statement) {
        own_fault struct fault fault = FAULT_INIT;
        struct approval_request q = request_of(f, entry);
        struct approval approval;

        if (!is_readable(f, entry, LIMIT_APPROVAL_BYTES))
                return;
        if (approval_judge_statement(&q, f->arena, &approval, &fault) < 0)
                refuse_fault(f, entry->path, &fault);
        else if (f->signers->unusable)
                refuse(f->arena, &f->out->refused, entry->path,
                       arena_printf(f->arena, "%s: nobody can be asked: %s", entry->path, f->signers->unusable), NULL);
        else
                judge_signatures(f, &q, statement, &approval);
}

static bool has_statement(const struct folder *f, const char *statement) {
        for (size_t i = 0; i < f->n; i++) {
                struct approval_path path = approval_path_read(f->entries[i].path);

                if (path.file == APPROVAL_STATEMENT && str_eq(path.statement, statement))
                        return true;
        }
        return false;
}

static void judge_entry(struct folder *f, const struct desired_entry *entry) {
        struct approval_path path = approval_path_read(entry->path);

        if (path.file == APPROVAL_STATEMENT)
                judge_statement(f, entry, path.statement);
        else if (path.file == APPROVAL_MISPLACED)
                refuse(f->arena, &f->out->refused, entry->path,
                       arena_printf(f->arena, "%s is neither a statement nor a signature", entry->path),
                       "statement.json is signed into <principal>.sig, statement-<word>.json into statement-<word>.<principal>.sig");
        else if (path.file == APPROVAL_SIGNATURE && !has_statement(f, path.statement))
                refuse(f->arena, &f->out->refused, entry->path,
                       arena_printf(f->arena, "%s signs nothing: there is no %s.json", entry->path, path.statement),
                       NULL);
}

void approvals_judge(const struct fleet *fleet, const struct deployment *d, const struct desired_entry *entries,
                     size_t n, const struct approval_signers *signers, const struct approval_rules *rules,
                     struct arena *a, struct approvals *ret) {
        const char *prefix = approvals_folder(d, a);
        size_t first = entries_begin(entries, n, prefix), end = first;
        struct folder f = {
                .fleet = fleet, .deployment = d, .signers = signers, .rules = rules, .arena = a, .out = ret
        };

        *ret = (struct approvals){ .retries = { .items = NULL } };
        while (end < n && str_after(entries[end].path, prefix))
                end++;
        f.entries = entries + first;
        f.n = end - first;
        if (f.n > LIMIT_APPROVALS) {
                refuse(a, &ret->refused, prefix,
                       arena_printf(a, "%s holds more than %d files (LIMIT_APPROVALS)", prefix, LIMIT_APPROVALS), NULL);
                return;
        }
        for (size_t i = 0; i < f.n; i++)
                judge_entry(&f, &f.entries[i]);
}

void approvals_find_misplaced(const struct fleet *fleet, const struct desired_entry *entries, size_t n, struct arena *a,
                              struct struct_list *refused) {
        for (size_t i = entries_begin(entries, n, "approvals/"); i < n && str_after(entries[i].path, "approvals/");
             i++) {
                struct approval_path path = approval_path_read(entries[i].path);

                if (path.file == APPROVAL_NONE)
                        continue;
                if (path.file == APPROVAL_MISPLACED)
                        refuse(a, refused, entries[i].path,
                               arena_printf(a, "%s: no host looks at this", entries[i].path),
                               "statements stand at approvals/<environment>/<app>/<release id, 64 hex digits>/statement.json");
                else if (!fleet_environment(fleet, path.environment))
                        refuse(a, refused, entries[i].path,
                               arena_printf(a, "%s: there is no environment '%s'", entries[i].path, path.environment),
                               NULL);
                else if (!fleet_app(fleet, path.app))
                        refuse(a, refused, entries[i].path,
                               arena_printf(a, "%s: there is no app '%s'", entries[i].path, path.app), NULL);
        }
}
