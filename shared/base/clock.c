/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>

#include "shared/base/cleanup.h"

#define BOOT_ID_LENGTH            36
#define DAY_SECONDS               86400
/* The kernel lets the error it assumes grow to 16 s when nothing disciplines the clock: NTP_PHASE_LIMIT. */
#define SYNCHRONIZED_MAX_ERROR_US 16000000

int64_t clock_wall_ms(void) {
        struct timespec ts = { 0 };

        (void)clock_gettime(CLOCK_REALTIME, &ts);
        return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t clock_monotonic_ns(void) {
        struct timespec ts = { 0 };

        (void)clock_gettime(CLOCK_BOOTTIME, &ts);
        return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

bool clock_is_synchronized(void) {
        struct timex tx = { .modes = 0 };

        /* Not STA_UNSYNC: it is also set to keep the kernel away from the hardware clock. */
        return adjtimex(&tx) >= 0 && tx.maxerror < SYNCHRONIZED_MAX_ERROR_US;
}

const char *clock_boot_id(char *buf) {
        own_fd int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC | O_NOCTTY);

        if (fd < 0 || read(fd, buf, BOOT_ID_LENGTH) != BOOT_ID_LENGTH)
                buf[0] = '\0';
        else
                buf[BOOT_ID_LENGTH] = '\0';
        return buf;
}

void clock_sleep_ms(int64_t ms) {
        struct timespec until = { 0 };

        if (ms <= 0 || clock_gettime(CLOCK_MONOTONIC, &until) < 0)
                return;
        until.tv_sec += (time_t)(ms / 1000);
        until.tv_nsec += (long)(ms % 1000) * 1000000;
        if (until.tv_nsec >= 1000000000) {
                until.tv_sec++;
                until.tv_nsec -= 1000000000;
        }
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
                ;
}

/*
 * Dates. Days are counted from 1970-01-01 in the proleptic Gregorian calendar; the year is taken to begin
 * on 1 March, so that the leap day is its last.
 */

static int64_t days_from_date(int64_t year, int64_t month, int64_t day) {
        int64_t era, year_of_era, day_of_year;

        year -= month <= 2;
        era = (year >= 0 ? year : year - 399) / 400;
        year_of_era = year - era * 400;
        day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
        return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static void date_from_days(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day) {
        int64_t era, day_of_era, year_of_era, day_of_year, m;

        days += 719468;
        era = (days >= 0 ? days : days - 146096) / 146097;
        day_of_era = days - era * 146097;
        year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
        day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        m = (5 * day_of_year + 2) / 153;
        *ret_day = (int)(day_of_year - (153 * m + 2) / 5 + 1);
        *ret_month = (int)(m < 10 ? m + 3 : m - 9);
        *ret_year = year_of_era + era * 400 + (m >= 10);
}

static int month_days(int64_t year, int64_t month) {
        static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

        return days[month - 1] + (month == 2 && leap);
}

const char *rfc3339_format(int64_t wall_ms, char *buf) {
        int64_t ms = wall_ms % 1000, seconds = wall_ms / 1000, days, year;
        int month, day, n;

        if (ms < 0) {
                ms += 1000;
                seconds--;
        }
        days = seconds / DAY_SECONDS;
        seconds %= DAY_SECONDS;
        if (seconds < 0) {
                seconds += DAY_SECONDS;
                days--;
        }

        date_from_days(days, &year, &month, &day);
        n = snprintf(buf, RFC3339_TEXT_MAX, "%04lld-%02d-%02dT%02d:%02d:%02d", (long long)year, month, day,
                     (int)(seconds / 3600), (int)(seconds / 60 % 60), (int)(seconds % 60));
        if (ms)
                n += snprintf(buf + n, (size_t)(RFC3339_TEXT_MAX - n), ".%03d", (int)ms);
        (void)snprintf(buf + n, (size_t)(RFC3339_TEXT_MAX - n), "Z");
        return buf;
}

/* Exactly @n digits between @min and @max, then one of @after unless that is NULL. Advances *@s. */
static bool take_field(const char **s, int n, int min, int max, const char *after, int *ret) {
        int v = 0;

        for (; n > 0; n--, (*s)++) {
                if (**s < '0' || **s > '9')
                        return false;
                v = v * 10 + (**s - '0');
        }
        if (v < min || v > max)
                return false;
        if (after) {
                if (**s == '\0' || !strchr(after, **s))
                        return false;
                (*s)++;
        }
        *ret = v;
        return true;
}

/* ".123456": milliseconds, cut, not rounded. */
static bool take_fraction(const char **s, int *ret_ms) {
        int ms = 0, weight = 100;

        if (**s == '.') {
                (*s)++;
                if (**s < '0' || **s > '9')
                        return false;
                for (; **s >= '0' && **s <= '9'; (*s)++, weight /= 10)
                        ms += (**s - '0') * weight;
        }
        *ret_ms = ms;
        return true;
}

/* "Z" or "+01:00", to the end of the string. */
static bool take_offset(const char **s, int *ret_seconds) {
        int hours = 0, minutes = 0, sign = **s == '-' ? -1 : 1;

        if (**s == 'Z' || **s == 'z')
                (*s)++;
        else if (**s == '+' || **s == '-') {
                (*s)++;
                if (!take_field(s, 2, 0, 23, ":", &hours) || !take_field(s, 2, 0, 59, NULL, &minutes))
                        return false;
        } else
                return false;
        *ret_seconds = sign * (hours * 3600 + minutes * 60);
        return **s == '\0';
}

int rfc3339_parse(const char *s, int64_t *ret_wall_ms) {
        int year, month, day, hour, minute, second, ms, offset;
        int64_t seconds;

        if (!take_field(&s, 4, 0, 9999, "-", &year) || !take_field(&s, 2, 1, 12, "-", &month) ||
            !take_field(&s, 2, 1, month_days(year, month), "Tt", &day) || !take_field(&s, 2, 0, 23, ":", &hour) ||
            !take_field(&s, 2, 0, 59, ":", &minute) || !take_field(&s, 2, 0, 60, NULL, &second) ||
            !take_fraction(&s, &ms) || !take_offset(&s, &offset))
                return -EINVAL;

        seconds = days_from_date(year, month, day) * DAY_SECONDS + hour * 3600 + minute * 60 + second - offset;
        /* A leap second is the last of a UTC day; it counts as the first of the next one. */
        if (second == 60 && seconds % DAY_SECONDS != 0)
                return -EINVAL;
        *ret_wall_ms = seconds * 1000 + ms;
        return 0;
}
