/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What tests of signatures share: keys from seeds, a security key in software, temporary folders, stock tools. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/buffer.h"
#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/process.h"
#include "shared/data/base64.h"
#include "shared/sign/sshkey.h"
#include "shared/sign/wire.h"
#include "tests/lib/temporary.h"

#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

/* @code NULL: any. */
static inline void assert_fault(int r, const struct fault *fault, const char *code) {
        assert_true(r < 0);
        assert_true(fault_is_set(fault));
        if (code && (!fault->code || strcmp(fault->code, code) != 0))
                fail_msg("expected %s, got %s: %s", code, fault->code ? fault->code : "no code", fault->message);
}

/* Assert that a call failed as it should, and forget the fault. */
#define assert_refused(expression, expected_code) \
        do { \
                own_fault struct fault fault = FAULT_INIT; \
                int r_ = (expression); \
                assert_fault(r_, &fault, (expected_code)); \
        } while (0)

/* Assert that a call went well, and show why when not. */
#define assert_fine(expression) \
        do { \
                own_fault struct fault fault = FAULT_INIT; \
                if ((expression) < 0) { \
                        fault_print(stderr, &fault); \
                        fail_msg("%s failed", #expression); \
                } \
        } while (0)

/* The pair whose seed is 32 times @byte: the vectors' keys. */
static inline struct sshkey_private key_of_seed(unsigned char byte) {
        own_buffer struct buffer blob = BUFFER_INIT;
        struct sshkey_private k = { .key = { .type = SSHKEY_ED25519 } };
        unsigned char seed[32];

        memset(seed, byte, sizeof(seed));
        assert_int_equal(crypto_sign_seed_keypair(k.key.pk, k.secret, seed), 0);
        sshkey_put_blob(&k.key, &blob);
        crypto_hash_sha256(k.key.id, (const unsigned char *)blob.data, blob.size);
        return k;
}

/* The same pair as a security key with the application "ssh:". */
static inline struct sshkey_private sk_key_of_seed(unsigned char byte) {
        own_buffer struct buffer blob = BUFFER_INIT;
        struct sshkey_private k = key_of_seed(byte);

        k.key.type = SSHKEY_SK_ED25519;
        memcpy(k.key.application, "ssh:", 5);
        sshkey_put_blob(&k.key, &blob);
        crypto_hash_sha256(k.key.id, (const unsigned char *)blob.data, blob.size);
        return k;
}

/* What a security key would make of @message: an armoured SSHSIG without a final LF. */
static inline void sk_sign(const struct sshkey_private *k, const char *namespace, const void *message, size_t size,
                           uint8_t flags, uint32_t counter, struct buffer *out) {
        own_buffer struct buffer data = BUFFER_INIT, blob = BUFFER_INIT, key = BUFFER_INIT, inner = BUFFER_INIT;
        unsigned char hash[64], application[32], digest[32], sig[64];

        crypto_hash_sha512(hash, message, size);
        buffer_puts(&data, "SSHSIG");
        buffer_put_string(&data, namespace, strlen(namespace));
        buffer_put_string(&data, "", 0);
        buffer_put_string(&data, "sha512", 6);
        buffer_put_string(&data, hash, sizeof(hash));
        crypto_hash_sha256(application, (const unsigned char *)"ssh:", 4);
        crypto_hash_sha256(digest, (const unsigned char *)data.data, data.size);
        buffer_clear(&data);
        buffer_append(&data, application, 32);
        buffer_append(&data, &flags, 1);
        buffer_put_be32(&data, counter);
        buffer_append(&data, digest, 32);
        sshkey_sign(k, data.data, data.size, sig);

        sshkey_put_blob(&k->key, &key);
        buffer_put_string(&inner, "sk-ssh-ed25519@openssh.com", 26);
        buffer_put_string(&inner, sig, sizeof(sig));
        buffer_append(&inner, &flags, 1);
        buffer_put_be32(&inner, counter);
        buffer_puts(&blob, "SSHSIG");
        buffer_put_be32(&blob, 1);
        buffer_put_string(&blob, key.data, key.size);
        buffer_put_string(&blob, namespace, strlen(namespace));
        buffer_put_string(&blob, "", 0);
        buffer_put_string(&blob, "sha512", 6);
        buffer_put_string(&blob, inner.data, inner.size);
        buffer_puts(out, "-----BEGIN SSH SIGNATURE-----\n");
        base64_encode_lines(blob.data, blob.size, 70, out);
        buffer_puts(out, "\n-----END SSH SIGNATURE-----");
}

/*
 * Folders and tools
 */

struct scratch {
        char path[TEMPORARY_MAX];
};

static inline struct scratch scratch_make(void) {
        struct scratch s;

        temporary_make(s.path);
        return s;
}

/* "folder/name", in one of a few static places. */
static inline const char *scratch_path(const struct scratch *s, const char *name) {
        static char paths[8][160];
        static unsigned next;
        char *path = paths[next++ % ELEMENTS(paths)];

        (void)snprintf(path, sizeof(paths[0]), "%s/%s", s->path, name);
        return path;
}

static inline void scratch_write(const struct scratch *s, const char *name, const void *data, size_t size) {
        assert_fine(file_write(AT_FDCWD, scratch_path(s, name), data, size, 0600, &fault));
}

static inline void scratch_read(const struct scratch *s, const char *name, struct buffer *out) {
        assert_fine(file_read(AT_FDCWD, scratch_path(s, name), 1 << 20, out, &fault));
}

/* Run a stock tool; its output to @out when that is not NULL. Returns the exit code, or -1 when it is not installed. */
static inline int run_tool(const char *const *argv, const char *const *envp, const void *input, size_t size,
                           struct buffer *out) {
        struct process_request request = { .argv = argv, .envp = envp, .input = input, .input_size = size };
        own_process_result struct process_result result = { 0 };
        own_fault struct fault fault = FAULT_INIT;

        if (process_run(&request, &result, &fault) < 0)
                return -1;
        if (out)
                buffer_append(out, buffer_str(&result.out), result.out.size);
        return result.exit_code;
}
#define RUN(out, ...) run_tool((const char *const[]){ __VA_ARGS__, NULL }, NULL, NULL, 0, (out))

static inline void scratch_remove(struct scratch *s) {
        temporary_remove(s->path);
}
#define own_scratch __attribute__((cleanup(scratch_remove)))

static inline bool have_ssh_keygen(void) {
        return RUN(NULL, "ssh-keygen", "-l", "-f", "/dev/null") >= 0;
}
static inline bool have_git(void) {
        return RUN(NULL, "git", "--version") == 0;
}
