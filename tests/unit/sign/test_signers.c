/* SPDX-License-Identifier: Apache-2.0 */

#include "tests/lib/group.h"
#include "tests/unit/sign/support.h"

#include <time.h>

#include "shared/base/clock.h"
#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/sign/signers.h"
#include "shared/sign/sshsig.h"

/* The key whose seed is 32 times the number. */
#define KEY_01 "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c"
#define KEY_SK \
        "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOUAAAABHNzaDo="
#define RSA "ssh-rsa AAAAB3NzaC1yc2EAAAADAQAB"

static struct arena *arena;

static int make_arena(void **state) {
        arena = arena_new();
        return 0;
}

static int drop_arena(void **state) {
        arena_free(arena);
        arena = NULL;
        return 0;
}

static struct signers parse(const char *text) {
        struct signers s;

        assert_fine(signers_parse("signers", text, strlen(text), arena, &s, &fault));
        return s;
}

static const char *principal_of(const char *text, unsigned char seed, const char *namespace, int64_t at_ms) {
        struct signers s = parse(text);
        struct sshkey_private k = key_of_seed(seed);
        const struct signer *line = NULL;

        assert_fine(signers_find(&s, &k.key, namespace, at_ms, &line, &fault));
        return line->principal;
}

static void assert_nobody(const char *text, unsigned char seed, const char *namespace, int64_t at_ms,
                          const char *code) {
        struct signers s = parse(text);
        struct sshkey_private k = key_of_seed(seed);
        const struct signer *line = NULL;

        assert_refused(signers_find(&s, &k.key, namespace, at_ms, &line, &fault), code);
        assert_null(line);
}

static void lines_comments_and_blanks_are_read(void **state) {
        struct signers s = parse("# the team\n\n  \t\n  # indented\n"
                                 "alice@example.org " KEY_01 " a comment # of any kind\n"
                                 "\tbob@example.org\tnamespaces=\"git\"  " KEY_SK "\r\n"
                                 "ca@example.org cert-authority " KEY_01);

        assert_int_equal(s.n, 3);
        assert_int_equal(s.lines[0].line, 5);
        assert_string_equal(s.lines[0].principal, "alice@example.org");
        assert_null(s.lines[0].namespaces);
        assert_int_equal(s.lines[1].type, SSHKEY_SK_ED25519);
        assert_string_equal(s.lines[1].namespaces, "git");
        assert_true(s.lines[2].cert_authority);
}

static void an_empty_file_is_valid_and_knows_nobody(void **state) {
        assert_int_equal(parse("").n, 0);
        assert_int_equal(parse("# nobody\n").n, 0);
        assert_nobody("", 1, "git", 0, REASON_TRUST_UNKNOWN_SIGNER);
}

static void the_first_line_that_fits_wins(void **state) {
        static const char text[] = "old@x namespaces=\"git\",valid-before=\"20200101Z\" " KEY_01 "\n"
                                   "files@x namespaces=\"file\" " KEY_01 "\n"
                                   "first@x " KEY_01 "\nsecond@x " KEY_01 "\n";

        assert_string_equal(principal_of(text, 1, "git", 1577836799000), "old@x");
        assert_string_equal(principal_of(text, 1, "git", 1800000000000), "first@x");
        assert_string_equal(principal_of(text, 1, "file", 0), "files@x");
}

static void the_reason_for_a_refusal_is_told_apart(void **state) {
        static const char text[] = "a@x namespaces=\"file\" " KEY_01 "\n"
                                   "a@x namespaces=\"git\",valid-after=\"20300101Z\" " KEY_01 "\n";

        assert_nobody(text, 2, "git", 0, REASON_TRUST_UNKNOWN_SIGNER);
        assert_nobody(text, 1, "mail", 0, REASON_TRUST_NAMESPACE);
        assert_nobody(text, 1, "git", 0, REASON_TRUST_EXPIRED);
}

static void namespaces_are_pattern_lists(void **state) {
        assert_string_equal(principal_of("a namespaces=\"mail,git\" " KEY_01, 1, "git", 0), "a");
        assert_string_equal(principal_of("a namespaces=\"*@example.org\" " KEY_01, 1, "cd@example.org", 0), "a");
        assert_nobody("a namespaces=\"*,!git\" " KEY_01, 1, "git", 0, REASON_TRUST_NAMESPACE);
        assert_nobody("a namespaces=\"!git\" " KEY_01, 1, "mail", 0, REASON_TRUST_NAMESPACE);
        assert_nobody("a namespaces=\"Git\" " KEY_01, 1, "git", 0, REASON_TRUST_NAMESPACE);
}

static void times_are_inclusive_to_the_second(void **state) {
        static const char text[] = "a valid-after=\"20250101000000Z\",valid-before=\"20250101000010Z\" " KEY_01;

        assert_nobody(text, 1, "git", 1735689599999, REASON_TRUST_EXPIRED);
        assert_string_equal(principal_of(text, 1, "git", 1735689600000), "a");
        assert_string_equal(principal_of(text, 1, "git", 1735689610999), "a");
        assert_nobody(text, 1, "git", 1735689611000, REASON_TRUST_EXPIRED);
}

static void times_have_three_forms(void **state) {
        struct signers s = parse("a valid-after=\"20250102Z\" " KEY_01 "\na valid-after=\"202501020304Z\" " KEY_01 "\n"
                                 "a valid-after=\"20250102030405z\" " KEY_01);

        assert_int_equal(s.lines[0].valid_after_ms, 1735776000000);
        assert_int_equal(s.lines[1].valid_after_ms, 1735787040000);
        assert_int_equal(s.lines[2].valid_after_ms, 1735787045000);
}

/* As in OpenSSH: the zone's standard time, so +1 h in Berlin in July, too. */
static void times_without_z_are_local_standard_time(void **state) {
        struct signers s;

        assert_int_equal(setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1), 0);
        tzset();
        s = parse("a valid-after=\"20250115120000\" " KEY_01 "\na valid-after=\"20250715120000\" " KEY_01);
        assert_int_equal(unsetenv("TZ"), 0);
        tzset();
        assert_int_equal(s.lines[0].valid_after_ms, 1736938800000);
        assert_int_equal(s.lines[1].valid_after_ms, 1752577200000);
}

static void all_times_must_lie_inside(void **state) {
        static const char text[] =
                "old valid-before=\"20250101Z\" " KEY_01 "\nnew valid-after=\"20250102Z\" " KEY_01 "\n";
        struct signers s = parse(text);
        struct sshkey_private k = key_of_seed(1);
        int64_t both[] = { 1800000000000, 1600000000000 };
        const struct signer *line;

        /* Each line is valid at one of them, none at both. */
        assert_refused(signers_find_at(&s, &k.key, "git", both, 2, &line, &fault), REASON_TRUST_EXPIRED);
        assert_fine(signers_find_at(&s, &k.key, "git", both, 1, &line, &fault));
        assert_string_equal(line->principal, "new");
        assert_fine(signers_find_at(&s, &k.key, "git", NULL, 0, &line, &fault));
        assert_string_equal(line->principal, "old");
}

static void principals_are_persons_before_patterns(void **state) {
        assert_string_equal(principal_of("*@example.org " KEY_01, 1, "git", 0), "*@example.org");
        assert_string_equal(principal_of("*@example.org,alice@example.org " KEY_01, 1, "git", 0), "alice@example.org");
        assert_string_equal(principal_of("!bob,alice,carol " KEY_01, 1, "git", 0), "alice");
        assert_string_equal(principal_of("\"alice smith\" " KEY_01, 1, "git", 0), "alice smith");
}

static void a_line_that_negates_its_own_principals_matches_nobody(void **state) {
        assert_nobody("alice,!alice " KEY_01, 1, "git", 0, REASON_TRUST_UNKNOWN_SIGNER);
        assert_nobody("alice,!a* " KEY_01, 1, "git", 0, REASON_TRUST_UNKNOWN_SIGNER);
        assert_nobody("!bob " KEY_01, 1, "git", 0, REASON_TRUST_UNKNOWN_SIGNER);
}

static void certificate_authorities_and_other_keys_match_nothing(void **state) {
        struct signers s = parse("a cert-authority " KEY_01 "\nb " RSA "\n");

        assert_int_equal(s.lines[1].type, SSHKEY_OTHER);
        assert_string_equal(s.lines[1].type_name, "ssh-rsa");
        assert_int_equal(signers_count(&s, "git"), 0);
        assert_nobody("a cert-authority " KEY_01 "\n", 1, "git", 0, REASON_TRUST_UNKNOWN_SIGNER);
}

static void keys_are_known_whatever_their_lines_allow(void **state) {
        struct signers s = parse("a namespaces=\"file\",valid-before=\"19800101Z\" " KEY_01);
        struct sshkey_private one = key_of_seed(1), two = key_of_seed(2);

        assert_true(signers_know(&s, &one.key));
        assert_false(signers_know(&s, &two.key));
        assert_int_equal(signers_count(&s, "git"), 0);
        assert_int_equal(signers_count(&s, "file"), 1);
}

static void a_security_key_is_not_the_plain_key_of_the_same_bytes(void **state) {
        struct signers s = parse("a " KEY_SK);
        struct sshkey_private plain = key_of_seed(2), sk = sk_key_of_seed(2);
        const struct signer *line;

        assert_refused(signers_find(&s, &plain.key, "git", 0, &line, &fault), REASON_TRUST_UNKNOWN_SIGNER);
        assert_fine(signers_find(&s, &sk.key, "git", 0, &line, &fault));
}

struct bad_row {
        const char *text;
        unsigned line, column;
};

static const struct bad_row bad_rows[] = {
        { "alice", 1, 6 },
        { "alice ", 1, 7 },
        { "alice ssh-ed25519", 1, 18 },
        { "alice ssh-ed25519 ", 1, 19 },
        { "alice ssh-ed25519 AAAA", 1, 19 },
        { "alice ssh-ed25519 !!!!", 1, 19 },
        { "alice ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIIqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c", 1, 15 },
        { "alice ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29cAA==", 1, 19 },
        { "alice " KEY_01 "\nbob what=\"x\" " KEY_01, 2, 5 },
        { "alice namespace=\"git\" " KEY_01, 1, 7 },
        { "alice namespaces=git " KEY_01, 1, 18 },
        { "alice namespaces=\"git " KEY_01, 1, 18 },
        { "alice namespaces=\"\" " KEY_01, 1, 19 },
        { "alice namespaces=\"git,\" " KEY_01, 1, 19 },
        { "alice namespaces=\"a\",namespaces=\"b\" " KEY_01, 1, 22 },
        { "alice cert-authority,cert-authority " KEY_01, 1, 22 },
        { "alice valid-after=\"20250101Z\",valid-after=\"20250101Z\" " KEY_01, 1, 31 },
        { "alice namespaces=\"a\", " KEY_01, 1, 22 },
        { "alice namespaces=\"a\"x " KEY_01, 1, 21 },
        { "alice cert-authorityx " KEY_01, 1, 21 },
        { "alice cert-authority", 1, 21 },
        { "alice valid-after=\"2025\" " KEY_01, 1, 20 },
        { "alice valid-after=\"20251301Z\" " KEY_01, 1, 20 },
        { "alice valid-after=\"20250230Z\" " KEY_01, 1, 20 },
        { "alice valid-after=\"202501012400Z\" " KEY_01, 1, 20 },
        { "alice valid-after=\"20250101X\" " KEY_01, 1, 20 },
        { "alice valid-after=\"20250101ZZ\" " KEY_01, 1, 20 },
        { "alice valid-after=\"\" " KEY_01, 1, 20 },
        { "alice valid-after=\"20250102Z\",valid-before=\"20250101Z\" " KEY_01, 1, 7 },
        { "alice valid-after=\"20250101Z\",valid-before=\"20250101Z\" " KEY_01, 1, 7 },
        { "alice,,bob " KEY_01, 1, 7 },
        { "alice,! " KEY_01, 1, 7 },
        { ",alice " KEY_01, 1, 1 },
        { "\"alice " KEY_01, 1, 1 },
        { "\"alice\"bob " KEY_01, 1, 8 },
        { KEY_01, 1, 13 },
        { "\xc3\xa4lice wrong " KEY_01, 1, 7 },
        { "bob " KEY_01 "\nren\xe9@example " KEY_01, 2, 1 },
        { "\"alice,ren\xe9\" " KEY_01, 1, 2 },
};

static void any_malformed_line_refuses_the_file_at_its_place(void **state) {
        for (size_t i = 0; i < ELEMENTS(bad_rows); i++) {
                own_fault struct fault fault = FAULT_INIT;
                const struct bad_row *row = &bad_rows[i];
                struct signers s;

                if (signers_parse("signers", row->text, strlen(row->text), arena, &s, &fault) == 0)
                        fail_msg("'%s' was taken", row->text);
                assert_string_equal(fault.code, REASON_TRUST_SIGNERS_INVALID);
                assert_int_equal(fault.kind, FAULT_CONFIG);
                assert_string_equal(fault.path, "signers");
                assert_non_null(fault.excerpt);
                if (fault.line != row->line || fault.column != row->column)
                        fail_msg("'%s' was refused at %u:%u: %s", row->text, fault.line, fault.column, fault.message);
        }
}

static void a_broken_narrow_line_does_not_fall_through_to_a_broad_one(void **state) {
        static const char text[] = "a namespaces=\"file\",valid-befor=\"20200101\" " KEY_01 "\na " KEY_01 "\n";
        struct signers s;

        assert_refused(signers_parse("signers", text, strlen(text), arena, &s, &fault), REASON_TRUST_SIGNERS_INVALID);
}

static void a_nul_byte_and_too_much_are_refused(void **state) {
        static const char nul[] = "a " KEY_01 "\0\n";
        own_buffer struct buffer large = BUFFER_INIT, many = BUFFER_INIT;
        struct signers s;

        assert_refused(signers_parse("signers", nul, sizeof(nul) - 1, arena, &s, &fault), REASON_TRUST_SIGNERS_INVALID);
        while (large.size <= LIMIT_SIGNERS_BYTES)
                buffer_puts(&large, "# comment\n");
        assert_refused(signers_parse("signers", large.data, large.size, arena, &s, &fault),
                       REASON_TRUST_SIGNERS_INVALID);
        for (int i = 0; i <= LIMIT_SIGNERS_LINES; i++)
                buffer_puts(&many, "a " KEY_01 "\n");
        assert_refused(signers_parse("signers", many.data, many.size, arena, &s, &fault), REASON_TRUST_SIGNERS_INVALID);
}

static void ten_thousand_lines_are_looked_up_quickly(void **state) {
        own_buffer struct buffer text = BUFFER_INIT;
        struct sshkey_private k = key_of_seed(1);
        const struct signer *line = NULL;
        struct signers s;
        int64_t start;

        for (uint32_t i = 0; i < LIMIT_SIGNERS_LINES; i++) {
                struct sshkey_private other = k;

                memcpy(other.key.pk, &i, sizeof(i));
                buffer_printf(&text, "user%u@example.org namespaces=\"git\" ", i);
                sshkey_put_line(i == 7777 ? &k.key : &other.key, NULL, &text);
                buffer_putc(&text, '\n');
        }
        start = clock_monotonic_ns();
        assert_fine(signers_parse("signers", text.data, text.size, arena, &s, &fault));
        for (int i = 0; i < 100000; i++)
                assert_fine(signers_find(&s, &k.key, "git", 0, &line, &fault));
        assert_string_equal(line->principal, "user7777@example.org");
        assert_true(clock_monotonic_ns() - start < 10000000000);
}

/*
 * The stock tool, as the judge of what a line means
 */

struct agree_row {
        const char *options; /* between the principals and the key */
        const char *namespace;
        const char *time; /* -Overify-time, UTC */
        int64_t at_ms;
};

static const struct agree_row agree_rows[] = {
        { "", "git", "20250101000000Z", 1735689600000 },
        { "namespaces=\"git\"", "git", "20250101000000Z", 1735689600000 },
        { "NameSpaces=\"git\"", "git", "20250101000000Z", 1735689600000 },
        { "namespaces=\"file\"", "git", "20250101000000Z", 1735689600000 },
        { "namespaces=\"*,!git\"", "git", "20250101000000Z", 1735689600000 },
        { "namespaces=\"g?t\"", "git", "20250101000000Z", 1735689600000 },
        { "valid-after=\"20250101Z\"", "git", "20250101000000Z", 1735689600000 },
        { "valid-after=\"20250101000001Z\"", "git", "20250101000000Z", 1735689600000 },
        { "valid-before=\"20250101Z\"", "git", "20250101000000Z", 1735689600000 },
        { "valid-before=\"20241231235959Z\"", "git", "20250101000000Z", 1735689600000 },
        { "valid-before=\"20250701120000\"", "git", "20250701104500Z", 1751366700000 },
        { "valid-before=\"20250701120000\"", "git", "20250701101500Z", 1751364900000 },
        { "cert-authority", "git", "20250101000000Z", 1735689600000 },
};

static void ssh_keygen_agrees(void **state) {
        if (!have_ssh_keygen())
                skip();

        own_scratch struct scratch s = scratch_make();
        own_buffer struct buffer armour = BUFFER_INIT, key = BUFFER_INIT;
        struct sshkey_private k = key_of_seed(1);
        const char *const envp[] = { "PATH=/usr/bin:/bin", "TZ=CET-1CEST,M3.5.0,M10.5.0/3", NULL };

        assert_fine(sshsig_sign(&k, "git", "x", 1, &armour, &fault));
        scratch_write(&s, "sig", armour.data, armour.size);
        sshkey_put_line(&k.key, NULL, &key);
        assert_int_equal(setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1), 0);
        tzset();
        for (size_t i = 0; i < ELEMENTS(agree_rows); i++) {
                own_buffer struct buffer line = BUFFER_INIT;
                own_fault struct fault fault = FAULT_INIT;
                const struct signer *found;
                struct signers signers;
                char option[64];
                int theirs, ours;

                buffer_printf(&line, "a@x %s %s\n", agree_rows[i].options, buffer_str(&key));
                scratch_write(&s, "signers", line.data, line.size);
                (void)snprintf(option, sizeof(option), "-Overify-time=%s", agree_rows[i].time);
                theirs = run_tool((const char *const[]){ "ssh-keygen", "-Y", "verify", "-f",
                                                         scratch_path(&s, "signers"), "-I", "a@x", "-n", "git", "-s",
                                                         scratch_path(&s, "sig"), option, NULL },
                                  envp, "x", 1, NULL);
                signers = parse(line.data);
                ours = signers_find(&signers, &k.key, "git", agree_rows[i].at_ms, &found, &fault);
                if ((theirs == 0) != (ours == 0))
                        fail_msg("'%s' at %s: ssh-keygen gave %d, we gave %d", agree_rows[i].options,
                                 agree_rows[i].time, theirs, ours);
        }
        assert_int_equal(unsetenv("TZ"), 0);
        tzset();
}

#define test(name) cmocka_unit_test_setup_teardown(name, make_arena, drop_arena)

static const struct CMUnitTest tests[] = {
        test(lines_comments_and_blanks_are_read),
        test(an_empty_file_is_valid_and_knows_nobody),
        test(the_first_line_that_fits_wins),
        test(the_reason_for_a_refusal_is_told_apart),
        test(namespaces_are_pattern_lists),
        test(times_are_inclusive_to_the_second),
        test(times_have_three_forms),
        test(times_without_z_are_local_standard_time),
        test(all_times_must_lie_inside),
        test(principals_are_persons_before_patterns),
        test(a_line_that_negates_its_own_principals_matches_nobody),
        test(certificate_authorities_and_other_keys_match_nothing),
        test(keys_are_known_whatever_their_lines_allow),
        test(a_security_key_is_not_the_plain_key_of_the_same_bytes),
        test(any_malformed_line_refuses_the_file_at_its_place),
        test(a_broken_narrow_line_does_not_fall_through_to_a_broad_one),
        test(a_nul_byte_and_too_much_are_refused),
        test(ten_thousand_lines_are_looked_up_quickly),
        test(ssh_keygen_agrees),
};

TEST_GROUP(signers, tests);
