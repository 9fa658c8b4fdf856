/* base/yaml: the tree and its places, what is refused, ${…}. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "base/yaml.h"
#include "shipwatch/buf.h"

static const char *test_get(void *arg, const char *name)
{
	return strcmp(name, "TOKEN") == 0 ? "s3cret" : strcmp(name, "EMPTY") == 0 ? "" : NULL;
}

static const struct sw_yenv test_env = { .get = test_get, .files = true };

static void test_tree(void **state)
{
	static const char text[] = "a: 1\n"
	                           "b:\n"
	                           "  - x\n"
	                           "  - {c: 'two words', \"d\": ~}\n"
	                           "e: \"${TOKEN}\"\n"
	                           "f: x-${TOKEN}-$${TOKEN}-$5\n"
	                           "g: |\n"
	                           "  line\n"
	                           "h: '${EMPTY}'\n";
	struct sw_arena a = { 0 };
	struct sw_diags d;
	struct sw_ynode *root;
	const struct sw_ynode *n;

	sw_diags_init(&d, &a);
	assert_int_equal(sw_yaml_parse(&a, "f.yaml", text, sizeof text - 1, &test_env, &root, &d), 0);
	assert_int_equal(root->type, SW_Y_MAP);
	assert_int_equal(root->n, 6);
	n = sw_yget(root, "a");
	assert_string_equal(n->text, "1");
	assert_false(n->quoted);
	assert_int_equal(n->line, 1);
	assert_int_equal(n->col, 4);
	assert_int_equal(n->text_col, 4);
	assert_int_equal(n->key_col, 1);
	n = sw_yget(root, "b");
	assert_int_equal(n->n, 2);
	n = sw_yget(n->child->next, "c");
	assert_string_equal(n->text, "two words");
	assert_int_equal(n->line, 4);
	assert_int_equal(n->col, 9);
	assert_int_equal(n->text_col, 10);
	assert_int_equal(n->key_col, 6);
	assert_true(n->quoted);
	assert_true(sw_yaml_is_null(n->next));
	n = sw_yget(root, "e");
	assert_string_equal(n->text, "s3cret");
	assert_true(n->from_env);
	assert_int_equal(n->text_col, 0);
	assert_string_equal(sw_yget(root, "f")->text, "x-s3cret-${TOKEN}-$5");
	assert_string_equal(sw_yget(root, "g")->text, "line\n");
	assert_string_equal(sw_yget(root, "h")->text, "");
	assert_false(sw_yaml_is_null(sw_yget(root, "h")));
	assert_null(sw_yget(root, "zz"));
	assert_null(sw_yget(NULL, "zz"));
	/* Not asked for: stays as it is. */
	assert_int_equal(sw_yaml_parse(&a, "f.yaml", "a: ${TOKEN}", 11, NULL, &root, &d), 0);
	assert_string_equal(sw_yget(root, "a")->text, "${TOKEN}");
	assert_int_equal(sw_yaml_parse(&a, "f.yaml", "# nothing\n", 10, NULL, &root, &d), 0);
	assert_null(root);
	sw_arena_fini(&a);
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "a: 1\na: 2\n", "f:2:1: \"a\" is there twice" },
		{ "a: &x 1\n", "f:1:4: anchors (&x) are not allowed; a value that begins with & must be in quotes" },
		{ "a: *x\n", "f:1:4: aliases (*name) are not allowed; a value that begins with * must be in quotes" },
		{ "if: !health is failing\n", "f:1:5: tags (!health) are not allowed; a value that begins with ! must "
		                              "be in quotes: quote this expression" },
		{ "a: 1\n---\nb: 2\n", "f:2:1: a second document; want one in a file" },
		{ "[a]: 1\n", "f:1:1: want a name here, not a list, map or alias" },
		{ "'': 1\n", "f:1:1: an empty name" },
		{ "a: [1, 2\n", "f:2:1: not YAML: did not find expected ',' or ']'" },
		{ "a: %x\n", "f:1:4: not YAML: a value cannot begin with this character, put it in quotes" },
		{ "a:\tb: c\n", "f:1:5: not YAML: mapping values are not allowed in this context" },
		{ "a: b\xff\n", "f:1:5: not YAML: invalid leading UTF-8 octet" },
		{ "a: \"\\0\"\n", "f:1:4: a NUL character" },
		{ "a: ${NOPE}\n", "f:1:4: ${NOPE}: this variable is not set" },
		{ "a: ${x y}\n", "f:1:4: ${x y}: want ${NAME}, ${file:PATH} or ${cred:NAME}; write $${ for a plain ${" },
		{ "a: '${TOKEN'\n", "f:1:4: a ${ without its }" },
		{ "a: ${file:/nonexistent/x}\n", "f:1:4: /nonexistent/x: No such file or directory" },
		{ "a: ${cred:token}\n", "f:1:4: ${cred:token}: no credentials here: CREDENTIALS_DIRECTORY is not set (systemd sets it where "
		                        "LoadCredential= is)" },
		{ "a: ${cred:../token}\n", "f:1:4: ${cred:../token}: want the name of a credential, as LoadCredential=NAME:… has it" },
		{ "a: ${cred:a/b}\n", "f:1:4: ${cred:a/b}: want the name of a credential, as LoadCredential=NAME:… has it" },
		{ "a: ${cred:}\n", "f:1:4: ${cred:}: want the name of a credential, as LoadCredential=NAME:… has it" },
	};

	for (size_t i = 0; i < SW_COUNT(cases); i++) {
		struct sw_arena a = { 0 };
		struct sw_diags d;
		struct sw_ynode *root;

		sw_diags_init(&d, &a);
		assert_int_equal(sw_yaml_parse(&a, "f", cases[i].text, strlen(cases[i].text), &test_env, &root, &d),
		                 -EINVAL);
		assert_int_equal(d.errors, 1);
		assert_string_equal(d.first->text, cases[i].want);
		sw_arena_fini(&a);
	}
}

static int test_parse(struct sw_arena *a, const struct sw_buf *b, struct sw_diags *d)
{
	struct sw_ynode *root;

	sw_diags_init(d, a);
	return sw_yaml_parse(a, "f", sw_buf_str(b), b->n, NULL, &root, d);
}

static void test_limits(void **state)
{
	struct sw_arena a = { 0 };
	struct sw_diags d;
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	for (int depth = 32; depth <= 33; depth++) {
		sw_buf_reset(&b);
		for (int i = 0; i < depth; i++)
			sw_buf_putc(&b, '[');
		for (int i = 0; i < depth; i++)
			sw_buf_putc(&b, ']');
		assert_int_equal(test_parse(&a, &b, &d), depth == 32 ? 0 : -EINVAL);
	}
	assert_string_equal(d.first->text, "f:1:33: nested deeper than 32");
	sw_buf_reset(&b);
	for (int i = 0; i < 19999; i++)
		sw_buf_cat(&b, "- 1\n");
	assert_int_equal(test_parse(&a, &b, &d), 0);
	sw_buf_cat(&b, "- 1\n");
	assert_int_equal(test_parse(&a, &b, &d), -EINVAL);
	sw_buf_reset(&b);
	sw_buf_cat(&b, "a: ");
	while (b.n < 1024 * 1024)
		sw_buf_putc(&b, 'x');
	assert_int_equal(test_parse(&a, &b, &d), 0);
	sw_buf_putc(&b, 'x');
	assert_int_equal(test_parse(&a, &b, &d), -EINVAL);
	assert_string_equal(d.first->text, "f: larger than 1 MiB");
	sw_arena_fini(&a);
}

static void test_write(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void test_files(void **state)
{
	char dir[] = "/tmp/sw-yaml-XXXXXX";
	struct sw_arena a = { 0 };
	struct sw_diags d;
	struct sw_ynode *root;
	const char *conf, *secret;

	assert_non_null(mkdtemp(dir));
	conf = sw_arena_printf(&a, "%s/c.yaml", dir);
	secret = sw_arena_printf(&a, "%s/secret", dir);
	test_write(secret, "abc\r\n", 0600);
	test_write(conf, "a: ${file:secret}\nb: c\n", 0644);
	sw_diags_init(&d, &a);
	assert_int_equal(sw_yaml_load(&a, conf, &test_env, &root, &d), 0);
	assert_string_equal(sw_yget(root, "a")->text, "abc");
	assert_true(sw_yget(root, "b")->exposed);
	test_write(conf, "b: c\n", 0640);
	assert_int_equal(sw_yaml_load(&a, conf, &test_env, &root, &d), 0);
	assert_false(sw_yget(root, "b")->exposed);
	unlink(conf);
	unlink(secret);
	rmdir(dir);
	assert_int_equal(sw_yaml_load(&a, conf, &test_env, &root, &d), -EINVAL);
	assert_true(sw_ends(d.first->text, "/c.yaml: cannot be read: No such file or directory"));
	sw_arena_fini(&a);
}

static const char *env_with_credentials(void *arg, const char *name)
{
	return strcmp(name, "CREDENTIALS_DIRECTORY") == 0 ? arg : NULL;
}

static void test_credentials(void **state)
{
	char dir[] = "/tmp/sw-yaml-XXXXXX", line[64] = "a: Basic ${cred:hook-token}!\n";
	struct sw_yenv env = { .get = env_with_credentials, .arg = dir, .files = true };
	struct sw_arena a = { 0 };
	struct sw_diags d;
	struct sw_ynode *root;
	const char *secret;

	assert_non_null(mkdtemp(dir));
	secret = sw_arena_printf(&a, "%s/hook-token", dir);
	test_write(secret, "s3cret\n", 0400);
	sw_diags_init(&d, &a);
	assert_int_equal(sw_yaml_parse(&a, "f", line, strlen(line), &env, &root, &d), 0);
	assert_string_equal(sw_yget(root, "a")->text, "Basic s3cret!");
	assert_true(sw_yget(root, "a")->from_env);
	unlink(secret);
	assert_int_equal(sw_yaml_parse(&a, "f", line, strlen(line), &env, &root, &d), -EINVAL);
	assert_true(sw_ends(d.first->text, "/hook-token: No such file or directory"));
	rmdir(dir);
	/* where files may not be read, neither may these */
	env.files = false;
	sw_diags_init(&d, &a);
	assert_int_equal(sw_yaml_parse(&a, "f", line, strlen(line), &env, &root, &d), -EINVAL);
	sw_arena_fini(&a);
}

static void test_diags(void **state)
{
	struct sw_arena a = { 0 };
	struct sw_diags d;
	struct sw_ynode n = {
		.file = "b", .line = 2, .col = 3, .key_line = 2, .key_col = 1, .text = "\xe4\xb8\xad > x", .text_col = 4
	};
	struct sw_ynode m = { .file = "a", .line = 9, .col = 1 };

	sw_diags_init(&d, &a);
	sw_diag_in_text(&d, &n, 6, "third");
	sw_diag_error(&d, &n, "second %s", "x\ny");
	sw_diag_key(&d, &n, "first");
	sw_diag_warn(&d, &m, "zeroth");
	sw_diag_error(&d, NULL, "no place");
	sw_diags_sort(&d);
	assert_string_equal(d.first->text, "no place");
	assert_string_equal(d.first->next->text, "a:9:1: zeroth");
	assert_string_equal(d.first->next->next->text, "b:2:1: first");
	assert_string_equal(d.first->next->next->next->text, "b:2:3: second x\\x0ay");
	assert_string_equal(d.last->text, "b:2:8: third");
	assert_int_equal(d.errors, 4);
	assert_int_equal(d.warnings, 1);
	for (int i = 0; i < 500; i++)
		sw_diag_error(&d, &n, "many");
	assert_int_equal(d.errors, 504);
	sw_arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree),  cmocka_unit_test(test_refused), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_credentials), cmocka_unit_test(test_diags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
