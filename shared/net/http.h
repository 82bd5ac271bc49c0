/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * HTTP: one request, one answer, under limits (libcurl)
 *
 * A client keeps its connections, so requests to the same server or socket
 * reuse them. Only http and https are spoken. Nothing is read from the
 * environment but the usual proxy variables, and these not for unix sockets.
 * A status code is never a fault: the caller knows what 404 means to it.
 * Faults are about getting no whole answer: FAULT_TRANSIENT with -ETIMEDOUT,
 * -ECONNREFUSED, -ENOENT (no such socket), -ENOTCONN, -EIO …; FAULT_CONFIG for
 * a URL, a CA file or a socket path that cannot be used; FAULT_DENIED for a
 * certificate that does not verify (-EACCES) and for a redirect that is not allowed (-EPERM).
 * URLs in messages have no user, password or query.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "shared/base/buffer.h"
#include "shared/base/cleanup.h"
#include "shared/base/fault.h"

struct http;

struct http_options {
        const char *unix_socket; /* path: connect here whatever the URL's host says; NULL: TCP */
        const char *ca_file;     /* PEM bundle instead of the system's; NULL: the system's */
        const char *user_agent;  /* NULL: "tally/<version>" */
};

/* Strings are copied. */
int http_new(const struct http_options *options /* may be NULL */, struct http **ret, struct fault *reterr);
/* Accepts NULL. Closes the connections. */
void http_free(struct http *h);
DEFINE_OWN(struct http, http_free)
#define own_http own(http_free_p)

enum http_redirect {
        HTTP_REDIRECT_NO = 0, /* a 3xx is an answer like any other */
        /* up to LIMIT_HTTP_REDIRECTS, same scheme, host and port, GET and HEAD only; else FAULT_DENIED */
        HTTP_REDIRECT_SAME_HOST,
        HTTP_REDIRECT_MAX_,
};

struct http_request {
        const char *method;         /* NULL: "GET", or "POST" with a body */
        const char *url;            /* Required. http(s)://host[:port]/path?query */
        const char *const *headers; /* "Name: value", NULL-terminated; NULL: none. Values may be secrets */

        const void *body; /* bytes to send; NULL: none */
        size_t body_size;
        /* Instead of @body: fills up to @room bytes, returns how many, 0 at the end, -errno to give up. */
        ssize_t (*upload)(void *buf, size_t room, void *userdata);
        int64_t upload_size; /* -1: not known, sent chunked */

        /*
         * Instead of response.body, for a 2xx answer: gets the bytes as they come; non-zero stops the transfer,
         * and http_perform() returns -ECANCELED with a fault that the callback's caller may replace.
         * Other answers always go to response.body, so that an error's text can be read.
         */
        int (*sink)(const void *bytes, size_t size, void *userdata);
        void *userdata; /* for upload and sink */

        int connect_timeout_ms; /* 0: 10 s */
        int timeout_ms;         /* for the whole exchange; 0: none */
        /* no byte either way for this long (whole seconds, rounded up); 0: 60 s; -1: never */
        int stall_timeout_ms;
        /* 0: LIMIT_HTTP_BODY_BYTES; a body beyond it is FAULT_TRANSIENT/-EFBIG. For sinks: no limit when 0 */
        size_t max_body;
        enum http_redirect redirect;
        bool direct;        /* through no proxy, whatever the environment says: for this machine itself */
        const char *reason; /* reason code put into transient faults (static); NULL: none */
};

struct http_response {
        int status;            /* 200, 404, … of the last answer */
        struct buffer headers; /* raw header lines of the last answer, at most LIMIT_HTTP_HEADER_BYTES */
        struct buffer body;
};

#define HTTP_RESPONSE_INIT ((struct http_response){ .status = 0 })
void http_response_done(struct http_response *r);
#define own_http_response __attribute__((cleanup(http_response_done)))

/* @ret is cleared first, and holds what arrived also on failure. */
int http_perform(struct http *h, const struct http_request *req, struct http_response *ret, struct fault *reterr);

/*
 * The value of the first header @name (case-insensitive), without surrounding blanks, copied to @buf of @size
 * bytes. NULL when it is absent or does not fit; else @buf.
 */
const char *http_header(const struct http_response *r, const char *name, char *buf, size_t size);
/* How many times @name is there (WWW-Authenticate), and the nth value. */
const char *http_header_nth(const struct http_response *r, const char *name, size_t nth, char *buf, size_t size);

/* Append @s with everything but unreserved characters (RFC 3986, 2.3) as %XX; '/' stays when @keep_slash. */
void http_escape(struct buffer *out, const char *s, bool keep_slash);
