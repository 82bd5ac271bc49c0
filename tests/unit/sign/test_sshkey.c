/* SPDX-License-Identifier: Apache-2.0 */

#include "tests/lib/group.h"
#include "tests/unit/sign/support.h"

#include "shared/base/reason.h"

#define LINE_01 "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c"
#define LINE_SK02 \
        "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOUAAAABHNzaDo="

static void lines_are_read_as_the_vectors_say(void **state) {
        char fingerprint[FINGERPRINT_TEXT_MAX], hex[65];
        struct sshkey k;

        assert_fine(sshkey_parse(LINE_01 " ops@example.org", &k, &fault));
        assert_int_equal(k.type, SSHKEY_ED25519);
        assert_string_equal(sodium_bin2hex(hex, sizeof(hex), k.pk, 32),
                            "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c");
        assert_string_equal(sshkey_fingerprint(&k, fingerprint), "SHA256:fe85JkIjo8VPe+XqXJGH5Mau1EMFdK1OdKvJUFicyA8");
}

static void security_keys_keep_their_application(void **state) {
        own_buffer struct buffer line = BUFFER_INIT;
        struct sshkey k;

        assert_fine(sshkey_parse(LINE_SK02, &k, &fault));
        assert_int_equal(k.type, SSHKEY_SK_ED25519);
        assert_string_equal(k.application, "ssh:");
        sshkey_put_line(&k, NULL, &line);
        assert_string_equal(buffer_str(&line), LINE_SK02);
}

static void a_written_line_is_the_line_that_was_read(void **state) {
        own_buffer struct buffer line = BUFFER_INIT;
        struct sshkey_private k = key_of_seed(1);

        sshkey_put_line(&k.key, "tally@web1", &line);
        assert_string_equal(buffer_str(&line), LINE_01 " tally@web1");
}

static void malformed_lines_are_refused(void **state) {
        static const char *const bad[] = {
                "",
                "ssh-ed25519",
                "ssh-ed25519 ",
                "AAAA",
                " " LINE_01,
                "ssh-ed25519\tAAAA",
                "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D2", /* cut off */
                /* bytes follow */
                "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29cAA==",
                /* other alphabet */
                "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIqI4910CfGV_VLbLTy6XXLKZwm_HZQSG_N0iAG0D29c",
                "sk-ssh-ed25519@openssh.com AAAAC3NzaC1lZDI1NTE5AAAAIIqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c",
                LINE_01 "\n" LINE_01,
        };
        struct sshkey k;

        for (size_t i = 0; i < ELEMENTS(bad); i++)
                assert_refused(sshkey_parse(bad[i], &k, &fault), NULL);
}

static void other_key_types_are_refused_by_name(void **state) {
        struct sshkey k;

        assert_refused(sshkey_parse("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC7", &k, &fault), REASON_TRUST_ALGORITHM);
        assert_refused(sshkey_parse("ssh-ed25519-cert-v01@openssh.com AAAA", &k, &fault), REASON_TRUST_ALGORITHM);
}

static void generated_keys_differ_and_sign(void **state) {
        own_sshkey struct sshkey_private a = { 0 }, b = { 0 };
        unsigned char sig[64];

        assert_fine(sshkey_generate("a", &a, &fault));
        assert_fine(sshkey_generate(NULL, &b, &fault));
        assert_false(sshkey_equal(&a.key, &b.key));
        sshkey_sign(&a, "x", 1, sig);
        assert_int_equal(crypto_sign_verify_detached(sig, (const unsigned char *)"x", 1, a.key.pk), 0);
        assert_int_not_equal(crypto_sign_verify_detached(sig, (const unsigned char *)"x", 1, b.key.pk), 0);
}

static void private_keys_are_read_as_written(void **state) {
        own_sshkey struct sshkey_private k = { 0 }, back = { 0 };
        own_secret struct buffer text = BUFFER_INIT;
        char comment[40];

        /* Comments of every length: each padding from none to seven bytes. */
        for (int n = 0; n < 20; n++) {
                memset(comment, 'c', (size_t)n);
                comment[n] = '\0';
                assert_fine(sshkey_generate(comment, &k, &fault));
                buffer_clear(&text);
                sshkey_private_write(&k, &text);
                assert_fine(sshkey_private_read(text.data, text.size, &back, &fault));
                assert_true(sshkey_equal(&k.key, &back.key));
                assert_memory_equal(k.secret, back.secret, 64);
                assert_string_equal(back.comment, comment);
        }
}

/* Decode the armour, change a byte, encode again. */
static void change_private(const struct buffer *text, size_t at, struct buffer *out) {
        static const char head[] = "-----BEGIN OPENSSH PRIVATE KEY-----\n",
                          foot[] = "\n-----END OPENSSH PRIVATE KEY-----\n";
        own_buffer struct buffer joined = BUFFER_INIT, blob = BUFFER_INIT;

        for (size_t i = sizeof(head) - 1; i < text->size - (sizeof(foot) - 1); i++)
                if (text->data[i] != '\n')
                        buffer_putc(&joined, text->data[i]);
        assert_int_equal(base64_decode(joined.data, joined.size, false, &blob), 0);
        blob.data[at % blob.size] ^= 0x20;
        buffer_puts(out, head);
        base64_encode_lines(blob.data, blob.size, 70, out);
        buffer_puts(out, foot);
}

/* Of 184 bytes, only those of the comment may differ without notice. */
static void private_keys_with_a_wrong_byte_are_refused(void **state) {
        own_sshkey struct sshkey_private k = { 0 }, back = { 0 };
        own_secret struct buffer text = BUFFER_INIT;
        unsigned taken = 0;

        assert_fine(sshkey_generate("comment", &k, &fault));
        sshkey_private_write(&k, &text);
        for (size_t at = 0; at < 200; at++) {
                own_secret struct buffer changed = BUFFER_INIT;
                own_fault struct fault fault = FAULT_INIT;

                change_private(&text, at, &changed);
                taken += sshkey_private_read(changed.data, changed.size, &back, &fault) == 0;
        }
        assert_true(taken <= 9);
}

static void refusals_of_private_keys_do_not_show_them(void **state) {
        own_fault struct fault fault = FAULT_INIT;
        struct sshkey_private k;

        assert_true(sshkey_private_read("secret-looking-text", 19, &k, &fault) < 0);
        assert_null(strstr(fault.message, "secret-looking"));
        assert_int_equal(fault.kind, FAULT_CONFIG);
}

static void wiping_leaves_no_secret(void **state) {
        struct sshkey_private k = key_of_seed(1);
        static const unsigned char zero[64];

        sshkey_private_wipe(&k);
        assert_memory_equal(k.secret, zero, 64);
}

static void ssh_keygen_reads_what_we_write(void **state) {
        if (!have_ssh_keygen())
                skip();

        own_scratch struct scratch s = scratch_make();
        own_secret struct buffer text = BUFFER_INIT;
        own_buffer struct buffer line = BUFFER_INIT, said = BUFFER_INIT, fingerprint = BUFFER_INIT;
        own_sshkey struct sshkey_private k = { 0 };
        char buf[FINGERPRINT_TEXT_MAX];

        assert_fine(sshkey_generate("tally@web1", &k, &fault));
        sshkey_private_write(&k, &text);
        scratch_write(&s, "key", text.data, text.size);
        assert_int_equal(RUN(&said, "ssh-keygen", "-y", "-f", scratch_path(&s, "key")), 0);
        sshkey_put_line(&k.key, "tally@web1", &line);
        buffer_putc(&line, '\n');
        assert_string_equal(buffer_str(&said), buffer_str(&line));
        assert_int_equal(RUN(&fingerprint, "ssh-keygen", "-l", "-f", scratch_path(&s, "key")), 0);
        assert_non_null(strstr(buffer_str(&fingerprint), sshkey_fingerprint(&k.key, buf)));
}

static void we_read_what_ssh_keygen_writes(void **state) {
        if (!have_ssh_keygen())
                skip();

        own_scratch struct scratch s = scratch_make();
        own_secret struct buffer text = BUFFER_INIT, locked = BUFFER_INIT;
        own_buffer struct buffer line = BUFFER_INIT;
        own_sshkey struct sshkey_private k = { 0 };
        struct sshkey public;

        assert_int_equal(RUN(NULL, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "a b", "-f",
                             scratch_path(&s, "key")),
                         0);
        scratch_read(&s, "key", &text);
        assert_fine(sshkey_private_read(text.data, text.size, &k, &fault));
        assert_string_equal(k.comment, "a b");
        scratch_read(&s, "key.pub", &line);
        line.data[line.size - 1] = '\0';
        assert_fine(sshkey_parse(line.data, &public, &fault));
        assert_true(sshkey_equal(&k.key, &public));

        assert_int_equal(RUN(NULL, "ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f",
                             scratch_path(&s, "locked")),
                         0);
        scratch_read(&s, "locked", &locked);
        assert_refused(sshkey_private_read(locked.data, locked.size, &k, &fault), NULL);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_read_as_the_vectors_say),
        cmocka_unit_test(security_keys_keep_their_application),
        cmocka_unit_test(a_written_line_is_the_line_that_was_read),
        cmocka_unit_test(malformed_lines_are_refused),
        cmocka_unit_test(other_key_types_are_refused_by_name),
        cmocka_unit_test(generated_keys_differ_and_sign),
        cmocka_unit_test(private_keys_are_read_as_written),
        cmocka_unit_test(private_keys_with_a_wrong_byte_are_refused),
        cmocka_unit_test(refusals_of_private_keys_do_not_show_them),
        cmocka_unit_test(wiping_leaves_no_secret),
        cmocka_unit_test(ssh_keygen_reads_what_we_write),
        cmocka_unit_test(we_read_what_ssh_keygen_writes),
};

TEST_GROUP(sshkey, tests);
