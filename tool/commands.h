/* SPDX-License-Identifier: MIT
 *
 * The commands, one file each. argv: what follows the command's name. Each returns the exit status.
 */
#ifndef TOOL_COMMANDS_H
#define TOOL_COMMANDS_H

int command_run(char *const argv[]);
int command_build(char *const argv[]);
int command_inspect(char *const argv[]);
int command_check(char *const argv[]);
int command_ps(char *const argv[]);
int command_logs(char *const argv[]);
int command_stop(char *const argv[]);
int command_rm(char *const argv[]);

#endif
