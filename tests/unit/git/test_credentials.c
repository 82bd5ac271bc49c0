/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/git/credentials.h"
#include "tests/lib/group.h"

static const char *find(const char *text, const char *url) {
        static char found[128];
        own_credentials struct credentials *c = NULL;
        own_fault struct fault f = FAULT_INIT;
        own_git_url struct git_url u = { 0 };
        struct credential credential;

        assert_int_equal(credentials_parse("credentials", text, strlen(text), &c, &f), 0);
        assert_int_equal(git_url_parse(url, &u, &f), 0);
        if (!credentials_find(c, &u, &credential))
                return "none";
        (void)snprintf(found, sizeof(found), "%s %s", credential.user, credential.password);
        return found;
}

static void the_first_line_that_fits_is_used(void **state) {
        static const char text[] =
                "# ours\n\nhttps://a:1@git.example\nhttps://b:2@git.example\nhttps://c:p%40ss%2f@git.example:8443\n"
                "http://d:4@git.example\nhttps://e:5@other.example/org/\nhttps://f:6@other.example\n";

        (void)state;
        assert_string_equal(find(text, "https://git.example/x"), "a 1");
        assert_string_equal(find(text, "https://GIT.example:443/x"), "a 1");
        assert_string_equal(find(text, "https://b@git.example/x"), "b 2");
        assert_string_equal(find(text, "https://git.example:8443/x"), "c p@ss/");
        assert_string_equal(find(text, "http://git.example/x"), "d 4");
        assert_string_equal(find(text, "https://other.example/org/x"), "e 5");
        assert_string_equal(find(text, "https://other.example/organisation"), "f 6");
        assert_string_equal(find(text, "https://third.example/x"), "none");
        assert_string_equal(find(text, "https://nobody@git.example/x"), "none");
        assert_string_equal(find("", "https://git.example/x"), "none");
}

static void a_line_of_another_form_rejects_the_file_and_is_not_shown(void **state) {
        static const char *const bad[] = { "https://s3cret@git.example\n",      "git.example:s3cret\n",
                                           "ssh://a:s3cret@git.example/x\n",    "https://:s3cret@git.example\n",
                                           "https://a:s3cret%zz@git.example\n", "s3cret" };

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                own_credentials struct credentials *c = NULL;
                own_fault struct fault f = FAULT_INIT;

                assert_int_equal(credentials_parse("credentials", bad[i], strlen(bad[i]), &c, &f), -EINVAL);
                assert_null(c);
                assert_int_equal(f.kind, FAULT_CONFIG);
                assert_non_null(strstr(f.message, "line 1"));
                assert_null(strstr(f.message, "s3cret"));
                assert_null(f.excerpt);
        }
}

static void a_file_that_others_can_read_is_refused(void **state) {
        static const char line[] = "https://a:1@git.example\n";
        char path[] = "/tmp/test-credentials-XXXXXX";
        own_credentials struct credentials *c = NULL;
        own_fault struct fault f = FAULT_INIT, g = FAULT_INIT;
        own_fd int fd = mkostemp(path, O_CLOEXEC);

        (void)state;
        assert_true(fd >= 0);
        assert_int_equal(write(fd, line, strlen(line)), strlen(line));
        assert_int_equal(credentials_read(path, &c, &f), 0);
        assert_int_equal(fchmod(fd, 0640), 0);
        credentials_free(take(c));
        assert_int_equal(credentials_read(path, &c, &f), -EACCES);
        assert_int_equal(f.kind, FAULT_CONFIG);
        assert_non_null(strstr(f.hint, "chmod 600"));
        assert_int_equal(unlink(path), 0);
        assert_int_equal(credentials_read(path, &c, &g), -ENOENT);
        assert_null(c);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_line_that_fits_is_used),
        cmocka_unit_test(a_line_of_another_form_rejects_the_file_and_is_not_shown),
        cmocka_unit_test(a_file_that_others_can_read_is_refused),
};

TEST_GROUP(credentials, tests);
