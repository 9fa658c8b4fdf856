/* Templates of channels: a file, or a folder with one for each language, read with the configuration so that SIGHUP reads them again. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/str.h"
#include "config/config.h"
#include "config/parts.h"
#include "model/tmpl.h"
#include "shipwatch/buf.h"

static const char *const languages[] = { [SW_LOCALE_EN] = "en.tmpl", [SW_LOCALE_ZH] = "zh.tmpl" };

static const struct sw_tmpl *template_read(struct config_load *l, const struct sw_ynode *at, const char *path)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	const struct sw_tmpl *ret;
	int r = sw_file_read(path, SW_TMPL_BYTES, &b, NULL);

	if (r == -EFBIG) {
		sw_diag_error(l->d, at, "template: %s has more than %zu bytes", path, SW_TMPL_BYTES);
		return NULL;
	}
	if (r < 0) {
		sw_diag_error(l->d, at, "template: %s cannot be read: %s", path, strerror(-r));
		return NULL;
	}
	return sw_tmpl_parse(l->a, path, sw_buf_str(&b), b.n, &ret, l->d) == 0 ? ret : NULL;
}

/* That of the channel's language; mistakes of the others are told as well, or they would wait for the day the language is changed. */
static const struct sw_tmpl *template_folder(struct config_load *l, const struct sw_ynode *at, const char *path, enum sw_locale locale)
{
	const struct sw_tmpl *ret = NULL;

	for (size_t i = 0; i < SW_COUNT(languages); i++) {
		const char *file = sw_arena_printf(l->a, "%s/%s", path, languages[i]);
		const struct sw_tmpl *one;
		struct stat st;

		if (stat(file, &st) < 0 && errno == ENOENT) {
			if (i == (size_t)locale)
				sw_diag_error(l->d, at, "template: there is no %s in %s, which is the channel's language", languages[i], path);
			continue;
		}
		one = template_read(l, at, file);
		if (i == (size_t)locale)
			ret = one;
	}
	return ret;
}

const struct sw_tmpl *config_template(struct config_load *l, const struct sw_ynode *node, enum sw_locale locale)
{
	static const struct sw_key key = { "template", SW_KEY_STRING, 0, NULL, "a file, or a folder of en.tmpl and zh.tmpl: how its messages are written" };
	const char *path = NULL;
	struct stat st;

	if (!node || sw_key_read_one(&key, node, l->a, &path, l->d) < 0)
		return NULL;
	path = config_path(l, path);
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return template_folder(l, node, path, locale);
	return template_read(l, node, path);
}
