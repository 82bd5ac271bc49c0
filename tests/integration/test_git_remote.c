/* SPDX-License-Identifier: Apache-2.0 */

/* Started by git-remotes.sh, which runs the servers and says in the environment where they are. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/process.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/git/lsrefs.h"
#include "shared/git/mirror.h"
#include "shared/git/remote.h"
#include "shared/git/write.h"

#define TEXT 512

/* One folder per test: a remote and a mirror that nobody else uses. */
struct fixture {
        char name[64];
        char remote[TEXT];   /* path of a bare repository with two commits on main */
        char state[TEXT];
        struct remote_settings settings;
        struct mirror *mirror;
};

static const char *env(const char *name) {
        const char *value = getenv(name);

        if (!value)
                fail_msg("%s is not set: run this through git-remotes.sh", name);
        return value;
}

static void format(char *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void format(char *buf, const char *fmt, ...) {
        va_list args;

        va_start(args, fmt);
        assert_true(vsnprintf(buf, TEXT, fmt, args) < TEXT);
        va_end(args);
}

static void print_fault(const struct fault *f) {
        if (fault_is_set(f))
                fault_print(stderr, f);
}

#define assert_ok(expression, f)                                                                                      \
        do {                                                                                                          \
                int r_ = (expression);                                                                                \
                if (r_ < 0)                                                                                           \
                        print_fault(f);                                                                               \
                assert_true(r_ >= 0);                                                                                 \
        } while (0)

static void assert_fault(const struct fault *f, enum fault_kind kind, const char *code) {
        if (f->kind != kind || f->code != code)
                print_fault(f);
        assert_int_equal(f->kind, kind);
        assert_ptr_equal(f->code, code);
        assert_null(strstr(f->message, "s3cret"));
}

/* Runs git and returns the first line of what it prints. */
static void git_says(char *ret, const char *const *args) {
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
#define git(...) git_says(NULL, (const char *const[]){ __VA_ARGS__, NULL })
#define git_line(ret, ...) git_says(ret, (const char *const[]){ __VA_ARGS__, NULL })

/* A commit on @branch of the remote, made with plumbing: there is no work tree. */
static void commit(struct fixture *x, const char *branch, const char *message, bool from_scratch) {
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

static void tip_of(const struct fixture *x, const char *branch, struct object_id *ret) {
        char line[TEXT], ref[TEXT];

        format(ref, "refs/heads/%s", branch);
        git_line(line, "-C", x->remote, "rev-parse", ref);
        assert_int_equal(object_id_parse(line, ret), 0);
}

static void setup(struct fixture *x, const char *name) {
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

static void teardown(struct fixture *x) {
        mirror_free(x->mirror);
}
#define own_fixture own(teardown)

static void path_url(const struct fixture *x, char *ret) { format(ret, "%s", x->remote); }
static void file_url(const struct fixture *x, char *ret) { format(ret, "file://%s", x->remote); }
static void http_url(const struct fixture *x, char *ret) {
        format(ret, "%s/git/%s.git", env("TALLY_TEST_HTTP"), x->name);
}
static void https_url(const struct fixture *x, char *ret) {
        format(ret, "%s/git/%s.git", env("TALLY_TEST_HTTPS"), x->name);
}
static void ssh_url(const struct fixture *x, char *ret) {
        format(ret, "ssh://%s@127.0.0.1:%s%s", env("TALLY_TEST_USER"), env("TALLY_TEST_SSH_PORT"), x->remote);
}

static const struct {
        const char *name;
        void (*url)(const struct fixture *x, char *ret);
} transports[] = { { "path", path_url },
                   { "file", file_url },
                   { "http", http_url },
                   { "https", https_url },
                   { "ssh", ssh_url } };

static int sign_badly(const void *payload, size_t size, struct buffer *out, void *userdata, struct fault *reterr) {
        (void)payload, (void)size, (void)userdata, (void)reterr;
        buffer_puts(out, "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n");
        return 0;
}

/* A commit on a branch of the mirror, to push. */
static void write_one(struct mirror *m, const char *ref, const struct object_id *parent, struct object_id *ret) {
        own_fault struct fault f = FAULT_INIT;
        const struct git_person person = { .name = "web1", .email = "web1@tally", .time = 1700000000 };
        const struct git_change change = { .path = "evidence/0/00000000-genesis.dsse.json",
                                           .bytes = "{}",
                                           .size = 2 };
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

/*
 * Every transport
 */

static void every_transport_fetches_and_asks(void **state) {
        (void)state;
        for (size_t i = 0; i < sizeof(transports) / sizeof(transports[0]); i++) {
                own_fixture struct fixture x;
                own_fault struct fault f = FAULT_INIT;
                struct object_id expected, tip, held;
                char url[TEXT], name[TEXT], ref[REMOTE_REF_MAX];

                format(name, "fetch-%s", transports[i].name);
                setup(&x, name);
                transports[i].url(&x, url);
                print_message("%s\n", url);
                tip_of(&x, "main", &expected);
                assert_ok(remote_tip(&x.settings, url, "main", &tip, &f), &f);
                assert_memory_equal(&tip, &expected, sizeof(tip));
                assert_false(mirror_has(x.mirror, &tip));

                assert_ok(remote_fetch(x.mirror, &x.settings, url, "main", &tip, &f), &f);
                assert_memory_equal(&tip, &expected, sizeof(tip));
                assert_true(mirror_has(x.mirror, &tip));
                assert_ok(mirror_ref(x.mirror, remote_ref("main", ref), &held, &f), &f);
                assert_memory_equal(&held, &expected, sizeof(held));

                /* Again, with a new commit, and with none. */
                commit(&x, "main", "three", false);
                tip_of(&x, "main", &expected);
                assert_ok(remote_fetch(x.mirror, &x.settings, url, "main", &tip, &f), &f);
                assert_memory_equal(&tip, &expected, sizeof(tip));
                assert_ok(remote_fetch(x.mirror, &x.settings, url, "main", &tip, &f), &f);
                assert_memory_equal(&tip, &expected, sizeof(tip));
        }
}

/* How many objects the packs of the mirror hold: each index ends its table of counts with that. */
static uint32_t packed(const struct fixture *x) {
        own_free char *pattern = NULL;
        glob_t found;
        uint32_t n = 0;

        assert_true(asprintf(&pattern, "%s/objects/pack/*.idx", mirror_path(x->mirror)) > 0);
        assert_int_equal(glob(pattern, 0, NULL, &found), 0);
        for (size_t i = 0; i < found.gl_pathc; i++) {
                FILE *file = fopen(found.gl_pathv[i], "re");
                uint32_t count;

                assert_non_null(file);
                assert_int_equal(fseek(file, 8 + 255 * 4, SEEK_SET), 0);
                assert_int_equal(fread(&count, sizeof(count), 1, file), 1);
                n += ntohl(count);
                (void)fclose(file);
        }
        globfree(&found);
        return n;
}

static void a_repository_of_this_machine_sends_only_what_is_new(void **state) {
        own_fixture struct fixture x;
        own_fault struct fault f = FAULT_INIT;
        struct object_id tip;
        uint32_t first;

        (void)state;
        setup(&x, "only-new");
        commit(&x, "other", "elsewhere", true);
        assert_ok(remote_fetch(x.mirror, &x.settings, x.remote, "main", &tip, &f), &f);
        first = packed(&x);
        commit(&x, "main", "three", false);
        assert_ok(remote_fetch(x.mirror, &x.settings, x.remote, "main", &tip, &f), &f);
        /* The commit; its empty tree is there. */
        assert_in_range(packed(&x) - first, 1, 2);
        tip_of(&x, "other", &tip);
        assert_false(mirror_has(x.mirror, &tip));
}

static void every_transport_pushes_forward_only(void **state) {
        (void)state;
        for (size_t i = 0; i < sizeof(transports) / sizeof(transports[0]); i++) {
                own_fixture struct fixture x;
                own_fault struct fault f = FAULT_INIT;
                struct object_id first, second, there;
                enum remote_pushed pushed;
                char url[TEXT], name[TEXT];

                format(name, "push-%s", transports[i].name);
                setup(&x, name);
                transports[i].url(&x, url);
                print_message("%s\n", url);
                write_one(x.mirror, "refs/heads/tally/web1", NULL, &first);
                assert_ok(remote_push(mirror_repository(x.mirror), &x.settings, url, "refs/heads/tally/web1",
                                      "tally/web1", &pushed, &f),
                          &f);
                assert_int_equal(pushed, REMOTE_PUSHED);
                tip_of(&x, "tally/web1", &there);
                assert_memory_equal(&there, &first, sizeof(there));
                git("-C", x.remote, "fsck", "--strict");

                assert_ok(remote_push(mirror_repository(x.mirror), &x.settings, url, "refs/heads/tally/web1", "tally/web1",
                                      &pushed, &f), &f);
                assert_int_equal(pushed, REMOTE_UP_TO_DATE);

                write_one(x.mirror, "refs/heads/tally/web1", &first, &second);
                assert_ok(remote_push(mirror_repository(x.mirror), &x.settings, url, "refs/heads/tally/web1", "tally/web1",
                                      &pushed, &f), &f);
                assert_int_equal(pushed, REMOTE_PUSHED);
                tip_of(&x, "tally/web1", &there);
                assert_memory_equal(&there, &second, sizeof(there));

                /* Somebody rewrote the branch: nothing is forced. */
                commit(&x, "tally/web1", "not ours", true);
                assert_int_equal(remote_push(mirror_repository(x.mirror), &x.settings, url,
                                             "refs/heads/tally/web1", "tally/web1", &pushed, &f),
                                 -ESTALE);
                assert_fault(&f, FAULT_CONFLICT, REASON_LEDGER_DIVERGED);
                tip_of(&x, "tally/web1", &there);
                assert_memory_not_equal(&there, &second, sizeof(there));
        }
}

static void every_transport_names_a_missing_branch_and_repository(void **state) {
        (void)state;
        for (size_t i = 0; i < sizeof(transports) / sizeof(transports[0]); i++) {
                own_fixture struct fixture x;
                own_fault struct fault f = FAULT_INIT, g = FAULT_INIT;
                struct object_id tip;
                char url[TEXT], name[TEXT];

                format(name, "missing-%s", transports[i].name);
                setup(&x, name);
                transports[i].url(&x, url);
                assert_int_equal(remote_fetch(x.mirror, &x.settings, url, "nothing", &tip, &f), -ENOENT);
                assert_fault(&f, FAULT_TRANSIENT, REASON_FETCH_BRANCH_MISSING);

                (void)snprintf(x.name, sizeof(x.name), "not-there");
                format(x.remote, "%s/repositories/not-there.git", env("TALLY_TEST_DIR"));
                transports[i].url(&x, url);
                assert_true(remote_fetch(x.mirror, &x.settings, url, "main", &tip, &g) < 0);
                assert_fault(&g, FAULT_TRANSIENT, REASON_FETCH_FAILED);
                fault_done(&g);
        }
}

static void a_rewritten_branch_is_still_fetched(void **state) {
        own_fixture struct fixture x;
        own_fault struct fault f = FAULT_INIT;
        struct object_id before, expected, tip;

        (void)state;
        setup(&x, "rewritten");
        assert_ok(remote_fetch(x.mirror, &x.settings, x.remote, "main", &before, &f), &f);
        commit(&x, "main", "another history", true);
        tip_of(&x, "main", &expected);
        assert_ok(remote_fetch(x.mirror, &x.settings, x.remote, "main", &tip, &f), &f);
        assert_memory_equal(&tip, &expected, sizeof(tip));
        assert_true(mirror_has(x.mirror, &before));
}

/*
 * ssh
 */

static void write_file(const char *path, const char *text, mode_t mode) {
        own_fault struct fault f = FAULT_INIT;

        assert_ok(file_write(AT_FDCWD, path, text, strlen(text), mode, &f), &f);
}

static void read_file(const char *path, struct buffer *out) {
        own_fault struct fault f = FAULT_INIT;

        assert_ok(file_read(AT_FDCWD, path, 65536, out, &f), &f);
}

/* A known_hosts with one line: "<prefix>[127.0.0.1]:port <public key in @name>". */
static void pin(char *path, const char *prefix, const char *host, const char *name) {
        own_buffer struct buffer key = BUFFER_INIT, line = BUFFER_INIT;
        char file[TEXT];

        format(file, "%s/ssh/%s.pub", env("TALLY_TEST_DIR"), name);
        read_file(file, &key);
        buffer_printf(&line, "%s[%s]:%s %s", prefix, host, env("TALLY_TEST_SSH_PORT"), buffer_str(&key));
        format(path, "%s/pinned", env("TALLY_TEST_DIR"));
        write_file(path, buffer_str(&line), 0644);
}

static void assert_host_key_refused(const char *known_hosts, const char *words) {
        own_fault struct fault f = FAULT_INIT;
        own_fixture struct fixture x;
        struct object_id tip;
        char url[TEXT], name[TEXT];
        static unsigned n;

        format(name, "hostkey-%u", n++);
        setup(&x, name);
        ssh_url(&x, url);
        x.settings.known_hosts = known_hosts;
        assert_true(remote_fetch(x.mirror, &x.settings, url, "main", &tip, &f) < 0);
        assert_fault(&f, FAULT_DENIED, REASON_FETCH_HOST_KEY);
        if (!strstr(f.message, words))
                fail_msg("'%s' does not say '%s'", f.message, words);
}

static void one_pinned_type_is_enough_whichever_it_is(void **state) {
        static const char *const names[] = { "host_ed25519", "host_ecdsa" };

        (void)state;
        for (size_t i = 0; i < 2; i++) {
                own_fault struct fault f = FAULT_INIT;
                own_fixture struct fixture x;
                struct object_id tip;
                char url[TEXT], path[TEXT], name[TEXT];

                format(name, "type-%zu", i);
                setup(&x, name);
                ssh_url(&x, url);
                pin(path, "", "127.0.0.1", names[i]);
                x.settings.known_hosts = path;
                assert_ok(remote_fetch(x.mirror, &x.settings, url, "main", &tip, &f), &f);
        }
}

static void unknown_changed_and_revoked_host_keys_are_refused(void **state) {
        char path[TEXT];

        (void)state;
        pin(path, "", "127.0.0.2", "host_ed25519");
        assert_host_key_refused(path, "is not pinned");
        pin(path, "", "127.0.0.1", "other_host");
        assert_host_key_refused(path, "is not the one that is pinned");
        /* libssh2 then asks for the first type of its own list. */
        own_buffer struct buffer lines = BUFFER_INIT;

        pin(path, "", "127.0.0.1", "host_ed25519");
        read_file(path, &lines);
        pin(path, "@revoked ", "127.0.0.1", "host_ed25519");
        read_file(path, &lines);
        write_file(path, buffer_str(&lines), 0644);
        assert_host_key_refused(path, "is revoked");
}

static void the_hint_for_a_host_key_is_a_keyscan_line(void **state) {
        own_fault struct fault f = FAULT_INIT;
        own_fixture struct fixture x;
        struct object_id tip;
        char url[TEXT], path[TEXT], expected[TEXT];

        (void)state;
        setup(&x, "keyscan");
        ssh_url(&x, url);
        pin(path, "", "127.0.0.2", "host_ed25519");
        x.settings.known_hosts = path;
        assert_true(remote_tip(&x.settings, url, "main", &tip, &f) < 0);
        format(expected, "ssh-keyscan -p %s 127.0.0.1", env("TALLY_TEST_SSH_PORT"));
        assert_non_null(strstr(f.hint, expected));
}

static void a_stranger_s_ssh_key_is_an_authentication_fault(void **state) {
        own_fault struct fault f = FAULT_INIT;
        own_fixture struct fixture x;
        struct object_id tip;
        char url[TEXT], key[TEXT];

        (void)state;
        setup(&x, "stranger");
        ssh_url(&x, url);
        format(key, "%s/ssh/stranger", env("TALLY_TEST_DIR"));
        x.settings.ssh_key = key;
        assert_true(remote_fetch(x.mirror, &x.settings, url, "main", &tip, &f) < 0);
        assert_fault(&f, FAULT_TRANSIENT, REASON_FETCH_AUTH);
}

static void settings_for_ssh_are_checked_before_anything_is_sent(void **state) {
        own_fault struct fault f = FAULT_INIT, g = FAULT_INIT;
        own_fixture struct fixture x;
        struct object_id tip;
        char url[TEXT], path[TEXT];

        (void)state;
        setup(&x, "settings");
        ssh_url(&x, url);
        x.settings.known_hosts = NULL;
        assert_true(remote_tip(&x.settings, url, "main", &tip, &f) < 0);
        assert_fault(&f, FAULT_CONFIG, NULL);
        assert_non_null(strstr(f.hint, "ssh-keyscan"));

        format(path, "%s/garbled", env("TALLY_TEST_DIR"));
        write_file(path, "127.0.0.1 ssh-ed25519 !!!\n", 0644);
        x.settings.known_hosts = path;
        assert_true(remote_tip(&x.settings, url, "main", &tip, &g) < 0);
        assert_fault(&g, FAULT_CONFIG, NULL);
        assert_int_equal(g.line, 1);
}

/*
 * http and https
 */

static void mode_url(const char *server, const char *mode, const struct fixture *x, char *ret) {
        format(ret, "%s/%s/%s.git", env(server), mode, x->name);
}

static void a_redirect_to_another_host_is_refused(void **state) {
        own_fault struct fault f = FAULT_INIT;
        own_fixture struct fixture x;
        struct object_id tip;
        char url[TEXT];

        (void)state;
        setup(&x, "redirect");
        mode_url("TALLY_TEST_HTTP", "redirect", &x, url);
        assert_true(remote_fetch(x.mirror, &x.settings, url, "main", &tip, &f) < 0);
        assert_fault(&f, FAULT_DENIED, REASON_FETCH_REDIRECT);
}

static void a_fetch_that_is_cut_off_leaves_nothing_half(void **state) {
        own_fault struct fault f = FAULT_INIT, g = FAULT_INIT;
        own_fixture struct fixture x;
        struct object_id expected, tip;
        char url[TEXT], ref[REMOTE_REF_MAX];

        (void)state;
        setup(&x, "cut");
        mode_url("TALLY_TEST_HTTP", "cut", &x, url);
        tip_of(&x, "main", &expected);
        assert_true(remote_fetch(x.mirror, &x.settings, url, "main", &tip, &f) < 0);
        assert_fault(&f, FAULT_TRANSIENT, REASON_FETCH_FAILED);
        assert_false(mirror_has(x.mirror, &expected));
        assert_int_equal(mirror_ref(x.mirror, remote_ref("main", ref), &tip, &g), -ENOENT);

        /* And the next one works. */
        fault_done(&f);
        mode_url("TALLY_TEST_HTTP", "git", &x, url);
        assert_ok(remote_fetch(x.mirror, &x.settings, url, "main", &tip, &f), &f);
        assert_memory_equal(&tip, &expected, sizeof(tip));
}

static void a_silent_server_is_given_up_in_time(void **state) {
        own_fault struct fault f = FAULT_INIT, g = FAULT_INIT;
        own_fixture struct fixture x;
        struct object_id tip;
        char url[TEXT];
        int64_t before = clock_monotonic_ns();

        (void)state;
        setup(&x, "slow");
        mode_url("TALLY_TEST_HTTP", "slow", &x, url);
        x.settings.stall_timeout_ms = 700;
        assert_int_equal(remote_fetch(x.mirror, &x.settings, url, "main", &tip, &f), -ETIMEDOUT);
        assert_fault(&f, FAULT_TRANSIENT, REASON_FETCH_FAILED);
        assert_true(clock_monotonic_ns() - before < 10 * INT64_C(1000000000));

        x.settings.stall_timeout_ms = 20000;
        x.settings.timeout_ms = 500;
        assert_int_equal(remote_fetch(x.mirror, &x.settings, url, "main", &tip, &g), -ETIMEDOUT);
        assert_fault(&g, FAULT_TRANSIENT, REASON_FETCH_FAILED);
}

static void nobody_listening_is_a_network_fault(void **state) {
        own_fault struct fault f = FAULT_INIT;
        own_fixture struct fixture x;
        struct object_id tip;

        (void)state;
        setup(&x, "nobody");
        assert_true(remote_tip(&x.settings, "http://localhost:1/x.git", "main", &tip, &f) < 0);
        assert_fault(&f, FAULT_TRANSIENT, REASON_FETCH_FAILED);
}

static void a_certificate_of_another_ca_is_refused(void **state) {
        own_fault struct fault f = FAULT_INIT;
        own_fixture struct fixture x;
        struct object_id tip;
        char url[TEXT];

        (void)state;
        setup(&x, "ca");
        https_url(&x, url);
        x.settings.ca_file = NULL;
        assert_true(remote_fetch(x.mirror, &x.settings, url, "main", &tip, &f) < 0);
        assert_fault(&f, FAULT_DENIED, REASON_FETCH_CERTIFICATE);
}

static void credentials_come_from_the_file_and_stay_out_of_messages(void **state) {
        own_fixture struct fixture x;
        struct object_id tip;
        char url[TEXT], path[TEXT], line[TEXT];
        const char *host = strstr(env("TALLY_TEST_HTTPS"), "//") + 2;

        (void)state;
        setup(&x, "auth");
        mode_url("TALLY_TEST_HTTPS", "auth", &x, url);
        format(path, "%s/credentials", env("TALLY_TEST_DIR"));

        own_fault struct fault none = FAULT_INIT, wrong = FAULT_INIT, open = FAULT_INIT, good = FAULT_INIT;

        assert_true(remote_fetch(x.mirror, &x.settings, url, "main", &tip, &none) < 0);
        assert_fault(&none, FAULT_TRANSIENT, REASON_FETCH_AUTH);

        x.settings.credentials = path;
        format(line, "https://tally:s3cret-but-wrong@%s\n", host);
        write_file(path, line, 0600);
        assert_true(remote_fetch(x.mirror, &x.settings, url, "main", &tip, &wrong) < 0);
        assert_fault(&wrong, FAULT_TRANSIENT, REASON_FETCH_AUTH);

        format(line, "https://tally:s3cret@%s\n", host);
        write_file(path, line, 0644);
        assert_true(remote_fetch(x.mirror, &x.settings, url, "main", &tip, &open) < 0);
        assert_fault(&open, FAULT_CONFIG, NULL);

        assert_int_equal(chmod(path, 0600), 0);
        assert_ok(remote_fetch(x.mirror, &x.settings, url, "main", &tip, &good), &good);
}

static void http_is_taken_only_when_it_is_allowed(void **state) {
        own_fault struct fault f = FAULT_INIT;
        own_fixture struct fixture x;
        struct object_id tip;
        char url[TEXT];

        (void)state;
        setup(&x, "plain");
        http_url(&x, url);
        x.settings.allow_http = false;
        assert_true(remote_fetch(x.mirror, &x.settings, url, "main", &tip, &f) < 0);
        assert_fault(&f, FAULT_CONFIG, NULL);
}

/*
 * ls-refs
 */

static void ask(const char *server, const char *mode, const struct fixture *x, const char *branch,
                enum ref_answer expected, struct object_id *ret) {
        own_fault struct fault f = FAULT_INIT;
        own_http struct http *http = NULL;
        struct lsrefs_settings settings = { .allow_http = true };
        enum ref_answer answer;
        char url[TEXT];

        assert_ok(http_new(&(struct http_options){ .ca_file = x->settings.ca_file }, &http, &f), &f);
        mode_url(server, mode, x, url);
        assert_ok(lsrefs_tip(http, &settings, url, branch, &answer, ret, &f), &f);
        assert_string_equal(ref_answer_to_string(answer), ref_answer_to_string(expected));
}

static void one_request_tells_the_tip(void **state) {
        own_fixture struct fixture x;
        struct object_id expected, tip;

        (void)state;
        setup(&x, "lsrefs");
        commit(&x, "main2", "another branch with the same prefix", false);
        tip_of(&x, "main", &expected);
        ask("TALLY_TEST_HTTP", "git", &x, "main", REF_FOUND, &tip);
        assert_memory_equal(&tip, &expected, sizeof(tip));
        ask("TALLY_TEST_HTTPS", "git", &x, "main", REF_FOUND, &tip);
        assert_memory_equal(&tip, &expected, sizeof(tip));
        ask("TALLY_TEST_HTTP", "git", &x, "mai", REF_MISSING, &tip);
        ask("TALLY_TEST_HTTP", "v0", &x, "main", REF_DONT_KNOW, &tip);
        ask("TALLY_TEST_HTTP", "nowhere", &x, "main", REF_DONT_KNOW, &tip);
}

static void asking_a_server_that_refuses_or_redirects_is_a_fault(void **state) {
        own_fault struct fault auth = FAULT_INIT, redirect = FAULT_INIT, certificate = FAULT_INIT;
        struct lsrefs_settings settings = { .allow_http = true };
        own_http struct http *http = NULL;
        own_fixture struct fixture x;
        enum ref_answer answer;
        struct object_id tip;
        char url[TEXT];

        (void)state;
        setup(&x, "lsrefs-refused");
        assert_ok(http_new(NULL, &http, &auth), &auth);
        mode_url("TALLY_TEST_HTTP", "auth", &x, url);
        assert_true(lsrefs_tip(http, &settings, url, "main", &answer, &tip, &auth) < 0);
        assert_fault(&auth, FAULT_TRANSIENT, REASON_FETCH_AUTH);
        mode_url("TALLY_TEST_HTTP", "redirect", &x, url);
        assert_true(lsrefs_tip(http, &settings, url, "main", &answer, &tip, &redirect) < 0);
        assert_fault(&redirect, FAULT_DENIED, REASON_FETCH_REDIRECT);
        mode_url("TALLY_TEST_HTTPS", "git", &x, url);
        assert_true(lsrefs_tip(http, &settings, url, "main", &answer, &tip, &certificate) < 0);
        assert_fault(&certificate, FAULT_DENIED, REASON_FETCH_CERTIFICATE);
}

/*
 * The mirror
 */

static void a_shallow_remote_is_refused(void **state) {
        own_fault struct fault local = FAULT_INIT, net = FAULT_INIT;
        own_fixture struct fixture x;
        struct object_id tip;
        char url[TEXT], shallow[TEXT], source[TEXT];

        (void)state;
        setup(&x, "shallow-source");
        format(shallow, "%s/repositories/shallow.git", env("TALLY_TEST_DIR"));
        format(source, "file://%s", x.remote);
        git("clone", "-q", "--bare", "--depth=1", source, shallow);
        assert_true(remote_fetch(x.mirror, &x.settings, shallow, "main", &tip, &local) < 0);
        assert_fault(&local, FAULT_DENIED, REASON_TRUST_SHALLOW);

        /* Over the network it shows in the protocol, in the mirror or in a missing parent; never as a success that is read as whole. */
        format(url, "%s/git/shallow.git", env("TALLY_TEST_HTTP"));
        if (remote_fetch(x.mirror, &x.settings, url, "main", &tip, &net) >= 0) {
                struct object_id tree, parents[LIMIT_COMMIT_PARENTS];
                own_buffer struct buffer raw = BUFFER_INIT;
                size_t n;

                assert_ok(mirror_read(x.mirror, &tip, OBJECT_COMMIT, LIMIT_COMMIT_BYTES, &raw, &net), &net);
                assert_ok(object_commit_links(raw.data, raw.size, &tree, parents, LIMIT_COMMIT_PARENTS, &n, &net),
                          &net);
                assert_int_equal(n, 1);
                assert_false(mirror_has(x.mirror, &parents[0]));
        }
}

static void a_damaged_mirror_is_made_anew_and_fetches_again(void **state) {
        own_fault struct fault f = FAULT_INIT;
        own_fixture struct fixture x;
        struct object_id tip;
        char path[TEXT], broken[MIRROR_NAME_MAX];

        (void)state;
        setup(&x, "heal");
        assert_ok(remote_fetch(x.mirror, &x.settings, x.remote, "main", &tip, &f), &f);
        mirror_free(take(x.mirror));
        format(path, "%s/desired.git/HEAD", x.state);
        write_file(path, "garbage", 0600);
        assert_ok(mirror_open(x.state, "desired.git", &x.mirror, broken, &f), &f);
        assert_non_null(str_after(broken, "desired.git.broken-"));
        assert_false(mirror_has(x.mirror, &tip));
        assert_ok(remote_fetch(x.mirror, &x.settings, x.remote, "main", &tip, &f), &f);
        assert_true(mirror_has(x.mirror, &tip));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_transport_fetches_and_asks),
                cmocka_unit_test(a_repository_of_this_machine_sends_only_what_is_new),
                cmocka_unit_test(every_transport_pushes_forward_only),
                cmocka_unit_test(every_transport_names_a_missing_branch_and_repository),
                cmocka_unit_test(a_rewritten_branch_is_still_fetched),
                cmocka_unit_test(one_pinned_type_is_enough_whichever_it_is),
                cmocka_unit_test(unknown_changed_and_revoked_host_keys_are_refused),
                cmocka_unit_test(the_hint_for_a_host_key_is_a_keyscan_line),
                cmocka_unit_test(a_stranger_s_ssh_key_is_an_authentication_fault),
                cmocka_unit_test(settings_for_ssh_are_checked_before_anything_is_sent),
                cmocka_unit_test(a_redirect_to_another_host_is_refused),
                cmocka_unit_test(a_fetch_that_is_cut_off_leaves_nothing_half),
                cmocka_unit_test(a_silent_server_is_given_up_in_time),
                cmocka_unit_test(nobody_listening_is_a_network_fault),
                cmocka_unit_test(a_certificate_of_another_ca_is_refused),
                cmocka_unit_test(credentials_come_from_the_file_and_stay_out_of_messages),
                cmocka_unit_test(http_is_taken_only_when_it_is_allowed),
                cmocka_unit_test(one_request_tells_the_tip),
                cmocka_unit_test(asking_a_server_that_refuses_or_redirects_is_a_fault),
                cmocka_unit_test(a_shallow_remote_is_refused),
                cmocka_unit_test(a_damaged_mirror_is_made_anew_and_fetches_again),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
