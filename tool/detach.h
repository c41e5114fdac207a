/* SPDX-License-Identifier: MIT
 *
 * `remora run -d`: a process of its own runs the guest, whose streams are a file.
 */
#ifndef TOOL_DETACH_H
#define TOOL_DETACH_H

#include "guests.h"

struct detached {
    struct guest_record guest;
    int tell; /* pipe to the command that waits for the program to start; -1 once told */
};

/* Goes on twice. In the command that the user started *is_guest is false: it has waited until the
 * program runs, or has reported why it does not. In the process that is to run the guest it is
 * true: input is empty, output and errors go to the log. Returns the status for the command. */
int detach(struct detached *detached, const char *name, bool *is_guest);

/* In the process that runs the guest: the program runs; something was written; and its end, the
 * last call. A log of DETACHED_LOG_MAX bytes becomes `log.old`, in place of an earlier one. */
#define DETACHED_LOG_MAX (4 << 20)
void detached_started(void *detached);
void detached_wrote(void *detached);
void detached_ended(struct detached *detached, int status);

#endif
