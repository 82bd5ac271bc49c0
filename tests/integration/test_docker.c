/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the docker runtime alone does, against a real engine. What every runtime does: tests/conformance/test_runtime.c.
 */

#include "providers/runtime/docker/fingerprint.h"
#include "tests/lib/runtime_world.h"

static void container_name_has_a_form_before_and_after_service(void **state) {
        static const char text[] =
                "services: {db: {image: '%s', container_name: the-db, stop_grace_period: 1s, environment: {V: '%d'}}}\n";
        struct decision_input *w = *state;
        struct workload one = rig_workload(&w->rig, "shop", "1", compose(w, text, env("TEST_V1"), 1));
        struct workload two = rig_workload(&w->rig, "shop", "2", compose(w, text, env("TEST_V1"), 2));
        const char *old = deploy(w, &one), *new;

        prepare(w, &two);
        new = create(w, &two, "db", 1);
        assert_non_null(str_after(name_of(w, new), "/the-db.next-"));
        stop(w, old);
        assert_non_null(str_after(name_of(w, old), "/the-db.prev-"));
}

static struct digest fingerprint(struct decision_input *w) {
        struct digest d;

        rig_fine(docker_fingerprint(w->settings.endpoint, "web1", &d, &fault));
        return d;
}

/* The next one that differs, within 5 s. */
static struct digest fingerprint_after(struct decision_input *w, const struct digest *before) {
        struct digest now = fingerprint(w);

        for (int i = 0; i < 50 && digest_equal(&now, before); i++) {
                clock_sleep_ms(100);
                now = fingerprint(w);
        }
        assert_string_not_equal(now.text, before->text);
        return now;
}

static void the_fingerprint_changes_with_the_world_and_not_with_time(void **state) {
        struct decision_input *w = *state;
        struct workload load = with_files(w, "1", "one\n");
        const char *id = deploy(w, &load);
        struct digest first, second, stopped, started;

        clock_sleep_ms(1000); /* until the list has caught up with the start */
        first = fingerprint(w);
        clock_sleep_ms(2100);
        second = fingerprint(w);
        assert_string_equal(first.text, second.text);
        stop(w, id);
        stopped = fingerprint_after(w, &first);
        start(w, id);
        started = fingerprint_after(w, &stopped);
        assert_string_not_equal(started.text, first.text); /* a restart between two looks is seen, too */
        overwrite(source_of(w, id, "/etc/app.conf"), "two\n");
        (void)fingerprint_after(w, &started);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                CASE(container_name_has_a_form_before_and_after_service),
                CASE(the_fingerprint_changes_with_the_world_and_not_with_time),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
