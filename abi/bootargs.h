/* SPDX-License-Identifier: MIT
 *
 * Boot parameters, version 1: the words of /chosen/bootargs that Remora knows. Words are separated
 * by spaces, each `key` or `key=value`; of a repeated key the last counts. Values marked % are
 * percent-encoded: '%', ',', '"', space and every byte outside 0x21..0x7e stands as %XX (upper-case
 * hexadecimal). A value marked , is a list: items are encoded one by one and joined by ','; an
 * empty value is a list of one empty item.
 *
 * Words that start with `remora.` are hidden from /proc/cmdline. Unknown `remora.` words are
 * reported at level warn; other unknown words are left to whom they concern.
 *
 *   remora.nonce=<32 hex>   frames are on, with this nonce (abi/frame.h). The kernel wipes it from
 *                           the device tree before programs run
 *   remora.tty=<letters>    which streams of the program are terminals: i, o, e for 0, 1, 2. The
 *                           others are plain streams: isatty() is false, no line discipline, 8-bit
 *                           clean. An absent word means "ioe", `remora.tty=` means none
 *   remora.stderr=frame     standard error goes in 'E' frames; else it is mixed into the output
 *   remora.size=<rows>x<columns>  window size at start
 *   remora.console=virtio   a virtio console is there for the streams: from the 'T' frame on, which
 * is sent on it, all traffic both ways uses it; the serial port keeps what comes before, and the
 * last words of a dying kernel remora.log=<level>      error, warn (default when a nonce is given),
 * info, debug remora.time=<seconds>   wall clock at start, for machines without a clock chip
 *   remora.uart-fifo=off    the UART interrupts for every byte (for tests)
 *   remora.args=<list , %>  replaces every `arg` of the manifest (and `exec` is dropped)
 *   remora.env=<list , %>   NAME=VALUE items that are added to, or replace, those of the manifest;
 *                           an item without '=' removes the name
 *   remora.cwd=<%>          replaces `cwd`
 *   remora.user=<uid:gid[:gid,gid...]>  replaces `user` (no encoding)
 *   remora.hostname=<%>     replaces `hostname`
 *   remora.volume=<tag>:<%path>[:ro]    9p volume (repeated)
 *   root=<path>             the disk that holds the root from its first byte on, by /dev/vda or
 *                           /dev/disk/by-id/virtio-<serial>; absent: the root is in memory
 *   init=<path>             the program to start instead
 *
 * The whole of bootargs is at most BOOTARGS_MAX bytes with its NUL.
 * Shared by kernel and tool; freestanding.
 */
#ifndef ABI_BOOTARGS_H
#define ABI_BOOTARGS_H

#define BOOTARGS_MAX 65536

#define BOOTARGS_PREFIX   "remora."
#define BOOTARGS_ROOT     "root"
#define BOOTARGS_NONCE    "remora.nonce"
#define BOOTARGS_TTY      "remora.tty"
#define BOOTARGS_STDERR   "remora.stderr"
#define BOOTARGS_SIZE     "remora.size"
#define BOOTARGS_CONSOLE  "remora.console"
#define BOOTARGS_LOG      "remora.log"
#define BOOTARGS_TIME     "remora.time"
#define BOOTARGS_ARGS     "remora.args"
#define BOOTARGS_ENV      "remora.env"
#define BOOTARGS_CWD      "remora.cwd"
#define BOOTARGS_USER     "remora.user"
#define BOOTARGS_HOSTNAME "remora.hostname"
#define BOOTARGS_VOLUME   "remora.volume"

/* The serial number of the disk on which the command puts a root. */
#define ROOT_DISK_SERIAL "remora-root"
#define ROOT_DISK_PATH   "/dev/disk/by-id/virtio-" ROOT_DISK_SERIAL

#endif
