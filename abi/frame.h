/* SPDX-License-Identifier: MIT
 *
 * Console frames, version 1: how the `remora` command and the guest talk on one byte stream (PL011,
 * Xen console, 16550). Both directions carry program bytes, 8-bit clean, with frames between them:
 *
 *     ESC _ R <nonce> <type> <length> ; <payload> ESC \
 *
 * nonce   32 lower-case hexadecimal digits, new for each boot, given in bootargs as
 *         remora.nonce= and hidden from programs, so that no program can forge a frame;
 * type    one letter, see below;
 * length  1 to 7 decimal digits, at most FRAME_PAYLOAD_MAX; no leading zero but for "0";
 * payload length bytes, any value.
 *
 * Reading: bytes that begin like a frame but turn out not to be one (another nonce, unknown shape)
 * are program bytes and are passed on, all of them; the byte that broke the match may itself begin
 * a frame. Only the sequence with this boot's nonce is taken. A frame with the right nonce and an
 * unknown type is dropped, so that types can be added. Writing: a frame is written without program
 * bytes in between. Without remora.nonce= no frames are sent or looked for, and the console is a
 * plain terminal.
 *
 * Shared by kernel and tool; freestanding.
 */
#ifndef ABI_FRAME_H
#define ABI_FRAME_H

#define FRAME_INTRO        "\033_R" /* then the nonce */
#define FRAME_INTRO_LENGTH 3
#define FRAME_NONCE_LENGTH 32
#define FRAME_LENGTH_END   ';'
#define FRAME_END          "\033\\"
#define FRAME_END_LENGTH   2
#define FRAME_PAYLOAD_MAX  4096 /* a longer text is sent as several frames */

/* Longest prefix before the payload: intro, nonce, type, 7 digits, ';'. */
#define FRAME_HEADER_MAX (FRAME_INTRO_LENGTH + FRAME_NONCE_LENGTH + 1 + 7 + 1)

/* --- Guest to host ---------------------------------------------------------------------------- */

/* The program ended with this status: decimal 0..255. Sent once, after the last program byte. The
 * kernel also uses it when it could not start the program: FRAME_STATUS_*, after an 'L' frame that
 * says why. The guest then powers off (PSCI SYSTEM_OFF); the host does not wait for that. */
#define FRAME_EXIT 'X'

/* The program was ended by this signal: decimal Linux signal number. Sent once, instead of 'X'. */
#define FRAME_SIGNAL 'S'

/* Bytes that the program wrote to standard error; only if remora.stderr=frame was given. */
#define FRAME_STDERR 'E'

/* Bytes for the terminal (echo of input, /dev/tty) when standard output is not the terminal, that
 * is when remora.tty= is given without 'o'. Otherwise they are plain program bytes. */
#define FRAME_TTY 'Y'

/* Boot-time figures, once, when the program's first instruction is about to run: words `name=value`
 * between spaces; values in nanoseconds since reset as far as the counter tells (`start=` at
 * _start, `program=` at the drop to EL0). Shown by the host with -V. This frame is mandatory: it
 * says that the console's input is ready on the channel that it comes by; before it the host sends
 * nothing to the guest, since what the other channel still held would be lost. */
#define FRAME_TIMES 'T'

/* Kernel messages: whole lines of text, each ended by \n, without colours. Shown on the host's
 * standard error. Only levels warn and above unless remora.log= asks for more. */
#define FRAME_LOG 'L'

/* --- Host to guest ---------------------------------------------------------------------------- */

#define FRAME_WINDOW    'W' /* "<rows> <columns>", decimal: TIOCSWINSZ and SIGWINCH */
#define FRAME_EOF       'Z' /* empty: end of standard input; later reads return 0 */
#define FRAME_INTERRUPT 'C' /* empty: SIGINT for the program, when input is not a terminal */
#define FRAME_TERMINATE 'K' /* empty: SIGTERM for the program */

/* --- Statuses ----------------------------------------------------------------------------------
 */

#define FRAME_STATUS_ERROR       125 /* of the command itself, or the guest ended without status */
#define FRAME_STATUS_CANNOT_EXEC 126 /* found, but cannot be executed */
#define FRAME_STATUS_NOT_FOUND   127 /* program, or the interpreter it names, not found */
#define FRAME_STATUS_SIGNAL_BASE 128 /* + signal number */

#endif
