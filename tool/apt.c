/* SPDX-License-Identifier: MIT
 *
 * Driving apt-get. Its private state lies in the cache:
 *
 *     apt/apt.conf  apt/status  apt/lists/  apt/archives/  apt/lock
 */
#include "apt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cache.h"
#include "image.h"
#include "message.h"
#include "process.h"
#include "sha256.h"

#define LISTS_FRESH_SECONDS (24 * 3600)
#define LISTS_ROOM          (32ull << 20) /* apt waits for ever on a disk that they fill */
#define ATTEMPTS            3

struct apt {
    char *folder;
    struct words env; /* APT_CONFIG and a language that can be parsed */
    int lock;
    bool offline;
};

static const char configuration[] = "APT::Architecture \"arm64\";\n"
                                    "APT::Architectures { \"arm64\"; };\n"
                                    "APT::Install-Recommends \"false\";\n"
                                    "APT::Sandbox::User \"\";\n"
                                    "APT::Get::AllowUnauthenticated \"false\";\n"
                                    "Acquire::Languages \"none\";\n"
                                    "Acquire::Retries \"2\";\n"
                                    "Acquire::http::Timeout \"30\";\n"
                                    "Acquire::https::Timeout \"30\";\n"
                                    "Debug::NoLocking \"true\";\n"
                                    "Dir::State::Lists \"%1$s/lists\";\n"
                                    "Dir::State::status \"%1$s/status\";\n"
                                    "Dir::State::extended_states \"%1$s/extended_states\";\n"
                                    "Dir::Cache \"%1$s\";\n"
                                    "Dir::Cache::archives \"%1$s/archives\";\n"
                                    "Dir::Log \"%1$s\";\n";

static int write_file(const char *folder, const char *name, const char *text)
{
    char *path = text_format("%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    int status = 0;

    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
        status = message_error("%s: %s", path, strerror(errno));
    free(path);
    return status;
}

static int make_state(struct apt *apt)
{
    static const char *const folders[] = {"apt/lists/partial", "apt/archives/partial"};
    char *text = text_format(configuration, apt->folder);
    int status = write_file(apt->folder, "apt.conf", text);

    free(text);
    if (status == 0)
        status = write_file(apt->folder, "status", "");
    for (size_t i = 0; status == 0 && i < sizeof(folders) / sizeof(folders[0]); i++) {
        char *path = cache_folder(folders[i]);

        status = path ? 0 : STATUS_ERROR;
        free(path);
    }
    return status;
}

static int apt_open(struct apt *apt, bool offline)
{
    char *path;

    *apt = (struct apt){.offline = offline, .lock = -1};
    if (!process_exists("apt-get"))
        return message_error(
            "deb: sources need apt-get, which this host lacks; use them on Debian or a "
            "system like it");
    apt->folder = cache_folder("apt");
    if (apt->folder == NULL)
        return STATUS_ERROR;
    path = text_format("%s/lock", apt->folder);
    apt->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    free(path);
    if (apt->lock < 0 || flock(apt->lock, LOCK_EX) < 0)
        return message_error("%s/lock: %s", apt->folder, strerror(errno));
    words_take(&apt->env, text_format("APT_CONFIG=%s/apt.conf", apt->folder));
    words_add(&apt->env, "LC_ALL=C");
    return make_state(apt);
}

static void apt_close(struct apt *apt)
{
    if (apt->lock >= 0)
        close(apt->lock);
    free(apt->folder);
    words_clear(&apt->env);
}

/* --- Running apt-get. --------------------------------------------------------------------------
 */

/* The lines of apt's that say what is wrong, without its "E: ". */
static void report_lines(const char *errors)
{
    struct words lines = {0};
    size_t shown = 0;

    words_split(&lines, errors, "\n");
    for (size_t i = 0; i < lines.count && shown < 6; i++)
        if (text_starts(lines.item[i], "E: ") || text_starts(lines.item[i], "W: ")) {
            message_error("apt: %s", lines.item[i] + 3);
            shown++;
        }
    words_clear(&lines);
}

/* Shows the last "dlstatus:FILE:PERCENT:Retrieving file N of M (TIME remaining)" of what apt-get
 * has written; what: what is fetched. */
static void show_download(const struct buffer *output, void *what)
{
    static const char mark[] = "\ndlstatus:", before[] = "Retrieving ";
    const char *last = NULL, *text;
    double percent;

    for (const char *next = strstr(output->data, mark); next; next = strstr(next + 1, mark))
        if (strchr(next + 1, '\n'))
            last = next;
    text = last ? strchr(last + sizeof(mark), ':') : NULL;
    percent = text ? strtod(text + 1, NULL) : 0;
    text = text ? strchr(text + 1, ':') : NULL;
    if (text == NULL)
        return;
    text += text_starts(text + 1, before) ? sizeof(before) : 1;
    message_progress("%s: %.0f %%, %.*s", (const char *)what, percent, (int)strcspn(text, "\n"),
                     text);
}

/* what: what it fetches, to be shown meanwhile; NULL: nothing. */
static int apt_get(const struct apt *apt, const struct words *arguments, struct buffer *output,
                   struct buffer *errors, char *what)
{
    struct words command = {0};
    int status;

    words_add(&command, "apt-get");
    words_add(&command, "-y");
    if (what)
        words_add(&command, "-oAPT::Status-Fd=1");
    words_add_all(&command, arguments);
    if (what)
        status = process_run_heard(command.item, &apt->env, output, errors, show_download, what);
    else
        status = process_run(command.item, &apt->env, output, errors);
    words_clear(&command);
    return status;
}

/* A full disk is no reason to try again. */
static bool tells_full(const char *errors)
{
    return errors && (strstr(errors, "No space left") || strstr(errors, "enough free space"));
}

static void report_full(void)
{
    char *room = cache_room();

    message_error(
        "the disk is full: %s; make room (`remora cache prune` throws away what was fetched "
        "before), or set XDG_CACHE_HOME to a folder of a larger disk",
        room);
    free(room);
}

static bool lists_are_fresh(const struct apt *apt)
{
    char *path = text_format("%s/updated", apt->folder);
    struct stat info;
    bool fresh = stat(path, &info) == 0 && time(NULL) - info.st_mtime < LISTS_FRESH_SECONDS;

    free(path);
    return fresh;
}

static int update(struct apt *apt)
{
    struct buffer output = {0}, errors = {0};
    struct words arguments = {0};
    bool full = false;
    int status = 0;

    if (!cache_has_room(LISTS_ROOM)) {
        report_full();
        return STATUS_ERROR;
    }
    words_add(&arguments, "update");
    for (int i = 0; i < ATTEMPTS && !full; i++) {
        buffer_free(&output);
        buffer_free(&errors);
        message_progress("package lists%s", i ? " (again)" : "");
        status = apt_get(apt, &arguments, &output, &errors, "package lists");
        /* apt-get update ends with 0 even when it could fetch nothing. */
        if (status == 0 && (errors.data == NULL || strstr(errors.data, "Failed to fetch") == NULL))
            break;
        status = STATUS_ERROR;
        full = tells_full(errors.data);
    }
    if (full) {
        report_full();
    } else if (status) {
        report_lines(errors.data ? errors.data : "");
        message_error(
            "the package lists could not be fetched; check the network and "
            "/etc/apt/sources.list, or use --offline if the packages were fetched before");
    } else {
        status = write_file(apt->folder, "updated", "");
    }
    message_progress_end();
    words_clear(&arguments);
    buffer_free(&output);
    buffer_free(&errors);
    return status;
}

/* --- What is needed. ---------------------------------------------------------------------------
 */

static void add_package(struct closure *closure, const struct package *package)
{
    closure->package =
        memory_resize(closure->package, (closure->count + 1) * sizeof(struct package));
    closure->package[closure->count++] = *package;
}

static int compare_packages(const void *a, const void *b)
{
    return strcmp(((const struct package *)a)->name, ((const struct package *)b)->name);
}

void closure_free(struct closure *closure)
{
    for (size_t i = 0; i < closure->count; i++) {
        free(closure->package[i].name);
        free(closure->package[i].version);
        free(closure->package[i].architecture);
        free(closure->package[i].file);
    }
    free(closure->package);
    *closure = (struct closure){0};
}

/* "Inst NAME (VERSION SUITE [ARCH])" of a simulation. */
static void take_simulation(struct closure *closure, const char *output)
{
    struct words lines = {0};

    words_split(&lines, output, "\n");
    for (size_t i = 0; i < lines.count; i++) {
        char name[256], version[256], *architecture;
        struct package package = {0};

        if (sscanf(lines.item[i], "Inst %255s (%255s", name, version) != 2)
            continue;
        architecture = strchr(lines.item[i] + strcspn(lines.item[i], "("), '[');
        if (architecture == NULL)
            continue;
        architecture++;
        package.name = memory_copy(name, strcspn(name, ":"));
        package.version = text_copy(version);
        package.architecture = memory_copy(architecture, strcspn(architecture, "]"));
        add_package(closure, &package);
    }
    words_clear(&lines);
    if (closure->count)
        qsort(closure->package, closure->count, sizeof(struct package), compare_packages);
}

/* Of NAME=VERSION: which versions there are, by lines "NAME | VERSION | SOURCE". */
static void report_versions(const struct apt *apt, const char *wanted)
{
    char *name = memory_copy(wanted, strcspn(wanted, "="));
    char *const command[] = {"apt-cache", "madison", name, NULL};
    struct buffer output = {0}, versions = {0};
    struct words lines = {0};

    if (strchr(wanted, '=') && process_run(command, &apt->env, &output, NULL) == 0)
        words_split(&lines, output.data ? output.data : "", "\n");
    for (size_t i = 0; i < lines.count; i++) {
        char version[256];

        if (sscanf(lines.item[i], "%*s | %255s |", version) == 1)
            buffer_format(&versions, " %s", version);
    }
    if (versions.length)
        message_error("package %s: the versions in the system's apt sources are%s", name,
                      versions.data);
    words_clear(&lines);
    buffer_free(&output);
    buffer_free(&versions);
    free(name);
}

/* " NAME : Depends: OTHER (= VERSION) but ..." of what apt-get printed. */
static void report_unmet(const char *output)
{
    struct words lines = {0};
    size_t shown = 0;

    words_split(&lines, output, "\n");
    for (size_t i = 0; i < lines.count && shown < 6; i++)
        if (strstr(lines.item[i], "Depends: ") || strstr(lines.item[i], "Conflicts: ")) {
            message_error("apt: %s", lines.item[i] + strspn(lines.item[i], " "));
            shown++;
        }
    words_clear(&lines);
    if (shown)
        message_error(
            "what is needed in another version has to be named too, as in deb:NAME=VERSION,"
            "OTHER=VERSION");
}

static int report_unknown(const struct apt *apt, const struct words *names, const char *output,
                          const char *errors)
{
    const char *unknown = strstr(errors, "Unable to locate package ");

    if (unknown) {
        unknown += strlen("Unable to locate package ");
        return message_error(
            "package %.*s: not known for arm64 in the system's apt sources; check the "
            "name%s",
            (int)strcspn(unknown, "\n"), unknown, apt->offline ? ", or leave --offline away" : "");
    }
    report_lines(errors);
    report_unmet(output);
    for (size_t i = 0; i < names->count && strstr(errors, "was not found"); i++)
        report_versions(apt, names->item[i]);
    return message_error("packages %s%s: apt finds no way to install them", names->item[0],
                         names->count > 1 ? ", ..." : "");
}

static int simulate(struct apt *apt, const struct words *names, struct closure *closure,
                    bool report)
{
    struct buffer output = {0}, errors = {0};
    struct words arguments = {0};
    int status;

    words_add(&arguments, "install");
    words_add(&arguments, "--simulate");
    words_add_all(&arguments, names);
    status = apt_get(apt, &arguments, &output, &errors, NULL);
    if (status == 0)
        take_simulation(closure, output.data ? output.data : "");
    else if (report)
        report_unknown(apt, names, output.data ? output.data : "", errors.data ? errors.data : "");
    words_clear(&arguments);
    buffer_free(&output);
    buffer_free(&errors);
    return status ? STATUS_ERROR : 0;
}

/* Resolves with the lists as they are if they are fresh, else, or on failure, with new ones. */
static int resolve(struct apt *apt, const struct words *names, struct closure *closure)
{
    bool fresh = lists_are_fresh(apt);
    int status;

    if (apt->offline)
        return simulate(apt, names, closure, true);
    if (fresh && simulate(apt, names, closure, false) == 0)
        return 0;
    status = update(apt);
    return status ? status : simulate(apt, names, closure, true);
}

/* --- Files. ------------------------------------------------------------------------------------
 */

/* NAME_VERSION_ARCH.deb with a version's ':' as %3a, as apt names them. */
static char *archive_path(const struct apt *apt, const struct package *package)
{
    struct buffer version = {0};
    char *path;

    for (const char *c = package->version; *c; c++)
        if (*c == ':')
            buffer_add_text(&version, "%3a");
        else
            buffer_add_byte(&version, *c);
    path = text_format("%s/archives/%s_%s_%s.deb", apt->folder, package->name,
                       version.data ? version.data : "", package->architecture);
    buffer_free(&version);
    return path;
}

static bool all_present(const struct apt *apt, struct closure *closure,
                        const struct package **missing)
{
    for (size_t i = 0; i < closure->count; i++) {
        struct package *package = &closure->package[i];

        free(package->file);
        package->file = archive_path(apt, package);
        if (access(package->file, R_OK) < 0) {
            *missing = package;
            return false;
        }
    }
    return true;
}

static int download(struct apt *apt, struct closure *closure, struct buffer *errors)
{
    struct buffer output = {0};
    struct words arguments = {0};
    char *what = text_format("%zu packages", closure->count);
    int status;

    words_add(&arguments, "install");
    words_add(&arguments, "--download-only");
    for (size_t i = 0; i < closure->count; i++)
        words_take(&arguments,
                   text_format("%s=%s", closure->package[i].name, closure->package[i].version));
    buffer_free(errors);
    message_verbose("fetching what is missing of %s", what);
    status = apt_get(apt, &arguments, &output, errors, what);
    words_clear(&arguments);
    free(what);
    buffer_free(&output);
    return status;
}

/* A mirror in the middle of an update gives wrong sizes and digests for a while: try again, with
 * new lists. */
static int fetch_missing(struct apt *apt, struct closure *closure)
{
    const struct package *missing = NULL;
    struct buffer errors = {0};
    bool full = false;
    int status = 0;

    for (int i = 0; i < ATTEMPTS && !full && !all_present(apt, closure, &missing); i++) {
        if (apt->offline)
            break;
        if (i)
            sleep(2);
        if ((i || !lists_are_fresh(apt)) && (status = update(apt)))
            break;
        message_progress("%zu packages%s", closure->count, i ? " (again)" : "");
        download(apt, closure, &errors);
        full = tells_full(errors.data);
    }
    message_progress_end();
    if (full) {
        report_full();
        status = STATUS_ERROR;
    }
    if (status == 0 && !all_present(apt, closure, &missing)) {
        report_lines(errors.data ? errors.data : "");
        status = message_error(
            "package %s %s: %s", missing->name, missing->version,
            apt->offline
                ? "not downloaded yet; leave --offline away"
                : "cannot be downloaded; the mirror may be in the middle of an update: try again "
                  "later, or, if a lock file pins this version, remove the lock file");
    }
    buffer_free(&errors);
    return status;
}

static int digest_file(const char *path, char text[SHA256_TEXT])
{
    uint8_t digest[SHA256_SIZE];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int error = fd < 0 ? -errno : sha256_file(fd, 0, UINT64_MAX, digest);

    if (fd >= 0)
        close(fd);
    if (error)
        return message_error("%s: %s", path, strerror(-error));
    sha256_text(digest, text);
    return 0;
}

static int check_digests(struct closure *closure)
{
    for (size_t i = 0; i < closure->count; i++) {
        struct package *package = &closure->package[i];
        char digest[SHA256_TEXT];

        if (digest_file(package->file, digest))
            return STATUS_ERROR;
        if (package->digest[0] && strcmp(package->digest, digest) != 0)
            return message_error(
                "package %s %s: its digest is not the one that the lock file pins; "
                "remove %s and try again",
                package->name, package->version, package->file);
        memcpy(package->digest, digest, sizeof(package->digest));
    }
    return 0;
}

int apt_fetch(const struct words *names, bool offline, struct closure *closure)
{
    struct apt apt;
    int status = apt_open(&apt, offline);

    if (status == 0 && closure->count == 0)
        status = resolve(&apt, names, closure);
    if (status == 0)
        status = fetch_missing(&apt, closure);
    if (status == 0)
        status = check_digests(closure);
    apt_close(&apt);
    return status;
}

/* --- Lock files. -------------------------------------------------------------------------------
 */

int closure_write(const struct closure *closure, const char *names, const char *path)
{
    struct buffer text = {0};
    char *temporary;
    int fd = file_begin(path, &temporary);
    int status = 0;

    if (fd < 0)
        return STATUS_ERROR;
    buffer_format(&text, "remora-lock=1 %s\n", names);
    for (size_t i = 0; i < closure->count; i++) {
        const struct package *package = &closure->package[i];

        buffer_format(&text, "%s %s %s %s\n", package->name, package->version,
                      package->architecture, package->digest);
    }
    if (write(fd, text.data, text.length) != (ssize_t)text.length)
        status = message_error("%s: cannot be written: %s", path, strerror(errno));
    buffer_free(&text);
    return file_finish(fd, temporary, path, status);
}

int closure_read(struct closure *closure, const char *names, const char *path)
{
    FILE *file = fopen(path, "re");
    char *line = NULL, *expected = text_format("remora-lock=1 %s\n", names);
    size_t room = 0;
    int status = 0, number = 1;

    if (file == NULL)
        status = errno == ENOENT ? -ENOENT : message_error("%s: %s", path, strerror(errno));
    else if (getline(&line, &room, file) < 0 || strcmp(line, expected) != 0)
        status = message_error("%s: does not pin %s; remove it to pin anew", path, names);
    while (status == 0 && getline(&line, &room, file) >= 0) {
        char name[256], version[256], architecture[32], digest[65];
        struct package package = {0};

        number++;
        if (sscanf(line, "%255s %255s %31s %64s", name, version, architecture, digest) != 4) {
            status = message_error("%s:%d: damaged; remove the file to pin anew", path, number);
            break;
        }
        package.name = text_copy(name);
        package.version = text_copy(version);
        package.architecture = text_copy(architecture);
        memcpy(package.digest, digest, sizeof(digest));
        add_package(closure, &package);
    }
    if (file)
        fclose(file);
    free(line);
    free(expected);
    return status;
}
