/* SPDX-License-Identifier: MIT
 *
 * The cache: $XDG_CACHE_HOME/remora, or ~/.cache/remora.
 *
 *     apt/      private state of apt: package lists and downloaded packages
 *     images/   bootable images of packages, by the digest of what went into them
 *     closures/ which packages a set of names resolved to, and when
 *     run/      images of programs that are running now
 */
#ifndef TOOL_CACHE_H
#define TOOL_CACHE_H

#include <stdbool.h>
#include <stdint.h>

/* Path of a folder of the cache, made if missing (name "" is the cache itself); owned by the
 * caller. NULL after a report. */
char *cache_folder(const char *name);

/* An open file of the cache without a name, for what is gone when the command ends. -1 after a
 * report. */
int cache_spool(void);

/* True if so much is free where the cache is, or that cannot be told. */
bool cache_has_room(uint64_t bytes);

/* "12 MiB are free in FOLDER", for reports of a full disk. */
char *cache_room(void);

/* Makes path and the folders it lies in. 0 or -errno. */
int make_folders(const char *path);

/* `remora cache ls|prune`. */
int cache_list(void);
int cache_prune(void);

#endif
