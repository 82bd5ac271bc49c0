/* SPDX-License-Identifier: Apache-2.0 */

/* Servers that are not who they say, refuse, redirect, break off or are silent. */

#include "tests/integration/git_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/git/lsrefs.h"

/*
 * ssh
 */

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

int run_refused(void) {
        const struct CMUnitTest tests[] = {
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
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
