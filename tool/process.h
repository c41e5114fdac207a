/* SPDX-License-Identifier: MIT
 *
 * Programs that the command runs: apt-get, dpkg-deb.
 */
#ifndef TOOL_PROCESS_H
#define TOOL_PROCESS_H

#include "buffer.h"

/* Runs argv[0] from PATH to its end, standard input empty. output and errors (may be NULL: dropped)
 * receive what it wrote. env: NAME=VALUE items added to the environment, or NULL.
 * Exit status; 128 + n for a signal; 127 when it cannot be started. */
int process_run(char *const argv[], const struct words *env, struct buffer *output,
                struct buffer *errors);

/* The same; heard is called with all of the output whenever there is more of it. */
int process_run_heard(char *const argv[], const struct words *env, struct buffer *output,
                      struct buffer *errors, void (*heard)(const struct buffer *, void *),
                      void *context);

/* The same with standard output to a descriptor. */
int process_run_to(char *const argv[], const struct words *env, int output, struct buffer *errors);

/* True if a program of that name can be found in PATH. */
bool process_exists(const char *name);

#endif
