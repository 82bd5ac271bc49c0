/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/base/reason.h"

#include <stddef.h>

#include "shared/base/text.h"

#define REASON_DEFINE_(code, text) const char REASON_##code[] = #code;
REASONS(REASON_DEFINE_)
#undef REASON_DEFINE_

#define REASON_CODE_(code, text) REASON_##code,
static const char *const codes[] = { REASONS(REASON_CODE_) NULL };
#undef REASON_CODE_

#define REASON_TEXT_(code, text) text,
static const char *const texts[] = { REASONS(REASON_TEXT_) };
#undef REASON_TEXT_

const char *reason_text(const char *code) {
        if (!code)
                return NULL;
        for (size_t i = 0; codes[i]; i++)
                if (str_eq(codes[i], code))
                        return texts[i];
        return NULL;
}

const char *const *reason_codes(void) {
        return codes;
}
