/* SPDX-License-Identifier: MIT
 *
 * The manifest, version 1: what to run, told by the root itself. A regular file in the EROFS root,
 * read by the kernel once, before init runs, and by `remora inspect`. At most MANIFEST_SIZE_MAX
 * bytes.
 *
 * Lines `key=value`, each ended by \n; the first is `remora-manifest=1`. Keys are [a-z-]+. The
 * value is percent-encoded: '%' and every byte outside 0x20..0x7e stands as %XX (upper-case
 * hexadecimal); all else stands for itself, so a value may hold '=' and spaces. Decoded values hold
 * no NUL. Unknown keys are skipped. `arg` and `env` are repeated, in order; any other key stands
 * once, and the last wins. Example:
 *
 *     remora-manifest=1
 *     arg=/usr/bin/python3
 *     arg=-c
 *     arg=print("100%25")
 *     env=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
 *     cwd=/
 *     user=0:0
 *     hostname=remora
 *
 * Read by the kernel:
 *   exec      absolute path of the file to execute; absent: arg[0], which is then absolute or, when
 * it holds no '/', looked up in PATH of env arg       argv, at least one env       one NAME=VALUE
 * of the environment cwd       absolute path of the working directory; absent: "/" user
 * "<uid>:<gid>" or "<uid>:<gid>:<gid>,<gid>..." (supplementary groups), decimal; absent: 0:0
 *   hostname  for uname and gethostname; absent: "remora"
 * Read by the tool only:
 *   name      of the image
 *   memory    MiB that the guest wants by default
 *   cpus      CPUs that the guest wants by default
 *   package   "<name> <version> <architecture>", one for each Debian package inside (repeated)
 *   choice    a program that the named packages hold, when none of them is the default (repeated)
 *   note      what the tool could not set up (repeated)
 *
 * What bootargs say (abi/bootargs.h) comes before what the manifest says.
 * Shared by kernel and tool; freestanding.
 */
#ifndef ABI_MANIFEST_H
#define ABI_MANIFEST_H

#define MANIFEST_DIRECTORY "/.remora"
#define MANIFEST_PATH      "/.remora/manifest"
#define MANIFEST_VERSION   1
#define MANIFEST_FIRST     "remora-manifest=1\n"
#define MANIFEST_SIZE_MAX  (256 * 1024)

#define MANIFEST_EXEC     "exec"
#define MANIFEST_ARG      "arg"
#define MANIFEST_ENV      "env"
#define MANIFEST_CWD      "cwd"
#define MANIFEST_USER     "user"
#define MANIFEST_HOSTNAME "hostname"
#define MANIFEST_NAME     "name"
#define MANIFEST_MEMORY   "memory"
#define MANIFEST_CPUS     "cpus"
#define MANIFEST_PACKAGE  "package"
#define MANIFEST_CHOICE   "choice"
#define MANIFEST_NOTE     "note"

#endif
