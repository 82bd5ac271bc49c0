/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/compose/words.h"

#include <string.h>

#include "shared/base/limits.h"
#include "shared/base/reason.h"

static int refuse(const struct source_pos *at, const char *message, const char *hint, struct fault *reterr) {
        int r = fault_set_at(reterr, at, "%s", message);

        reterr->code = REASON_LOAD_INVALID;
        fault_hint(reterr, "%s", hint);
        return r;
}

static bool is_blank(char c) {
        return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* One word from *p on into @out, which is large enough; *p is behind it afterwards. */
static int read_word(const char **p, char *out, const struct source_pos *at, struct fault *reterr) {
        char quote = '\0';

        for (; **p && (quote || !is_blank(**p)); (*p)++) {
                if (**p == '\\' && quote != '\'') {
                        if (*++*p == '\0')
                                return refuse(at, "the command ends with a backslash", "write it as a list of words",
                                              reterr);
                } else if (quote ? **p == quote : **p == '\'' || **p == '"') {
                        quote = quote ? '\0' : **p;
                        continue;
                } else if (!quote && strchr("|&;<>()", **p)) {
                        return refuse(at, "the command holds a shell operator, but no shell runs it",
                                      "quote it, or write [\"sh\", \"-c\", \"…\"]", reterr);
                }
                *out++ = **p;
        }
        *out = '\0';
        return quote ? refuse(at, "the command has a quote that is not closed", "write it as a list of words", reterr)
                     : 0;
}

int words_split(const char *text, const struct source_pos *at, struct arena *a, struct string_list *ret,
                struct fault *reterr) {
        struct string_list words = { 0 };
        char *room;

        if (strlen(text) > LIMIT_COMMAND_BYTES)
                return refuse(at, "the command is too long (LIMIT_COMMAND_BYTES)", "put it in a script", reterr);

        /* All words with their NULs fit where the text and its blanks did, the last one's apart. */
        room = arena_alloc(a, strlen(text) + 1);
        for (const char *p = text;;) {
                int r;

                while (is_blank(*p))
                        p++;
                if (*p == '\0')
                        break;
                r = read_word(&p, room, at, reterr);
                if (r < 0)
                        return r;
                *(struct text_at *)arena_push(a, &words.items, &words.n, sizeof(*words.items)) =
                        (struct text_at){ .text = room, .at = *at };
                room += strlen(room) + 1;
        }
        *ret = words;
        return 0;
}
