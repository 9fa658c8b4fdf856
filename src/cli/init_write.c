/*
 * The files of `shipwatch init`. They are written into a folder of their own beside their place and loaded there; only what loads is moved,
 * and the configuration last: while it is not there, nothing is.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hmac.h"
#include "base/str.h"
#include "base/yaml.h"
#include "cli/init.h"
#include "config/config.h"
#include "plugins.h"
#include "rules/rules.h"

#define SECRET_MAX   4096
#define SECRET_BYTES 24

enum { F_HOOK, F_CI, F_URL, F_SIGNING, F_RULES, F_CONFIG, F_COUNT }; /* the order in which they are moved */

static const char *file_name(struct sw_init *in, int f)
{
	switch (f) {
	case F_HOOK:
		return sw_arena_printf(&in->a, "secrets/%s", sw_init_secret_name(in));
	case F_CI:
		return "secrets/ci-secret";
	case F_URL:
		return "secrets/chat-url";
	case F_SIGNING:
		return "secrets/chat-secret";
	case F_RULES:
		return "rules.yaml";
	}
	return "shipwatch.yaml";
}

static const char *file_at(struct sw_init *in, const char *dir, int f)
{
	return sw_arena_printf(&in->a, "%s/%s", dir, file_name(in, f));
}

/* Made here by chance: once a host knows it, another one would shut it out. */
static bool file_random(int f)
{
	return f == F_HOOK || f == F_CI;
}

static int file_write(const char *path, const struct sw_buf *b, mode_t mode, struct sw_err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode), r = 0;

	if (fd < 0)
		return sw_err_set(err, errno, "%s: %s", path, strerror(errno));
	errno = EIO; /* where less was written than asked */
	if (write(fd, b->p, b->n) != (ssize_t)b->n || fsync(fd) < 0)
		r = errno;
	if (close(fd) < 0 && !r)
		r = errno;
	return r ? sw_err_set(err, r, "%s: %s", path, strerror(r)) : 0;
}

/* What stands in one of the files; nothing: there is no such file this time. Return: 0, or -errno with err. */
static int file_text(struct sw_init *in, int f, struct sw_buf *b, struct sw_err *err)
{
	const char *old = file_at(in, in->dir, f);
	unsigned char raw[SECRET_BYTES];
	int r;

	if (file_random(f)) {
		r = sw_file_read(old, SECRET_MAX, b, NULL);
		if (r == 0 && b->n)
			return 0;
		if (r < 0 && r != -ENOENT)
			return sw_err_set(err, -r, "%s: %s", old, strerror(-r));
		sw_random(raw, sizeof raw);
		sw_hex_encode(b, raw, sizeof raw);
	} else if (f == F_URL || f == F_SIGNING) {
		sw_buf_cat(b, (f == F_URL ? in->url : in->signing) ? (f == F_URL ? in->url : in->signing) : "");
	} else if (f == F_RULES) {
		sw_init_rules(b);
	} else {
		sw_init_config(in, b);
	}
	return 0;
}

int sw_init_may(struct sw_init *in, struct sw_err *err)
{
	struct stat st;

	if (stat(in->dir, &st) < 0) {
		if (errno == ENOENT && mkdir(in->dir, 0755) == 0 && rmdir(in->dir) == 0)
			return 0;
		return sw_err_set(err, errno, "%s: %s", in->dir, strerror(errno));
	}
	if (!S_ISDIR(st.st_mode))
		return sw_err_set(err, ENOTDIR, "%s: %s", in->dir, strerror(ENOTDIR));
	if (access(in->dir, W_OK | X_OK) < 0)
		return sw_err_set(err, errno, "%s: %s", in->dir, strerror(errno));
	for (int f = 0; f < F_COUNT && !in->force; f++) {
		const char *path = file_at(in, in->dir, f);

		if (!file_random(f) && lstat(path, &st) == 0)
			return sw_err_set(err, EEXIST, "%s is there already, and stays as it is; --dir DIR writes elsewhere, --force over it", path);
	}
	return 0;
}

/* Everything into the stage. Return: 0, or -errno with err. */
static int stage_fill(struct sw_init *in, const char *stage, struct sw_err *err)
{
	const char *secrets = sw_arena_printf(&in->a, "%s/secrets", stage);
	int r = 0;

	if (mkdir(secrets, 0700) < 0)
		return sw_err_set(err, errno, "%s: %s", secrets, strerror(errno));
	for (int f = 0; f < F_COUNT && r == 0; f++) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

		r = file_text(in, f, &b, err);
		if (r == 0 && b.n)
			r = file_write(file_at(in, stage, f), &b, f < F_RULES ? 0600 : 0644, err);
	}
	return r;
}

/* A mistake's text, with the files where they would be. */
static const char *stage_text(struct sw_init *in, const char *stage, const char *text)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	size_t n = strlen(stage);
	const char *p;

	while ((p = strstr(text, stage)) != NULL) {
		sw_buf_catn(&b, text, (size_t)(p - text));
		sw_buf_cat(&b, in->dir);
		text = p + n;
	}
	sw_buf_cat(&b, text);
	return sw_arena_strdup(&in->a, sw_buf_str(&b));
}

/* As the roles will load it. Return: 0, or -EINVAL with the first mistake. */
static int stage_load(struct sw_init *in, const char *stage, struct sw_err *err)
{
	const struct sw_plugins plugins = { sw_sources, sw_signals, sw_channels, sw_actions };
	struct sw_config *cfg = NULL;
	struct sw_rules *rules = NULL;
	struct sw_diags d;
	int r;

	sw_diags_init(&d, &in->a);
	r = sw_config_load(file_at(in, stage, F_CONFIG), &plugins, &sw_yenv_process, &cfg, &d);
	if (r == 0) {
		const struct sw_rules_names names = { .channels = (const char *const *)cfg->channel_names, .actions = (const char *const *)cfg->action_names,
			                              .people = (const char *const *)cfg->people_names, .limits = (const char *const *)cfg->limit_names,
			                              .targets = (const char *const *)cfg->target_names };

		r = sw_rules_load((const char *const *)cfg->rules, &names, &rules, &d);
	}
	if (rules)
		sw_rules_put(rules);
	if (cfg)
		sw_config_put(cfg);
	for (const struct sw_diag *one = d.first; r < 0 && one; one = one->next)
		if (!one->warning)
			return sw_err_set(err, EINVAL, "%s", stage_text(in, stage, one->text));
	return r < 0 ? sw_err_set(err, EINVAL, "it does not load") : 0;
}

/* To their places; what was moved is taken back when a later one cannot be (but not where --force wrote over an older one). */
static int stage_move(struct sw_init *in, const char *stage, struct sw_err *err)
{
	const char *secrets = sw_arena_printf(&in->a, "%s/secrets", in->dir);
	bool moved[F_COUNT] = { false }, folder = mkdir(secrets, 0700) == 0;
	int r = !folder && errno != EEXIST ? sw_err_set(err, errno, "%s: %s", secrets, strerror(errno)) : 0;

	for (int f = 0; f < F_COUNT && r == 0; f++) {
		const char *from = file_at(in, stage, f), *to = file_at(in, in->dir, f);
		bool there = access(to, F_OK) == 0;

		if (access(from, F_OK) < 0 || (there && file_random(f)))
			continue;
		if (rename(from, to) < 0)
			r = sw_err_set(err, errno, "%s: %s", to, strerror(errno));
		else
			moved[f] = !there;
	}
	for (int f = 0; f < F_COUNT && r < 0; f++)
		if (moved[f])
			(void)unlink(file_at(in, in->dir, f));
	if (r < 0 && folder)
		(void)rmdir(secrets);
	return r;
}

int sw_init_write(struct sw_init *in, const char **ret, struct sw_err *err)
{
	char *stage = sw_arena_printf(&in->a, "%s/.shipwatch-init-XXXXXX", in->dir);
	bool made = mkdir(in->dir, 0755) == 0;
	int r = 0;

	if (!mkdtemp(stage))
		r = sw_err_set(err, errno, "%s: %s", in->dir, strerror(errno));
	else {
		r = stage_fill(in, stage, err);
		if (r == 0)
			r = stage_load(in, stage, err);
		if (r == 0)
			r = stage_move(in, stage, err);
		for (int f = 0; f < F_COUNT; f++)
			(void)unlink(file_at(in, stage, f));
		(void)rmdir(sw_arena_printf(&in->a, "%s/secrets", stage));
		(void)rmdir(stage);
	}
	if (r < 0 && made)
		(void)rmdir(in->dir);
	if (r == 0)
		*ret = file_at(in, in->dir, F_CONFIG);
	return r;
}
