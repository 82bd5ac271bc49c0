/* SPDX-License-Identifier: Apache-2.0 */

#include "tests/lib/group.h"
#include "tests/unit/sign/support.h"

#include "shared/base/reason.h"
#include "shared/sign/sshsig.h"

#define NAMESPACE "cd-evidence@example.org"

#define HEAD "-----BEGIN SSH SIGNATURE-----\n"
#define FOOT "-----END SSH SIGNATURE-----\n"

#define BODY_512 \
        "U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgiojj3XQJ8ZX9UtstPLpdcspnCb\n" \
        "8dlBIb83SIAbQPb1wAAAAXY2QtZXZpZGVuY2VAZXhhbXBsZS5vcmcAAAAAAAAABnNoYTUx\n" \
        "MgAAAFMAAAALc3NoLWVkMjU1MTkAAABANARVpP8Nq4feqeEKofgUJ3K0zHj2tZzIFsrsdx\n" \
        "+hPbpZY34SKDQavH+DmUTx3FHtFe4rSVHbvg73AgwE7CTBBw==\n"
#define BODY_256 \
        "U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgiojj3XQJ8ZX9UtstPLpdcspnCb\n" \
        "8dlBIb83SIAbQPb1wAAAAXY2QtZXZpZGVuY2VAZXhhbXBsZS5vcmcAAAAAAAAABnNoYTI1\n" \
        "NgAAAFMAAAALc3NoLWVkMjU1MTkAAABAppUDB3QBsBAPOPZWo0C4CzBJm6vslC9HbB+LT+\n" \
        "xK1me3KpvUuoQEXCBGIziB1hw0fSKlquCMD3rEmR5zKV8gBw==\n"
#define BODY_SK \
        "U1NIU0lHAAAAAQAAAEoAAAAac2stc3NoLWVkMjU1MTlAb3BlbnNzaC5jb20AAAAggTl3Dq\n" \
        "h9F19Wo1Rmw0x+zMuNipG07jeiXfYPW4/Js5QAAAAEc3NoOgAAAANnaXQAAAAAAAAABnNo\n" \
        "YTUxMgAAAGcAAAAac2stc3NoLWVkMjU1MTlAb3BlbnNzaC5jb20AAABAni3q2UYaffGvIU\n" \
        "yg1Xg+0c+ck99x0NoOqpvZa/T7ycB6HGaTw6qnTR4rt5/bxLAJCFBPN7+1nJDACdO3r9wT\n" \
        "BwEAAAAF\n"

static struct sshsig parse(const char *armour) {
        struct sshsig s;

        assert_fine(sshsig_parse(armour, strlen(armour), &s, &fault));
        return s;
}

static void the_vectors_verify(void **state) {
        struct sshsig s = parse(HEAD BODY_512 FOOT);

        assert_int_equal(s.hash, SSHSIG_SHA512);
        assert_string_equal(s.namespace, NAMESPACE);
        assert_fine(sshsig_verify(&s, NAMESPACE, "hello\n", 6, &fault));
        s = parse(HEAD BODY_256 FOOT);
        assert_int_equal(s.hash, SSHSIG_SHA256);
        assert_fine(sshsig_verify(&s, NAMESPACE, "hello\n", 6, &fault));
}

/*
 * The vectors give a security key's signature over a message that they don't name: its parts are what is checked here.
 */
static void security_key_signatures_give_their_flags(void **state) {
        struct sshsig s = parse(HEAD BODY_SK FOOT);

        assert_int_equal(s.key.type, SSHKEY_SK_ED25519);
        assert_string_equal(s.namespace, "git");
        assert_int_equal(s.flags, SSHSIG_USER_PRESENT);
        assert_int_equal(s.counter, 5);
}

static void security_key_signatures_verify_with_any_flags(void **state) {
        static const uint8_t flags[] = { 0, SSHSIG_USER_PRESENT, SSHSIG_USER_PRESENT | SSHSIG_USER_VERIFIED };
        struct sshkey_private k = sk_key_of_seed(2);

        for (size_t i = 0; i < ELEMENTS(flags); i++) {
                own_buffer struct buffer armour = BUFFER_INIT;
                struct sshsig s;

                sk_sign(&k, "git", "commit", 6, flags[i], 7, &armour);
                s = parse(armour.data);
                assert_int_equal(s.flags, flags[i]);
                assert_fine(sshsig_verify(&s, "git", "commit", 6, &fault));
                s.flags ^= SSHSIG_USER_VERIFIED; /* but they are what was signed */
                assert_refused(sshsig_verify(&s, "git", "commit", 6, &fault), REASON_TRUST_BAD_SIGNATURE);
        }
}

static void a_message_in_parts_is_the_message(void **state) {
        struct iovec parts[] = { { (void *)"he", 2 }, { (void *)"", 0 }, { (void *)"llo\n", 4 } };
        struct sshsig s = parse(HEAD BODY_512 FOOT);

        assert_fine(sshsig_verify_parts(&s, NAMESPACE, parts, 3, &fault));
        assert_refused(sshsig_verify_parts(&s, NAMESPACE, parts, 2, &fault), REASON_TRUST_BAD_SIGNATURE);
}

static void other_messages_namespaces_and_keys_do_not_verify(void **state) {
        struct sshsig s = parse(HEAD BODY_512 FOOT);
        struct sshkey_private other = key_of_seed(2);

        assert_refused(sshsig_verify(&s, NAMESPACE, "hello", 5, &fault), REASON_TRUST_BAD_SIGNATURE);
        assert_refused(sshsig_verify(&s, NAMESPACE, "hello\n\0", 7, &fault), REASON_TRUST_BAD_SIGNATURE);
        assert_refused(sshsig_verify(&s, "git", "hello\n", 6, &fault), REASON_TRUST_NAMESPACE);
        s.key = other.key;
        assert_refused(sshsig_verify(&s, NAMESPACE, "hello\n", 6, &fault), REASON_TRUST_BAD_SIGNATURE);
}

static void a_renamed_namespace_does_not_verify(void **state) {
        struct sshsig s = parse(HEAD BODY_512 FOOT);

        memcpy(s.namespace, "git", 4);
        assert_refused(sshsig_verify(&s, "git", "hello\n", 6, &fault), REASON_TRUST_BAD_SIGNATURE);
}

static void lines_of_any_width_and_no_final_line_end_are_fine(void **state) {
        (void)parse(HEAD BODY_512 "-----END SSH SIGNATURE-----");
        (void)parse(
                HEAD
                "U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgiojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1wAAAAXY2QtZXZ"
                "pZGVuY2VAZXhhbXBsZS5vcmcAAAAAAAAABnNoYTUxMgAAAFMAAAALc3NoLWVkMjU1MTkAAABANARVpP8Nq4feqeEKofgUJ3K0zHj2t"
                "ZzIFsrsdx+hPbpZY34SKDQavH+DmUTx3FHtFe4rSVHbvg73AgwE7CTBBw==\n" FOOT);
}

static void armour_that_is_not_ours_is_refused(void **state) {
        static const char *const bad[] = {
                "",
                "\n" HEAD BODY_512 FOOT,
                " " HEAD BODY_512 FOOT,
                "x\n" HEAD BODY_512 FOOT,
                HEAD BODY_512 FOOT "\n",
                HEAD BODY_512 FOOT "x",
                HEAD BODY_512 FOOT HEAD BODY_512 FOOT,
                HEAD FOOT,
                HEAD "\n" FOOT,
                HEAD "\n" BODY_512 FOOT,
                HEAD BODY_512 "\n" FOOT,
                HEAD BODY_512,
                HEAD BODY_512 "-----END SSH SIGNATURE----",
                "-----BEGIN SSH SIGNATURE-----" BODY_512 FOOT,
                HEAD "AAAA" FOOT,
                HEAD "AA AA\n" FOOT,
                HEAD "AA\tAA\n" FOOT,
                HEAD "====\n" FOOT,
        };
        struct sshsig s;

        for (size_t i = 0; i < ELEMENTS(bad); i++)
                assert_refused(sshsig_parse(bad[i], strlen(bad[i]), &s, &fault), REASON_TRUST_BAD_SIGNATURE);
}

static void carriage_returns_are_refused(void **state) {
        own_buffer struct buffer crlf = BUFFER_INIT;
        struct sshsig s;

        for (const char *p = HEAD BODY_512 FOOT; *p; p++) {
                if (*p == '\n')
                        buffer_putc(&crlf, '\r');
                buffer_putc(&crlf, *p);
        }
        assert_refused(sshsig_parse(crlf.data, crlf.size, &s, &fault), REASON_TRUST_BAD_SIGNATURE);
}

/* "BBw==" and "BBx==" decode to the same bytes in a lenient decoder. */
static void base64_with_left_over_bits_is_refused(void **state) {
        char armour[] = HEAD BODY_512 FOOT;
        struct sshsig s;
        char *w = strstr(armour, "Bw==");

        assert_non_null(w);
        w[1] = 'x';
        assert_refused(sshsig_parse(armour, strlen(armour), &s, &fault), REASON_TRUST_BAD_SIGNATURE);
}

static void other_kinds_of_signatures_are_named(void **state) {
        static const char pgp[] = "-----BEGIN PGP SIGNATURE-----\n\niQ==\n-----END PGP SIGNATURE-----\n";
        static const char cms[] = "-----BEGIN SIGNED MESSAGE-----\nMIA=\n-----END SIGNED MESSAGE-----\n";
        struct sshsig s;

        assert_refused(sshsig_parse(pgp, strlen(pgp), &s, &fault), REASON_TRUST_ALGORITHM);
        assert_refused(sshsig_parse(cms, strlen(cms), &s, &fault), REASON_TRUST_ALGORITHM);
}

/*
 * Blobs
 */

struct blob_parts {
        uint32_t version;
        const char *namespace, *reserved, *hash, *type, *after, *inner_after;
        size_t sig_size;
};

static const struct blob_parts plain_parts = { 1, "git", "", "sha512", "ssh-ed25519", "", "", 64 };

/* A blob with the parts as given: right in everything but the signature's bytes. */
static void put_blob(const struct blob_parts *p, struct buffer *out) {
        own_buffer struct buffer key = BUFFER_INIT, inner = BUFFER_INIT;
        struct sshkey_private k = key_of_seed(1);
        unsigned char sig[80] = { 0 };

        sshkey_put_blob(&k.key, &key);
        buffer_put_string(&inner, p->type, strlen(p->type));
        buffer_put_string(&inner, sig, p->sig_size);
        buffer_puts(&inner, p->inner_after);
        buffer_puts(out, "SSHSIG");
        buffer_put_be32(out, p->version);
        buffer_put_string(out, key.data, key.size);
        buffer_put_string(out, p->namespace, strlen(p->namespace));
        buffer_put_string(out, p->reserved, strlen(p->reserved));
        buffer_put_string(out, p->hash, strlen(p->hash));
        buffer_put_string(out, inner.data, inner.size);
        buffer_puts(out, p->after);
}

static void blobs_are_read_to_the_last_byte(void **state) {
        static const struct {
                struct blob_parts parts;
                const char *code;
        } bad[] = {
                { { 0, "git", "", "sha512", "ssh-ed25519", "", "", 64 }, REASON_TRUST_BAD_SIGNATURE },
                { { 2, "git", "", "sha512", "ssh-ed25519", "", "", 64 }, REASON_TRUST_BAD_SIGNATURE },
                { { 1, "", "", "sha512", "ssh-ed25519", "", "", 64 }, REASON_TRUST_BAD_SIGNATURE },
                { { 1, "git", "junk", "sha512", "ssh-ed25519", "", "", 64 }, REASON_TRUST_BAD_SIGNATURE },
                { { 1, "git", "", "sha1", "ssh-ed25519", "", "", 64 }, REASON_TRUST_ALGORITHM },
                { { 1, "git", "", "SHA512", "ssh-ed25519", "", "", 64 }, REASON_TRUST_ALGORITHM },
                { { 1, "git", "", "sha512", "ssh-rsa", "", "", 64 }, REASON_TRUST_ALGORITHM },
                { { 1, "git", "", "sha512", "sk-ssh-ed25519@openssh.com", "", "", 64 }, REASON_TRUST_ALGORITHM },
                { { 1, "git", "", "sha512", "webauthn-sk-ecdsa-sha2-nistp256@openssh.com", "", "", 64 },
                  REASON_TRUST_ALGORITHM },
                { { 1, "git", "", "sha512", "ssh-ed25519", "x", "", 64 }, REASON_TRUST_BAD_SIGNATURE },
                { { 1, "git", "", "sha512", "ssh-ed25519", "", "x", 64 }, REASON_TRUST_BAD_SIGNATURE },
                { { 1, "git", "", "sha512", "ssh-ed25519", "", "", 63 }, REASON_TRUST_BAD_SIGNATURE },
                { { 1, "git", "", "sha512", "ssh-ed25519", "", "", 65 }, REASON_TRUST_BAD_SIGNATURE },
        };
        own_buffer struct buffer blob = BUFFER_INIT;
        struct sshsig s;

        put_blob(&plain_parts, &blob);
        assert_fine(sshsig_parse_blob(blob.data, blob.size, &s, &fault));
        for (size_t n = 0; n < blob.size; n++)
                assert_refused(sshsig_parse_blob(blob.data, n, &s, &fault), NULL);
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                buffer_clear(&blob);
                put_blob(&bad[i].parts, &blob);
                assert_refused(sshsig_parse_blob(blob.data, blob.size, &s, &fault), bad[i].code);
        }
}

static void an_all_zero_signature_does_not_verify(void **state) {
        own_buffer struct buffer blob = BUFFER_INIT;
        struct sshsig s;

        put_blob(&plain_parts, &blob);
        assert_fine(sshsig_parse_blob(blob.data, blob.size, &s, &fault));
        assert_refused(sshsig_verify(&s, "git", "", 0, &fault), REASON_TRUST_BAD_SIGNATURE);
}

/*
 * Writing, and the stock tool
 */

static void we_sign_to_the_byte_as_the_vector(void **state) {
        struct sshkey_private k = key_of_seed(1);
        own_buffer struct buffer armour = BUFFER_INIT;

        assert_fine(sshsig_sign(&k, NAMESPACE, "hello\n", 6, &armour, &fault));
        assert_string_equal(buffer_str(&armour), HEAD BODY_512 FOOT);
}

/* Every length of namespace, so that the last line ends at every column, 70 too. */
static void we_sign_to_the_byte_as_ssh_keygen(void **state) {
        if (!have_ssh_keygen())
                skip();

        own_scratch struct scratch s = scratch_make();
        own_secret struct buffer text = BUFFER_INIT;
        own_sshkey struct sshkey_private k = { 0 };
        char namespace[64];

        assert_fine(sshkey_generate("", &k, &fault));
        sshkey_private_write(&k, &text);
        scratch_write(&s, "key", text.data, text.size);
        scratch_write(&s, "message", "hello\n", 6);
        for (size_t n = 1; n < 60; n += n < 50 ? 7 : 1) {
                own_buffer struct buffer ours = BUFFER_INIT, theirs = BUFFER_INIT;

                memset(namespace, 'n', n);
                namespace[n] = '\0';
                (void)RUN(NULL, "rm", "-f", scratch_path(&s, "message.sig"));
                assert_int_equal(RUN(NULL, "ssh-keygen", "-Y", "sign", "-f", scratch_path(&s, "key"), "-n", namespace,
                                     scratch_path(&s, "message")),
                                 0);
                scratch_read(&s, "message.sig", &theirs);
                assert_fine(sshsig_sign(&k, namespace, "hello\n", 6, &ours, &fault));
                assert_string_equal(buffer_str(&ours), buffer_str(&theirs));
        }
}

static void ssh_keygen_verifies_what_we_sign(void **state) {
        if (!have_ssh_keygen())
                skip();

        own_scratch struct scratch s = scratch_make();
        own_buffer struct buffer armour = BUFFER_INIT, signers = BUFFER_INIT;
        own_sshkey struct sshkey_private k = { 0 };
        const char *argv[] = { "ssh-keygen",     "-Y", "verify", "-f", NULL, "-I",
                               "me@example.org", "-n", "git",    "-s", NULL, NULL };

        assert_fine(sshkey_generate("", &k, &fault));
        assert_fine(sshsig_sign(&k, "git", "hello\n", 6, &armour, &fault));
        buffer_puts(&signers, "me@example.org namespaces=\"git\" ");
        sshkey_put_line(&k.key, NULL, &signers);
        buffer_putc(&signers, '\n');
        scratch_write(&s, "sig", armour.data, armour.size);
        scratch_write(&s, "signers", signers.data, signers.size);
        argv[4] = scratch_path(&s, "signers");
        argv[10] = scratch_path(&s, "sig");
        assert_int_equal(run_tool(argv, NULL, "hello\n", 6, NULL), 0);
        assert_int_not_equal(run_tool(argv, NULL, "hullo\n", 6, NULL), 0);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_verify),
        cmocka_unit_test(security_key_signatures_give_their_flags),
        cmocka_unit_test(security_key_signatures_verify_with_any_flags),
        cmocka_unit_test(a_message_in_parts_is_the_message),
        cmocka_unit_test(other_messages_namespaces_and_keys_do_not_verify),
        cmocka_unit_test(a_renamed_namespace_does_not_verify),
        cmocka_unit_test(lines_of_any_width_and_no_final_line_end_are_fine),
        cmocka_unit_test(armour_that_is_not_ours_is_refused),
        cmocka_unit_test(carriage_returns_are_refused),
        cmocka_unit_test(base64_with_left_over_bits_is_refused),
        cmocka_unit_test(other_kinds_of_signatures_are_named),
        cmocka_unit_test(blobs_are_read_to_the_last_byte),
        cmocka_unit_test(an_all_zero_signature_does_not_verify),
        cmocka_unit_test(we_sign_to_the_byte_as_the_vector),
        cmocka_unit_test(we_sign_to_the_byte_as_ssh_keygen),
        cmocka_unit_test(ssh_keygen_verifies_what_we_sign),
};

TEST_GROUP(sshsig, tests);
