/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/base/text.h"
#include "shared/data/json.h"
#include "tests/lib/group.h"
#include "tests/lib/rig.h"

static void every_runtime_is_complete_and_found_by_its_name(void **state) {
        for (size_t i = 0; runtime_table[i]; i++) {
                own_fault struct fault fault = FAULT_INIT;

                assert_int_equal(runtime_ops_verify(runtime_table[i], &fault), 0);
                assert_ptr_equal(runtime_find(runtime_table[i]->name), runtime_table[i]);
        }
        assert_non_null(runtime_find("docker"));
        assert_non_null(runtime_find("fake"));
        assert_null(runtime_find("kubernetes"));
        assert_null(runtime_find(NULL));
}

static void a_runtime_with_a_hole_is_refused_before_it_is_opened(void **state) {
        struct runtime_ops ops = *runtime_find("fake");
        const struct runtime_settings settings = { .host = "web1" };
        own_fault struct fault hole = FAULT_INIT, version = FAULT_INIT;
        struct runtime *rt = NULL;

        ops.stop = NULL;
        assert_true(runtime_open(&ops, &settings, &rt, &hole) < 0);
        assert_non_null(strstr(hole.message, "no stop"));
        ops = *runtime_find("fake");
        ops.abi = RUNTIME_ABI + 1;
        assert_true(runtime_open(&ops, &settings, &rt, &version) < 0);
        assert_int_equal(version.kind, FAULT_INTERNAL);
        assert_null(rt);
}

static void what_is_optional_may_be_absent(void **state) {
        struct runtime_ops ops = *runtime_find("fake");
        const struct runtime_settings settings = { .host = "web1" };
        own_runtime struct runtime *rt = NULL;
        own_json json_t *out = json_array();

        ops.collect = NULL;
        ops.doctor = NULL;
        rig_fine(runtime_open(&ops, &settings, &rt, &fault));
        ((struct runtime *)rt)->ops = &ops;
        rig_fine(runtime_collect(rt, &(struct runtime_keep){ .n_workloads = 0 }, &fault));
        rig_fine(runtime_doctor(rt, out, &fault));
        assert_int_equal(json_array_size(out), 0);
}

static void faults_say_what_was_being_done(void **state) {
        const struct runtime_settings settings = { .host = "web1" };
        own_runtime struct runtime *rt = NULL;
        own_fault struct fault fault_known = FAULT_INIT, fault_new = FAULT_INIT;

        rig_fine(runtime_open(runtime_find("fake"), &settings, &rt, &fault));
        assert_true(runtime_start(rt,
                                  &(struct instance){ .id = "0123456789abcdef", .app = "shop", .name = "shop-web-1" },
                                  &fault_known) < 0);
        assert_string_equal(fault_known.message, "shop: cannot start shop-web-1: 0123456789abcdef is gone");
        assert_true(runtime_start(rt, &(struct instance){ .id = "0123456789abcdef" }, &fault_new) < 0);
        assert_non_null(str_after(fault_new.message, "cannot start instance 0123456789ab:"));
}

static void closing_nothing_is_fine(void **state) {
        runtime_close(NULL);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_runtime_is_complete_and_found_by_its_name),
        cmocka_unit_test(a_runtime_with_a_hole_is_refused_before_it_is_opened),
        cmocka_unit_test(what_is_optional_may_be_absent),
        cmocka_unit_test(faults_say_what_was_being_done),
        cmocka_unit_test(closing_nothing_is_fine),
};

TEST_GROUP(runtime, tests);
