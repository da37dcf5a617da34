/* A notice as a mail (RFC 5322): headers, and a quoted-printable text. Pure: time is an argument. Whatever the notice
 * says, it adds no header and no line of its own to the mail. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"

enum { MAIL_ADDRESS_MAX = 254 };

typedef struct MailOptions {
        const char *from;
        const json_t *to;           /* addresses, at least one */
        const char *subject_prefix; /* may be empty */
} MailOptions;

/* local@domain as it stands, printable ASCII that needs no quoting. */
bool mail_address_is_valid(const char *address);

/* The same notice makes the same mail again, whenever it is: only where it tells of no alert is now_us its date.
 * *ret has CRLF line ends, free() it. -EINVAL where notice isn't one, -ENOMEM. */
int mail_compose(const MailOptions *o, const json_t *notice, int64_t now_us, char **ret, size_t *ret_len,
                Error *e) _must_check_;
