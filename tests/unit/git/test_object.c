/* SPDX-License-Identifier: Apache-2.0 */

#include "tests/lib/group.h"
#include "tests/unit/sign/support.h"

#include "shared/base/reason.h"
#include "shared/git/object.h"
#include "shared/sign/sshsig.h"

#define TREE      "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n"
#define PARENT_1  "parent 1111111111111111111111111111111111111111\n"
#define PARENT_2  "parent 2222222222222222222222222222222222222222\n"
#define AUTHOR    "author A U Thor <author@example.org> 1700000000 +0100\n"
#define COMMITTER "committer C O Mitter <committer@example.org> 1700000001 -0130\n"
#define PEOPLE    AUTHOR COMMITTER
#define GPGSIG    "gpgsig -----BEGIN SSH SIGNATURE-----\n AAAA\n BBBB\n -----END SSH SIGNATURE-----\n"
#define MERGETAG  "mergetag object 3333333333333333333333333333333333333333\n type commit\n tag v1\n \n text\n"

static struct object_commit parse(const char *raw) {
        struct object_commit c;

        assert_fine(object_commit_parse(raw, strlen(raw), &c, &fault));
        return c;
}

#define assert_text(value, expected) \
        do { \
                assert_int_equal((value).size, strlen(expected)); \
                assert_memory_equal((value).data, expected, strlen(expected)); \
        } while (0)

static void ids_are_forty_lower_case_digits(void **state) {
        char hex[OBJECT_ID_TEXT_MAX];
        struct object_id id;

        assert_int_equal(object_id_parse("0123456789abcdef0123456789abcdef01234567", &id), 0);
        assert_string_equal(object_id_format(&id, hex), "0123456789abcdef0123456789abcdef01234567");
        assert_false(object_id_is_zero(&id));
        assert_true(object_id_parse("0123456789ABCDEF0123456789abcdef01234567", &id) < 0);
        assert_true(object_id_parse("0123456789abcdef0123456789abcdef0123456", &id) < 0);
        assert_true(object_id_parse("0123456789abcdef0123456789abcdef012345678", &id) < 0);
        assert_string_equal(object_type_to_string(OBJECT_BLOB), "blob");
}

static void a_commit_is_read(void **state) {
        struct object_commit c =
                parse(TREE PARENT_1 PARENT_2 PEOPLE "encoding ISO-8859-1\n" MERGETAG GPGSIG "\nSubject\n\nBody\n");
        own_buffer struct buffer armour = BUFFER_INIT;
        char hex[OBJECT_ID_TEXT_MAX];

        assert_string_equal(object_id_format(&c.tree, hex), "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
        assert_int_equal(c.n_parents, 2);
        assert_string_equal(object_id_format(&c.parents[1], hex), "2222222222222222222222222222222222222222");
        assert_text(c.author.name, "A U Thor");
        assert_text(c.author.email, "author@example.org");
        assert_int_equal(c.committer.time_ms, 1700000001000);
        assert_int_equal(c.committer.zone_minutes, -90);
        assert_text(c.message, "Subject\n\nBody\n");
        object_commit_put_signature(&c, &armour);
        assert_string_equal(buffer_str(&armour),
                            "-----BEGIN SSH SIGNATURE-----\nAAAA\nBBBB\n-----END SSH SIGNATURE-----");
}

static void the_payload_is_the_object_without_its_signature(void **state) {
        struct object_commit c = parse(TREE PEOPLE MERGETAG GPGSIG "encoding x\n\nm\n");
        own_buffer struct buffer payload = BUFFER_INIT;

        buffer_append(&payload, c.payload[0].iov_base, c.payload[0].iov_len);
        buffer_append(&payload, c.payload[1].iov_base, c.payload[1].iov_len);
        assert_string_equal(buffer_str(&payload), TREE PEOPLE MERGETAG "encoding x\n\nm\n");
}

static void an_unsigned_commit_has_no_signature(void **state) {
        struct object_commit c = parse(TREE PEOPLE "\nm\n");
        own_buffer struct buffer armour = BUFFER_INIT;

        assert_null(c.signature.data);
        object_commit_put_signature(&c, &armour);
        assert_int_equal(armour.size, 0);
        assert_int_equal(c.payload[0].iov_len + c.payload[1].iov_len, strlen(TREE PEOPLE "\nm\n"));
}

/* The three ways to fool libgit2's extraction. */
static void a_signature_in_the_message_is_text(void **state) {
        assert_null(parse(TREE PEOPLE "\nm\n\n" GPGSIG).signature.data);
        assert_null(parse(TREE PEOPLE "\n" GPGSIG "\nm\n").signature.data);
}

static void bytes_after_a_nul_are_not_hidden(void **state) {
        static const char raw[] = TREE PEOPLE GPGSIG "\nm\n\0evil\n";
        struct object_commit c;

        assert_refused(object_commit_parse(raw, sizeof(raw) - 1, &c, &fault), REASON_TRUST_BAD_OBJECT);
}

static void what_only_looks_like_a_signature_is_refused(void **state) {
        static const char *const bad[] = {
                TREE PEOPLE "gpgsigx\n\nm\n",
                TREE PEOPLE "gpgsig\n x\n\nm\n",
                TREE PEOPLE "gpgsig: x\n\nm\n",
                TREE PEOPLE "gpgsig-sha256 x\n y\n\nm\n",
                TREE PEOPLE GPGSIG "gpgsig-sha256 x\n\nm\n",
                TREE PEOPLE "GPGSIG x\n\nm\n",
                TREE PEOPLE "gpgsigevil "
                            "x\n" GPGSIG "\nm\n",
        };
        struct object_commit c;

        for (size_t i = 0; i < ELEMENTS(bad); i++)
                assert_refused(object_commit_parse(bad[i], strlen(bad[i]), &c, &fault), REASON_TRUST_BAD_OBJECT);
}

static void several_signatures_are_refused(void **state) {
        static const char raw[] = TREE PEOPLE GPGSIG GPGSIG "\nm\n";
        static const char apart[] = TREE PEOPLE GPGSIG "encoding x\n" GPGSIG "\nm\n";
        struct object_commit c;

        assert_refused(object_commit_parse(raw, sizeof(raw) - 1, &c, &fault), REASON_TRUST_BAD_OBJECT);
        assert_refused(object_commit_parse(apart, sizeof(apart) - 1, &c, &fault), REASON_TRUST_BAD_OBJECT);
}

static void headers_have_one_order(void **state) {
        static const char *const bad[] = {
                "",
                "\n\n",
                "x",
                TREE,
                TREE PEOPLE,
                TREE PEOPLE "m",
                PEOPLE "\nm\n",
                TREE "\nm\n",
                TREE AUTHOR "\nm\n",
                TREE COMMITTER "\nm\n",
                TREE COMMITTER AUTHOR "\nm\n",
                TREE TREE PEOPLE "\nm\n",
                TREE AUTHOR PEOPLE "\nm\n",
                TREE PEOPLE COMMITTER "\nm\n",
                PARENT_1 TREE PEOPLE "\nm\n",
                TREE AUTHOR PARENT_1 COMMITTER "\nm\n",
                TREE PEOPLE PARENT_1 "\nm\n",
                TREE PARENT_1 PARENT_1 PEOPLE "\nm\n",
                TREE PEOPLE "encoding a\nencoding b\n\nm\n",
                TREE PEOPLE "encoding \n\nm\n",
                TREE PEOPLE "HG:extra x\n\nm\n",
                TREE PEOPLE " folded\n\nm\n",
                TREE PEOPLE "encoding a\n folded\n\nm\n",
                " " TREE PEOPLE "\nm\n",
                "tree  4b825dc642cb6eb9a060e54bf8d69288fbee4904\n" PEOPLE "\nm\n",
                "tree 4b825dc642cb6eb9a060e54bf8d69288fbee490\n" PEOPLE "\nm\n",
                "tree 4b825dc642cb6eb9a060e54bf8d69288fbee49044\n" PEOPLE "\nm\n",
                "tree 4B825DC642CB6EB9A060E54BF8D69288FBEE4904\n" PEOPLE "\nm\n",
                "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\r\n" PEOPLE "\nm\n",
                TREE "parent 111\n" PEOPLE "\nm\n",
                TREE "\n" PEOPLE "\nm\n",
        };
        struct object_commit c;

        for (size_t i = 0; i < ELEMENTS(bad); i++)
                assert_refused(object_commit_parse(bad[i], strlen(bad[i]), &c, &fault), REASON_TRUST_BAD_OBJECT);
}

static void idents_have_one_form(void **state) {
        static const char *const bad[] = {
                "A <a> 1 +000",
                "A <a> 1 +00000",
                "A <a> 1 0000",
                "A <a> 1",
                "A <a> 1 ",
                "A <a>1 +0000",
                "A a 1 +0000",
                "A <a 1 +0000",
                "A a> 1 +0000",
                "A<a> 1 +0000",
                "A <a<b> 1 +0000",
                "A >b <a> 1 +0000",
                "A <a> -1 +0000",
                "A <a> 01 +0000",
                "A <a>  1 +0000",
                "A <a> 1  +0000",
                "A <a> 1 +0000 ",
                "A <a> 99999999999999999999 +0000",
                "A <a> 9223372036854776 +0000",
                "A <a> 1.5 +0000",
                "A <a> 1 +00a0",
                "A <a> 1 \t0000",
                "<",
                "",
                ">",
        };
        static const char *const good[] = { "A <a> 1 +0000", "<a> 0 -0000", " <a> 1 +1400", "A B <> 1 +0000",
                                            "\xe4 <\xe4> 1 +0000" };
        struct object_commit c;
        char raw[400];

        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                (void)snprintf(raw, sizeof(raw), TREE "author %s\n" COMMITTER "\nm\n", bad[i]);
                assert_refused(object_commit_parse(raw, strlen(raw), &c, &fault), REASON_TRUST_BAD_OBJECT);
                (void)snprintf(raw, sizeof(raw), TREE AUTHOR "committer %s\n\nm\n", bad[i]);
                assert_refused(object_commit_parse(raw, strlen(raw), &c, &fault), REASON_TRUST_BAD_OBJECT);
        }
        for (size_t i = 0; i < ELEMENTS(good); i++) {
                (void)snprintf(raw, sizeof(raw), TREE "author %s\n" COMMITTER "\nm\n", good[i]);
                (void)parse(raw);
        }
}

static void a_message_may_be_empty(void **state) {
        assert_int_equal(parse(TREE PEOPLE "\n").message.size, 0);
}

static void too_large_and_too_many_parents_are_refused(void **state) {
        own_buffer struct buffer raw = BUFFER_INIT, many = BUFFER_INIT;
        struct object_commit c;

        buffer_puts(&raw, TREE PEOPLE "\n");
        while (raw.size <= LIMIT_COMMIT_BYTES)
                buffer_puts(&raw, "a line of the message\n");
        assert_refused(object_commit_parse(raw.data, raw.size, &c, &fault), REASON_TRUST_BAD_OBJECT);
        buffer_puts(&many, TREE);
        for (int i = 0; i <= LIMIT_COMMIT_PARENTS; i++)
                buffer_printf(&many, "parent %040x\n", i);
        buffer_puts(&many, PEOPLE "\nm\n");
        assert_refused(object_commit_parse(many.data, many.size, &c, &fault), REASON_TRUST_BAD_OBJECT);
}

static void subjects_are_cut_and_harmless(void **state) {
        struct object_commit c = parse(TREE PEOPLE "\n\n\x1b[31mr\xc3\xa4\xc3\xa4\nmore\n");
        char buf[32], small[10];

        assert_string_equal(object_commit_subject(&c, buf, sizeof(buf)), "?[31mr\xc3\xa4\xc3\xa4");
        assert_string_equal(object_commit_subject(&c, small, sizeof(small)), "?[31mr\xc3\xa4");
}

static void links_are_read_from_old_commits_too(void **state) {
        static const char odd[] = TREE PARENT_1 "author nobody\ncommitter nobody\nHG:x y\ngpgsig-sha256 x\n\nm\n";
        struct object_id tree, parents[2];
        size_t n = 0;

        assert_fine(object_commit_links(odd, strlen(odd), &tree, parents, 2, &n, &fault));
        assert_int_equal(n, 1);
        assert_refused(object_commit_links(odd, strlen(odd), &tree, parents, 0, &n, &fault), REASON_TRUST_BAD_OBJECT);
        assert_refused(object_commit_links("x", 1, &tree, parents, 2, &n, &fault), REASON_TRUST_BAD_OBJECT);
}

/*
 * Trees
 */

static void put_entry(struct buffer *out, const char *mode_and_name) {
        buffer_append(out, mode_and_name, strlen(mode_and_name) + 1);
        buffer_puts(out, "iiiiiiiiiiiiiiiiiiii");
}

/* NULL-terminated entries as one tree, walked to its end: the number of entries, or the refusal. */
static int walk(const char *const *entries, struct fault *reterr) {
        own_buffer struct buffer raw = BUFFER_INIT;
        struct object_tree t;
        struct object_entry e;
        int r, n = 0;

        for (; *entries; entries++)
                put_entry(&raw, *entries);
        object_tree_begin(&t, buffer_str(&raw), raw.size);
        while ((r = object_tree_next(&t, &e, reterr)) > 0)
                n++;
        return r < 0 ? r : n;
}
#define WALK(...) walk((const char *const[]){ __VA_ARGS__, NULL }, &fault)

static void trees_are_walked_in_order(void **state) {
        own_fault struct fault fault = FAULT_INIT;

        assert_int_equal(walk((const char *const[]){ NULL }, &fault), 0);
        assert_int_equal(WALK("100644 a", "100755 b", "120000 c", "40000 d", "160000 e"), 5);
        assert_int_equal(WALK("100644 a.b", "40000 a", "100644 a0"), 3); /* "a/" sorts between '.' and '0' */
        assert_int_equal(WALK("100644 a", "100644 a.b", "100644 a.b.c", "40000 ab"), 4);
}

static void entries_out_of_order_or_twice_are_refused(void **state) {
        assert_refused(WALK("100644 b", "100644 a"), REASON_TRUST_BAD_OBJECT);
        assert_refused(WALK("100644 a", "100644 a"), REASON_TRUST_BAD_OBJECT);
        assert_refused(WALK("40000 a", "40000 a"), REASON_TRUST_BAD_OBJECT);
        assert_refused(WALK("40000 a", "100644 a.b"), REASON_TRUST_BAD_OBJECT);
        assert_refused(WALK("100644 a", "40000 a"), REASON_TRUST_BAD_OBJECT);
        assert_refused(WALK("100644 a", "100644 a.b", "100644 a.c", "40000 a"), REASON_TRUST_BAD_OBJECT);
        assert_refused(WALK("100644 a", "40000 a!", "120000 a.b", "40000 a"), REASON_TRUST_BAD_OBJECT);
}

static void names_and_modes_that_harm_are_refused(void **state) {
        static const char *const bad[] = {
                "100644 ",    "100644 .", "40000 ..", "40000 .git", "40000 .GIT", "40000 .gIt",
                "100644 a/b", "100644 /", "100664 a", "040000 a",   "0100644 a",  "100600 a",
                "40755 a",    " a",       "100644",   "1006444 a",  "x a",
        };

        for (size_t i = 0; i < ELEMENTS(bad); i++)
                assert_refused(WALK(bad[i]), REASON_TRUST_BAD_OBJECT);
}

static void names_have_a_limit(void **state) {
        char entry[7 + LIMIT_TREE_NAME_BYTES + 2] = "100644 ";

        memset(entry + 7, 'n', LIMIT_TREE_NAME_BYTES);
        {
                own_fault struct fault fault = FAULT_INIT;
                assert_int_equal(WALK(entry), 1);
        }
        entry[7 + LIMIT_TREE_NAME_BYTES] = 'n';
        assert_refused(WALK(entry), REASON_TRUST_BAD_OBJECT);
}

/* "n", "nn", "nnn" … to the limit: every one begins all that follow. */
static void names_that_begin_each_other_fit_the_walk(void **state) {
        own_buffer struct buffer raw = BUFFER_INIT;
        char entry[7 + LIMIT_TREE_NAME_BYTES + 1] = "100644 ";
        struct object_entry e;

        for (size_t n = 0; n < LIMIT_TREE_NAME_BYTES; n++) {
                entry[7 + n] = 'n';
                put_entry(&raw, entry);
        }
        assert_fine(object_tree_find(raw.data, raw.size, "nnn", &e, &fault));
        assert_int_equal(e.name_size, 3);
}

static void cut_off_trees_and_zero_ids_are_refused(void **state) {
        static const char zero[] = "100644 a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
        own_buffer struct buffer raw = BUFFER_INIT;
        struct object_entry e;

        assert_refused(object_tree_find(zero, sizeof(zero), "a", &e, &fault), REASON_TRUST_BAD_OBJECT);
        put_entry(&raw, "100644 a");
        for (size_t n = 1; n < raw.size; n++)
                assert_refused(object_tree_find(raw.data, n, "a", &e, &fault), REASON_TRUST_BAD_OBJECT);
}

static void an_entry_is_found_only_in_a_tree_that_is_good_to_its_end(void **state) {
        own_buffer struct buffer raw = BUFFER_INIT;
        own_fault struct fault fault = FAULT_INIT;
        struct object_entry e;

        put_entry(&raw, "100644 a");
        put_entry(&raw, "40000 b");
        assert_int_equal(object_tree_find(raw.data, raw.size, "b", &e, &fault), 1);
        assert_int_equal(e.mode, OBJECT_MODE_TREE);
        assert_memory_equal(e.id.raw, "iiiiiiiiiiiiiiiiiiii", 20);
        assert_int_equal(object_tree_find(raw.data, raw.size, "c", &e, &fault), 0);
        put_entry(&raw, "100644 .git");
        assert_true(object_tree_find(raw.data, raw.size, "a", &e, &fault) < 0);
}

/*
 * Git itself
 */

static const char *const git_env[] = {
        "PATH=/usr/bin:/bin",   "HOME=/nonexistent",    "GIT_CONFIG_NOSYSTEM=1",   "GIT_AUTHOR_NAME=A",
        "GIT_AUTHOR_EMAIL=a@x", "GIT_COMMITTER_NAME=C", "GIT_COMMITTER_EMAIL=c@x", NULL,
};
#define GIT(out, ...) run_tool((const char *const[]){ "git", __VA_ARGS__, NULL }, git_env, NULL, 0, (out))

static void commits_signed_by_git_are_read_and_verify(void **state) {
        if (!have_git() || !have_ssh_keygen())
                skip();

        own_scratch struct scratch s = scratch_make();
        own_secret struct buffer key = BUFFER_INIT;
        own_buffer struct buffer raw = BUFFER_INIT, armour = BUFFER_INIT;
        own_sshkey struct sshkey_private k = { 0 };
        struct object_commit c;
        struct sshsig sig;

        assert_fine(sshkey_generate("", &k, &fault));
        sshkey_private_write(&k, &key);
        scratch_write(&s, "key", key.data, key.size);
        assert_int_equal(GIT(NULL, "init", "-q", scratch_path(&s, "r")), 0);
        assert_int_equal(GIT(NULL, "-C", scratch_path(&s, "r"), "config", "user.signingkey", scratch_path(&s, "key")),
                         0);
        assert_int_equal(GIT(NULL, "-C", scratch_path(&s, "r"), "-c", "gpg.format=ssh", "commit", "-q", "--allow-empty",
                             "-S", "-m", "Signed by git"),
                         0);
        assert_int_equal(GIT(&raw, "-C", scratch_path(&s, "r"), "cat-file", "commit", "HEAD"), 0);

        assert_fine(object_commit_parse(raw.data, raw.size, &c, &fault));
        assert_text(c.committer.email, "c@x");
        object_commit_put_signature(&c, &armour);
        assert_fine(sshsig_parse(armour.data, armour.size, &sig, &fault));
        assert_true(sshkey_equal(&sig.key, &k.key));
        assert_fine(sshsig_verify_parts(&sig, "git", c.payload, 2, &fault));
        raw.data[raw.size - 2] ^= 1;
        assert_refused(sshsig_verify_parts(&sig, "git", c.payload, 2, &fault), REASON_TRUST_BAD_SIGNATURE);
}

static void trees_written_by_git_are_read(void **state) {
        if (!have_git())
                skip();

        own_scratch struct scratch s = scratch_make();
        own_buffer struct buffer raw = BUFFER_INIT;
        const char *r;
        struct object_entry e;

        assert_int_equal(RUN(NULL, "mkdir", "-p", scratch_path(&s, "r/a"), scratch_path(&s, "r/trust")), 0);
        scratch_write(&s, "r/a/x", "x", 1);
        scratch_write(&s, "r/a.b", "x", 1);
        scratch_write(&s, "r/a0", "x", 1);
        scratch_write(&s, "r/trust/allowed_signers", "x", 1);
        r = scratch_path(&s, "r");
        assert_int_equal(GIT(NULL, "init", "-q", r), 0);
        assert_int_equal(GIT(NULL, "-C", r, "add", "."), 0);
        assert_int_equal(GIT(NULL, "-C", r, "commit", "-q", "-m", "x"), 0);
        assert_int_equal(GIT(&raw, "-C", r, "cat-file", "tree", "HEAD^{tree}"), 0);
        assert_fine(object_tree_find(raw.data, raw.size, "trust", &e, &fault));
        assert_int_equal(e.mode, OBJECT_MODE_TREE);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_forty_lower_case_digits),
        cmocka_unit_test(a_commit_is_read),
        cmocka_unit_test(the_payload_is_the_object_without_its_signature),
        cmocka_unit_test(an_unsigned_commit_has_no_signature),
        cmocka_unit_test(a_signature_in_the_message_is_text),
        cmocka_unit_test(bytes_after_a_nul_are_not_hidden),
        cmocka_unit_test(what_only_looks_like_a_signature_is_refused),
        cmocka_unit_test(several_signatures_are_refused),
        cmocka_unit_test(headers_have_one_order),
        cmocka_unit_test(idents_have_one_form),
        cmocka_unit_test(a_message_may_be_empty),
        cmocka_unit_test(too_large_and_too_many_parents_are_refused),
        cmocka_unit_test(subjects_are_cut_and_harmless),
        cmocka_unit_test(links_are_read_from_old_commits_too),
        cmocka_unit_test(trees_are_walked_in_order),
        cmocka_unit_test(entries_out_of_order_or_twice_are_refused),
        cmocka_unit_test(names_and_modes_that_harm_are_refused),
        cmocka_unit_test(names_have_a_limit),
        cmocka_unit_test(names_that_begin_each_other_fit_the_walk),
        cmocka_unit_test(cut_off_trees_and_zero_ids_are_refused),
        cmocka_unit_test(an_entry_is_found_only_in_a_tree_that_is_good_to_its_end),
        cmocka_unit_test(commits_signed_by_git_are_read_and_verify),
        cmocka_unit_test(trees_written_by_git_are_read),
};

TEST_GROUP(object, tests);
