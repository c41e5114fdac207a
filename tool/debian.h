/* SPDX-License-Identifier: MIT
 *
 * What the maintainer scripts of Debian packages would have made, as far as it can be told from the
 * packages without running anything: alternatives, system users, certificate bundle, data folders.
 */
#ifndef TOOL_DEBIAN_H
#define TOOL_DEBIAN_H

#include "root.h"

/* Reads one package's postinst script (text; NULL: it has none) and remembers what it asks for. */
struct debian_setup {
    struct words alternatives; /* "link name path priority slave-link slave-name slave-path ..." */
    struct words users;        /* "name home group" */
    struct words unknown;      /* packages whose script does more than is understood */
};

void debian_take_script(struct debian_setup *setup, const char *package, const char *script);

/* Applies it all to the root, after every package is unpacked; what could not be done becomes a
 * note of the manifest. Frees setup's contents. */
void debian_apply(struct debian_setup *setup, struct root *root);

#endif
