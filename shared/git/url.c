/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/git/url.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <sodium.h>

#include "shared/base/cleanup.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"

#define PORT_MAX 65535

static const char *const scheme_names[GIT_SCHEME_MAX_] = {
        [GIT_SCHEME_LOCAL] = "local",
        [GIT_SCHEME_HTTP] = "http",
        [GIT_SCHEME_HTTPS] = "https",
        [GIT_SCHEME_SSH] = "ssh",
};

static const struct {
        const char *prefix;
        enum git_scheme scheme;
} prefixes[] = {
        { "file://", GIT_SCHEME_LOCAL },
        { "https://", GIT_SCHEME_HTTPS },
        { "http://", GIT_SCHEME_HTTP },
        { "ssh://", GIT_SCHEME_SSH },
};

const char *git_scheme_to_string(enum git_scheme s) {
        assert(s < GIT_SCHEME_MAX_);
        return scheme_names[s];
}

void git_url_done(struct git_url *u) {
        free(u->user);
        free(u->host);
        free(u->path);
        *u = (struct git_url){ 0 };
}

/*
 * Every helper returns NULL, or what is wrong as the end of a sentence: "the URL …".
 */

static const char no_memory[] = "does not fit into memory";

static int hex_digit(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -1;
}

/* %XX to bytes; none of them may control anything. */
static const char *decode(const char *s, size_t n, char **ret) {
        own_free char *out = malloc(n + 1);
        size_t k = 0;

        if (!out)
                return no_memory;
        for (size_t i = 0; i < n; i++) {
                unsigned char c = (unsigned char)s[i];

                if (c == '%') {
                        int hi = n - i > 2 ? hex_digit(s[i + 1]) : -1;
                        int lo = n - i > 2 ? hex_digit(s[i + 2]) : -1;

                        if (hi < 0 || lo < 0)
                                return "has a '%' that is not followed by two hexadecimal digits";
                        c = (unsigned char)(hi << 4 | lo);
                        i += 2;
                }
                if (c < 0x20 || c == 0x7f)
                        return "has a control character";
                out[k++] = (char)c;
        }
        out[k] = '\0';
        *ret = take(out);
        return NULL;
}

static const char *copy(const char *s, size_t n, char **ret) {
        *ret = strndup(s, n);
        return *ret ? NULL : no_memory;
}

static bool host_is_valid(const char *host) {
        if (!isalnum((unsigned char)host[0]) && host[0] != '_')
                return false;
        for (const char *p = host; *p; p++)
                if (!isalnum((unsigned char)*p) && !strchr("-._", *p))
                        return false;
        return true;
}

/* host, [v6], with the port behind it. */
static const char *parse_host(const char *s, size_t n, struct git_url *u) {
        const char *end = s + n, *host_end;
        bool bracketed = n > 0 && *s == '[';
        const char *wrong;

        if (bracketed) {
                s++;
                host_end = memchr(s, ']', (size_t)(end - s));
                if (!host_end)
                        return "has a '[' without ']'";
        } else {
                host_end = memchr(s, ':', n);
                if (!host_end)
                        host_end = end;
        }
        wrong = copy(s, (size_t)(host_end - s), &u->host);
        if (wrong)
                return wrong;
        for (char *p = u->host; *p; p++)
                *p = (char)tolower((unsigned char)*p);
        if (bracketed ? u->host[0] == '\0' || u->host[strspn(u->host, "0123456789abcdef:.")] != '\0'
                      : !host_is_valid(u->host))
                return "has a host name that is not one";

        s = host_end + (bracketed ? 1 : 0);
        if (s < end) {
                own_free char *digits = strndup(s + 1, (size_t)(end - s - 1));
                uint64_t port;

                if (!digits)
                        return no_memory;
                if (*s != ':' || parse_u64(digits, &port) < 0 || port == 0 || port > PORT_MAX)
                        return "has a port that is not one";
                u->port = (unsigned)port;
        }
        return NULL;
}

/* [user[:password]@]host[:port] */
static const char *parse_authority(const char *s, size_t n, struct git_url *u, char **ret_password) {
        const char *at = memrchr(s, '@', n), *colon;
        const char *wrong;

        if (at) {
                colon = memchr(s, ':', (size_t)(at - s));
                wrong = decode(s, (size_t)((colon ? colon : at) - s), &u->user);
                if (!wrong && colon)
                        wrong = decode(colon + 1, (size_t)(at - colon - 1), ret_password);
                if (wrong)
                        return wrong;
                if (u->user[0] == '\0' || u->user[0] == '-')
                        return "has a user name that is not one";
                n -= (size_t)(at + 1 - s);
                s = at + 1;
        }
        return parse_host(s, n, u);
}

static const char *check_ssh_path(const char *path) {
        /* The path is put between single quotes for the shell at the other end. */
        if (strchr(path, '\''))
                return "has a quote in its path";
        if (path[0] == '-' || path[strspn(path, "/")] == '-' || path[strspn(path, "/")] == '\0')
                return "has a path that is not one";
        return NULL;
}

static const char *parse_scp(const char *text, struct git_url *u) {
        const char *colon = strchr(text, ':'), *at = memrchr(text, '@', (size_t)(colon - text));
        const char *wrong = NULL;

        if (colon[1] == ':')
                return "names a remote helper";
        u->scheme = GIT_SCHEME_SSH;
        if (at)
                wrong = copy(text, (size_t)(at - text), &u->user);
        if (!wrong && u->user && (u->user[0] == '\0' || u->user[0] == '-'))
                wrong = "has a user name that is not one";
        if (!wrong)
                wrong = parse_host(at ? at + 1 : text, (size_t)(colon - (at ? at + 1 : text)), u);
        if (!wrong)
                wrong = copy(colon + 1, strlen(colon + 1), &u->path);
        return wrong ? wrong : check_ssh_path(u->path);
}

static const char *parse_file(const char *rest, struct git_url *u) {
        const char *path = str_after(rest, "localhost");

        if (!path)
                path = rest;
        if (*path != '/')
                return "names another host: file:// takes an absolute path, file:///srv/fleet.git";
        return decode(path, strlen(path), &u->path);
}

static const char *parse_net(const char *rest, struct git_url *u, char **ret_password) {
        size_t n = strcspn(rest, "/");
        const char *wrong = parse_authority(rest, n, u, ret_password);

        if (wrong)
                return wrong;
        wrong = copy(rest + n, strlen(rest + n), &u->path);
        if (wrong)
                return wrong;
        if (u->scheme == GIT_SCHEME_SSH)
                return check_ssh_path(u->path);
        if (strpbrk(u->path, "?#"))
                return "has a '?' or '#'";
        return NULL;
}

static const char *parse_local(const char *text, struct git_url *u) {
        u->scheme = GIT_SCHEME_LOCAL;
        return copy(text, strlen(text), &u->path);
}

static const char *parse_any(const char *text, struct git_url *u, char **ret_password) {
        const char *colon = strchr(text, ':'), *slash = strchr(text, '/');

        if (text[0] == '\0')
                return "is empty";
        if (strlen(text) > LIMIT_URL_BYTES)
                return "is too long";
        if (text[0] == '-')
                return "starts with '-'";
        for (const char *p = text; *p; p++)
                if ((unsigned char)*p < 0x20 || *p == 0x7f)
                        return "has a control character";
        for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
                size_t n = strlen(prefixes[i].prefix);

                if (strncasecmp(text, prefixes[i].prefix, n) != 0)
                        continue;
                u->scheme = prefixes[i].scheme;
                return u->scheme == GIT_SCHEME_LOCAL ? parse_file(text + n, u) : parse_net(text + n, u, ret_password);
        }
        if (strstr(text, "://"))
                return "has a scheme that is not one of https, ssh and file";
        if (colon && (!slash || colon < slash))
                return parse_scp(text, u);
        return parse_local(text, u);
}

static void wipe(char **secret) {
        if (*secret)
                sodium_memzero(*secret, strlen(*secret));
        free(*secret);
        *secret = NULL;
}

/* "https" of an address would be accepted by libgit2 for any certificate (see the header). */
static const char *check_policy(const struct git_url *u, const char *password) {
        if (password)
                return "holds a password";
        if (u->scheme == GIT_SCHEME_HTTPS && git_host_is_address(u->host))
                return "names the server by its IP address";
        return NULL;
}

int git_url_parse(const char *text, struct git_url *ret, struct fault *reterr) {
        own_git_url struct git_url u = { 0 };
        own_buffer struct buffer shown = BUFFER_INIT;
        own(wipe) char *password = NULL;
        const char *wrong = parse_any(text, &u, &password);

        if (!wrong)
                wrong = check_policy(&u, password);
        if (!wrong) {
                *ret = u;
                u = (struct git_url){ 0 };
                return 0;
        }
        if (wrong == no_memory)
                return fault_set_oom(reterr);
        shown.max = LIMIT_URL_BYTES;
        git_redact(text, &shown);
        if (shown.data)
                text_make_harmless(shown.data, "");
        (void)fault_set(reterr, FAULT_CONFIG, EINVAL, "the repository URL '%s' %s", buffer_str(&shown), wrong);
        if (password)
                fault_hint(reterr, "put it into the credentials file, as git-credential-store writes it");
        else if (u.host && git_host_is_address(u.host))
                fault_hint(reterr, "use the name that is in the server's certificate");
        return -EINVAL;
}

int git_url_parse_secret(const char *text, struct git_url *ret, char **ret_password) {
        own_git_url struct git_url u = { 0 };
        own(wipe) char *password = NULL;

        if (parse_any(text, &u, &password))
                return -EINVAL;
        *ret = u;
        u = (struct git_url){ 0 };
        *ret_password = take(password);
        return 0;
}

bool git_host_is_address(const char *host) {
        size_t n = strlen(host);
        const char *last;

        if (strchr(host, ':'))
                return true;
        if (n > 0 && host[n - 1] == '.')
                n--;
        /* inet_aton(3) takes 127.1, 0x7f.1 and 2130706433; a name's last label is never a number. */
        last = memrchr(host, '.', n);
        last = last ? last + 1 : host;
        n -= (size_t)(last - host);
        if (n >= 2 && last[0] == '0' && (last[1] == 'x' || last[1] == 'X'))
                return strspn(last + 2, "0123456789abcdefABCDEF") >= n - 2;
        return n > 0 && strspn(last, "0123456789") >= n;
}

/*
 * Redaction
 */

#define TEXT_ENDS " \t\r\n'\"<>"

/* The '@' that ends user and password of the authority at @s, or NULL. */
static const char *find_userinfo_end(const char *s) {
        size_t authority = strcspn(s, "/" TEXT_ENDS), all = strcspn(s, TEXT_ENDS);
        const char *at = memrchr(s, '@', authority), *colon;

        if (at)
                return at;
        /* A password with an unescaped '/': what follows the colon is no port. */
        colon = memchr(s, ':', authority);
        if (colon && strspn(colon + 1, "0123456789") < (size_t)(s + authority - colon - 1))
                return memrchr(s, '@', all);
        return NULL;
}

void git_redact(const char *text, struct buffer *out) {
        const char *p = text, *mark;

        while ((mark = strstr(p, "://"))) {
                const char *s = mark + 3, *at = find_userinfo_end(s);
                const char *colon = at ? memchr(s, ':', (size_t)(at - s)) : NULL;
                bool http = mark - p >= 4 && (strncasecmp(mark - 4, "http", 4) == 0 ||
                                              (mark - p >= 5 && strncasecmp(mark - 5, "https", 5) == 0));

                buffer_append(out, p, (size_t)(s - p));
                p = s;
                if (at && (http || colon)) {
                        if (!http)
                                buffer_append(out, s, (size_t)(colon + 1 - s));
                        buffer_puts(out, "***");
                        p = at;
                }
        }
        buffer_puts(out, p);
}
