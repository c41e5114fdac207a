/* SPDX-License-Identifier: MIT
 *
 * Guests that run detached (`remora run -d`), as files: $XDG_STATE_HOME/remora/guests/NAME, else
 * below ~/.local/state, holds
 *
 *     lock         held (an OFD lock) by the process that runs the guest, for as long as it lives
 *     guest.json   what runs, and the process's number
 *     log          what the program and the kernel wrote
 *     status       the exit status, once it has ended
 *
 * A guest runs if and only if its lock is held; so what a crash left behind never looks alive.
 */
#ifndef TOOL_GUESTS_H
#define TOOL_GUESTS_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "network.h"
#include "options.h"

enum guest_state { GUEST_RUNNING, GUEST_EXITED, GUEST_LOST /* ended without leaving a status */ };

struct guest_record {
    char *name;
    char *folder;
    int lock; /* the file; while GUEST_RUNNING and in a claim it is locked */
    enum guest_state state;
    int status;   /* GUEST_EXITED */
    json_t *info; /* guest.json; an empty object if there is none yet */
};

/* Letters, digits, '_', '.', '-', the first a letter or digit, at most 63. */
bool guest_name_is_good(const char *name);

/* Takes a name for a guest that this process will run; what an ended one of that name left is
 * removed. Reports. */
int guest_claim(struct guest_record *guest, const char *name);

/* Of a claimed guest: what it is, and how it ended. Report. */
int guest_describe(struct guest_record *guest, const struct options *options,
                   const struct network *network);
int guest_set_status(struct guest_record *guest, int status);

/* Removes the files of a claimed or ended guest. Reports. */
int guest_remove(struct guest_record *guest);

/* The guest of that name. Reports if there is none. */
int guest_find(struct guest_record *guest, const char *name);

/* Reads state and status anew. */
void guest_refresh(struct guest_record *guest);

/* Every guest, by name. The caller frees each and the array. Reports. */
int guest_list(struct guest_record **guests, size_t *count);

pid_t guest_process(const struct guest_record *guest);
char *guest_file(const struct guest_record *guest, const char *name);
void guest_free(struct guest_record *guest);

#endif
