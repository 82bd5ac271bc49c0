/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ctype.h>
#include <string.h>

#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "tests/lib/group.h"

static void every_code_has_its_name_and_a_sentence(void **state) {
        size_t n = 0;

        assert_string_equal(REASON_TRUST_UNSIGNED, "TRUST_UNSIGNED");
        for (const char *const *code = reason_codes(); *code; code++, n++) {
                const char *text = reason_text(*code);

                assert_non_null(text);
                assert_true(strlen(text) > 10);
                assert_false(str_ends_with(text, "."));
                assert_non_null(strchr(*code, '_')); /* family and word */
        }
        assert_true(n > 40);
}

static void codes_are_upper_case_and_unique(void **state) {
        for (const char *const *a = reason_codes(); *a; a++) {
                for (const char *p = *a; *p; p++)
                        assert_true(*p == '_' || isupper((unsigned char)*p));
                for (const char *const *b = a + 1; *b; b++)
                        assert_string_not_equal(*a, *b);
        }
}

static void an_unknown_code_has_no_text(void **state) {
        assert_null(reason_text("TRUST_NOBODY"));
        assert_null(reason_text("trust_unsigned"));
        assert_null(reason_text(""));
        assert_null(reason_text(NULL));
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_its_name_and_a_sentence),
        cmocka_unit_test(codes_are_upper_case_and_unique),
        cmocka_unit_test(an_unknown_code_has_no_text),
};

TEST_GROUP(reason, tests);
