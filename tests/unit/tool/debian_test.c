/* SPDX-License-Identifier: MIT
 *
 * What is read from maintainer scripts and made of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <tool/debian.h>

static void expect_link(const struct root *root, const char *path, const char *target)
{
    const struct node *node = tree_find(&root->tree, path, false);

    if (node == NULL || !S_ISLNK(node->mode))
        fail_msg("%s is no link", path);
    assert_string_equal(node->data, target);
}

static bool file_holds(const struct root *root, const char *path, const char *line)
{
    const struct node *node = tree_find(&root->tree, path, true);
    char *text = node ? node_read(node, NULL) : NULL;
    bool found = text && strstr(text, line);

    free(text);
    return found;
}

static void start(struct root *root)
{
    root_init(root);
    root_add_skeleton(root);
}

static void test_alternatives(void **state)
{
    struct debian_setup setup = {0};
    struct root root;

    (void)state;
    start(&root);
    tree_add_text(&root.tree, "/usr/bin/mawk", 0755, "");
    tree_add_text(&root.tree, "/usr/bin/gawk", 0755, "");
    tree_add_text(&root.tree, "/usr/share/man/mawk.1", 0644, "");
    debian_take_script(
        &setup, "mawk",
        "#!/bin/sh\nset -e\ncase \"$1\" in\n  configure|upgrade)\n"
        "\tupdate-alternatives --quiet --install /usr/bin/awk awk /usr/bin/mawk 5 \\\n"
        "\t\t--slave /usr/share/man/awk.1 awk.1 /usr/share/man/mawk.1 \\\n"
        "\t\t--slave /usr/share/man/none.1 none.1 /usr/share/man/gone.1\n;;\nesac\n");
    debian_take_script(&setup, "gawk",
                       "update-alternatives --install /usr/bin/awk awk /usr/bin/gawk 10\n");
    debian_take_script(&setup, "gone",
                       "update-alternatives --install /usr/bin/awk awk /usr/bin/gone 99\n");
    debian_apply(&setup, &root);
    expect_link(&root, "/usr/bin/awk", "/etc/alternatives/awk");
    expect_link(&root, "/etc/alternatives/awk", "/usr/bin/gawk");
    assert_null(tree_find(&root.tree, "/usr/share/man/none.1", false));
    assert_int_equal(root.manifest.notes.count, 0);
    root_free(&root);
}

static void test_alternatives_in_loops(void **state)
{
    struct debian_setup setup = {0};
    struct root root;

    (void)state;
    start(&root);
    tree_add_text(&root.tree, "/usr/lib/jvm/bin/java", 0755, "");
    tree_add_text(&root.tree, "/usr/lib/jvm/bin/keytool", 0755, "");
    debian_take_script(&setup, "java",
                       "priority=1711\nbase=/usr/lib/jvm\ntools='java keytool'\n"
                       "if [ \"$1\" = configure ]; then\n"
                       "  priority=$(expr $priority - 1)\n"
                       "  for i in $tools; do\n"
                       "    slave=\"--slave /usr/share/man/$i.1 ${i}.1 $base/man/$i.1\"\n"
                       "    update-alternatives \\\n"
                       "      --install /usr/bin/$i $i $base/bin/$i $priority \\\n      $slave\n"
                       "  done\nfi\n");
    debian_apply(&setup, &root);
    expect_link(&root, "/etc/alternatives/java", "/usr/lib/jvm/bin/java");
    expect_link(&root, "/usr/bin/keytool", "/etc/alternatives/keytool");
    root_free(&root);
}

static void test_users(void **state)
{
    struct debian_setup setup = {0};
    struct root root;

    (void)state;
    start(&root);
    tree_add_text(
        &root.tree, "/usr/lib/sysusers.d/x.conf", 0644,
        "# comment\ng box 77\nu web 88 \"A web server\" /srv/web /bin/sh\nu any - \"x\"\n");
    tree_add_text(&root.tree, "/usr/lib/tmpfiles.d/x.conf", 0644,
                  "d /var/lib/web 0750 web web -\nd /run/%i 0755\nL /x - - - - /y\n");
    debian_take_script(
        &setup, "redis",
        "adduser --system --home /var/lib/redis --gecos \"x y\" --group redis >/dev/null\n");
    debian_take_script(&setup, "later", "adduser --system $USER\n");
    debian_take_script(&setup, "odd", "chown -R redis /var/lib/redis\n");
    debian_take_script(&setup, "none", NULL);
    debian_apply(&setup, &root);
    assert_true(file_holds(&root, "/etc/passwd", "\nweb:x:88:88::/srv/web:/bin/sh\n"));
    assert_true(file_holds(&root, "/etc/group", "\nbox:x:77:\n"));
    assert_true(file_holds(&root, "/etc/passwd", "\nredis:x:"));
    assert_true(file_holds(&root, "/etc/group", "\nredis:x:"));
    assert_int_equal(tree_find(&root.tree, "/var/lib/web", false)->uid, 88);
    assert_int_equal(tree_find(&root.tree, "/var/lib/web", false)->mode & 07777, 0750);
    assert_int_equal(root.manifest.notes.count, 1);
    assert_non_null(strstr(root.manifest.notes.item[0], ": later, odd"));
    root_free(&root);
}

static void test_certificates(void **state)
{
    struct debian_setup setup = {0};
    struct root root;

    (void)state;
    start(&root);
    tree_add_text(&root.tree, "/usr/share/ca-certificates/mozilla/b.crt", 0644, "BBB");
    tree_add_text(&root.tree, "/usr/share/ca-certificates/mozilla/a.crt", 0644, "AAA\n");
    tree_add_directory(&root.tree, "/usr/lib/ssl", 0755);
    debian_apply(&setup, &root);
    assert_true(file_holds(&root, "/usr/lib/ssl/cert.pem", "AAA\nBBB\n"));
    root_free(&root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alternatives),
        cmocka_unit_test(test_alternatives_in_loops),
        cmocka_unit_test(test_users),
        cmocka_unit_test(test_certificates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
