/* SPDX-License-Identifier: Apache-2.0 */

/*
 * verify: a long signed history, verified by us and by git
 *
 *      verify make DIR COMMITS DIR/history.git with that many commits, each with a tree of its own, and
 *      DIR/allowed_signers verify measure DIR COMMITS SAMPLE the newest COMMITS of it by trust_verify(), SAMPLE of them
 *      by `git verify-commit`
 *
 * "measure" goes in rounds, a part of the sample after each of our own, and prints "ours git again": the medians in
 * nanoseconds per commit, and how many commits a second verification with the memory of the first still verified.
 */

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <git2.h>

#include "policies/trust.h"
#include "reconciler/state/verified.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/text.h"
#include "shared/git/mirror.h"
#include "shared/sign/sshsig.h"

#define REPOSITORY "history.git"
#define BRANCH     "refs/heads/main"
#define ROUNDS     5
#define START      1767225600 /* 2026-01-01 */

static void fine(int r, const struct fault *f) {
        if (r >= 0)
                return;
        fault_print(stderr, f);
        exit(1);
}

static void git_fine(int rc) {
        if (rc >= 0)
                return;
        fprintf(stderr, "verify: %s\n", git_error_last() ? git_error_last()->message : "libgit2 failed");
        exit(1);
}

/*
 * Making
 */

struct maker {
        struct sshkey_private key;
        struct git_odb *odb;
        git_oid file, folder; /* trust/allowed_signers, trust */
};

/* A tree of one or two entries, by hand: libgit2's builder would look every object up. */
static void put_entry(struct buffer *tree, const char *mode, const char *name, const git_oid *id) {
        buffer_printf(tree, "%s %s", mode, name);
        buffer_putc(tree, '\0');
        buffer_append(tree, id->id, sizeof(id->id));
}

static void write_object(struct maker *m, git_oid *ret, const struct buffer *bytes, git_object_t type) {
        git_fine(git_odb_write(ret, m->odb, bytes->data, bytes->size, type));
}

static void begin(struct maker *m, const char *dir, struct mirror *mirror) {
        own_fault struct fault fault = FAULT_INIT;
        own_buffer struct buffer line = BUFFER_INIT, tree = BUFFER_INIT;
        own_free char *path = NULL;

        fine(sshkey_generate("bench", &m->key, &fault), &fault);
        buffer_puts(&line, "bench@example.org namespaces=\"git\" ");
        sshkey_put_line(&m->key.key, NULL, &line);
        buffer_putc(&line, '\n');
        if (asprintf(&path, "%s/allowed_signers", dir) < 0)
                exit(1);
        fine(file_write(AT_FDCWD, path, line.data, line.size, 0644, &fault), &fault);

        git_fine(git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 0));
        git_fine(git_repository_odb(&m->odb, mirror_repository(mirror)));
        write_object(m, &m->file, &line, GIT_OBJECT_BLOB);
        put_entry(&tree, "100644", "allowed_signers", &m->file);
        write_object(m, &m->folder, &tree, GIT_OBJECT_TREE);
}

static void make_commit(struct maker *m, int n, git_oid *tip) {
        own_fault struct fault fault = FAULT_INIT;
        own_buffer struct buffer tree = BUFFER_INIT, head = BUFFER_INIT, all = BUFFER_INIT, signature = BUFFER_INIT;
        char name[32], hex[GIT_OID_HEXSZ + 1] = "";
        const char *message;
        git_oid root;

        (void)snprintf(name, sizeof(name), "release-%d", n);
        put_entry(&tree, "100644", name, &m->file);
        put_entry(&tree, "40000", "trust", &m->folder);
        write_object(m, &root, &tree, GIT_OBJECT_TREE);

        git_oid_fmt(hex, &root);
        buffer_printf(&head, "tree %s\n", hex);
        if (n > 0) {
                git_oid_fmt(hex, tip);
                buffer_printf(&head, "parent %s\n", hex);
        }
        buffer_printf(&head,
                      "author Bench <bench@example.org> %d +0000\ncommitter Bench <bench@example.org> %d +0000\n",
                      START + n, START + n);
        buffer_append(&all, head.data, head.size);
        buffer_printf(&all, "\nrelease %d\n", n);
        message = buffer_str(&all) + head.size;
        fine(sshsig_sign(&m->key, TRUST_NAMESPACE_COMMIT, all.data, all.size, &signature, &fault), &fault);

        buffer_puts(&head, "gpgsig ");
        for (size_t i = 0; i < signature.size; i++) {
                buffer_putc(&head, signature.data[i]);
                if (signature.data[i] == '\n' && i + 1 < signature.size)
                        buffer_putc(&head, ' ');
        }
        buffer_puts(&head, message);
        write_object(m, tip, &head, GIT_OBJECT_COMMIT);
}

static void make(const char *dir, int commits) {
        own_fault struct fault fault = FAULT_INIT;
        own_mirror struct mirror *mirror = NULL;
        struct maker m = { .odb = NULL };
        struct object_id id;
        git_oid tip;

        fine(mirror_open(dir, REPOSITORY, &mirror, NULL, &fault), &fault);
        begin(&m, dir, mirror);
        for (int n = 0; n < commits; n++)
                make_commit(&m, n, &tip);
        memcpy(id.raw, tip.id, sizeof(id.raw));
        fine(mirror_set_ref(mirror, BRANCH, &id, &fault), &fault);
        git_odb_free(m.odb);
        sshkey_private_wipe(&m.key);
}

/*
 * Measuring
 */

/* The tip, and the commit @commits before it. */
static void find_range(struct mirror *m, int commits, struct object_id *ids) {
        own_fault struct fault fault = FAULT_INIT;
        struct object_id tree;
        size_t n_parents;

        fine(mirror_ref(m, BRANCH, &ids[0], &fault), &fault);
        for (int n = 0; n < commits; n++) {
                own_buffer struct buffer raw = BUFFER_INIT;

                fine(mirror_read(m, &ids[n], OBJECT_COMMIT, LIMIT_COMMIT_BYTES, &raw, &fault), &fault);
                fine(object_commit_links(raw.data, raw.size, &tree, &ids[n + 1], 1, &n_parents, &fault), &fault);
        }
}

/* One verification of the range in nanoseconds, with a mirror of its own: nothing is warm but the disk's cache. */
static int64_t verify_ours(const char *dir, const struct object_id *ids, int commits, struct trust_memory memory,
                           size_t *ret_verified) {
        own_fault struct fault fault = FAULT_INIT;
        own_mirror struct mirror *m = NULL;
        struct trust_result result;
        int64_t began = clock_monotonic_ns(), ended;

        fine(mirror_open(dir, REPOSITORY, &m, NULL, &fault), &fault);
        struct object_reader reader = mirror_reader(m);
        const struct trust_request request = {
                .reader = &reader,
                .accepted = &ids[commits],
                .tip = ids[0],
                .now_ms = clock_wall_ms(),
                .memory = memory,
        };
        fine(trust_verify(&request, &result, &fault), &fault);
        ended = clock_monotonic_ns();
        if (result.n_commits != (size_t)commits) {
                fprintf(stderr, "verify: %zu commits instead of %d\n", result.n_commits, commits);
                exit(1);
        }
        *ret_verified = result.n_verified;
        return ended - began;
}

static int64_t verify_git(const char *dir, const struct object_id *id) {
        own_free char *repository = NULL, *signers = NULL;
        char hex[OBJECT_ID_TEXT_MAX];
        posix_spawn_file_actions_t nowhere;
        int64_t began = clock_monotonic_ns();
        int status;
        pid_t pid;

        if (asprintf(&repository, "%s/" REPOSITORY, dir) < 0 ||
            asprintf(&signers, "gpg.ssh.allowedSignersFile=%s/allowed_signers", dir) < 0)
                exit(1);
        const char *argv[] = {
                "git", "-C", repository, "-c", signers, "verify-commit", object_id_format(id, hex), NULL
        };

        if (posix_spawn_file_actions_init(&nowhere) != 0 ||
            posix_spawn_file_actions_addopen(&nowhere, STDERR_FILENO, "/dev/null", O_WRONLY, 0) != 0 ||
            posix_spawnp(&pid, argv[0], &nowhere, NULL, (char *const *)argv, environ) != 0)
                exit(1);
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        exit(1);
        (void)posix_spawn_file_actions_destroy(&nowhere);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
                fprintf(stderr, "verify: git does not verify %s\n", hex);
                exit(1);
        }
        return clock_monotonic_ns() - began;
}

static int by_value(const void *x, const void *y) {
        int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;

        return (a > b) - (a < b);
}

static int64_t median(int64_t *values, size_t n) {
        if (n == 0)
                return 0;
        qsort(values, n, sizeof(*values), by_value);
        return values[n / 2];
}

static size_t verify_again(const char *dir, const struct object_id *ids, int commits) {
        own_fault struct fault fault = FAULT_INIT;
        own_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        size_t first, again;

        for (int k = 0; k < 2; k++) {
                own_verified struct verified *v = verified_new(fd);

                (void)verify_ours(dir, ids, commits, verified_memory(v), k == 0 ? &first : &again);
                fine(verified_save(v, &fault), &fault);
        }
        return again;
}

static void measure(const char *dir, int commits, int sample) {
        own_fault struct fault fault = FAULT_INIT;
        own_mirror struct mirror *m = NULL;
        own_free struct object_id *ids = calloc((size_t)commits + 1, sizeof(*ids));
        own_free int64_t *theirs = calloc((size_t)sample + 1, sizeof(*theirs));
        int64_t ours[ROUNDS];
        size_t n = 0, verified;

        if (!ids || !theirs)
                exit(1);
        fine(mirror_open(dir, REPOSITORY, &m, NULL, &fault), &fault);
        find_range(m, commits, ids);
        for (int round = 0; round < ROUNDS; round++) {
                ours[round] =
                        verify_ours(dir, ids, commits, (struct trust_memory){ .data = NULL }, &verified) / commits;
                if (verified != (size_t)commits)
                        exit(1);
                for (int k = 0; k < sample / ROUNDS; k++, n++)
                        theirs[n] = verify_git(dir, &ids[(size_t)commits * n / (size_t)sample]);
        }
        printf("%lld %lld %zu\n", (long long)median(ours, ROUNDS), (long long)median(theirs, n),
               verify_again(dir, ids, commits));
}

int main(int argc, char **argv) {
        uint64_t commits = 0, sample = 0;

        if (argc >= 4 && parse_u64(argv[3], &commits) == 0 && commits > 0 && commits <= LIMIT_RANGE_COMMITS) {
                if (argc == 4 && str_eq(argv[1], "make")) {
                        make(argv[2], (int)commits);
                        return 0;
                }
                if (argc == 5 && str_eq(argv[1], "measure") && parse_u64(argv[4], &sample) == 0 && sample <= commits) {
                        measure(argv[2], (int)commits, (int)sample);
                        return 0;
                }
        }
        fputs("usage: verify make DIR COMMITS | verify measure DIR COMMITS SAMPLE\n", stderr);
        return 2;
}
