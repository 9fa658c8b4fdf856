/* Sessions. */
#include "dashboard/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hmac.h"
#include "base/map.h"
#include "base/str.h"
#include "shipwatch/buf.h"

enum { KEY_BYTES = 32, COOKIE_MAX = 512, CSRF_DIGITS = 32, OUT_FILE_MAX = 1 << 20, SESSION_MOST_DAYS = 90 };

struct sw_sessions {
	unsigned char key[KEY_BYTES];
	struct sw_hmac *hmac;
	struct sw_hmac_key *prepared;
	struct sw_map out;          /* id → (when it was issued or ended, whichever is known) as text */
	char *key_path, *out_path;  /* NULL: nothing is kept */
};

/* ---- files ---- */

static int key_write(struct sw_sessions *s, struct sw_err *err)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf text = SW_BUF_INIT, tmp = SW_BUF_INIT;
	int fd, r = 0;

	sw_random(s->key, sizeof s->key);
	if (!s->key_path)
		return 0;
	sw_hex_encode(&text, s->key, sizeof s->key);
	sw_buf_putc(&text, '\n');
	sw_buf_printf(&tmp, "%s.new", s->key_path);
	fd = open(tmp.p, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return sw_err_set(err, errno, "%s: %s", tmp.p, strerror(errno));
	if (fchmod(fd, 0600) < 0 || write(fd, text.p, text.n) != (ssize_t)text.n || fsync(fd) < 0)
		r = errno ? -errno : -EIO;
	(void)close(fd);
	if (r == 0 && rename(tmp.p, s->key_path) < 0)
		r = -errno;
	explicit_bzero(text.p, text.n);
	return r < 0 ? sw_err_set(err, -r, "%s: %s", s->key_path, strerror(-r)) : 0;
}

/* A key that others could read is no secret any more: another one, and everybody signs in again. */
static int key_read(struct sw_sessions *s, struct sw_err *err)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf text = SW_BUF_INIT;
	mode_t mode = 0;
	int r = s->key_path ? sw_file_read(s->key_path, 1024, &text, &mode) : -ENOENT;

	if (r < 0 && r != -ENOENT)
		return sw_err_set(err, -r, "%s: %s", s->key_path, strerror(-r));
	if (r == 0 && !(mode & 077) && text.n >= 2 * KEY_BYTES && sw_hex_decode(text.p, 2 * KEY_BYTES, s->key, KEY_BYTES) == 0)
		return 0;
	return key_write(s, err);
}

static void out_read(struct sw_sessions *s)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf text = SW_BUF_INIT;
	char *p, *end;

	if (!s->out_path || sw_file_read(s->out_path, OUT_FILE_MAX, &text, NULL) < 0)
		return;
	/* "<32 digits> <ms>" a line; a last line that was cut counts for nothing. */
	for (p = text.p; p && (end = strchr(p, '\n')); p = end + 1)
		if (end - p > SW_SESSION_ID && p[SW_SESSION_ID - 1] == ' ') {
			p[SW_SESSION_ID - 1] = *end = '\0';
			free(sw_map_set(&s->out, p, sw_strdup(p + SW_SESSION_ID)));
		}
}

/* All of them anew, without those that would be over by now. */
static int out_write(struct sw_sessions *s, sw_dur session, sw_ms now)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf text = SW_BUF_INIT, tmp = SW_BUF_INIT;
	struct sw_map_entry *e;
	int fd, r = 0;

	for (size_t i = 0; (e = sw_map_next(&s->out, &i));) {
		if (strtoll(e->value, NULL, 10) + session < now)
			free(sw_map_del(&s->out, e->key));
		else
			sw_buf_printf(&text, "%s %s\n", e->key, (const char *)e->value);
	}
	if (!s->out_path)
		return 0;
	sw_buf_printf(&tmp, "%s.new", s->out_path);
	fd = open(tmp.p, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (write(fd, sw_buf_str(&text), text.n) != (ssize_t)text.n || fsync(fd) < 0)
		r = errno ? -errno : -EIO;
	(void)close(fd);
	if (r == 0 && rename(tmp.p, s->out_path) < 0)
		r = -errno;
	return r;
}

int sw_sessions_new(const char *dir, struct sw_sessions **ret, struct sw_err *err)
{
	struct sw_sessions *s = sw_calloc(1, sizeof *s);
	SW_CLEANUP(sw_buf_fini) struct sw_buf path = SW_BUF_INIT;
	int r;

	if (dir) {
		sw_buf_printf(&path, "%s/dashboard.key", dir);
		s->key_path = sw_strdup(path.p);
		sw_buf_reset(&path);
		sw_buf_printf(&path, "%s/dashboard.out", dir);
		s->out_path = sw_strdup(path.p);
	}
	r = key_read(s, err);
	if (r < 0) {
		sw_sessions_free(s);
		return r;
	}
	out_read(s);
	s->hmac = sw_hmac_new();
	s->prepared = sw_hmac_key_new(s->key, sizeof s->key);
	*ret = s;
	return 0;
}

static void out_free(struct sw_sessions *s)
{
	struct sw_map_entry *e;

	for (size_t i = 0; (e = sw_map_next(&s->out, &i));)
		free(e->value);
	sw_map_fini(&s->out);
	s->out = (struct sw_map)SW_MAP_INIT;
}

void sw_sessions_free(struct sw_sessions *s)
{
	if (!s)
		return;
	out_free(s);
	if (s->hmac)
		sw_hmac_free(s->hmac);
	if (s->prepared)
		sw_hmac_key_free(s->prepared);
	explicit_bzero(s->key, sizeof s->key);
	free(s->key_path);
	free(s->out_path);
	free(s);
}

/* ---- the cookie ---- */

/* With lengths told by what no part can hold: a zero byte. */
static void session_seal(struct sw_sessions *s, const char *text, size_t n, const struct sw_conf_user *user, char out[2 * SW_SHA256_BYTES + 1])
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf hex = SW_BUF_INIT;
	unsigned char mac[SW_SHA256_BYTES];
	const char role = user->role ? 'o' : 'v';

	sw_hmac_begin(s->hmac, s->prepared);
	sw_hmac_add(s->hmac, "session", 8);
	sw_hmac_add(s->hmac, text, n);
	sw_hmac_add(s->hmac, "", 1);
	sw_hmac_add(s->hmac, user->password_hash, strlen(user->password_hash) + 1);
	sw_hmac_add(s->hmac, &role, 1);
	sw_hmac_end(s->hmac, mac);
	sw_hex_encode(&hex, mac, sizeof mac);
	memcpy(out, hex.p, 2 * SW_SHA256_BYTES + 1);
}

const char *sw_session_new(struct sw_sessions *s, const struct sw_conf_user *user, sw_ms now, struct sw_arena *a)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	unsigned char id[(SW_SESSION_ID - 1) / 2];
	char seal[2 * SW_SHA256_BYTES + 1];

	sw_random(id, sizeof id);
	sw_buf_printf(&b, "1.%lld.", (long long)now);
	sw_hex_encode(&b, id, sizeof id);
	sw_buf_putc(&b, '.');
	sw_hex_encode(&b, user->name, strlen(user->name));
	session_seal(s, b.p, b.n, user, seal);
	sw_buf_putc(&b, '.');
	sw_buf_cat(&b, seal);
	return sw_arena_strdup(a, b.p);
}

/* The parts between dots; each of them is digits. */
static bool cookie_split(const char *cookie, const char *part[5], size_t n[5])
{
	for (size_t i = 0; i < 5; i++) {
		part[i] = cookie;
		n[i] = strspn(cookie, "0123456789abcdef");
		if (n[i] == 0 || cookie[n[i]] != (i < 4 ? '.' : '\0'))
			return false;
		cookie += n[i] + 1;
	}
	return n[0] == 1 && part[0][0] == '1' && n[1] <= 15 && n[2] == SW_SESSION_ID - 1 && n[3] % 2 == 0 && n[4] == 2 * (size_t)SW_SHA256_BYTES;
}

static const struct sw_conf_user *user_of(const struct sw_conf_dashboard *cfg, const char *hex, size_t n)
{
	for (size_t i = 0; i < cfg->n_users; i++) {
		SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

		sw_hex_encode(&b, cfg->users[i].name, strlen(cfg->users[i].name));
		if (b.n == n && memcmp(b.p, hex, n) == 0)
			return &cfg->users[i];
	}
	return NULL;
}

const struct sw_conf_user *sw_session_user(struct sw_sessions *s, const struct sw_conf_dashboard *cfg, const char *cookie, sw_ms now, char ret_id[SW_SESSION_ID])
{
	const struct sw_conf_user *user;
	const char *part[5];
	char seal[2 * SW_SHA256_BYTES + 1], id[SW_SESSION_ID];
	size_t n[5];
	sw_ms issued;

	if (strlen(cookie) > COOKIE_MAX || !cookie_split(cookie, part, n))
		return NULL;
	user = user_of(cfg, part[3], n[3]);
	if (!user)
		return NULL;
	session_seal(s, cookie, (size_t)(part[4] - 1 - cookie), user, seal);
	if (!sw_mem_equal(seal, part[4], 2 * SW_SHA256_BYTES))
		return NULL;
	issued = strtoll(part[1], NULL, 10);
	/* One of the future is of a clock that was wrong: it would hold too long. */
	if (now - issued > cfg->session || issued - now > SW_MINUTE)
		return NULL;
	memcpy(id, part[2], SW_SESSION_ID - 1);
	id[SW_SESSION_ID - 1] = '\0';
	if (sw_map_get(&s->out, id))
		return NULL;
	memcpy(ret_id, id, SW_SESSION_ID);
	return user;
}

int sw_session_end(struct sw_sessions *s, const struct sw_conf_dashboard *cfg, const char *id, sw_ms now)
{
	char text[24];
	int r;

	(void)snprintf(text, sizeof text, "%lld", (long long)now);
	free(sw_map_set(&s->out, id, sw_strdup(text)));
	r = out_write(s, cfg->session, now);
	if (s->out.n_live <= SW_SESSION_OUT)
		return r;
	/* Too many to remember: none of the old ones holds any more. */
	out_free(s);
	r = key_write(s, NULL);
	sw_hmac_key_free(s->prepared);
	s->prepared = sw_hmac_key_new(s->key, sizeof s->key);
	return r < 0 ? r : out_write(s, cfg->session, now);
}

const char *sw_session_csrf(struct sw_sessions *s, const char *what, struct sw_arena *a)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf hex = SW_BUF_INIT;
	unsigned char mac[SW_SHA256_BYTES];

	sw_hmac_begin(s->hmac, s->prepared);
	sw_hmac_add(s->hmac, "form", 5);
	sw_hmac_add(s->hmac, what, strlen(what));
	sw_hmac_end(s->hmac, mac);
	sw_hex_encode(&hex, mac, sizeof mac);
	return sw_arena_strndup(a, hex.p, CSRF_DIGITS);
}
