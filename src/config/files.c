/* Which files hold the rules: a folder stands for the *.yaml in it, in order of name. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "config/config.h"
#include "config/parts.h"

#define RULE_FILES_MAX 1000

struct rule_files {
	const char **list;
	size_t n;
};

static int files_wanted(const struct dirent *e)
{
	return e->d_name[0] != '.' && (sw_ends(e->d_name, ".yaml") || sw_ends(e->d_name, ".yml"));
}

static int files_order(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void files_add(struct config_load *l, struct rule_files *f, const struct sw_ynode *at, const char *path)
{
	if (f->n < RULE_FILES_MAX) {
		f->list[f->n++] = path;
		return;
	}
	if (f->n == RULE_FILES_MAX)
		sw_diag_error(l->d, at, "rules: more than %d files", RULE_FILES_MAX);
	f->n = RULE_FILES_MAX + 1;
}

static void files_folder(struct config_load *l, struct rule_files *f, const struct sw_ynode *at, const char *path)
{
	struct dirent **found = NULL;
	int n = scandir(path, &found, files_wanted, files_order);

	if (n < 0)
		sw_diag_error(l->d, at, "rules: %s: %s", path, strerror(errno));
	else if (n == 0)
		sw_diag_error(l->d, at, "rules: there is no *.yaml in %s", path);
	for (int i = 0; i < n; i++) {
		files_add(l, f, at,
		          sw_arena_printf(l->a, "%s%s%s", path, sw_ends(path, "/") ? "" : "/", found[i]->d_name));
		free(found[i]);
	}
	free(found);
}

static void files_one(struct config_load *l, struct rule_files *f, const struct sw_ynode *at)
{
	const char *path;
	struct stat st;

	if (at->broken)
		return;
	if (at->type != SW_Y_SCALAR || sw_yaml_is_null(at) || !*at->text) {
		sw_diag_error(l->d, at, "rules: want a folder, a file or a list of them");
		return;
	}
	path = config_path(l, at->text);
	if (stat(path, &st) < 0)
		sw_diag_error(l->d, at, "rules: %s: %s", path, strerror(errno));
	else if (S_ISDIR(st.st_mode))
		files_folder(l, f, at, path);
	else if (access(path, R_OK) < 0)
		sw_diag_error(l->d, at, "rules: %s: %s", path, strerror(errno));
	else
		files_add(l, f, at, path);
}

void config_rules(struct config_load *l, const struct sw_ynode *node)
{
	struct rule_files f = { 0 };

	if (!node)
		return;
	f.list = SW_ARENA_ARRAY(l->a, const char *, RULE_FILES_MAX + 1);
	if (node->type != SW_Y_LIST)
		files_one(l, &f, node);
	else
		for (const struct sw_ynode *v = node->child; v; v = v->next)
			files_one(l, &f, v);
	if (node->type == SW_Y_LIST && node->n == 0)
		sw_diag_error(l->d, node, "rules: want at least one; without `rules:` the shipped safe rules apply");
	l->c->rules = f.list;
}
