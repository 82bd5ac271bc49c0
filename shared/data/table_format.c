/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/data/table_format.h"

#include <assert.h>
#include <stddef.h>

#include "shared/base/text.h"
#include "shared/data/digest.h"

/* Only what no reference can hold; shared/model/image.h reads the rest, with better words. */
static bool image_may_be_valid(const char *text) {
        if (!*text)
                return false;
        for (; *text; text++)
                if ((unsigned char)*text <= ' ' || (unsigned char)*text >= 0x7f)
                        return false;
        return true;
}

static bool is_not_empty(const char *text) {
        return *text != '\0';
}

static const struct format formats[] = {
        { "name", name_is_valid, "a name",
          "lower-case letters, digits, '.', '_' and '-', at most 63 of them, "
          "beginning with a letter or digit",
          "^[a-z0-9][a-z0-9._-]{0,62}$" },
        { "digest", digest_is_valid, "a digest", "'sha256:' and 64 lower-case hexadecimal digits",
          "^sha256:[0-9a-f]{64}$" },
        { "path", path_is_inside, "a relative path that stays inside", "no leading '/', no '..', no '\\'",
          "^[^/\\\\]+(/[^/\\\\]+)*$" },
        { "image", image_may_be_valid, "an image reference", "'registry/repository@sha256:…'", "^[!-~]+$" },
        { "non-empty", is_not_empty, "a text that is not empty", NULL, "^[\\s\\S]+$" },
};

const struct format *format_find(const char *name) {
        if (!name)
                return NULL;
        for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
                if (str_eq(formats[i].name, name))
                        return &formats[i];
        assert(!"a format that there is");
        return NULL;
}
