/* SPDX-License-Identifier: Apache-2.0 */

/* Trust over a repository that git itself made, signed and merged. */

#include "tests/lib/group.h"
#include "tests/unit/sign/support.h"

#include "policies/trust.h"
#include "shared/base/clock.h"
#include "shared/base/reason.h"

static const char *const git_env[] = {
        "PATH=/usr/bin:/bin",   "HOME=/nonexistent",    "GIT_CONFIG_NOSYSTEM=1",   "GIT_AUTHOR_NAME=A",
        "GIT_AUTHOR_EMAIL=a@x", "GIT_COMMITTER_NAME=C", "GIT_COMMITTER_EMAIL=c@x", NULL,
};

struct workshop {
        struct scratch scratch;
        char repository[80];
        struct buffer raw;  /* what the reader gave last */
        struct buffer root; /* the pinned file */
};

#define GIT(w, out, ...) \
        run_tool((const char *const[]){ "git", "-C", (w)->repository, __VA_ARGS__, NULL }, git_env, NULL, 0, (out))

static int git_read(void *data, const struct object_id *id, enum object_type type, size_t limit, const void **ret_bytes,
                    size_t *ret_size, struct fault *reterr) {
        struct workshop *w = data;
        char hex[OBJECT_ID_TEXT_MAX];

        buffer_clear(&w->raw);
        if (GIT(w, &w->raw, "cat-file", object_type_to_string(type), object_id_format(id, hex)) != 0 ||
            w->raw.size > limit)
                return fault_set(reterr, FAULT_TRANSIENT, 0, "git has no such object");
        *ret_bytes = buffer_str(&w->raw);
        *ret_size = w->raw.size;
        return 0;
}

static void use_key(struct workshop *w, const char *name) {
        assert_int_equal(GIT(w, NULL, "config", "user.signingkey", scratch_path(&w->scratch, name)), 0);
}

static void make_key(struct workshop *w, const char *name, struct buffer *line) {
        own_secret struct buffer text = BUFFER_INIT;
        own_sshkey struct sshkey_private k = { 0 };

        assert_fine(sshkey_generate(name, &k, &fault));
        sshkey_private_write(&k, &text);
        scratch_write(&w->scratch, name, text.data, text.size);
        buffer_printf(line, "%s@example.org namespaces=\"git\" ", name);
        sshkey_put_line(&k.key, NULL, line);
        buffer_putc(line, '\n');
}

static void write_signers(struct workshop *w, const struct buffer *text) {
        scratch_write(&w->scratch, "r/trust/allowed_signers", text->data, text->size);
        assert_int_equal(GIT(w, NULL, "add", "."), 0);
}

static struct object_id head(struct workshop *w) {
        own_buffer struct buffer hex = BUFFER_INIT;
        struct object_id id;

        assert_int_equal(GIT(w, &hex, "rev-parse", "HEAD"), 0);
        hex.data[40] = '\0';
        assert_int_equal(object_id_parse(hex.data, &id), 0);
        return id;
}

static struct object_id commit(struct workshop *w, const char *sign, const char *message) {
        assert_int_equal(GIT(w, NULL, "commit", "-q", "--allow-empty", sign, "-m", message), 0);
        return head(w);
}

static int verify(struct workshop *w, const struct object_id *accepted, const struct object_id *tip,
                  struct trust_result *ret, struct fault *reterr) {
        struct object_reader reader = { git_read, w };
        struct trust_request request = {
                .reader = &reader,
                .accepted = accepted,
                .tip = *tip,
                .root_name = "root",
                .root = buffer_str(&w->root),
                .root_size = w->root.size,
                .now_ms = clock_wall_ms(),
        };

        return trust_verify(&request, ret, reterr);
}

static int make_workshop(void **state) {
        struct workshop *w = calloc(1, sizeof(*w));

        assert_non_null(w);
        *state = w;
        w->scratch = scratch_make();
        (void)snprintf(w->repository, sizeof(w->repository), "%s/r", w->scratch.path);
        if (!have_git() || !have_ssh_keygen())
                return 0;
        make_key(w, "alice", &w->root);
        assert_int_equal(RUN(NULL, "mkdir", "-p", scratch_path(&w->scratch, "r/trust")), 0);
        assert_int_equal(RUN(NULL, "git", "init", "-q", "-b", "main", w->repository), 0);
        assert_int_equal(GIT(w, NULL, "config", "gpg.format", "ssh"), 0);
        use_key(w, "alice");
        write_signers(w, &w->root);
        return 0;
}

static int drop_workshop(void **state) {
        struct workshop *w = *state;

        scratch_remove(&w->scratch);
        buffer_done(&w->raw);
        buffer_done(&w->root);
        free(w);
        return 0;
}

static void gits_own_history_is_accepted(void **state) {
        struct workshop *w = *state;
        own_buffer struct buffer both = BUFFER_INIT;
        struct object_id first, tip;
        struct trust_result result;

        if (!have_git() || !have_ssh_keygen())
                skip();
        first = commit(w, "-S", "first");
        assert_fine(verify(w, NULL, &first, &result, &fault));

        /* Bob is let in on a branch, signs there, and alice merges. */
        buffer_append(&both, w->root.data, w->root.size);
        make_key(w, "bob", &both);
        assert_int_equal(GIT(w, NULL, "checkout", "-q", "-b", "side"), 0);
        write_signers(w, &both);
        (void)commit(w, "-S", "let bob in");
        use_key(w, "bob");
        (void)commit(w, "-S", "by bob");
        assert_int_equal(GIT(w, NULL, "checkout", "-q", "main"), 0);
        use_key(w, "alice");
        (void)commit(w, "-S", "meanwhile");
        assert_int_equal(GIT(w, NULL, "merge", "-q", "--no-ff", "-S", "-m", "merge", "side"), 0);
        tip = head(w);
        assert_fine(verify(w, &first, &tip, &result, &fault));
        assert_int_equal(result.n_verified, 4);
        assert_string_equal(result.principal, "alice@example.org");
        use_key(w, "bob");
        tip = commit(w, "-S", "bob on main");
        assert_fine(verify(w, &first, &tip, &result, &fault));
        assert_string_equal(result.principal, "bob@example.org");
}

static void what_git_did_not_sign_is_refused(void **state) {
        struct workshop *w = *state;
        own_buffer struct buffer stranger = BUFFER_INIT;
        struct object_id first, plain, foreign;
        struct trust_result result;

        if (!have_git() || !have_ssh_keygen())
                skip();
        first = commit(w, "-S", "first");
        plain = commit(w, "--no-gpg-sign", "plain");
        assert_refused(verify(w, &first, &plain, &result, &fault), REASON_TRUST_UNSIGNED);
        assert_int_equal(GIT(w, NULL, "reset", "-q", "--hard", "HEAD^"), 0);
        make_key(w, "stranger", &stranger);
        use_key(w, "stranger");
        foreign = commit(w, "-S", "foreign");
        assert_refused(verify(w, &first, &foreign, &result, &fault), REASON_TRUST_UNKNOWN_SIGNER);
        assert_refused(verify(w, &foreign, &first, &result, &fault), REASON_TRUST_REWIND);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(gits_own_history_is_accepted, make_workshop, drop_workshop),
        cmocka_unit_test_setup_teardown(what_git_did_not_sign_is_refused, make_workshop, drop_workshop),
};

TEST_GROUP(trust_git, tests);
