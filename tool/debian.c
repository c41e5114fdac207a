/* SPDX-License-Identifier: MIT
 *
 * Setting up a root of Debian packages without running maintainer scripts.
 *
 * Scripts are read line by line for the few commands that nearly all of them consist of, in loops
 * or not; see update-alternatives(1), adduser(8), sysusers.d(5), tmpfiles.d(5) and
 * update-ca-certificates(8).
 */
#include "debian.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "script.h"

/* --- Reading scripts. --------------------------------------------------------------------------
 */

/* Lines with a backslash at the end are one; comments and the sections of debhelper go. */
static void script_lines(const char *script, struct words *lines)
{
    struct words raw = {0};
    struct buffer line = {0};
    bool automatic = false;

    words_split(&raw, script, "\n");
    for (size_t i = 0; i < raw.count; i++) {
        char *text = raw.item[i] + strspn(raw.item[i], " \t");
        size_t length = strlen(text);
        bool goes_on = length && text[length - 1] == '\\';

        if (text_starts(text, "# Automatically added by"))
            automatic = true;
        else if (text_starts(text, "# End automatically added"))
            automatic = false;
        if (text[0] == '#')
            continue;
        buffer_add(&line, text, goes_on ? length - 1 : length);
        if (goes_on)
            continue;
        /* The sections of debhelper set up the system around a package: caches, services, triggers.
         */
        if (!automatic || strstr(line.data, "update-alternatives"))
            words_add(lines, line.data);
        buffer_free(&line);
    }
    buffer_free(&line);
    words_clear(&raw);
}

static bool has_variable(const struct words *words)
{
    for (size_t i = 0; i < words->count; i++)
        if (strpbrk(words->item[i], "$`*"))
            return true;
    return false;
}

/* update-alternatives --install LINK NAME PATH PRIORITY [--slave LINK NAME PATH]... */
static bool take_alternative(struct debian_setup *setup, const struct words *words)
{
    struct buffer text = {0};
    size_t i = 0;

    while (i < words->count && strcmp(words->item[i], "--install") != 0)
        i++;
    if (i + 4 >= words->count)
        return false;
    buffer_format(&text, "%s %s %s %s", words->item[i + 1], words->item[i + 2], words->item[i + 3],
                  words->item[i + 4]);
    for (i += 5; i + 3 < words->count && strcmp(words->item[i], "--slave") == 0; i += 4)
        buffer_format(&text, " %s %s %s", words->item[i + 1], words->item[i + 2],
                      words->item[i + 3]);
    words_take(&setup->alternatives, text.data);
    return true;
}

/* adduser --system [--home DIR] [--group] NAME */
static bool take_user(struct debian_setup *setup, const struct words *words)
{
    static const char *const with_value[] = {"--home", "--shell",   "--gecos",    "--uid",
                                             "--gid",  "--ingroup", "--firstuid", "--comment"};
    const char *home = "/nonexistent", *name = NULL;
    bool group = false;

    for (size_t i = 1; i < words->count; i++) {
        const char *word = words->item[i];
        bool takes_value = false;

        if (strpbrk(word, "|>&;"))
            break;
        for (size_t n = 0; n < sizeof(with_value) / sizeof(with_value[0]); n++)
            takes_value |= strcmp(word, with_value[n]) == 0;
        if (strcmp(word, "--home") == 0 && words->item[i + 1])
            home = words->item[i + 1];
        if (strcmp(word, "--group") == 0)
            group = true;
        if (takes_value)
            i++;
        else if (word[0] != '-')
            name = word;
    }
    if (name == NULL || strpbrk(name, "$`\"'{") || strpbrk(home, "$`"))
        return false;
    words_take(&setup->users, text_format("%s %s %s", name, home, group ? name : "nogroup"));
    return true;
}

static bool is_harmless(const char *line)
{
    static const char *const starts[] = {
        "set ",    "set -e",    "exit",   "case ", "esac",         "if ",        "fi",
        "then",    "else",      "elif ",  ";;",    "*)",           "configure",  "abort-",
        "trigger", "echo ",     "return", "}",     "ldconfig",     ".",          ":",
        "done",    "triggered", "local ", "#",     "dpkg-trigger", "update-ca-",
    };

    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
        if (text_starts(line, starts[i]))
            return true;
    /* A label of case. */
    if (line[0] && line[strcspn(line, ")")] == ')' && line[strcspn(line, " (")] == '\0' &&
        text_ends(line, ")"))
        return true;
    return line[0] == '\0';
}

/* Packages whose scripts do nothing that a root without upgrades needs, or are replaced below. */
static bool is_replaced(const char *package)
{
    static const char *const names[] = {
        "libc6",   "debconf",         "base-passwd",     "base-files", "dash",      "bash",
        "dpkg",    "ca-certificates", "tzdata",          "libc-bin",   "perl-base", "passwd",
        "openssl", "readline-common", "python3-minimal", "media-types"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(package, names[i]) == 0)
            return true;
    /* These compile modules, which Python does on its own. */
    return text_starts(package, "python3") || text_starts(package, "libpython3");
}

/* A command whose words are plain, one of those that the script's variables make of a line. */
static bool take_command(struct debian_setup *setup, const char *line)
{
    struct words words = {0};
    bool understood = false;

    if (words_split_shell(&words, line) == 0 && words.count) {
        if (strcmp(words.item[0], "update-alternatives") == 0)
            understood = take_alternative(setup, &words);
        else if (strcmp(words.item[0], "adduser") == 0 && strstr(line, "--system"))
            understood = take_user(setup, &words);
    }
    words_clear(&words);
    return understood;
}

static bool take_line(struct debian_setup *setup, struct script_variables *variables,
                      const char *line)
{
    const char *alternative = strstr(line, "update-alternatives");
    struct words commands = {0};
    bool understood = true;

    if (script_assign(variables, line))
        return true;
    if (alternative == NULL && !text_starts(line, "adduser "))
        return is_harmless(line);
    if (alternative && strstr(alternative, "--install") == NULL)
        return true; /* --remove, --set, --list: nothing to make */
    understood = script_expand(variables, alternative ? alternative : line, &commands);
    for (size_t i = 0; i < commands.count; i++)
        understood = take_command(setup, commands.item[i]) && understood;
    words_clear(&commands);
    return understood;
}

void debian_take_script(struct debian_setup *setup, const char *package, const char *script)
{
    struct script_variables variables = {0};
    struct words lines = {0};
    bool understood = true;

    if (script)
        script_lines(script, &lines);
    for (size_t i = 0; i < lines.count; i++)
        understood = take_line(setup, &variables, lines.item[i]) && understood;
    if (!understood && !is_replaced(package))
        words_add(&setup->unknown, package);
    script_variables_clear(&variables);
    words_clear(&lines);
}

/* --- Alternatives. -----------------------------------------------------------------------------
 */

static void link_alternative(struct tree *tree, const char *link, const char *name,
                             const char *path)
{
    char *middle = text_format("/etc/alternatives/%s", name);
    struct node *old = tree_find(tree, link, false);

    if (tree_find(tree, path, true) && (old == NULL || S_ISLNK(old->mode))) {
        tree_add_symlink(tree, middle, path);
        tree_add_symlink(tree, link, middle);
    }
    free(middle);
}

static long alternative_priority(const struct words *fields)
{
    return strtol(fields->item[3], NULL, 10);
}

/* The highest priority of a name wins; of equal ones the first. */
static void apply_alternatives(const struct debian_setup *setup, struct tree *tree)
{
    for (size_t i = 0; i < setup->alternatives.count; i++) {
        struct words fields = {0};
        bool best = true;

        words_split(&fields, setup->alternatives.item[i], " ");
        for (size_t n = 0; n < setup->alternatives.count && best; n++) {
            struct words other = {0};

            words_split(&other, setup->alternatives.item[n], " ");
            if (n != i && strcmp(other.item[1], fields.item[1]) == 0 &&
                tree_find(tree, other.item[2], true))
                best = alternative_priority(&fields) > alternative_priority(&other) ||
                       (alternative_priority(&fields) == alternative_priority(&other) && i < n);
            words_clear(&other);
        }
        if (best) {
            link_alternative(tree, fields.item[0], fields.item[1], fields.item[2]);
            for (size_t n = 4; n + 2 < fields.count; n += 3)
                link_alternative(tree, fields.item[n], fields.item[n + 1], fields.item[n + 2]);
        }
        words_clear(&fields);
    }
}

/* --- Users. ------------------------------------------------------------------------------------
 */

struct accounts {
    struct buffer passwd;
    struct buffer group;
    unsigned next; /* system ids are given out from 100 on, in the order of packages */
};

static bool has_account(const struct buffer *database, const char *name)
{
    char *start = text_format("\n%s:", name);
    bool found =
        database->data && (text_starts(database->data, start + 1) || strstr(database->data, start));

    free(start);
    return found;
}

static void add_group(struct accounts *accounts, const char *name, long gid)
{
    if (!has_account(&accounts->group, name))
        buffer_format(&accounts->group, "%s:x:%ld:\n", name,
                      gid >= 0 ? gid : (long)accounts->next++);
}

static long group_id(const struct accounts *accounts, const char *name)
{
    char *start = text_format("\n%s:x:", name);
    const char *found = accounts->group.data ? strstr(accounts->group.data, start) : NULL;
    long gid = found ? strtol(found + strlen(start), NULL, 10) : 65534;

    free(start);
    return gid;
}

static void add_user(struct accounts *accounts, const char *name, long uid, const char *group,
                     const char *home, const char *shell)
{
    if (has_account(&accounts->passwd, name))
        return;
    if (uid < 0)
        uid = accounts->next++;
    if (strcmp(group, name) == 0)
        add_group(accounts, group, uid);
    buffer_format(&accounts->passwd, "%s:x:%ld:%ld::%s:%s\n", name, uid, group_id(accounts, group),
                  home, shell);
}

static void load_database(const struct tree *tree, const char *path, const char *master,
                          struct buffer *text)
{
    struct node *node = tree_find(tree, master, true);
    char *data;

    if (node == NULL)
        node = tree_find(tree, path, true);
    data = node && S_ISREG(node->mode) ? node_read(node, NULL) : NULL;
    if (data == NULL)
        return;
    /* base-passwd's master has "*" for a password that cannot be used. */
    for (char *star = strstr(data, ":*:"); star; star = strstr(star, ":*:"))
        star[1] = 'x';
    buffer_add_text(text, data);
    free(data);
}

/* "u NAME ID[:GID] "GECOS" HOME SHELL", "g NAME ID" */
static void take_sysusers_line(struct accounts *accounts, const char *line)
{
    struct words words = {0};

    if (words_split_shell(&words, line) == 0 && words.count >= 2 && !has_variable(&words)) {
        const char *id = words.count > 2 ? words.item[2] : "-";
        long number = id[0] >= '0' && id[0] <= '9' ? strtol(id, NULL, 10) : -1;
        const char *home = words.count > 4 && words.item[4][0] == '/' ? words.item[4] : "/";
        const char *shell =
            words.count > 5 && words.item[5][0] == '/' ? words.item[5] : "/usr/sbin/nologin";

        if (words.item[0][0] == 'g')
            add_group(accounts, words.item[1], number);
        else if (words.item[0][0] == 'u')
            add_user(accounts, words.item[1], number, words.item[1], home, shell);
    }
    words_clear(&words);
}

static int read_lines(struct node *node, void (*take)(void *context, const char *line),
                      void *context)
{
    char *text = S_ISREG(node->mode) ? node_read(node, NULL) : NULL;
    struct words lines = {0};

    words_split(&lines, text ? text : "", "\n");
    for (size_t i = 0; i < lines.count; i++)
        if (lines.item[i][0] != '#')
            take(context, lines.item[i]);
    words_clear(&lines);
    free(text);
    return 0;
}

static void take_sysusers(void *context, const char *line)
{
    take_sysusers_line(context, line);
}

static int visit_sysusers(const char *path, struct node *node, void *context)
{
    return text_ends(path, ".conf") ? read_lines(node, take_sysusers, context) : 0;
}

static void apply_users(const struct debian_setup *setup, struct tree *tree)
{
    struct accounts accounts = {.next = 100};

    load_database(tree, "/etc/passwd", "/usr/share/base-passwd/passwd.master", &accounts.passwd);
    load_database(tree, "/etc/group", "/usr/share/base-passwd/group.master", &accounts.group);
    tree_walk(tree, "/usr/lib/sysusers.d", visit_sysusers, &accounts);
    for (size_t i = 0; i < setup->users.count; i++) {
        struct words fields = {0};

        words_split(&fields, setup->users.item[i], " ");
        add_user(&accounts, fields.item[0], -1, fields.item[2], fields.item[1],
                 "/usr/sbin/nologin");
        words_clear(&fields);
    }
    tree_add_text(tree, "/etc/passwd", 0644, accounts.passwd.data ? accounts.passwd.data : "");
    tree_add_text(tree, "/etc/group", 0644, accounts.group.data ? accounts.group.data : "");
    buffer_free(&accounts.passwd);
    buffer_free(&accounts.group);
}

/* --- Folders. ----------------------------------------------------------------------------------
 */

static uint32_t account_id(const struct tree *tree, const char *path, const char *name)
{
    struct node *node = tree_find(tree, path, true);
    char *text = node ? node_read(node, NULL) : NULL;
    struct buffer buffer = {0};
    struct accounts accounts = {0};
    long id;

    if (name[0] >= '0' && name[0] <= '9') {
        free(text);
        return (uint32_t)strtoul(name, NULL, 10);
    }
    buffer_format(&buffer, "\n%s", text ? text : "");
    accounts.group = buffer;
    id = group_id(&accounts, name);
    buffer_free(&buffer);
    free(text);
    return (uint32_t)id;
}

/* "d PATH MODE USER GROUP ..." */
static void take_tmpfiles(void *context, const char *line)
{
    struct tree *tree = context;
    struct words words = {0};

    words_split(&words, line, " \t");
    if (words.count >= 2 && words.item[0][0] == 'd' && words.item[1][0] == '/' &&
        strpbrk(words.item[1], "%*") == NULL) {
        const char *mode = words.count > 2 && words.item[2][0] != '-' ? words.item[2] : "0755";
        const char *user = words.count > 3 && words.item[3][0] != '-' ? words.item[3] : "0";
        const char *group = words.count > 4 && words.item[4][0] != '-' ? words.item[4] : "0";

        tree_put(tree, words.item[1],
                 node_create(S_IFDIR | ((mode_t)strtoul(mode, NULL, 8) & 07777),
                             account_id(tree, "/etc/passwd", user),
                             account_id(tree, "/etc/group", group), TREE_EPOCH));
    }
    words_clear(&words);
}

static int visit_tmpfiles(const char *path, struct node *node, void *context)
{
    return text_ends(path, ".conf") ? read_lines(node, take_tmpfiles, context) : 0;
}

/* --- Certificates. -----------------------------------------------------------------------------
 */

static int add_certificate(const char *path, struct node *node, void *context)
{
    char *text = S_ISREG(node->mode) && text_ends(path, ".crt") ? node_read(node, NULL) : NULL;

    if (text) {
        buffer_add_text(context, text);
        if (!text_ends(text, "\n"))
            buffer_add_byte(context, '\n');
    }
    free(text);
    return 0;
}

/* One bundle, and OpenSSL's default file pointing to it; its folder of hashed names stays empty. */
static void apply_certificates(struct tree *tree)
{
    struct buffer bundle = {0};

    tree_walk(tree, "/usr/share/ca-certificates", add_certificate, &bundle);
    if (bundle.length) {
        tree_add_text(tree, "/etc/ssl/certs/ca-certificates.crt", 0644, bundle.data);
        if (tree_find(tree, "/usr/lib/ssl", true) &&
            !tree_find(tree, "/usr/lib/ssl/cert.pem", false))
            tree_add_symlink(tree, "/usr/lib/ssl/cert.pem", "/etc/ssl/certs/ca-certificates.crt");
    }
    buffer_free(&bundle);
}

void debian_apply(struct debian_setup *setup, struct root *root)
{
    struct tree *tree = &root->tree;

    apply_alternatives(setup, tree);
    apply_users(setup, tree);
    tree_walk(tree, "/usr/lib/tmpfiles.d", visit_tmpfiles, tree);
    apply_certificates(tree);
    if (!tree_find(tree, "/etc/inputrc", false))
        tree_put_link(tree, "/etc/inputrc", "/usr/share/readline/inputrc");
    if (!tree_find(tree, "/bin/sh", true) && tree_find(tree, "/bin/dash", true))
        tree_add_symlink(tree, "/bin/sh", "dash");
    if (!tree_find(tree, "/usr/bin/awk", false) && tree_find(tree, "/usr/bin/mawk", true))
        tree_add_symlink(tree, "/usr/bin/awk", "mawk");
    if (setup->unknown.count) {
        struct buffer text = {0};

        for (size_t i = 0; i < setup->unknown.count; i++)
            buffer_format(&text, "%s%s", i ? ", " : "", setup->unknown.item[i]);
        words_take(&root->manifest.notes,
                   text_format("the set-up scripts of these packages were not run: %s", text.data));
        buffer_free(&text);
    }
    words_clear(&setup->alternatives);
    words_clear(&setup->users);
    words_clear(&setup->unknown);
}
