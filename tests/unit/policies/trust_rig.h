/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A repository whose commits are signed by people of a few trust files, and what the tests of trust ask of it. */

#include "tests/unit/policies/repository.h"

#include "policies/trust.h"
#include "shared/base/reason.h"

#define ALICE   1
#define BOB     2
#define CAROL   3
#define MALLORY 9

static struct repository repo;

/* Files by who stands in them. */
static char only_alice[256], alice_bob[512], only_bob[256], alice_carol[512], alice_bob_carol[768];

static inline void put_signer(struct buffer *out, const char *name, unsigned char seed, const char *options) {
        struct sshkey_private k = key_of_seed(seed);

        buffer_printf(out, "%s@example.org %s", name, options);
        sshkey_put_line(&k.key, NULL, out);
        buffer_putc(out, '\n');
}

static inline void make_file(char *out, size_t room, const unsigned char *seeds) {
        static const char *const names[] = { "", "alice", "bob", "carol" };
        own_buffer struct buffer text = BUFFER_INIT;

        for (; *seeds; seeds++)
                put_signer(&text, names[*seeds], *seeds, "namespaces=\"git\" ");
        assert_true(text.size < room);
        memcpy(out, buffer_str(&text), text.size + 1);
}

static inline int make_repository(void **state) {
        repository_init(&repo);
        make_file(only_alice, sizeof(only_alice), (const unsigned char[]){ ALICE, 0 });
        make_file(only_bob, sizeof(only_bob), (const unsigned char[]){ BOB, 0 });
        make_file(alice_bob, sizeof(alice_bob), (const unsigned char[]){ ALICE, BOB, 0 });
        make_file(alice_carol, sizeof(alice_carol), (const unsigned char[]){ ALICE, CAROL, 0 });
        make_file(alice_bob_carol, sizeof(alice_bob_carol), (const unsigned char[]){ ALICE, BOB, CAROL, 0 });
        return 0;
}

static inline int drop_repository(void **state) {
        repository_done(&repo);
        return 0;
}

#define COMMIT(...) repository_commit(&repo, &(struct commit_spec){ __VA_ARGS__ })

static inline struct trust_request request_of(const struct object_id *accepted, const struct object_id *tip) {
        return (struct trust_request){
                .reader = &repo.reader,
                .accepted = accepted,
                .tip = *tip,
                .root_name = "/etc/tally/allowed_signers",
                .root = only_alice,
                .root_size = strlen(only_alice),
                .now_ms = NOW_MS,
        };
}

static inline int verify(const struct object_id *accepted, const struct object_id *tip, struct trust_result *ret,
                         struct fault *reterr) {
        struct trust_request request = request_of(accepted, tip);

        return trust_verify(&request, ret, reterr);
}

static inline struct trust_result accepts(const struct object_id *accepted, const struct object_id *tip) {
        struct trust_result result = { .n_commits = 999 };

        assert_fine(verify(accepted, tip, &result, &fault));
        assert_true(object_id_equal(&result.accepted, tip));
        return result;
}

/* Refused with this code; the message names the commit by its subject, when one is given. */
static inline void refuses(const struct object_id *accepted, const struct object_id *tip, const char *code,
                           const char *subject) {
        own_fault struct fault fault = FAULT_INIT;
        struct trust_result result = { .n_commits = 999 };

        assert_fault(verify(accepted, tip, &result, &fault), &fault, code);
        assert_int_equal(fault.kind, FAULT_DENIED);
        assert_int_equal(result.n_commits, 999);
        if (subject && !strstr(fault.message, subject))
                fail_msg("expected '%s' to be named: %s", subject, fault.message);
}

static inline struct object_id with_bob_until(const char *options, struct buffer *file) {
        put_signer(file, "alice", ALICE, "");
        put_signer(file, "bob", BOB, options);
        return COMMIT("a", file->data, .seed = ALICE);
}

#define test(name) cmocka_unit_test_setup_teardown(name, make_repository, drop_repository)
