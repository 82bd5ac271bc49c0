/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/git/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "shared/base/buffer.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"

#define READ_CHUNK 4096

struct line {
        struct git_url url;
        char *password;
};

struct credentials {
        struct line *lines;
        size_t n;
};

static void line_done(struct line *l) {
        git_url_done(&l->url);
        if (l->password)
                sodium_memzero(l->password, strlen(l->password));
        free(l->password);
        l->password = NULL;
}

void credentials_free(struct credentials *c) {
        if (!c)
                return;
        for (size_t i = 0; i < c->n; i++)
                line_done(&c->lines[i]);
        free(c->lines);
        free(c);
}

/* The line itself stays out of the fault, so there is no excerpt and no column. */
static int fault_line(struct fault *reterr, const char *name, unsigned number) {
        (void)fault_set(reterr, FAULT_CONFIG, EINVAL, "line %u of the credentials file %s cannot be used", number,
                        name);
        fault_hint(reterr, "each line is https://user:password@host[:port][/path], as git-credential-store writes it");
        return -EINVAL;
}

static int add_line(struct credentials *c, const char *text, const char *name, unsigned number, struct fault *reterr) {
        own(line_done) struct line l = { .password = NULL };
        struct line *longer;
        int r = git_url_parse_secret(text, &l.url, &l.password);

        if (r < 0 || (l.url.scheme != GIT_SCHEME_HTTPS && l.url.scheme != GIT_SCHEME_HTTP) || !l.url.user ||
            !l.password)
                return fault_line(reterr, name, number);
        longer = reallocarray(c->lines, c->n + 1, sizeof(*longer));
        if (!longer)
                return fault_set_oom(reterr);
        c->lines = longer;
        c->lines[c->n++] = l;
        l = (struct line){ .password = NULL };
        return 0;
}

int credentials_parse(const char *name, const char *text, size_t size, struct credentials **ret, struct fault *reterr) {
        own_credentials struct credentials *c = calloc(1, sizeof(*c));
        const char *p = text, *end = text + size;

        if (!c)
                return fault_set_oom(reterr);
        for (unsigned number = 1; p < end; number++) {
                own_secret struct buffer line = BUFFER_INIT;
                const char *eol = memchr(p, '\n', (size_t)(end - p));
                size_t n = (size_t)((eol ? eol : end) - p);
                int r = 0;

                buffer_append(&line, p, n);
                p += n + 1;
                if (line.failed)
                        return fault_set_oom(reterr);
                if (n == 0 || buffer_str(&line)[0] == '#')
                        continue;
                r = strlen(buffer_str(&line)) == n ? add_line(c, buffer_str(&line), name, number, reterr)
                                                   : fault_line(reterr, name, number);
                if (r < 0)
                        return r;
        }
        *ret = take(c);
        return 0;
}

static int check_file(int fd, const char *path, struct fault *reterr) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return fault_set(reterr, FAULT_TRANSIENT, errno, "cannot look at the credentials file %s", path);
        if (!S_ISREG(st.st_mode) || st.st_size > LIMIT_CREDENTIALS_BYTES)
                return fault_set(reterr, FAULT_CONFIG, EINVAL, "the credentials file %s is not a small regular file",
                                 path);
        if ((st.st_mode & 077) == 0 && (st.st_uid == geteuid() || st.st_uid == 0))
                return 0;
        (void)fault_set(reterr, FAULT_CONFIG, EACCES, "others can read or change the credentials file %s", path);
        fault_hint(reterr, "chmod 600 %s, and give it to the user that runs tally", path);
        return -EACCES;
}

/* Not file_read(): the checks are on what is read, and the bytes are wiped. */
int credentials_read(const char *path, struct credentials **ret, struct fault *reterr) {
        own_secret struct buffer text = { .max = LIMIT_CREDENTIALS_BYTES };
        own_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        char chunk[READ_CHUNK];
        ssize_t n;
        int r;

        if (fd < 0)
                return fault_set(reterr, FAULT_CONFIG, errno, "cannot open the credentials file %s", path);
        r = check_file(fd, path, reterr);
        if (r < 0)
                return r;
        while ((n = read(fd, chunk, sizeof(chunk))) > 0)
                buffer_append(&text, chunk, (size_t)n);
        r = n < 0 ? -errno : 0;
        sodium_memzero(chunk, sizeof(chunk));
        if (r < 0)
                return fault_set(reterr, FAULT_TRANSIENT, -r, "cannot read the credentials file %s", path);
        r = buffer_check(&text, "credentials file", reterr);
        return r < 0 ? r : credentials_parse(path, buffer_str(&text), text.size, ret, reterr);
}

static unsigned port_of(const struct git_url *u) {
        if (u->port)
                return u->port;
        return u->scheme == GIT_SCHEME_HTTPS ? 443 : 80;
}

static bool path_covers(const char *line, const char *path) {
        size_t n = strlen(line);

        while (n > 0 && line[n - 1] == '/')
                n--;
        return strncmp(line, path, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

bool credentials_find(const struct credentials *c, const struct git_url *url, struct credential *ret) {
        for (size_t i = 0; c && i < c->n; i++) {
                const struct line *l = &c->lines[i];

                if (l->url.scheme != url->scheme || !str_eq(l->url.host, url->host) ||
                    port_of(&l->url) != port_of(url) || (url->user && !str_eq(url->user, l->url.user)) ||
                    !path_covers(l->url.path, url->path))
                        continue;
                *ret = (struct credential){ .user = l->url.user, .password = l->password };
                return true;
        }
        return false;
}
