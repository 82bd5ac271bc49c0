/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/cli/approval_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "shared/base/file.h"
#include "shared/base/process.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

#define ID_DIGITS_MIN   6
#define TIMEOUT_GIT_MS  5000
#define TIMEOUT_SIGN_MS (2 * 60 * 1000) /* a security key waits for a finger */

extern char **environ;

/*
 * Which release
 */

static bool is_meant(const struct deployment *d, const char *text) {
        const char *at = strrchr(text, '@'), *app = d->release->app.text;
        size_t n = at ? (size_t)(at - text) : 0;
        const char *digits;

        if (at && strlen(app) == n && memcmp(app, text, n) == 0 && str_eq(d->release->version.text, at + 1))
                return true;
        digits = str_after(text, "sha256:");
        if (!digits)
                digits = text;
        return strlen(digits) >= ID_DIGITS_MIN && str_after(str_after(d->id, "sha256:"), digits);
}

int approval_find_release(const struct loaded_tree *tree, const char *text, const char *environment,
                          const struct deployment **ret, struct fault *reterr) {
        const struct deployment *found = NULL;
        int r;

        for (size_t i = 0; i < tree->fleet.n_releases; i++) {
                const struct deployment *d = &tree->deployments[i];

                if (!is_meant(d, text) || (environment && !str_eq(d->release->environment, environment)))
                        continue;
                if (found) {
                        r = fault_set(reterr, FAULT_CONFIG, 0, "'%s' is a release of %s in %s, and of %s in %s", text,
                                      found->release->app.text, found->release->environment, d->release->app.text,
                                      d->release->environment);
                        fault_hint(reterr, "say which with --env, or with more digits of the id");
                        return r;
                }
                found = d;
        }
        if (!found) {
                r = fault_set(reterr, FAULT_CONFIG, 0, "the working tree declares no release '%s'%s%s", text,
                              environment ? " in environment " : "", environment ? environment : "");
                fault_hint(
                        reterr,
                        "name it by its id, which `tally status` shows, by at least %d digits of it, or as APP@VERSION; "
                        "a host tries only what is declared",
                        ID_DIGITS_MIN);
                return r;
        }
        *ret = found;
        return 0;
}

/*
 * Who signs
 */

static const char *git_email(const char *folder, struct arena *a) {
        const char *argv[] = { "git", "-C", folder, "config", "user.email", NULL };
        own_process_result struct process_result result = { 0 };
        own_fault struct fault ignored = FAULT_INIT;
        size_t n;
        int r = process_run(
                &(struct process_request){
                        .argv = argv,
                        .envp = (const char *const *)environ,
                        .timeout_ms = TIMEOUT_GIT_MS,
                },
                &result, &ignored);

        if (r < 0 || result.exit_code != 0)
                return NULL;
        n = strcspn(buffer_str(&result.out), "\r\n");
        return n > 0 && n <= LIMIT_PRINCIPAL_BYTES && !memchr(buffer_str(&result.out), '/', n)
                       ? arena_strndup(a, buffer_str(&result.out), n)
                       : NULL;
}

/* The public half beside the key file, which may be the file itself when an agent has the private one. */
static int read_public(const char *key, struct arena *a, struct sshkey *ret, struct fault *reterr) {
        const char *path = str_ends_with(key, ".pub") ? key : arena_printf(a, "%s.pub", key);
        own_buffer struct buffer text = BUFFER_INIT;
        int r = file_read(AT_FDCWD, path, LIMIT_PRIVATE_KEY_BYTES, &text, reterr);

        if (r < 0) {
                reterr->kind = FAULT_CONFIG;
                fault_hint(reterr, "the public half stands beside the key: `ssh-keygen -y -f KEY > KEY.pub` writes it");
                return r;
        }
        r = sshkey_parse(arena_strndup(a, text.data, strcspn(buffer_str(&text), "\r\n")), ret, reterr);
        return r < 0 ? fault_context(reterr, r, "%s", path) : 0;
}

/* The line that lets the key sign; its principal, unless one is named, is who signs. */
static int find_signer(const struct approval_draft *d, struct arena *a, const char **ret, struct fault *reterr) {
        const struct approval_signers *s = &d->tree->signers;
        const struct signer *line;
        struct sshkey key;
        int r;

        if (s->unusable)
                return fault_set_code(reterr, FAULT_CONFIG, REASON_TRUST_SIGNERS_INVALID, "%s", s->unusable);
        r = read_public(d->key, a, &key, reterr);
        if (r == 0)
                r = signers_find_as(&s->signers, &key, d->principal, APPROVAL_NAMESPACE, &d->at, 1, &line, reterr);
        if (r < 0) {
                fault_hint(reterr,
                           "hosts count it only by a line of trust/allowed_signers for this key that is good for "
                           "the namespace " APPROVAL_NAMESPACE);
                return r;
        }
        *ret = d->principal ? d->principal : line->principal;
        return 0;
}

/*
 * The files
 */

static void own_dir_p(DIR **d) {
        if (*d)
                (void)closedir(*d);
}

/* Make and open a folder of the tree, component by component. */
static int make_folder(const char *root, const char *path, struct arena *a, int *ret_fd, struct fault *reterr) {
        own_fd int fd = -1;
        int r = dir_open(AT_FDCWD, root, &fd, reterr);

        for (const char *at = path; r == 0 && *at;) {
                const char *name = arena_strndup(a, at, strcspn(at, "/"));
                int next = -1;

                r = dir_make(fd, name, 0755, &next, reterr);
                if (r < 0)
                        break;
                (void)close(fd);
                fd = next;
                at += strlen(name) + (at[strlen(name)] == '/');
        }
        if (r < 0)
                return fault_context(reterr, r, "%s", path);
        *ret_fd = take_fd(&fd);
        return 0;
}

/* statement.json, unless it says something else already. */
static const char *choose_statement(int dirfd, const struct approval_draft *d, struct arena *a) {
        own_buffer struct buffer bytes = BUFFER_INIT;
        own_fault struct fault ignored = FAULT_INIT;
        struct approval there;

        if (file_read(dirfd, "statement.json", LIMIT_APPROVAL_BYTES, &bytes, &ignored) == -ENOENT)
                return "statement";
        fault_done(&ignored);
        if (approval_read("statement.json", buffer_str(&bytes), bytes.size, a, &there, &ignored) == 0 &&
            there.meaning == d->meaning)
                return "statement";
        return arena_printf(a, "statement-%s", approval_meaning_names[d->meaning]);
}

/* Signatures of the statement that is replaced. */
static int drop_signatures(int dirfd, const char *folder, const char *statement, struct arena *a, size_t *ret_n,
                           struct fault *reterr) {
        own(own_dir_p) DIR *dir = NULL;
        struct dirent *e;
        int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0 || !(dir = fdopendir(fd))) {
                int r = fault_set(reterr, FAULT_TRANSIENT, errno, "cannot list %s", folder);

                if (fd >= 0)
                        (void)close(fd);
                return r;
        }
        while ((e = readdir(dir))) {
                struct approval_path path = approval_path_read(arena_printf(a, "%s%s", folder, e->d_name));

                if (path.file != APPROVAL_SIGNATURE || !str_eq(path.statement, statement))
                        continue;
                if (unlinkat(dirfd, e->d_name, 0) < 0)
                        return fault_set(reterr, FAULT_TRANSIENT, errno, "cannot remove %s%s", folder, e->d_name);
                ++*ret_n;
        }
        return 0;
}

static int make_statement(const struct approval_draft *d, struct buffer *out, struct fault *reterr) {
        const struct approval approval = {
                .fleet = { .text = d->tree->fleet.name },
                .environment = { .text = d->deployment->release->environment },
                .app = { .text = d->deployment->release->app.text },
                .release = { .text = d->deployment->id },
                .meaning = d->meaning,
                .reason = d->reason,
                .at = d->at,
                .expires_at = d->expires_at,
        };
        int r = approval_write(&approval, out, reterr);

        if (r == 0 && out->size > LIMIT_APPROVAL_BYTES)
                r = fault_set_code(reterr, FAULT_CONFIG, REASON_LOAD_LIMIT, "the reason is too long");
        return r;
}

/* @word as the shell reads it back. */
static const char *quoted(const char *word, struct arena *a) {
        own_buffer struct buffer out = BUFFER_INIT;

        if (strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./_-") == strlen(word))
                return word;
        buffer_puts(&out, "'");
        for (const char *p = word; *p; p++)
                if (*p == '\'')
                        buffer_puts(&out, "'\\''");
                else
                        buffer_append(&out, p, 1);
        buffer_puts(&out, "'");
        return arena_strdup(a, buffer_str(&out));
}

static const char *make_command(const struct approval_draft *d, const struct approval_written *w, struct arena *a) {
        const char *root = str_eq(d->folder, ".") ? "" : arena_printf(a, "%s/", d->folder);
        const char *signature = quoted(arena_printf(a, "%s%s", root, w->signature), a);

        return arena_printf(a, "ssh-keygen -Y sign -f %s -n " APPROVAL_NAMESPACE " < %s > %s",
                            d->key ? quoted(d->key, a) : "~/.ssh/id_ed25519",
                            quoted(arena_printf(a, "%s%s", root, w->statement), a), signature);
}

/* Signed by stock means, then looked at as a host will. */
static int sign(const struct approval_draft *d, const struct approval_written *w, const struct buffer *statement,
                struct arena *a, const char **ret, struct fault *reterr) {
        const char *argv[] = { "ssh-keygen", "-Y", "sign", "-f", d->key, "-n", APPROVAL_NAMESPACE, NULL };
        own_process_result struct process_result result = { 0 };
        struct approval_request q = {
                .fleet = d->tree->fleet.name,
                .environment = d->deployment->release->environment,
                .app = d->deployment->release->app.text,
                .release = d->deployment->id,
                .statement_path = w->statement,
                .signature_path = w->signature,
                .statement = statement->data,
                .statement_size = statement->size,
                .principal = w->principal,
                .signers = &d->tree->signers.signers,
                .rules = { .seen_at = d->at },
        };
        struct approval approval;
        int r = process_run(
                &(struct process_request){
                        .argv = argv,
                        .envp = (const char *const *)environ,
                        .input = statement->data,
                        .input_size = statement->size,
                        .timeout_ms = TIMEOUT_SIGN_MS,
                },
                &result, reterr);

        if (r < 0)
                return r;
        if (result.exit_code != 0) {
                char *said = arena_strdup(a, buffer_str(&result.err));

                text_make_harmless(said, "");
                r = fault_set(reterr, FAULT_TRANSIENT, 0, "ssh-keygen did not sign: %s", said);
                fault_hint(reterr,
                           "a key with a passphrase is signed with through an agent: ssh-add, then --sign KEY.pub");
                return r;
        }
        q.signature = result.out.data;
        q.signature_size = result.out.size;
        r = approval_judge_statement(&q, a, &approval, reterr);
        if (r == 0)
                r = approval_judge_signature(&q, &approval, reterr);
        if (r == 0)
                *ret = arena_strdup(a, buffer_str(&result.out));
        return r;
}

int approval_file_write(const struct approval_draft *draft, struct arena *a, struct approval_written *ret,
                        struct fault *reterr) {
        const char *folder = approvals_folder(draft->deployment, a), *statement, *name, *armour = NULL;
        struct approval_written w = { .principal = draft->principal };
        own_buffer struct buffer bytes = BUFFER_INIT;
        own_fd int dirfd = -1;
        int r = draft->key ? find_signer(draft, a, &w.principal, reterr) : 0;

        if (r == 0)
                r = make_statement(draft, &bytes, reterr);
        if (r == 0)
                r = make_folder(draft->folder, folder, a, &dirfd, reterr);
        if (r < 0)
                return r;
        if (!w.principal)
                w.principal = git_email(draft->folder, a);
        statement = choose_statement(dirfd, draft, a);
        name = arena_printf(a, "%s%s%s.sig", str_eq(statement, "statement") ? "" : statement,
                            str_eq(statement, "statement") ? "" : ".", w.principal ? w.principal : "<principal>");
        w.statement = arena_printf(a, "%s%s.json", folder, statement);
        w.signature = arena_printf(a, "%s%s", folder, name);
        w.command = make_command(draft, &w, a);
        if (draft->key)
                r = sign(draft, &w, &bytes, a, &armour, reterr);
        if (r == 0)
                r = drop_signatures(dirfd, folder, statement, a, &w.n_dropped, reterr);
        if (r == 0)
                r = file_write(dirfd, arena_printf(a, "%s.json", statement), bytes.data, bytes.size, 0644, reterr);
        if (r == 0 && armour)
                r = file_write(dirfd, name, armour, strlen(armour), 0644, reterr);
        if (r == 0)
                *ret = w;
        return r;
}
