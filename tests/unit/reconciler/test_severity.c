/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "reconciler/core/severity.h"
#include "shared/base/reason.h"

static void every_drift_has_a_severity(void **state) {
        size_t n[SEVERITY_MAX_] = { 0 };

        for (const char *const *code = reason_codes(); *code; code++)
                if (strncmp(*code, "DRIFT_", 6) == 0)
                        n[drift_severity(*code)]++;
        assert_int_equal(n[SEVERITY_WARNING], 3);
        assert_true(n[SEVERITY_CRITICAL] >= 6);
        assert_int_equal(drift_severity(REASON_DRIFT_IMAGE), SEVERITY_CRITICAL);
        assert_int_equal(drift_severity(REASON_DRIFT_EXTRA), SEVERITY_WARNING);
        assert_int_equal(drift_severity("something else"), SEVERITY_CRITICAL);
        assert_int_equal(drift_severity(NULL), SEVERITY_CRITICAL);
}

static void the_score_adds_up_to_a_hundred(void **state) {
        struct drift drift[20] = { { .code = REASON_DRIFT_EXTRA }, { .code = REASON_DRIFT_MISSING } };
        struct struct_list list = { drift, 0 };

        assert_int_equal(drift_score(&list), 0);
        list.n = 2;
        assert_int_equal(drift_score(&list), 11);
        list.n = 20;
        assert_int_equal(drift_score(&list), 100);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_drift_has_a_severity),
                cmocka_unit_test(the_score_adds_up_to_a_hundred),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
