/* SPDX-License-Identifier: Apache-2.0 */

#include "tests/integration/git_rig.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/buffer.h"
#include "shared/base/file.h"
#include "shared/git/write.h"

const char *env(const char *name) {
        const char *value = getenv(name);

        if (!value)
                fail_msg("%s is not set: run this through git-remotes.sh", name);
        return value;
}

void format(char *buf, const char *fmt, ...) {
        va_list args;

        va_start(args, fmt);
        assert_true(vsnprintf(buf, TEXT, fmt, args) < TEXT);
        va_end(args);
}

void print_fault(const struct fault *f) {
        if (fault_is_set(f))
                fault_print(stderr, f);
}

void assert_fault(const struct fault *f, enum fault_kind kind, const char *code) {
        if (f->kind != kind || f->code != code)
                print_fault(f);
        assert_int_equal(f->kind, kind);
        assert_ptr_equal(f->code, code);
        assert_null(strstr(f->message, "s3cret"));
}

/* Runs git and returns the first line of what it prints. */
void git_says(char *ret, const char *const *args) {
        const char *argv[16] = { "git" };
        char home[TEXT];
        const char *envp[] = { NULL,
                               NULL,
                               "GIT_CONFIG_NOSYSTEM=1",
                               "GIT_AUTHOR_NAME=t",
                               "GIT_AUTHOR_EMAIL=t@example",
                               "GIT_COMMITTER_NAME=t",
                               "GIT_COMMITTER_EMAIL=t@example",
                               NULL };
        own_process_result struct process_result result = { 0 };
        own_fault struct fault f = FAULT_INIT;
        char path[TEXT];
        size_t n = 1;

        for (; *args; args++)
                argv[n++] = *args;
        format(path, "PATH=%s", env("PATH"));
        format(home, "HOME=%s/nowhere", env("TALLY_TEST_DIR"));
        envp[0] = path;
        envp[1] = home;
        assert_ok(process_run(&(struct process_request){ .argv = argv, .envp = envp }, &result, &f), &f);
        if (result.exit_code != 0)
                fail_msg("git %s: %s", argv[1], buffer_str(&result.err));
        if (ret)
                format(ret, "%.*s", (int)strcspn(buffer_str(&result.out), "\n"), buffer_str(&result.out));
}

/* A commit on @branch of the remote, made with plumbing: there is no work tree. */
void commit(struct fixture *x, const char *branch, const char *message, bool from_scratch) {
        char tree[TEXT], id[TEXT], ref[TEXT], parent[TEXT] = "";

        format(ref, "refs/heads/%s", branch);
        git_line(tree, "-C", x->remote, "hash-object", "-w", "-t", "tree", "/dev/null");
        git_line(parent, "-C", x->remote, "for-each-ref", "--format=%(objectname)", ref);
        if (parent[0] && !from_scratch)
                git_line(id, "-C", x->remote, "commit-tree", "-m", message, "-p", parent, tree);
        else
                git_line(id, "-C", x->remote, "commit-tree", "-m", message, tree);
        git("-C", x->remote, "update-ref", ref, id);
}

void tip_of(const struct fixture *x, const char *branch, struct object_id *ret) {
        char line[TEXT], ref[TEXT];

        format(ref, "refs/heads/%s", branch);
        git_line(line, "-C", x->remote, "rev-parse", ref);
        assert_int_equal(object_id_parse(line, ret), 0);
}

void setup(struct fixture *x, const char *name) {
        own_fault struct fault f = FAULT_INIT;
        static char known_hosts[TEXT], key[TEXT], ca[TEXT];

        memset(x, 0, sizeof(*x));
        format(known_hosts, "%s/ssh/scan", env("TALLY_TEST_DIR"));
        format(key, "%s/ssh/user", env("TALLY_TEST_DIR"));
        format(ca, "%s/ca.pem", env("TALLY_TEST_DIR"));
        (void)snprintf(x->name, sizeof(x->name), "%s", name);
        format(x->remote, "%s/repositories/%s.git", env("TALLY_TEST_DIR"), name);
        format(x->state, "%s/state-%s", env("TALLY_TEST_DIR"), name);
        git("init", "-q", "--bare", "--initial-branch=main", x->remote);
        git("-C", x->remote, "config", "http.receivepack", "true");
        commit(x, "main", "one", false);
        commit(x, "main", "two", false);
        x->settings = (struct remote_settings){ .known_hosts = known_hosts,
                                                .ssh_key = key,
                                                .ca_file = ca,
                                                .allow_http = true,
                                                .stall_timeout_ms = 10000,
                                                .timeout_ms = 30000 };
        assert_ok(mirror_open(x->state, "desired.git", &x->mirror, NULL, &f), &f);
}

void teardown(struct fixture *x) {
        mirror_free(x->mirror);
}

static void path_url(const struct fixture *x, char *ret) {
        format(ret, "%s", x->remote);
}
static void file_url(const struct fixture *x, char *ret) {
        format(ret, "file://%s", x->remote);
}
void http_url(const struct fixture *x, char *ret) {
        format(ret, "%s/git/%s.git", env("TALLY_TEST_HTTP"), x->name);
}
void https_url(const struct fixture *x, char *ret) {
        format(ret, "%s/git/%s.git", env("TALLY_TEST_HTTPS"), x->name);
}
void ssh_url(const struct fixture *x, char *ret) {
        format(ret, "ssh://%s@127.0.0.1:%s%s", env("TALLY_TEST_USER"), env("TALLY_TEST_SSH_PORT"), x->remote);
}

const struct transport_case transports[N_TRANSPORTS] = {
        { "path", path_url }, { "file", file_url }, { "http", http_url }, { "https", https_url }, { "ssh", ssh_url }
};

static int sign_badly(const void *payload, size_t size, struct buffer *out, void *userdata, struct fault *reterr) {
        (void)payload, (void)size, (void)userdata, (void)reterr;
        buffer_puts(out, "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n");
        return 0;
}

/* A commit on a branch of the mirror, to push. */
void write_one(struct mirror *m, const char *ref, const struct object_id *parent, struct object_id *ret) {
        own_fault struct fault f = FAULT_INIT;
        const struct git_person person = { .name = "web1", .email = "web1@tally", .time = 1700000000 };
        const struct git_change change = { .path = "evidence/0/00000000-genesis.dsse.json", .bytes = "{}", .size = 2 };
        struct git_commit_request req = { .ref = ref,
                                          .parent = parent,
                                          .changes = &change,
                                          .n_changes = 1,
                                          .author = person,
                                          .committer = person,
                                          .message = "record",
                                          .sign = sign_badly };

        assert_ok(git_commit_write(m, &req, ret, &f), &f);
}

void write_file(const char *path, const char *text, mode_t mode) {
        own_fault struct fault f = FAULT_INIT;

        assert_ok(file_write(AT_FDCWD, path, text, strlen(text), mode, &f), &f);
}
